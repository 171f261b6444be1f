//! Events and counts: of one's own, and of nobody else.

use crate::suite::{tests, world};
use crate::world::tools::eventually;
use std::time::Duration;

tests![
    events_are_one_s_own,
    info_and_version_say_what_is_one_s_own,
    prune_takes_one_s_own,
    versions_that_are_not_served_are_refused,
    what_is_not_served_says_what_to_do,
];

fn events_are_one_s_own() {
    let world = world();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("bob"));
    let listening = ann.spawn_sh(
        "exec timeout 80 docker events --format '{{.Type}} {{.Action}} {{.Actor.Attributes.name}}' >events",
    );
    let listens = || {
        ann.docker("network create heard").ok();
        ann.docker("network rm heard").ok();
        std::fs::read_to_string(ann.home.join("events"))
            .is_ok_and(|seen| seen.contains("network destroy heard"))
    };
    assert!(eventually(listens), "nothing is heard");
    bob.run("run --rm --name bobs busybox:test true").ok();
    bob.docker("volume create bobs").ok();
    ann.docker("network create mine").ok();
    ann.docker("volume create mine").ok();
    ann.run("run --rm --name anns --network mine -v mine:/d busybox:test true").ok();
    let seen = || ann.read("events");
    assert!(eventually(|| seen().contains("container destroy anns")), "{}", seen());
    let seen = seen();
    for line in [
        "network create mine",
        "container create anns",
        "container start anns",
        "container die anns",
        "volume create",
    ] {
        assert!(seen.contains(line), "{line} is not in {seen}");
    }
    assert!(!seen.contains("bobs") && !seen.contains("ie-"), "{seen}");
    drop(listening);
    // The client says `until` in whole seconds.
    std::thread::sleep(Duration::from_millis(1100));
    let past = ann.docker("events --since 1h --until 0s --filter type=container --filter event=die --format {{.Actor.Attributes.name}}").ok();
    assert!(past.lines().all(|name| name == "anns") && past.contains("anns"), "{past}");
    ann.docker("events --until 0s --filter daemon=x").says(&["invalid filter"]).exits(1);
    ann.docker("network rm mine").ok();
}

fn info_and_version_say_what_is_one_s_own() {
    let world = world();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("bob"));
    bob.sleeper("box");
    ann.run("run --name done busybox:test true").ok();
    let counts = "{{.Containers}} {{.ContainersRunning}} {{.ContainersStopped}}";
    assert!(eventually(|| ann.docker(["info", "--format", counts]).line() == "1 0 1"));
    let whole = ann.docker(["info", "--format", "{{json .}}"]).ok();
    assert!(!whole.contains(&bob.login) && !whole.contains("/engine"), "{whole}");
    ann.docker("version").says(&["ie-containerd"]).exits(0);
}

fn prune_takes_one_s_own() {
    let world = world();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("bob"));
    bob.run("run --name done busybox:test true").ok();
    ann.run("run --name done busybox:test true").ok();
    ann.run("run --name kept --label keep=1 busybox:test true").ok();
    ann.sleeper("box");
    ann.docker("container prune -f --filter label=nothing").exits(0);
    assert_eq!(ann.run("ps -aq").ok().lines().count(), 3);
    ann.docker("container prune -f").says(&["Deleted Containers"]).exits(0);
    assert_eq!(ann.run("ps -a --format {{.Names}}").ok(), "box\n");
    assert_eq!(bob.run("ps -aq").ok().lines().count(), 1);
}

fn versions_that_are_not_served_are_refused() {
    let world = world();
    let ann = world.newcomer("ann");
    let newest = world.engine.api_version();
    for (version, status, word) in [
        ("1.23", 400, "client version 1.23 is too old. Minimum supported API version is 1.24"),
        ("1.99", 400, &*format!("client version 1.99 is too new. Maximum supported API version is {newest}")),
        ("1.24", 200, "["),
        (&*newest, 200, "["),
    ] {
        let (answered, body) = ann.raw("GET", &format!("/v{version}/containers/json"), "");
        assert_eq!(answered, status, "{version}: {body}");
        assert!(body.contains(word), "{version}: {body}");
    }
}

fn what_is_not_served_says_what_to_do() {
    let world = world();
    let ann = world.newcomer("ann");
    for (method, path, word) in [
        ("POST", "/build", "build where you are root"),
        ("POST", "/v1.41/session", "build where you are root"),
        ("POST", "/commit", "push it, and pull it here"),
        ("POST", "/images/load", "registries only"),
        ("POST", "/swarm/init", "no swarm"),
        ("GET", "/plugins", "plugins run as root"),
        ("GET", "/containers/box/changes", "find / -xdev"),
        ("POST", "/auth", "logins to registries"),
    ] {
        let (status, body) = ann.raw(method, path, "{}");
        assert_eq!(status, 403, "{path}: {body}");
        let message = serde_json::from_str::<serde_json::Value>(&body).unwrap()["message"].clone();
        assert!(message.as_str().unwrap().contains(word), "{path}: {body}");
    }
}
