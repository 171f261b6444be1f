//! What the API does not do: every option nobody classified, every path nobody serves.

use crate::suite::{tests, world};
use crate::world::tools::{eventually, tells_number};

tests![
    options_outside_the_grant_are_named,
    exec_options_outside_the_grant_are_named,
    paths_that_are_not_served,
    paths_that_only_look_served,
    nonsense_is_answered,
    too_many_connections_are_dropped,
    a_japanese_locale_is_answered_in_japanese,
    what_changes_something_has_a_pace,
];

/// The part of a create body, and the word that the refusal must name.
const CREATE: [(&str, &str); 39] = [
    (r#""HostConfig":{"Privileged":true}"#, "Privileged"),
    (r#""HostConfig":{"CapAdd":["MKNOD"]}"#, "CapAdd"),
    (
        r#""HostConfig":{"Devices":[{"PathOnHost":"/dev/sda","PathInContainer":"/dev/sda","CgroupPermissions":"rwm"}]}"#,
        "Devices",
    ),
    (r#""HostConfig":{"DeviceCgroupRules":["a *:* rwm"]}"#, "DeviceCgroupRules"),
    (r#""HostConfig":{"DeviceRequests":[{"Driver":"nvidia","Count":-1}]}"#, "gpus"),
    (r#""HostConfig":{"Binds":["/:/host"]}"#, "/"),
    (r#""HostConfig":{"Binds":["/etc:/host:ro"]}"#, "/etc"),
    (r#""HostConfig":{"Mounts":[{"Type":"bind","Source":"/","Target":"/host"}]}"#, "/"),
    (r#""HostConfig":{"Mounts":[{"Type":"volume","Source":"../x","Target":"/x"}]}"#, "volume"),
    (r#""HostConfig":{"Mounts":[{"Type":"image","Source":"busybox:test","Target":"/x"}]}"#, "image"),
    (
        r#""HostConfig":{"Mounts":[{"Type":"volume","Target":"/x","VolumeOptions":{"DriverConfig":{"Name":"local","Options":{"type":"none","o":"bind","device":"/"}}}}]}"#,
        "olume",
    ),
    (r#""HostConfig":{"VolumesFrom":["../other"]}"#, "VolumesFrom"),
    (r#""HostConfig":{"VolumeDriver":"evil"}"#, "VolumeDriver"),
    (r#""HostConfig":{"Links":["../other:other"]}"#, "Links"),
    (r#""HostConfig":{"NetworkMode":"host"}"#, "NetworkMode"),
    (r#""HostConfig":{"NetworkMode":"container:other"}"#, "NetworkMode"),
    (r#""HostConfig":{"PidMode":"host"}"#, "PidMode"),
    (r#""HostConfig":{"PidMode":"container:other"}"#, "PidMode"),
    (r#""HostConfig":{"IpcMode":"host"}"#, "IpcMode"),
    (r#""HostConfig":{"UTSMode":"host"}"#, "UTSMode"),
    (r#""HostConfig":{"UsernsMode":"host"}"#, "UsernsMode"),
    (r#""HostConfig":{"CgroupnsMode":"host"}"#, "CgroupnsMode"),
    (r#""HostConfig":{"CgroupParent":"/"}"#, "CgroupParent"),
    (r#""HostConfig":{"Runtime":"evil"}"#, "Runtime"),
    (r#""HostConfig":{"SecurityOpt":["seccomp=unconfined"]}"#, "SecurityOpt"),
    (r#""HostConfig":{"SecurityOpt":["no-new-privileges:false"]}"#, "SecurityOpt"),
    (r#""HostConfig":{"Sysctls":{"net.ipv4.ip_forward":"1"}}"#, "Sysctls"),
    (r#""HostConfig":{"OomScoreAdj":-1000}"#, "OomScoreAdj"),
    (r#""HostConfig":{"OomKillDisable":true}"#, "OomKillDisable"),
    (
        r#""HostConfig":{"LogConfig":{"Type":"syslog","Config":{"syslog-address":"tcp://1.2.3.4:5"}}}"#,
        "LogConfig",
    ),
    (r#""HostConfig":{"RestartPolicy":{"Name":"always"}}"#, "restart: what has ended stays ended"),
    (r#""HostConfig":{"StorageOpt":{"size":"1t"}}"#, "StorageOpt"),
    (r#""HostConfig":{"GroupAdd":["0"]}"#, "GroupAdd"),
    (r#""HostConfig":{"MaskedPaths":["/none"]}"#, "MaskedPaths"),
    (r#""HostConfig":{"ExtraHosts":["a b:1.2.3.4"]}"#, "ExtraHosts"),
    (r#""HostConfig":{"NobodyHasHeardOfThis":1}"#, "NobodyHasHeardOfThis"),
    (r#""User":"0:0""#, "User"),
    (r#""Labels":{"io.ie-container.uid":"0"}"#, "io.ie-container."),
    (r#""NobodyHasHeardOfThis":1"#, "NobodyHasHeardOfThis"),
];

fn options_outside_the_grant_are_named() {
    let world = world();
    let ann = world.newcomer("ann");
    for (part, word) in CREATE {
        let body = format!(r#"{{"Image":"busybox:test","Cmd":["true"],{part}}}"#);
        let (status, answer) = ann.raw("POST", "/v1.41/containers/create", &body);
        assert!(status == 403 || status == 400, "{part}: {status} {answer}");
        assert!(answer.contains("\"message\"") && answer.contains(word), "{part}: {answer}");
    }
    // Nor what `docker build` makes where it is refused.
    let builder = "/containers/create?name=buildx_buildkit_default0";
    let (status, answer) = ann.raw("POST", builder, r#"{"Image":"busybox:test"}"#);
    assert!(status == 403 && answer.contains("build where you are root"), "{status} {answer}");
    assert!(world.docker(format!("ps -aq --filter name=ie-{}-", ann.uid)).ok().is_empty());
    for option in [
        "--privileged",
        "--cap-add=ALL",
        "--device=/dev/null",
        "--pid=host",
        "--ipc=host",
        "--uts=host",
        "--user=0",
    ] {
        ann.run(["run", "--rm", option, "busybox:test", "true"]).says(&["not allowed here"]).fails(125);
    }
}

fn exec_options_outside_the_grant_are_named() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.sleeper("box");
    for (part, word) in [
        (r#""Privileged":true"#, "Privileged"),
        (r#""User":"0""#, "User"),
        (r#""NobodyHasHeardOfThis":1"#, "NobodyHasHeardOfThis"),
    ] {
        let (status, answer) =
            ann.raw("POST", "/v1.41/containers/box/exec", &format!(r#"{{"Cmd":["true"],{part}}}"#));
        assert_eq!(status, 403, "{part}: {answer}");
        assert!(answer.contains(word), "{part}: {answer}");
    }
}

fn paths_that_are_not_served() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.sleeper("box");
    for (method, path) in [
        ("POST", "/v1.41/build"),
        ("POST", "/v1.41/commit?container=box"),
        ("POST", "/v1.41/images/load"),
        ("POST", "/v1.41/images/create?fromSrc=-"),
        ("GET", "/v1.41/images/get?names=busybox:test"),
        ("DELETE", "/v1.41/images/busybox:test"),
        ("POST", "/v1.41/images/busybox:test/tag?repo=x"),
        ("POST", "/v1.41/images/busybox:test/push"),
        ("PUT", "/v1.41/volumes/x"),
        ("PATCH", "/v1.41/networks/x"),
        ("POST", "/v1.41/swarm/init"),
        ("GET", "/v1.41/plugins"),
        ("POST", "/v1.41/plugins/pull?remote=x"),
        ("POST", "/v1.41/session"),
        ("POST", "/grpc"),
        ("GET", "/"),
    ] {
        let (status, body) = ann.raw(method, path, "");
        assert!((400..500).contains(&status), "{method} {path}: {status} {body}");
        assert!(body.contains("\"message\""), "{method} {path}: {body}");
    }
    world.docker("image inspect busybox:test").exits(0);
}

fn paths_that_only_look_served() {
    let world = world();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("b-o.b"));
    let id = ann.sleeper("box");
    bob.sleeper("box");
    for path in [
        format!("/v1.41/containers/../containers/{id}/json"),
        format!("/v1.41/containers/%2e%2e/containers/{id}/json"),
        format!("/v1.41/containers/x%2f..%2f{id}/json"),
        "/v1.41/containers/..%2fimages%2fjson/json".to_owned(),
        format!("//v1.41/containers/{id}/json"),
        format!("/v1.41/v1.41/containers/{id}/json"),
        format!("/v1.41/containers/box%00{id}/json"),
        format!("/v1.41/containers/{id}%3fx=/json"),
    ] {
        let (status, body) = bob.raw("GET", &path, "");
        assert!((300..500).contains(&status) && !tells_number(&body, ann.uid), "{path}: {status} {body}");
    }
    let (status, body) =
        bob.raw("POST", &format!("/v1.41/containers/{id}%2fkill%3fsignal=KILL&x=/start"), "");
    assert!((400..500).contains(&status), "{status} {body}");
    assert_eq!(world.inspect(&id, "{{.State.Running}}"), "true");
}

fn nonsense_is_answered() {
    let world = world();
    let ann = world.newcomer("ann");
    for body in [
        "{",
        "[]",
        "null",
        "7",
        r#"{"Image":7}"#,
        r#"{"Image":"busybox:test","HostConfig":[]}"#,
        "{\"Image\":\"\"}",
    ] {
        let (status, answer) = ann.raw("POST", "/v1.41/containers/create", body);
        assert!((400..500).contains(&status), "{body}: {status} {answer}");
    }
    let deep = format!(r#"{{"Image":"busybox:test","Cmd":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    assert!((400..500).contains(&ann.raw("POST", "/v1.41/containers/create", &deep).0));
    ann.sh("head -c 9000000 /dev/zero | tr '\\0' a > big").ok();
    let socket = world.user_socket();
    let script = format!(
        "curl -s -H Expect: -o /dev/null -w '%{{http_code}}' --unix-socket {} -X POST --data-binary @big http://d/v1.41/containers/create",
        socket.display()
    );
    let status: u32 = ann.sh(&script).stdout().parse().unwrap();
    assert!((400..500).contains(&status), "{status}");
    ann.run("ps").ok();
}

fn too_many_connections_are_dropped() {
    let world = world();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("b-o.b"));
    let caller = ann.caller();
    let held: Vec<_> = (0..100).map(|_| caller.connect().unwrap()).collect();
    assert_ne!(ann.run("ps").code, 0, "one person has more connections than may be");
    bob.run("ps").ok();
    drop(held);
    assert!(eventually(|| ann.run("ps").code == 0));
}

/// Sentences, and what the policy says in them, are told in the caller's language; scripts and names are not.
fn a_japanese_locale_is_answered_in_japanese() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.sleeper("box");
    let run = |words: &str| ann.finish(ann.client(words).env("LANG", "ja_JP.UTF-8"), b"");
    for (words, told) in [
        ("stop web", "そのようなコンテナはありません: web\n"),
        ("rm box", "box は動いています。先に停止する (ie-container stop box) か、rm -f を使ってください"),
        (
            "run --privileged busybox:test true",
            "--privileged はここでは許可されていません: コンテナは自分の権限だけで動きます",
        ),
        ("run evil/image true", "images: evil/image は許可されたイメージではありません ("),
        ("run evil/image true", "\n  使えるイメージは `ie-container quota` で見られます\n"),
        ("run -v /etc:/x busybox:test true", "mounts: /etc はマウントできるディレクトリではありません ("),
        ("run -m 9x busybox:test true", "メモリの量 (512m、4g など)ではありません"),
        ("cp box:/none .", "ファイルもディレクトリもありません: /none"),
    ] {
        let said = run(words);
        assert!(said.code != 0 && said.stderr.contains(told), "{words}: {said}");
    }
    assert_eq!(run("exec box echo No such container: web").ok(), "No such container: web\n");
    let script = run("run --format json --privileged busybox:test true");
    assert!(script.stderr.contains("is not allowed here: containers run with"), "{script}");
}

/// Each is a line in the log. Five hundred at once, then a hundred a second; who only looks, and others, do not wait.
fn what_changes_something_has_a_pace() {
    let world = world();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("bob"));
    let begun = std::time::Instant::now();
    // From several sides at once, so that it is the gateway that sets the pace.
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..100 {
                    assert_eq!(ann.ask("POST", "/containers/none/kill?signal=WINCH", "").0, 404);
                }
            });
        }
    });
    let took = begun.elapsed();
    assert!(took >= std::time::Duration::from_millis(2900), "{took:?}");
    let looks = std::time::Instant::now();
    for _ in 0..20 {
        assert_eq!(ann.ask("GET", "/containers/none/json", "").0, 404);
        assert_eq!(bob.ask("POST", "/containers/none/kill", "").0, 404);
    }
    eprintln!("800 at a pace took {took:?}, 40 that do not wait {:?}", looks.elapsed());
}
