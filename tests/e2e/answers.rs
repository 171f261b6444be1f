//! Statuses and sentences that clients act on: what the gateway answers is what the engine itself answers.

use crate::suite::{tests, world};
use crate::world::{User, World};
use serde_json::Value;

tests![
    no_machine_is_in_a_swarm,
    states_are_refused_as_by_the_engine,
    what_inspect_says_of_the_host,
    a_name_is_free_when_its_container_was_stopped,
    what_tools_send_as_a_matter_of_course,
];

/// The sentence of an error, without ids, and without the names that only one side has.
fn sentence(body: &str) -> String {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let said = body["message"].as_str().unwrap_or_default();
    let word = |word: &str| {
        let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        match bare.len() >= 12 && bare.bytes().all(|b| b.is_ascii_hexdigit()) {
            true => word.replace(bare, "ID"),
            false => word.to_owned(),
        }
    };
    said.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// The status of both, and both sentences: of the gateway's the engine's is the beginning.
fn both(world: &World, user: &User<'_>, (method, path, body): (&str, &str, &str)) -> [(u16, String); 2] {
    let gateway = user.ask(method, path, body);
    let engine = world.ask_engine(method, path, body);
    [gateway, engine].map(|(status, said)| (status, sentence(&said)))
}

fn no_machine_is_in_a_swarm() {
    let world = world();
    let ann = world.newcomer("ann");
    for asked in [
        ("GET", "/swarm", ""),
        ("POST", "/swarm/leave", ""),
        ("POST", "/swarm/leave?force=1", ""),
        ("POST", "/swarm/update?version=1", "{}"),
        ("GET", "/swarm/unlockkey", ""),
        ("POST", "/swarm/unlock", r#"{"UnlockKey": "x"}"#),
        ("GET", "/nodes", ""),
        ("GET", "/nodes/x", ""),
        ("DELETE", "/nodes/x", ""),
        ("POST", "/nodes/x/update?version=1", "{}"),
        ("GET", "/services", ""),
        ("POST", "/services/create", "{}"),
        ("GET", "/services/x", ""),
        ("DELETE", "/services/x", ""),
        ("GET", "/tasks", ""),
        ("GET", "/tasks/x", ""),
        ("GET", "/secrets", ""),
        ("POST", "/secrets/create", "{}"),
        ("DELETE", "/secrets/x", ""),
        ("GET", "/configs", ""),
        ("GET", "/configs/x", ""),
        ("GET", "/v1.41/nodes", ""),
    ] {
        let [gateway, engine] = both(&world, &ann, asked);
        assert_eq!(gateway.0, 503, "{asked:?}: {gateway:?}");
        assert_eq!(gateway, engine, "{asked:?}");
    }
    // These are no questions.
    for asked in ["/swarm/init", "/swarm/join", "/swarm/other"] {
        let (status, said) = ann.ask("POST", asked, "{}");
        assert!(status == 403 && said.contains("there is no swarm"), "{asked}: {status} {said}");
    }
    ann.docker("swarm leave --force").says(&["This node is not part of a swarm"]).exits(1);
    ann.docker("node ls").says(&["This node is not a swarm manager"]).exits(1);
}

/// What both sides are asked while `on` runs and `off` does not.
const STATES: [(&str, &str, &str); 24] = [
    ("DELETE", "/containers/on", ""),
    ("POST", "/containers/off/exec", r#"{"Cmd": ["true"]}"#),
    ("POST", "/containers/off/kill", ""),
    ("GET", "/containers/off/top", ""),
    ("POST", "/containers/off/resize?h=10&w=10", ""),
    ("POST", "/containers/off/stop", ""),
    ("POST", "/containers/on/start", ""),
    ("POST", "/containers/on/rename?name=off", ""),
    ("POST", "/containers/none/start", ""),
    ("POST", "/containers/none/stop", ""),
    ("POST", "/containers/none/kill", ""),
    ("POST", "/containers/none/wait", ""),
    ("POST", "/containers/none/rename?name=x", ""),
    ("POST", "/containers/none/exec", r#"{"Cmd": ["true"]}"#),
    ("DELETE", "/containers/none", ""),
    ("GET", "/containers/none/json", ""),
    ("GET", "/containers/none/logs?stdout=1", ""),
    ("GET", "/exec/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef/json", ""),
    ("POST", "/exec/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef/start", "{}"),
    ("GET", "/images/none:1/json", ""),
    ("GET", "/networks/none-such", ""),
    ("DELETE", "/networks/none-such", ""),
    ("GET", "/volumes/none", ""),
    ("DELETE", "/volumes/none", ""),
];

/// In the words of engines from 23 on; older ones have some that no client looks for.
const SENTENCES: [(&str, &str, &str); 8] = [
    (
        "DELETE",
        "/containers/on",
        "cannot remove container \"/on\": container is running: stop the container before removing or force remove",
    ),
    ("POST", "/containers/off/exec", "container ID is not running"),
    ("POST", "/containers/off/kill", "cannot kill container: off: container ID is not running"),
    (
        "POST",
        "/containers/on/rename?name=off",
        "Error when allocating new name: Conflict. The container name \"/off\" is already in use by container \"ID\". You \
         have to remove (or rename) that container to be able to reuse that name.",
    ),
    ("GET", "/containers/none/json", "No such container: none"),
    (
        "GET",
        "/exec/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef/json",
        "No such exec instance: ID",
    ),
    ("GET", "/networks/none-such", "network none-such not found"),
    ("GET", "/volumes/none", "get none: no such volume"),
];

fn states_are_refused_as_by_the_engine() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.sleeper("on");
    ann.run("create --name off busybox:test true").ok();
    world.docker("run -d --name on busybox:test sleep 1000").ok();
    world.docker("create --name off busybox:test true").ok();
    let is_new = !world.engine_raw("/version").contains(r#""ApiVersion":"1.41""#);
    for asked in STATES {
        let [gateway, engine] = both(&world, &ann, asked);
        assert_eq!(gateway.0, engine.0, "{asked:?}: {gateway:?}, the engine {engine:?}");
        let same = gateway.1.to_lowercase().starts_with(&engine.1.to_lowercase());
        assert!(same || !is_new, "{asked:?}: {gateway:?}, the engine {engine:?}");
        let known = SENTENCES.iter().find(|(method, path, _)| (*method, *path) == (asked.0, asked.1));
        let first = known.map_or("", |(_, _, sentence)| sentence).to_lowercase();
        assert!(gateway.1.to_lowercase().starts_with(&first), "{asked:?}: {gateway:?}");
    }
    let taken = ("POST", "/containers/create?name=on", r#"{"Image": "busybox:test"}"#);
    let [gateway, engine] = both(&world, &ann, taken);
    assert_eq!((gateway.0, engine.0), (409, 409), "{gateway:?} {engine:?}");
    assert!(gateway.1.starts_with(&engine.1), "{gateway:?}, the engine {engine:?}");
    // Ours follows, and our own client says ours alone.
    assert!(gateway.1.contains("is in use by one of your containers"), "{gateway:?}");
    let said = ann.run("run --name on busybox:test true");
    assert!(!said.stderr.contains("Conflict"), "{}", said.stderr);
    world.docker("rm -f on off").ok();
}

fn what_inspect_says_of_the_host() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.sleeper("box");
    let seen = ann.docker("inspect box").ok().replace(&ann.home.display().to_string(), "HOME");
    assert!(!seen.contains("/var/lib/") && !seen.contains("/run/"), "{seen}");
    // The address in both places where tools look, and no health check that nobody asked for.
    let told = "{{.NetworkSettings.IPAddress}} {{.NetworkSettings.Networks.bridge.IPAddress}} {{.HostConfig.NetworkMode}}";
    let address = world.address(&ann.engine_name("box"));
    assert_eq!(ann.docker(["inspect", "-f", told, "box"]).line(), format!("{address} {address} bridge"));
    let once = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
    assert_eq!(ann.docker(["inspect", "-f", once, "box"]).line(), address);
    assert_eq!(ann.docker(["inspect", "-f", "{{json .Config.Healthcheck}}", "box"]).line(), "null");
    // What an image was made by, and of its names those that one may know.
    let (status, steps) = ann.ask("GET", "/images/busybox:test/history", "");
    assert!(status == 200 && steps.contains("\"Tags\":[\"busybox:test\"]"), "{status} {steps}");
    ann.docker("history busybox:test").says(&["IMAGE", "CREATED BY"]).exits(0);
    assert_eq!(ann.ask("GET", "/images/none:1/history", "").0, 404);
    let names = ann.docker("network ls --format {{.Name}}").ok();
    assert!(names.lines().any(|name| name == "bridge"), "{names}");
    for word in ["bridge", "own", "default"] {
        assert_eq!(ann.docker(["network", "inspect", "-f", "{{.Name}}", word]).line(), "bridge", "{word}");
    }
}

fn a_name_is_free_when_its_container_was_stopped() {
    let world = world();
    let ann = world.newcomer("ann");
    for _ in 0..10 {
        let id = ann.run("run -d --rm --name again busybox:test sleep 1000").line();
        let (status, said) = ann.ask("POST", &format!("/containers/{id}/stop?t=0"), "");
        assert_eq!(status, 204, "{said}");
    }
}

/// As testcontainers does in each run.
fn what_tools_send_as_a_matter_of_course() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.run("run --name box busybox:test echo ready").ok();
    for tail in ["-1", "all", "", "x", "18446744073709551616"] {
        let (status, logs) = ann.raw("GET", &format!("/containers/box/logs?stdout=1&tail={tail}"), "");
        assert!(status == 200 && logs.contains("ready"), "{tail}: {status} {logs}");
    }
    ann.docker("network create 3b708d60fa96").ok();
    ann.run("run --rm --network 3b708d60fa96 busybox:test true").ok();
    ann.docker("network rm 3b708d60fa96").ok();
    ann.docker(format!("network create {}", "3b".repeat(32))).says(&["is no name"]).exits(1);
    let said = ann.run("run -v /var/run/docker.sock:/var/run/docker.sock busybox:test true");
    said.says(&["TESTCONTAINERS_RYUK_DISABLED=true"]).fails(125);
}
