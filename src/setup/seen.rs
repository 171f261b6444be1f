//! What is looked at: who has an account, where homes are and whether they can be idmapped, GPUs, who is in group docker.

use super::account::{Account, Range};
use super::draft::Choice;
use super::homes::{Idmap, Root, parents, roots};
use crate::doctor::Host;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// How the host's name service, and directories, are asked: each answer is bounded in time by who asks.
pub struct Names<'a> {
    /// What `getent` says to these words.
    pub getent: &'a dyn Fn(&[&str]) -> String,
    pub try_idmap: &'a dyn Fn(&Path) -> Idmap,
}

/// A host, as far as the policy depends on it.
#[derive(Debug)]
pub struct Seen {
    pub(super) ids: Range,
    /// Accounts of people, by uid.
    pub(super) people: BTreeMap<u32, Account>,
    pub(super) greatest_gid: u32,
    pub(super) roots: Vec<Root>,
    pub(super) of_roots: Vec<Choice>,
    pub(super) in_docker: BTreeSet<String>,
    pub(super) gpus: Gpus,
}

/// NVIDIA's cards, and what there is to give them to containers.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gpus {
    pub(super) cards: usize,
    pub(super) nvml: bool,
    pub(super) hook: bool,
    pub(super) cdi: bool,
}

/// So many directories are looked at for owners whom nobody lists.
const MOST_HOMES: usize = 10_000;
/// So many names or ids are asked for with one command.
const AT_ONCE: usize = 100;

impl Seen {
    pub fn of(host: &Host, names: &Names<'_>) -> Self {
        let ids = Range::read(&host.text("/etc/login.defs").unwrap_or_default());
        let mut people = BTreeMap::new();
        people.extend(persons(&host.text("/etc/passwd").unwrap_or_default(), ids));
        people.extend(persons(&(names.getent)(&["passwd"]), ids));
        let listed: Vec<Account> = people.values().cloned().collect();
        let unlisted = asked(names, "passwd", &owners(host, names, ids, &listed));
        let unlisted: BTreeMap<u32, Account> = persons(&unlisted, ids).collect();
        // Who does not list people does not list their groups either.
        let logins: Vec<String> = unlisted.values().map(|account| account.login.clone()).collect();
        let of_unlisted = asked(names, "initgroups", &logins);
        people.extend(unlisted);
        let all: Vec<Account> = people.values().cloned().collect();
        let (roots, of_roots) = roots(host, &all, names.try_idmap);
        let groups = (names.getent)(&["group"]);
        let gids = groups.lines().filter_map(|line| line.split(':').nth(2)?.parse().ok());
        let of_unlisted = of_unlisted.lines().flat_map(|line| line.split_whitespace().skip(1));
        let gids = gids.chain(of_unlisted.filter_map(|gid| gid.parse().ok()));
        let primary = all.iter().map(|account| account.gid);
        Self {
            ids,
            greatest_gid: gids.chain(primary).filter(|gid| *gid <= super::draft::GREATEST).max().unwrap_or(0),
            roots,
            of_roots,
            in_docker: members(&(names.getent)(&["group", "docker"]), &all),
            gpus: Gpus::of(host),
            people,
        }
    }
}

/// What the name service says of these keys, so many at a time.
fn asked(names: &Names<'_>, database: &str, keys: &[String]) -> String {
    let some = keys.chunks(AT_ONCE).map(|some| {
        let words: Vec<&str> = std::iter::once(database).chain(some.iter().map(String::as_str)).collect();
        (names.getent)(&words)
    });
    some.collect()
}

/// The accounts of people among these lines, by uid.
fn persons(lines: &str, ids: Range) -> impl Iterator<Item = (u32, Account)> {
    let accounts = lines.lines().filter_map(Account::read).filter(move |account| account.is_a_persons(ids));
    accounts.map(|account| (account.uid, account))
}

/// The uids that own homes and that no listing has: a directory service need not list whom it knows.
fn owners(host: &Host, names: &Names<'_>, ids: Range, listed: &[Account]) -> Vec<String> {
    let answers = |path: &Path| (names.try_idmap)(path) != Idmap::NoAnswer;
    let known: BTreeSet<u32> = listed.iter().map(|account| account.uid).collect();
    let mut found = BTreeSet::new();
    for dir in parents(listed).into_keys().filter(|dir| answers(dir)) {
        for name in host.names(&dir).into_iter().take(MOST_HOMES) {
            if let Some(look) = host.look(dir.join(name))
                && look.uid >= ids.first
                && !known.contains(&look.uid)
            {
                found.insert(look.uid);
            }
        }
    }
    found.iter().map(ToString::to_string).collect()
}

/// Who is listed in the group of this line, or has it for the primary one.
fn members(line: &str, accounts: &[Account]) -> BTreeSet<String> {
    let fields: Vec<&str> = line.trim_end().split(':').collect();
    let [_, _, gid, listed] = fields.as_slice() else { return BTreeSet::new() };
    let listed = listed.split(',').filter(|name| !name.is_empty()).map(str::to_owned);
    let primary =
        accounts.iter().filter(|account| Ok(account.gid) == gid.parse()).map(|account| account.login.clone());
    listed.chain(primary).filter(|login| login != "root").collect()
}

/// Where the driver's library and its toolkit put themselves.
const LIBRARIES: [&str; 5] =
    ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/lib/wsl/lib"];
const SPECIFICATIONS: [&str; 2] = ["/etc/cdi", "/var/run/cdi"];

impl Gpus {
    fn of(host: &Host) -> Self {
        let has = |path: &str| host.look(path).is_some();
        Self {
            cards: host.names("/proc/driver/nvidia/gpus").len(),
            nvml: LIBRARIES.iter().any(|dir| has(&format!("{dir}/libnvidia-ml.so.1"))),
            hook: has(super::runtime::HOOK),
            cdi: SPECIFICATIONS.iter().any(|dir| {
                let names = host.names(dir).into_iter();
                names
                    .map(|name| format!("{dir}/{name}"))
                    .any(|file| host.text(file).is_some_and(|text| text.contains("nvidia.com/gpu")))
            }),
        }
    }
}
