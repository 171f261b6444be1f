//! The example that is installed: it is a policy that stops nobody, and it shows every key.

use super::*;

const EXAMPLE: &str = include_str!("../../../config/policy.toml");

/// With what stands behind a `#` and no blank, in the place of the setting of the same name before it.
fn whole() -> String {
    let off = |line: &&str| line.starts_with('#') && !line[1..].starts_with([' ', '\n']) && line.len() > 1;
    let set = |line: &str| line.split_once('=').map(|(key, _)| key.trim().to_owned());
    let replaced = |line: &&str| {
        EXAMPLE.lines().filter(off).any(|other| line.starts_with("homes") && set(line) == set(&other[1..]))
    };
    let lines = EXAMPLE.lines().filter(|line| !replaced(line));
    lines.map(|line| if off(&line) { &line[1..] } else { line }).map(|line| format!("{line}\n")).collect()
}

#[test]
fn the_example_is_a_policy() {
    let policy = Policy::parse("policy.toml", EXAMPLE).unwrap_or_else(|wrong| panic!("{wrong}"));
    let who = Who { login: "bob", groups: &[], home: Path::new("/home/bob"), today: TODAY };
    let bob = policy.limits(&who);
    assert_eq!(told(bob.admit(&Usage::default(), &ubuntu())), "yes");
    assert_eq!(policy.gateway().engine(), Path::new("/run/ie-engine/docker.sock"));
    assert!(policy.gateway().uids().contains(1000) && !policy.gateway().uids().contains(999));
}

/// No directory, account or group that a host may not have.
#[test]
fn the_example_stops_nobody() {
    let policy = Policy::parse("policy.toml", EXAMPLE).unwrap();
    assert_eq!((policy.groups().count(), policy.users().count()), (0, 0));
    let roots: Vec<_> = policy.roots().into_iter().map(|root| (root.path, root.idmap)).collect();
    assert_eq!(roots, [("/home".into(), true)]);
    assert!(policy.gpus().list().is_none());
}

#[test]
fn what_does_not_hold_in_the_example_is_a_policy_too() {
    let whole = whole();
    let policy = Policy::parse("policy.toml", &whole).unwrap_or_else(|wrong| panic!("{wrong}\n{whole}"));
    assert!(policy.gateway().homes()[0].idmap() && !policy.gateway().homes()[1].idmap());
    assert_eq!(policy.groups().chain(policy.users()).collect::<Vec<_>>(), ["os2026", "alice"]);
    assert!(policy.roots().iter().any(|root| root.path == Path::new("/srv/licences")));
    assert_eq!(policy.gpus().list().map(<[_]>::len), Some(1));
}

#[test]
fn the_numbers_of_the_example_are_the_built_in_ones() {
    let example = Policy::parse("policy.toml", EXAMPLE).unwrap();
    let who = Who { login: "bob", groups: &[], home: Path::new("/home/bob"), today: TODAY };
    let (written, built_in) = (example.limits(&who), policy("").limits(&who));
    let lists = ["each.nofile", "total.gpus", "images", "ports.range", "home", "stopped_for", "restart"];
    for (one, other) in written.values().iter().zip(built_in.values()) {
        assert_eq!(one.value == other.value, !lists.contains(&one.rule), "{}", one.rule);
    }
    let bare = policy("");
    let (one, other) = (example.gateway(), bare.gateway());
    assert_eq!((one.engine(), one.connections()), (other.engine(), other.connections()));
    assert_eq!((one.networks(), one.network_size()), (other.networks(), other.network_size()));
    assert_eq!(one.measure(), other.measure());
    assert_eq!((one.userns(), one.remap_user()), (other.userns(), other.remap_user()));
}

/// Asks each table for its keys by way of one that no table has.
#[test]
fn every_key_appears_in_the_example() {
    let asked = "zzzzzzzzzzzz = 1\n[gateway]\nuids = '1-9'\nzzzzzzzzzzzz = 1\nhomes = [{ path = '/h', zzzzzzzzzzzz = 1 }]
[defaults]\nzzzzzzzzzzzz = 1\neach.zzzzzzzzzzzz = 1\nmax.zzzzzzzzzzzz = 1\ntotal.zzzzzzzzzzzz = 1\nports.zzzzzzzzzzzz = 1
mounts = [{ source = '/d', mode = 'ro', zzzzzzzzzzzz = 1 }]\n[users.a]\nzzzzzzzzzzzz = 1\n";
    let told = problems(asked);
    let keys: Vec<_> = told
        .iter()
        .filter_map(|line| line.split_once("the keys are "))
        .flat_map(|(_, keys)| keys.split(", "))
        .collect();
    assert_eq!(told.len(), 10, "{told:?}");
    assert!(keys.len() > 40, "{keys:?}");
    let whole = whole();
    for key in keys {
        let shown = whole.lines().map(|line| line.split('#').next().unwrap()).any(|line| {
            line.split(['[', '{', ',', '.', ']']).any(|part| part.split('=').next().unwrap().trim() == key)
        });
        assert!(shown, "{key} is not in the example");
    }
}
