//! The plain Docker client on the gateway's socket, under the same rules.

use crate::suite::{tests, world};

tests![the_plain_client_works, the_plain_client_is_refused_alike, versions_are_negotiated];

fn the_plain_client_works() {
    let world = world();
    let bob = world.newcomer("b-o.b");
    let id = bob.docker("run -d --name web busybox:test sleep 1000").line();
    assert_eq!(bob.docker("ps -q --no-trunc").line(), id);
    assert_eq!(bob.docker(["ps", "--format", "{{.Names}}"]).line(), "web");
    assert_eq!(bob.run("ps -q --no-trunc").line(), id);
    assert_eq!(bob.docker("exec web id -u").line(), bob.uid.to_string());
    assert_eq!(bob.docker(["inspect", "--format", "{{.Name}}", "web"]).line(), "/web");
    bob.write("file", "by docker\n");
    bob.docker("cp file web:/tmp/file").ok();
    bob.docker("cp web:/tmp/file back").ok();
    assert_eq!(bob.read("back"), "by docker\n");
    assert_eq!(
        bob.docker(["run", "--rm", "busybox:test", "sh", "-c", "echo out; exit 3"]).exits(3).stdout(),
        "out\n"
    );
    bob.docker("stop -t 0 web").ok();
    bob.docker("start web").ok();
    bob.docker("logs web").ok();
    bob.docker("rm -f web").ok();
    assert_eq!(bob.docker("ps -aq").ok(), "");
    bob.docker("images").says(&["busybox"]).hides(&["forbidden"]);
}

fn the_plain_client_is_refused_alike() {
    let world = world();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("b-o.b"));
    ann.sleeper("box");
    bob.docker("rm -f box");
    bob.docker("stop box").fails(1);
    bob.docker("run --rm --privileged busybox:test true").says(&["Privileged"]).fails(125);
    bob.docker("run --rm -v /:/host busybox:test true").fails(125);
    bob.docker("run --rm --user 0 busybox:test true").fails(125);
    bob.docker("run --rm forbidden/tool:test true").fails(125);
    bob.docker("volume create mine").fails(1);
    bob.docker("network create mine").fails(1);
    assert_eq!(world.inspect(&ann.engine_name("box"), "{{.State.Running}}"), "true");
}

fn versions_are_negotiated() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.docker("version").says(&["Server"]).exits(0);
    assert_eq!(ann.raw("GET", "/_ping", "").0, 200);
    assert_eq!(ann.raw("GET", "/v1.40/containers/json", "").0, 200);
    assert_eq!(ann.raw("GET", "/containers/json", "").0, 200);
    let (status, body) = ann.raw("GET", "/v1.41/version", "");
    let json: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, json["ApiVersion"].as_str()), (200, Some("1.41")));
    ann.run("version").says(&["1.41"]).exits(0);
}
