//! The shape of the policy file: which tables there are, and what each gives.

use super::Policy;
use super::gateway::{Gateway, HomeRoot, Pool, SMALLEST_NETWORK, UidRange, Userns};
use super::gpus::Gpus;
use super::keys::{self, gateway as of};
use super::layer::{Layer, Reading};
use super::node::Node;
use super::paths::{is_root, plain};
use super::problems::Problems;
use super::source::Sourced;
use super::table::{Document, Table};
use crate::protocol::amount::Span;
use crate::protocol::layout;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

/// Of one user at once. The unit's `LimitNOFILE=8192` has room for some sixty who have all of theirs, each with one to the engine.
const CONNECTIONS: u32 = 64;
/// Beside what Docker takes by itself, which lies in 172.16.0.0/12 and 192.168.0.0/16.
const NETWORKS: Pool = Pool::new(Ipv4Addr::new(10, 200, 0, 0), 16);
/// In bits: 16 addresses, and so 4096 networks in the block above.
const NETWORK_SIZE: u8 = 28;
/// An engine walks through all files for it, and so the pauses grow where that takes long.
const MEASURE: Span = Span(60);

pub(super) fn read(file: &str, text: &str) -> Result<Policy, Problems> {
    Document::read(file, text, |root| {
        let gateway = root.must(&keys::GATEWAY).and_then(|node| node.section(gateway)).flatten();
        let reading = Reading::new(gateway.as_ref().map_or(&[], Gateway::homes));
        let defaults =
            root.get(&keys::DEFAULTS).and_then(|node| node.section(|table| reading.defaults(table)));
        let gpus = root.get(&keys::GPUS).and_then(|node| node.section(Gpus::read));
        let groups = layers(&reading, root.get(&keys::GROUPS));
        let users = layers(&reading, root.get(&keys::USERS));
        Some(Policy {
            gateway: gateway?,
            gpus: gpus.unwrap_or_default(),
            defaults: defaults.unwrap_or_default(),
            groups,
            users,
            remap: None,
        })
    })
}

/// The tables of groups or users, in the order of the file.
fn layers(reading: &Reading<'_>, node: Option<Node<'_, '_>>) -> Vec<Layer> {
    let named = |(name, node): (String, Node<'_, '_>)| match name.is_empty() {
        true => node.wrong("needs a name"),
        false => node.section(|table| reading.named(&name, table)),
    };
    let all = |table: &Table<'_, '_>| table.all().into_iter().filter_map(named).collect();
    node.and_then(|node| node.table(all)).unwrap_or_default()
}

/// Every key is read before one that is wrong ends it, so that all problems are noted.
fn gateway(table: &Table<'_, '_>) -> Option<Gateway> {
    let engine = take(table.get(&of::ENGINE), layout::ENGINE_SOCKET.into(), engine);
    let uids = table.must(&of::UIDS).and_then(|node| node.word::<UidRange>());
    let homes = take(table.get(&of::HOMES), Sourced::built_in(Vec::new()), homes);
    let connections = take(table.get(&of::CONNECTIONS), CONNECTIONS, connections);
    let networks = take(table.get(&of::NETWORKS), NETWORKS, Node::word);
    let pool = networks.unwrap_or(NETWORKS);
    let network_size =
        take(table.get(&of::NETWORK_SIZE), NETWORK_SIZE.max(pool.prefix()), |node| size(node, pool));
    let measure = take(table.get(&of::MEASURE), MEASURE, |node| node.some(node.span()));
    let userns = take(table.get(&of::USERNS), Userns::Remap, userns);
    let remap_user = take(table.get(&of::REMAP_USER), layout::ENGINE_USER.to_owned(), login);
    Some(Gateway {
        measure: measure?,
        userns: userns?,
        remap_user: remap_user?,
        engine: engine?,
        uids: uids?,
        homes: homes?,
        connections: connections?,
        networks: networks?,
        network_size: network_size?,
    })
}

/// What a key says, or the default where it is absent; nothing where it is wrong.
fn take<'d, 't, T>(
    node: Option<Node<'d, 't>>,
    default: T,
    read: impl FnOnce(&Node<'d, 't>) -> Option<T>,
) -> Option<T> {
    match node {
        Some(node) => read(&node),
        None => Some(default),
    }
}

fn engine(node: &Node<'_, '_>) -> Option<PathBuf> {
    match node.text()?.strip_prefix("unix://").map(|path| plain(Path::new(path))) {
        Some(Ok(path)) if !is_root(&path) => Some(path),
        _ => node.wrong("must be a Unix socket such as \"unix:///run/ie-engine/docker.sock\""),
    }
}

fn userns(node: &Node<'_, '_>) -> Option<Userns> {
    match node.text()? {
        "remap" => Some(Userns::Remap),
        "host" => Some(Userns::Host),
        _ => node.wrong("must be \"remap\" or \"host\""),
    }
}

/// A name that cannot be taken for another field of /etc/subuid.
fn login(node: &Node<'_, '_>) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let name = node.text()?;
    // Nor for a uid.
    match name.chars().all(plain) && !name.chars().all(|c| c.is_ascii_digit()) {
        true => Some(name.to_owned()),
        false => node.wrong("must be the name of a user"),
    }
}

fn connections(node: &Node<'_, '_>) -> Option<u32> {
    let number = node.some(node.whole())?;
    u32::try_from(number).ok().or_else(|| node.wrong("is more than 4294967295"))
}

fn size(node: &Node<'_, '_>, pool: Pool) -> Option<u8> {
    let (longest, shortest) = (SMALLEST_NETWORK, pool.prefix());
    let size = node.whole().and_then(|bits| u8::try_from(bits).ok());
    size.filter(|bits| (shortest..=longest).contains(bits)).or_else(|| {
        node.wrong(format!("must be a prefix length from {shortest} (that of `networks`) to {longest}"))
    })
}

fn homes(node: &Node<'_, '_>) -> Option<Sourced<Vec<HomeRoot>>> {
    let mut homes: Vec<HomeRoot> = Vec::new();
    for item in node.list()? {
        let Some(home) = home(&item) else { continue };
        if homes.iter().any(|other| other.path == home.path) {
            item.wrong::<()>(format!("{} is listed twice", home.path.display()));
        }
        homes.push(home);
    }
    Some(node.sourced(homes))
}

/// `"/home"`, or `{ path = "/nfs/home", idmap = "off" }`.
fn home(item: &Node<'_, '_>) -> Option<HomeRoot> {
    if item.is_table() {
        return item.table(full_home).flatten();
    }
    Some(HomeRoot { path: item.path(super::mounts::offered)?, idmap: true })
}

fn full_home(table: &Table<'_, '_>) -> Option<HomeRoot> {
    let path = table.must(&of::HOME_PATH).and_then(|node| node.path(super::mounts::offered));
    let idmap = take(table.get(&of::HOME_IDMAP), true, Node::switch);
    Some(HomeRoot { path: path?, idmap: idmap? })
}
