//! Whose container it is: names, ids, labels and sockets tried by somebody else.

use crate::suite::{tests, world};
use crate::world::User;
use crate::world::output::Output;
use crate::world::tools::tells_number;

tests![
    every_verb_answers_as_if_it_were_missing,
    the_api_answers_as_if_it_were_missing,
    foreign_containers_are_not_listed,
    labels_alone_are_nothing,
    a_name_alone_is_nothing,
    a_name_never_shadows_an_id,
    own_words_all_work,
    a_reused_uid_inherits_nothing,
    what_was_left_under_a_uid_counts,
    a_network_that_was_left_is_not_entered,
    the_identity_is_the_kernels,
    rename_stays_in_the_family,
    several_operands_go_on_past_a_failure,
];

const VERBS: [&str; 16] = [
    "start {}",
    "stop {}",
    "restart {}",
    "kill {}",
    "rm {}",
    "rm -f {}",
    "attach {}",
    "exec {} true",
    "logs {}",
    "inspect {}",
    "wait {}",
    "top {}",
    "port {}",
    "stats --no-stream {}",
    "rename {} mine",
    "cp {}:/etc/passwd stolen",
];

/// The words by which somebody else might reach a container, and each with one of its kind that nobody has.
fn words_for(owner: &User<'_>, name: &str, id: &str) -> Vec<(String, String)> {
    let nobodys = "nobodys".to_owned();
    vec![
        (name.to_owned(), nobodys.clone()),
        (id.to_owned(), "0".repeat(64)),
        (id[..12].to_owned(), "0".repeat(12)),
        (id[..4].to_owned(), "0".repeat(4)),
        (owner.engine_name(name), owner.engine_name(&nobodys)),
        (format!("/{name}"), format!("/{nobodys}")),
    ]
}

fn every_verb_answers_as_if_it_were_missing() {
    let world = world();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("b-o.b"));
    let id = ann.sleeper("box");
    let before = world.inspect(&id, "{{.State.StartedAt}} {{.State.Pid}} {{.Name}}");
    for verb in VERBS {
        for (word, nobodys) in words_for(&ann, "box", &id) {
            let foreign = bob.run(verb.replace("{}", &word));
            let missing = bob.run(verb.replace("{}", &nobodys));
            let told = |output: &Output, word: &str| {
                let word = word.trim_start_matches('/');
                (output.code, output.stdout().replace(word, "WORD"), output.stderr.replace(word, "WORD"))
            };
            assert_eq!(told(&foreign, &word), told(&missing, &nobodys), "{verb}");
        }
    }
    assert_eq!(world.inspect(&id, "{{.State.StartedAt}} {{.State.Pid}} {{.Name}}"), before);
}

