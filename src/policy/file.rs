//! The shape of the policy file: which tables there are, and what each gives.

use super::Policy;
use super::gateway::{Gateway, HomeRoot, Pool, SMALLEST_NETWORK, UidRange};
use super::gpus::Gpus;
use super::layer::{Layer, Reading};
use super::node::Node;
use super::paths::{is_root, plain};
use super::problems::Problems;
use super::source::Sourced;
use super::table::{Document, Table};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

const ENGINE: &str = "/run/docker.sock";
const CONNECTIONS: u32 = 64;
const NETWORKS: Pool = Pool::new(Ipv4Addr::new(10, 200, 0, 0), 16);
const NETWORK_SIZE: u8 = 28;

pub(super) fn read(file: &str, text: &str) -> Result<Policy, Problems> {
    Document::read(file, text, |root| {
        let gateway = root.must("gateway").and_then(|node| node.section(gateway)).flatten();
        let reading = Reading::new(gateway.as_ref().map_or(&[], Gateway::homes));
        let defaults = root.get("defaults").and_then(|node| node.section(|table| reading.defaults(table)));
        let gpus = root.get("gpus").and_then(|node| node.section(Gpus::read));
        let groups = layers(&reading, root.get("groups"));
        let users = layers(&reading, root.get("users"));
        Some(Policy {
            gateway: gateway?,
            gpus: gpus.unwrap_or_default(),
            defaults: defaults.unwrap_or_default(),
            groups,
            users,
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
    let engine = take(table.get("engine"), ENGINE.into(), engine);
    let uids = table.must("uids").and_then(|node| node.word::<UidRange>());
    let homes = take(table.get("homes"), Sourced::built_in(Vec::new()), homes);
    let connections = take(table.get("connections"), CONNECTIONS, connections);
    let networks = take(table.get("networks"), NETWORKS, Node::word);
    let pool = networks.unwrap_or(NETWORKS);
    let network_size =
        take(table.get("network_size"), NETWORK_SIZE.max(pool.prefix()), |node| size(node, pool));
    Some(Gateway {
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
        _ => node.wrong("must be a Unix socket such as \"unix:///run/docker.sock\""),
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
    let path = table.must("path").and_then(|node| node.path(super::mounts::offered));
    let idmap = take(table.get("idmap"), true, Node::switch);
    Some(HomeRoot { path: path?, idmap: idmap? })
}

#[cfg(test)]
mod tests {
    use super::super::tests::problems;

    #[test]
    fn every_wrong_value_is_named_with_its_line() {
        for (text, told) in [
            (
                "[gateway]\nuids='1-9'\nengine='tcp://1.2.3.4:2375'",
                "p.toml:3: `gateway.engine` must be a Unix socket such as \"unix:///run/docker.sock\"",
            ),
            (
                "[gateway]\nuids='1-9'\nengine='unix://docker.sock'",
                "p.toml:3: `gateway.engine` must be a Unix socket such as \"unix:///run/docker.sock\"",
            ),
            (
                "[gateway]\nuids='0-9'",
                "p.toml:2: `gateway.uids` is wrong: \"0-9\" must go upwards, from 1 at least to 4294967294 at most",
            ),
            ("[gateway]\nuids=1000", "p.toml:2: `gateway.uids` must be a string"),
            ("[gateway]\nhomes=['/home']", "p.toml:1: `uids` is missing in [gateway]"),
            ("", "p.toml: `gateway` is missing"),
            ("[gateway]\nuids='1-9'\nhomes='/home'", "p.toml:3: `gateway.homes` must be a list in brackets"),
            (
                "[gateway]\nuids='1-9'\nhomes=['home']",
                "p.toml:3: `gateway.homes[0]` \"home\" is not an absolute path",
            ),
            (
                "[gateway]\nuids='1-9'\nhomes=['/home',\n '/']",
                "p.toml:4: `gateway.homes[1]` \"/\" is not a directory to hand out",
            ),
            (
                "[gateway]\nuids='1-9'\nhomes=['/home/../etc']",
                "p.toml:3: `gateway.homes[0]` \"/home/../etc\" holds `.` or `..`, give the path itself",
            ),
            (
                "[gateway]\nuids='1-9'\nhomes=['/home', '/home/']",
                "p.toml:3: `gateway.homes[1]` /home is listed twice",
            ),
            (
                "[gateway]\nuids='1-9'\nhomes=[{idmap='off'}]",
                "p.toml:3: `path` is missing in [gateway.homes[0]]",
            ),
            (
                "[gateway]\nuids='1-9'\nhomes=[{path='/h', idmap=false}]",
                "p.toml:3: `gateway.homes[0].idmap` must be \"on\" or \"off\"",
            ),
            ("[gateway]\nuids='1-9'\nconnections=0", "p.toml:3: `gateway.connections` must be more than 0"),
            (
                "[gateway]\nuids='1-9'\nconnections='none'",
                "p.toml:3: `gateway.connections` must be a whole number",
            ),
            (
                "[gateway]\nuids='1-9'\nnetworks='8.8.8.0/24'",
                "p.toml:3: `gateway.networks` is wrong: \"8.8.8.0/24\" is not a block of private addresses",
            ),
            (
                "[gateway]\nuids='1-9'\nnetwork_size=31",
                "p.toml:3: `gateway.network_size` must be a prefix length from 16 (that of `networks`) to 30",
            ),
            (
                "[gateway]\nuids='1-9'\n[gpus]\nlist=[{uuid='0'}]",
                "p.toml:4: `gpus.list[0].uuid` is wrong: \"0\" is not a GPU's UUID such as GPU-8f3c1b2a-…, \
                 ie-container gpus lists them",
            ),
            (
                "[gateway]\nuids='1-9'\n[gpus]\nlist=[{uuid='GPU-1'}, {uuid='GPU-1', share=2}]",
                "p.toml:4: `gpus.list[1]` GPU-1 is listed twice",
            ),
            (
                "[gateway]\nuids='1-9'\n[gpus]\nlist=[{uuid='GPU-1', share=0}]",
                "p.toml:4: `gpus.list[0].share` must be more than 0",
            ),
            (
                "[gateway]\nuids='1-9'\n[gpus]\ndriver='x'",
                "p.toml:4: `gpus.driver` must be \"nvidia\" or \"cdi\"",
            ),
            (
                "[gateway]\nuids='1-9'\n[defaults]\ngpu_time=24",
                "p.toml:4: `defaults.gpu_time` must be a span of time in quotes such as \"24h\"",
            ),
            (
                "[gateway]\nuids='1-9'\n[defaults]\ngpu_time='0h'",
                "p.toml:4: `defaults.gpu_time` must be more than 0",
            ),
            ("[gateway]\nuids='1-9'\n[users.'']\n", "p.toml:3: `users.\"\"` needs a name"),
            ("[gateway]\nuids='1-9'\n[groups]\nx=1\n", "p.toml:4: `groups.x` must be a table"),
        ] {
            assert_eq!(problems(text), [told], "{text}");
        }
    }

    #[test]
    fn keys_that_do_nothing_yet_are_not_accepted() {
        for (text, told) in [
            ("[defaults]\nstopped_for='30d'", "p.toml:4: `stopped_for` is not served by this version"),
            ("[users.u]\ntotal={disk='40g'}", "p.toml:4: `disk` is not served by this version"),
        ] {
            assert_eq!(problems(&format!("[gateway]\nuids='1-9'\n{text}")), [told]);
        }
    }
}
