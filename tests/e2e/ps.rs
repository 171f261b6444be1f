//! `ps` and what else shows containers: own ones only, in the forms scripts know.

use crate::suite::{tests, world};
use crate::world::tools::eventually;

tests![
    only_own_containers_are_shown,
    the_table_has_dockers_columns,
    formats_are_dockers,
    filters_choose_among_own,
    unknown_words_are_errors,
    nothing_active_reaches_a_terminal,
    inspect_logs_port_and_top_answer,
    wait_prints_the_code,
];

fn only_own_containers_are_shown() {
    let world = world();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("b-o.b"));
    let id = ann.sleeper("mine");
    bob.sleeper("other");
    ann.run("run --name done busybox:test true").ok();
    // An engine may list one as running for a moment after it told that it has ended.
    let running = || ann.run("ps -q --no-trunc").ok();
    assert!(eventually(|| running().trim() == id), "{}", running());
    assert_eq!(ann.run(["ps", "-a", "--format", "{{.Names}}"]).ok(), "done\nmine\n");
    assert_eq!(bob.run(["ps", "-a", "--format", "{{.Names}}"]).ok(), "other\n");
    ann.run("ps -a").hides(&[&bob.login, "other", "ie-"]);
}

fn the_table_has_dockers_columns() {
    let world = world();
    let ann = world.newcomer("ann");
    let header = ann.run("ps").line();
    let columns = header.split("  ").map(str::trim).filter(|word| !word.is_empty()).collect::<Vec<_>>();
    assert_eq!(columns, ["CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"]);
    let id = ann.sleeper("mine");
    let table = ann.run("ps").ok();
    let row = table.lines().nth(1).unwrap();
    assert!(row.starts_with(&id[..12]) && row.ends_with("mine") && row.contains("busybox:test"), "{table}");
    assert!(row.contains("\"sleep 1000\"") && row.contains("Up "), "{table}");
    ann.run("ps --wide").says(&["GPUS", "CPUS", "MEMORY", "64m"]);
    ann.run("ps -aq --no-trunc").says(&[&id]);
}

fn formats_are_dockers() {
    let world = world();
    let ann = world.newcomer("ann");
    let id = ann.sleeper("mine");
    assert_eq!(
        ann.run(["ps", "--format", "{{.ID}}\\t{{.Names}} {{.State}}"]).line(),
        format!("{}\tmine running", &id[..12])
    );
    assert_eq!(ann.run(["ps", "--format", "{{json .Names}}"]).line(), "\"mine\"");
    let table = ann.run(["ps", "--format", "table {{.Names}}\\t{{.Image}}"]).ok();
    assert_eq!(
        table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).collect::<Vec<_>>(),
        [["NAMES", "IMAGE"], ["mine", "busybox:test"]]
    );
    let json: serde_json::Value = serde_json::from_str(&ann.run("ps --format json").line()).unwrap();
    for key in [
        "Command",
        "CreatedAt",
        "ID",
        "Image",
        "Labels",
        "LocalVolumes",
        "Mounts",
        "Names",
        "Networks",
        "Ports",
    ] {
        assert!(json.get(key).is_some(), "{key} is missing in {json}");
    }
    assert_eq!(json["State"], "running");
    assert!(!json["Labels"].to_string().contains("io.ie-container"), "{json}");
}

fn filters_choose_among_own() {
    let world = world();
    let ann = world.newcomer("ann");
    for (name, kind) in [("one", "a"), ("two", "b"), ("three", "b")] {
        ann.run(format!("run -d --name {name} --label kind={kind} busybox:test sleep 1000")).ok();
    }
    ann.run("run --name over --label kind=b busybox:test sh -c false").exits(1);
    let names = |filters: &str| {
        let output = ann.run(format!("ps -a --format {{{{.Names}}}} {filters}"));
        let mut names: Vec<_> = output.ok().lines().map(str::to_owned).collect();
        names.sort();
        names.join(" ")
    };
    // The engine's list may be behind for a moment.
    assert!(eventually(|| names("--filter exited=1") == "over"));
    assert_eq!(names("--filter name=one --filter name=two"), "one two");
    assert_eq!(names("--filter label=kind=b --filter status=running"), "three two");
    assert_eq!(names("--filter status=exited"), "over");
    assert_eq!(names("--filter ancestor=busybox:test --filter label=kind=a"), "one");
    assert_eq!(names("--filter before=two"), "one");
    assert_eq!(names("--filter since=two"), "over three");
    assert_eq!(names("-n 1"), "over");
    assert_eq!(names("-l"), "over");
}

fn unknown_words_are_errors() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.sleeper("mine");
    ann.run(["ps", "--format", "{{.Nmaes}}"]).says(&["Nmaes"]).fails(1);
    ann.run("ps --filter colour=red").says(&["colour"]).fails(1);
    let output = ann.run("no-such-verb");
    assert_ne!(output.code, 0);
    output.says(&["no-such-verb"]);
}

fn nothing_active_reaches_a_terminal() {
    let world = world();
    let ann = world.newcomer("ann");
    let made = ann.run([
        "run",
        "-d",
        "--name",
        "paint",
        "--label",
        "l=\u{1b}[31m\u{202e}x",
        "busybox:test",
        "sleep",
        "\u{1b}]0;t\u{7}",
    ]);
    for words in
        ["ps -a", "ps -a --no-trunc --format {{.Labels}}", "ps --format {{.Command}}", "inspect paint"]
    {
        let output = ann.run(words);
        let text = format!("{}{}{}", made.stderr, output.stdout(), output.stderr);
        let active = text.chars().find(|c| (c.is_control() && *c != '\n') || *c == '\u{202e}');
        assert_eq!(active, None, "{words:?}: {text:?}");
    }
}

fn inspect_logs_port_and_top_answer() {
    let world = world();
    let ann = world.newcomer("ann");
    let id = ann
        .run([
            "run",
            "-d",
            "--name",
            "mine",
            "busybox:test",
            "sh",
            "-c",
            "echo out; echo err >&2; sleep 1000",
        ])
        .line();
    let json: serde_json::Value = serde_json::from_str(&ann.run("inspect mine").ok()).unwrap();
    assert_eq!((&json[0]["Id"], &json[0]["Name"]), (&id.clone().into(), &"/mine".into()));
    assert!(!json.to_string().contains("io.ie-container."), "{json}");
    assert_eq!(ann.run(["inspect", "--format", "{{.State.Status}}", &id[..12]]).line(), "running");
    assert!(crate::world::tools::eventually(|| {
        let logs = ann.run("logs mine");
        logs.stdout() == "out\n" && logs.stderr == "err\n"
    }));
    assert_eq!(ann.run("logs --tail 0 mine").ok(), "");
    ann.run("top mine").says(&["sleep 1000"]).exits(0);
    assert_eq!(ann.run("port mine").ok(), "");
    let stats = ann.run("stats --no-stream mine");
    stats.says(&["mine"]).exits(0);
    ann.run("inspect missing").fails(1);
    ann.run("logs missing").fails(1);
}

fn wait_prints_the_code() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.run(["run", "-d", "--name", "five", "busybox:test", "sh", "-c", "sleep 0.5; exit 5"]).ok();
    assert_eq!(ann.run("wait five").ok(), "5\n");
}