fn the_api_answers_as_if_it_were_missing() {
    let world = world();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("b-o.b"));
    let id = ann.sleeper("box");
    let engine_name = ann.engine_name("box");
    for (method, path, body) in [
        ("GET", "/v1.41/containers/{}/json", ""),
        ("GET", "/containers/{}/json", ""),
        ("GET", "/v1.41/containers/{}/logs?stdout=1", ""),
        ("GET", "/v1.41/containers/{}/top", ""),
        ("GET", "/v1.41/containers/{}/stats?stream=0", ""),
        ("POST", "/v1.41/containers/{}/start", ""),
        ("POST", "/v1.41/containers/{}/stop?t=0", ""),
        ("POST", "/v1.41/containers/{}/kill", ""),
        ("POST", "/v1.41/containers/{}/restart?t=0", ""),
        ("POST", "/v1.41/containers/{}/rename?name=mine", ""),
        ("POST", "/v1.41/containers/{}/exec", r#"{"Cmd":["true"]}"#),
        ("POST", "/v1.41/containers/{}/attach?stream=1&stdout=1", ""),
        ("GET", "/v1.41/containers/{}/archive?path=/etc/passwd", ""),
        ("DELETE", "/v1.41/containers/{}?force=1", ""),
    ] {
        let missing = bob.raw(method, &path.replace("{}", "nobodys"), body);
        assert_eq!(missing.0, 404, "{method} {path}: {}", missing.1);
        for word in [id.as_str(), &id[..12], "box", &engine_name] {
            let foreign = bob.raw(method, &path.replace("{}", word), body);
            assert_eq!(foreign.0, 404, "{method} {path} for {word}: {}", foreign.1);
            assert_eq!(
                foreign.1.replace(word, "WORD"),
                missing.1.replace("nobodys", "WORD"),
                "{method} {path}"
            );
        }
    }
    assert_eq!(world.inspect(&id, "{{.State.Running}}"), "true");
    // An exec of ann's is ann's alone, too.
    let (_, made) = ann.raw("POST", "/v1.41/containers/box/exec", r#"{"Cmd":["true"],"AttachStdout":true}"#);
    let exec: serde_json::Value = serde_json::from_str(&made).unwrap();
    let path = format!("/v1.41/exec/{}", exec["Id"].as_str().unwrap());
    assert_eq!(ann.raw("GET", &format!("{path}/json"), "").0, 200);
    assert_eq!(bob.raw("GET", &format!("{path}/json"), "").0, 404);
    assert_eq!(bob.raw("POST", &format!("{path}/start"), r#"{"Detach":true}"#).0, 404);
    assert_eq!(bob.raw("POST", &format!("{path}/resize?h=1&w=1"), "").0, 404);
}

fn foreign_containers_are_not_listed() {
    let world = world();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("b-o.b"));
    let id = ann.sleeper("secret-project");
    for path in [
        "/v1.41/containers/json?all=1",
        "/v1.41/containers/json?all=1&size=1",
        r#"/v1.41/containers/json?all=1&filters={"name":["secret"]}"#,
        r#"/v1.41/containers/json?all=1&filters={"name":[".*"]}"#,
        r#"/v1.41/containers/json?all=1&filters={"label":["io.ie-container.uid"]}"#,
    ] {
        let (_, body) = bob.raw("GET", path, "");
        assert!(!body.contains(&id) && !body.contains("secret"), "{path}: {body}");
    }
    for path in
        ["/v1.41/networks", "/v1.41/volumes", "/v1.41/system/df", "/v1.41/info", "/v1.41/images/json?all=1"]
    {
        let (_, body) = bob.raw("GET", path, "");
        assert!(!tells_number(&body, ann.uid) && !body.contains(&ann.login), "{path}: {body}");
    }
}

/// Root makes a container by hand with all the labels of ann's, under a name that is not hers.
fn labels_alone_are_nothing() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.sleeper("real");
    let labels =
        world.inspect(&ann.engine_name("real"), "{{range $k, $v := .Config.Labels}}{{$k}}={{$v}} {{end}}");
    let mut words =
        vec!["create".to_owned(), "--network=none".to_owned(), format!("--name=spoof-{}", ann.uid)];
    words.extend(labels.split_whitespace().map(|label| format!("--label={label}")));
    words.extend(["busybox:test", "true"].map(str::to_owned));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let id = world.docker(words.as_slice()).line();
    assert_eq!(ann.run(["ps", "-a", "--format", "{{.Names}}"]).ok(), "real\n");
    ann.run(format!("rm -f {id}"));
    ann.run(format!("start {id}")).fails(1);
    assert_eq!(world.docker(format!("rm {id}")).line(), id);
}

/// And one with a name like ann's, with no label, or with the labels of an image's author.
fn a_name_alone_is_nothing() {
    let world = world();
    let ann = world.newcomer("ann");
    for (name, image) in [("plain", "busybox:test"), ("spoofed", "hostile:test")] {
        let id = world
            .docker(["create", "--network=none", "--name", &ann.engine_name(name), image, "true"])
            .line();
        assert_eq!(ann.run("ps -aq").ok(), "");
        ann.run(format!("start {name}")).fails(1);
        ann.run(format!("inspect {id}")).fails(1);
    }
}

fn a_name_never_shadows_an_id() {
    let world = world();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("b-o.b"));
    let id = ann.sleeper("box");
    // Bob's container bears the beginning of ann's id as its name.
    bob.sleeper(&id[..8]);
    bob.run(format!("kill {}", &id[..8])).ok();
    assert_eq!(world.inspect(&id, "{{.State.Running}}"), "true");
    assert_eq!(ann.run(["inspect", "--format", "{{.Name}}", &id[..8]]).line(), "/box");
}

fn own_words_all_work() {
    let world = world();
    let ann = world.newcomer("ann");
    let id = ann.sleeper("box");
    for word in ["box", "/box", &id, &id[..12], &id[..6], &id[..12].to_uppercase()] {
        assert_eq!(ann.run(["inspect", "--format", "{{.Id}}", word]).line(), id, "{word}");
    }
    ann.run(format!("inspect {}", ann.engine_name("box"))).fails(1);
}

fn a_reused_uid_inherits_nothing() {
    let world = world();
    let ann = world.newcomer("ann");
    let id = ann.sleeper("box");
    world.rename_account(&ann, "new");
    ann.run("inspect box").fails(1);
    ann.run(format!("rm -f {id}"));
    let listed = ann.run("ps -aq");
    world.rename_account_back(&ann, "new");
    assert_eq!(listed.ok(), "");
    assert_eq!(world.inspect(&id, "{{.State.Running}}"), "true");
    ann.run("inspect box").ok();
}

