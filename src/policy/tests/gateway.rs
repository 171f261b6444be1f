//! `[gateway]`: what it says, and what it means where it says nothing.

use super::*;
use crate::protocol::amount::Span;

fn gateway(keys: &str) -> Gateway {
    Policy::parse("p.toml", &format!("[gateway]\nuids = '1000-59999'\n{keys}")).unwrap().gateway().clone()
}

#[test]
fn what_is_not_written_is_built_in() {
    let plain = gateway("");
    assert_eq!(plain.engine(), Path::new("/run/ie-engine/docker.sock"));
    assert_eq!((plain.connections(), plain.measure()), (64, Span(60)));
    assert_eq!((plain.networks().to_string().as_str(), plain.network_size()), ("10.200.0.0/16", 28));
    assert_eq!(plain.uids().to_string(), "1000-59999");
    assert_eq!((plain.userns(), plain.remap_user()), (Userns::Remap, "ie-engine"));
    assert!(plain.homes().is_empty());
}

#[test]
fn containers_are_in_a_user_namespace_of_their_own_unless_the_admin_says_the_hosts() {
    let written = gateway("userns = 'host'\nremap_user = 'other.one'");
    assert_eq!((written.userns(), written.remap_user()), (Userns::Host, "other.one"));
    for wrong in [
        "userns = 'Host'",
        "userns = ''",
        "userns = true",
        "remap_user = ''",
        "remap_user = 'a:0'",
        "remap_user = '998'",
    ] {
        assert_eq!(problems(&format!("[gateway]\nuids = '1-9'\n{wrong}")).len(), 1, "{wrong}");
    }
}

/// A policy whose uids meet the range is not taken; if one were, nobody of the range would be served.
#[test]
fn nobody_of_the_engines_range_is_admitted() {
    let policy = Policy::parse("p.toml", "[gateway]\nuids = '1000-2000000000'").unwrap();
    let range = IdRange::fake(1_000_000_000, 100_000);
    let policy = policy.with_remap(Some(Remap { uids: range, gids: range }));
    for (uid, admitted) in [
        (1000, true),
        (999_999_999, true),
        (1_000_000_000, false),
        (1_000_099_999, false),
        (1_000_100_000, true),
    ] {
        assert_eq!(policy.admits(uid), admitted, "{uid}");
    }
}

#[test]
fn what_is_written_counts() {
    let written = gateway(
        "engine = 'unix:///srv/docker.sock'\nconnections = 7\nmeasure = '90s'\nnetworks = '172.20.0.0/14'\nnetwork_size = 27",
    );
    assert_eq!(written.engine(), Path::new("/srv/docker.sock"));
    assert_eq!((written.connections(), written.measure()), (7, Span(90)));
    assert_eq!((written.networks().prefix(), written.network_size()), (14, 27));
    // A network is never larger than what all are taken from, also where only that is written.
    assert_eq!(gateway("networks = '10.9.0.0/29'").network_size(), 29);
    assert_eq!(gateway("networks = '10.9.0.0/20'\nnetwork_size = 20").network_size(), 20);
    let told = problems("[gateway]\nuids = '1-9'\nnetworks = '10.9.0.0/20'\nnetwork_size = 19");
    assert!(told[0].contains("from 20 (that of `networks`) to 30"), "{told:?}");
}

#[test]
fn the_engine_is_at_a_path_below_the_root() {
    for engine in
        ["unix:///", "/run/docker.sock", "unix://run/docker.sock", "tcp://127.0.0.1:2375", "unix:///run/../x"]
    {
        let told = problems(&format!("[gateway]\nuids = '1-9'\nengine = '{engine}'"));
        assert!(told.len() == 1 && told[0].contains("must be a Unix socket"), "{engine}: {told:?}");
    }
}

#[test]
fn one_uid_is_a_range() {
    let alone: UidRange = "1000-1000".parse().unwrap();
    assert!(alone.contains(1000) && !alone.contains(999) && !alone.contains(1001));
    assert_eq!(alone.to_string(), "1000-1000");
}