/// A new login begins with what the uid holds, and reads how much of it is whose: no name of it, and nothing to do to it.
fn what_was_left_under_a_uid_counts() {
    let world = world();
    let ann = world.newcomer("ann");
    for name in ["secret-1", "secret-2", "secret-3"] {
        ann.sleeper(name);
    }
    ann.run("create --name secret-4 -p 80 -p 81 busybox:test true").ok();
    ann.docker("network create secret-net").ok();
    ann.docker("volume create secret-data").ok();
    let quota = ann.run("quota").ok();
    world.rename_account(&ann, "new");
    let (quota_now, listed) = (ann.run("quota").ok(), ann.run("ps -aq").ok());
    let networks = ann.docker("network ls -q").ok();
    let volumes = ann.docker("volume ls -q").ok();
    let ports = ann.run("run --rm --network none -p 80 busybox:test true");
    let names = [
        ann.run("run --rm --network none --name secret-4 busybox:test true"),
        ann.docker("network create secret-net"),
        ann.docker("volume create secret-data"),
    ];
    let small = [
        ann.run("run -d --network none --memory 200m --name own busybox:test sleep 1000"),
        ann.run("rename own secret-1"),
    ];
    let memory = ann.run("run --rm --network none --memory 200m busybox:test true");
    let last = ann.run("create --network none busybox:test true");
    let full = ann.run("create --network none busybox:test true");
    world.rename_account_back(&ann, "new");
    // The amounts are the same under another name, and what they are of is not there. The disk may be measured in between.
    let numbers = |quota: &str| {
        let lines = quota.lines().filter(|line| line.starts_with(char::is_lowercase));
        lines.filter(|line| !line.starts_with("total.disk")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(numbers(&quota_now), numbers(&quota));
    assert_eq!((listed.as_str(), networks.as_str(), volumes.as_str()), ("", "", ""));
    let left = |count: usize| format!("{count} containers of {}, who had your uid before, count", ann.login);
    ports
        .says(&["ports.max", "1 container of", &ann.login, "ask your administrator to remove it"])
        .fails(125);
    for name in names {
        name.says(&["is in use by what an account has left that had your uid before"]);
        assert_ne!(name.code, 0, "{name}");
    }
    small[0].ok();
    small[1].says(&["is in use by what an account has left"]).fails(1);
    memory.says(&["total.memory", &left(3)]).hides(&["secret"]).fails(125);
    last.ok();
    full.says(&["containers: asked 1, 0 of 6 free", &left(4)]).hides(&["secret"]).fails(1);
    assert_eq!(ann.run("ps -aq").ok().lines().count(), 4, "what was left is its login's again");
}

fn a_network_that_was_left_is_not_entered() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.sleeper("box");
    let network = format!("ie-{}", ann.uid);
    let label = r#"{{index .Labels "io.ie-container.login"}}"#;
    let login_of = || world.docker(["network", "inspect", "--format", label, &network]).line();
    assert_eq!(login_of(), ann.login);
    world.rename_account(&ann, "new");
    let refused = ann.run("run --rm busybox:test true");
    let seen = ann.docker("network inspect own");
    let without = ann.run("run --rm --network none busybox:test true");
    // What was left is the administrator's to remove, and then there is a network of the new login's.
    world.docker(["rm", "-f", &ann.engine_name("box")]).ok();
    let served = ann.run("run -d --name web busybox:test sleep 1000");
    let label_now = login_of();
    world.rename_account_back(&ann, "new");
    refused
        .says(&[&format!("still that of {}", ann.login), "ask your administrator"])
        .hides(&["box"])
        .fails(125);
    assert_ne!(seen.code, 0, "{seen}");
    without.ok();
    served.ok();
    assert_eq!(label_now, format!("{}new", ann.login));
}

fn the_identity_is_the_kernels() {
    let world = world();
    let ann = world.newcomer("ann");
    let id = ann.sleeper("box");
    for wrapper in ["unshare --user", "unshare --user --map-root-user"] {
        let script = format!("{wrapper} {} ps -q --no-trunc", world.program("ie-container").display());
        let output = ann.sh(&script);
        // A machine may forbid user namespaces to its users; then there is nothing to try.
        if !output.stderr.contains("unshare failed") {
            assert_eq!(output.line(), id, "{wrapper}");
        }
    }
    let mut command = ann.client("ps -q --no-trunc");
    command.env("USER", "root").env("LOGNAME", "root").env("HOME", "/root").env("SUDO_UID", "0");
    assert_eq!(ann.finish(&mut command, b"").line(), id);
}

fn rename_stays_in_the_family() {
    let world = world();
    let ann = world.newcomer("ann");
    let id = ann.sleeper("old");
    ann.sleeper("other");
    ann.run("rename old new").ok();
    assert_eq!(world.inspect(&id, "{{.Name}}"), format!("/{}", ann.engine_name("new")));
    ann.run("rename new other").fails(1);
    ann.run("rename new ../evil").fails(1);
    assert_eq!(
        ann.run(["ps", "--no-trunc", "--format", "{{.Names}}", "--filter", &format!("id={id}")]).line(),
        "new"
    );
}

fn several_operands_go_on_past_a_failure() {
    let world = world();
    let ann = world.newcomer("ann");
    for name in ["one", "two"] {
        ann.run(format!("run --name {name} busybox:test true")).ok();
    }
    let output = ann.run("rm one missing two");
    assert_eq!(output.stdout(), "one\ntwo\n");
    output.says(&["missing"]).fails(1);
    ann.run("rm -f missing").exits(0);
    assert_eq!(ann.run("ps -aq").ok(), "");
}
