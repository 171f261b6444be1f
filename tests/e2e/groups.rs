//! The groups of our own client, `network volume container image system`, beside docker's on the same socket: the same lists,
//! the same ids, and the same things made and removed.

use crate::suite::{tests, world};
use crate::world::User;
use crate::world::tools::eventually;
use std::collections::BTreeSet;

tests![
    networks_live_by_our_own_client,
    volumes_live_by_our_own_client,
    lists_are_docker_s,
    anything_is_inspected,
    prunes_take_one_s_own_and_ask_first,
    events_are_told_as_docker_tells_them,
    booleans_take_values_as_with_docker,
    what_is_so_anyhow_is_taken_and_what_cannot_be_names_what_can,
];

/// Both clients say the same of each of these.
#[track_caller]
fn alike(user: &User<'_>, lines: &[&[&str]]) {
    for line in lines {
        assert_eq!(user.run(*line).ok(), user.docker(*line).ok(), "{line:?}");
    }
}

fn networks_live_by_our_own_client() {
    let world = world();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("bob"));
    let id = ann.run("network create --internal=true --label kind=lab lab").line();
    assert_eq!(id.len(), 64, "{id}");
    ann.run("network create lab").says(&["already exists"]).fails(1);
    ann.run("network create --subnet 10.0.0.0/8 wide").says(&["does not lie in"]).fails(1);
    ann.run("network create --driver macvlan other").says(&["Driver is not allowed here"]).fails(1);
    ann.sleeper("box");
    assert_eq!(ann.run("network connect --alias db lab box").ok(), "");
    let joined =
        || ann.run(["network", "inspect", "-f", "{{range .Containers}}{{.Name}}{{end}}", "lab"]).line();
    assert_eq!(joined(), "box");
    let aliases = "{{json .NetworkSettings.Networks.lab.Aliases}}";
    assert!(ann.run(["inspect", "-f", aliases, "box"]).ok().contains("db"));
    alike(
        &ann,
        &[
            &["network", "ls"],
            &["network", "list", "--no-trunc"],
            &["network", "ls", "-q"],
            &["network", "ls", "-q", "--no-trunc=true"],
            &["network", "ls", "-f", "label=kind=lab"],
            &[
                "network",
                "ls",
                "--format",
                "{{.Name}} {{.Driver}} {{.Scope}} {{.Internal}} {{.IPv6}} {{.Labels}} {{.Label \"kind\"}}",
            ],
            &["network", "ls", "--format", "{{.CreatedAt}}"],
            &[
                "network",
                "inspect",
                "-f",
                "{{.Name}} {{.Id}} {{.Internal}} {{.Labels.kind}} {{json .Containers}}",
                "lab",
            ],
            &["network", "ls", "--filter", "name=none"],
        ],
    );
    // Nobody else's.
    assert!(!bob.run("network ls").ok().contains("lab"));
    bob.run("network inspect lab").says(&["lab"]).fails(1);
    bob.run("network connect lab box").fails(1);
    bob.run("network rm lab").fails(1);
    assert_eq!(ann.run("network disconnect -f lab box").ok(), "");
    assert_eq!(joined(), "");
    assert_eq!(ann.run("network rm lab").line(), "lab");
    ann.run("network rm lab").fails(1);
    assert_eq!(ann.run("network rm -f lab").ok(), "");
    world.docker(["network", "inspect", &ann.engine_name("lab")]).exits(1);
}

fn volumes_live_by_our_own_client() {
    let world = world();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("bob"));
    assert_eq!(ann.run("volume create --label kind=lab data").line(), "data");
    assert_eq!(ann.run("volume create --name c2").line(), "c2");
    ann.run("volume create c10").ok();
    let unnamed = ann.run("volume create").line();
    assert!(unnamed.len() > 20, "{unnamed}");
    ann.run("volume create --driver nfs x").says(&["Driver is not allowed here"]).fails(1);
    ann.run("volume create --opt type=nfs x").says(&["DriverOpts"]).fails(1);
    ann.run("run -d --name box -v data:/data busybox:test sleep 1000").ok();
    alike(
        &ann,
        &[
            &["volume", "ls"],
            &["volume", "ls", "-q"],
            &["volume", "list", "-q", "-f", "dangling=true"],
            &["volume", "ls", "-f", "label=kind=lab"],
            &[
                "volume",
                "ls",
                "--format",
                "{{.Name}} {{.Driver}} {{.Scope}} {{.Labels}} {{.Size}} {{.Links}}",
            ],
            &["volume", "inspect", "-f", "{{.Name}} {{.Driver}} {{.CreatedAt}} {{.Labels.kind}}", "data"],
        ],
    );
    bob.run("volume inspect data").fails(1);
    bob.run("volume rm data").fails(1);
    ann.run("volume rm data").says(&["in use"]).fails(1);
    ann.run("rm -f box").ok();
    assert_eq!(ann.run("volume rm data c2 c10").ok(), "data\nc2\nc10\n");
    ann.run("volume rm data").fails(1);
    ann.run("volume rm -f data").exits(0);
    assert_eq!(ann.run("volume ls -q").line(), unnamed);
}

fn lists_are_docker_s() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.sleeper("box");
    ann.run("run --name done -v data:/d busybox:test true").ok();
    alike(
        &ann,
        &[
            &["container", "ls", "-aq"],
            &["ps", "--all=true", "-q=1", "--no-trunc"],
            &["container", "ls", "-n", "-1", "--format", "{{.Names}}"],
            &["container", "inspect", "-f", "{{.Name}}", "box"],
            &["image", "inspect", "-f", "{{.Id}} {{.Os}} {{json .RepoTags}}", "busybox:test"],
            &["history", "--format", "table {{.ID}}\t{{.CreatedBy}}\t{{.Size}}", "busybox:test"],
            &["image", "history", "-q", "--no-trunc", "busybox:test"],
            &["history", "--human=false", "--no-trunc=1", "busybox:test"],
            &["history", "--format", "{{.ID}} {{.Size}} {{.CreatedBy}} {{.Comment}}", "busybox:test"],
            &["system", "df", "--format", "{{.Type}} {{.TotalCount}} {{.Active}}"],
            &["system", "info", "-f", "{{.Containers}} {{.ContainersRunning}} {{.ServerVersion}}"],
            &["info", "--format", "{{.Images}}"],
            &["version", "-f", "{{.Server.APIVersion}}"],
            &["inspect", "-f", "{{.ID}}", "box"],
            &["inspect", "-f", "{{.Id}}", "box"],
        ],
    );
    // An engine gives what was made in the same second in any order.
    let sorted = |text: String| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let fields = "{{.Repository}} {{.Tag}} {{.Digest}} {{.ID}} {{.Size}}";
    for line in [
        &["images", "-q"][..],
        &["image", "ls", "-q", "--no-trunc=true"],
        &["images", "--no-trunc", "--digests", "--format", fields],
        &["image", "list", "--format", fields, "busybox"],
    ] {
        assert_eq!(sorted(ann.run(line).ok()), sorted(ann.docker(line).ok()), "{line:?}");
    }
    let head = |text: String| text.lines().next().unwrap().to_owned();
    for line in
        ["container ls -a", "image ls", "history busybox:test", "system df", "volume ls", "network ls"]
    {
        assert_eq!(head(ann.run(line).ok()), head(ann.docker(line).ok()), "{line}");
    }
    let headings =
        |text: String| text.lines().filter(|line| line.ends_with(':')).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(headings(ann.run("system df -v").ok())[..3], headings(ann.docker("system df -v").ok())[..3]);
    ann.run("info").says(&["Containers: 2", "Running: 1", "Server Version: "]).exits(0);
    let told: serde_json::Value = serde_json::from_str(&ann.run("info --format json").ok()).unwrap();
    assert_eq!(told["Containers"], 2);
}

fn anything_is_inspected() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.sleeper("box");
    ann.run("network create lab").ok();
    ann.run("volume create data").ok();
    alike(
        &ann,
        &[
            &["inspect", "-f", "{{.Name}}", "box", "lab", "data"],
            &["inspect", "-f", "{{.Id}}", "busybox:test"],
            &["inspect", "--type", "image", "-f", "{{.Os}}", "busybox:test"],
            &["inspect", "--type=volume", "--format", "{{.Driver}}", "data"],
            &["inspect", "--type", "network", "-f", "{{.Scope}}", "lab"],
        ],
    );
    assert!(ann.run("inspect -s --format {{.SizeRw}} box").line().parse::<u64>().is_ok());
    ann.run("inspect --size --type image busybox:test").says(&["containers alone"]).fails(1);
    ann.run("inspect nothing").says(&["No such object: nothing"]).fails(1);
    ann.run("inspect --type container lab").says(&["No such container: lab"]).fails(1);
    // On past what is not there.
    let both = ann.run("inspect -f {{.Name}} nothing data");
    both.fails(1);
    assert_eq!(both.stdout(), "data\n");
    ann.run("network rm lab").ok();
}

fn prunes_take_one_s_own_and_ask_first() {
    let world = world();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("bob"));
    for user in [&ann, &bob] {
        user.run("run --name gone -v kept:/kept busybox:test true").ok();
        user.run("network create gone").ok();
        user.run("volume create").ok();
    }
    ann.sleeper("stays");
    for line in ["container prune", "network prune", "volume prune", "image prune", "system prune"] {
        ann.run(line).says(&["-f removes without a question"]).fails(1);
    }
    // At a terminal it asks, and no is the default.
    let mut asked = ann.pty("container prune");
    asked.expect("[y/N]");
    asked.send("\r");
    asked.expect("nothing was removed");
    assert_eq!(ann.run("ps -aq").ok().lines().count(), 2);
    let mut asked = ann.pty("container prune");
    asked.expect("[y/N]");
    asked.send("y\r");
    asked.expect("Deleted Containers:");
    asked.expect("Total reclaimed space");
    assert_eq!(ann.run(["ps", "-a", "--format", "{{.Names}}"]).line(), "stays");
    assert_eq!(ann.run("network prune -f --filter label=other").ok(), "");
    assert_eq!(ann.run("network prune -f").ok(), "Deleted Networks:\ngone\n\n");
    let pruned = ann.run("volume prune -f").ok();
    assert!(pruned.starts_with("Deleted Volumes:\n") && !pruned.contains("kept"), "{pruned}");
    assert!(pruned.ends_with("\n\nTotal reclaimed space: 0B\n"), "{pruned}");
    ann.run("volume prune --all --force=true").says(&["Deleted Volumes:\nkept\n"]).exits(0);
    assert_eq!(ann.run("image prune -af").ok(), "Total reclaimed space: 0B\n");
    ann.run("run --name gone busybox:test true").ok();
    ann.run("network create gone").ok();
    let pruned = ann.run("system prune -f --volumes").ok();
    assert!(
        pruned.contains("Deleted Containers:\n") && pruned.contains("Deleted Networks:\ngone\n"),
        "{pruned}"
    );
    assert_eq!(ann.run(["ps", "-a", "--format", "{{.Names}}"]).line(), "stays");
    // Nobody else's.
    assert_eq!(bob.run(["ps", "-a", "--format", "{{.Names}}"]).line(), "gone");
    assert_eq!(bob.run("volume ls -q").ok().lines().count(), 2);
    bob.run("network rm gone").ok();
}

fn events_are_told_as_docker_tells_them() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.run("run --name one --label a=b busybox:test true").ok();
    let now = jiff::Timestamp::now().as_second() + 1;
    let until = format!("{now}");
    for format in
        [None, Some("{{.Type}} {{.Action}} {{.Actor.Attributes.name}} {{.TimeNano}}"), Some("{{.ID}}")]
    {
        let mut line = vec!["events", "--since", "1h30m", "--until", &until, "-f", "type=container"];
        line.extend(format.iter().flat_map(|format| ["--format", format]));
        let own = ann.run(line.as_slice()).ok();
        assert!(own.lines().count() >= 3, "{own}");
        assert_eq!(own, ann.docker(line.as_slice()).ok(), "{format:?}");
    }
    let json = ann.run(["events", "--since", "1h", "--until", &until, "--format", "json"]).ok();
    for line in json.lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(event["Type"].is_string() && event["timeNano"].is_i64(), "{line}");
    }
    // It goes on as things happen, and the time is in the local zone where none is named.
    ann.run("events --since yesterday").says(&["neither a time"]).fails(1);
    let day = jiff::Zoned::now().yesterday().unwrap().date().to_string();
    let past = ann
        .run(["events", "--since", &day, "--until", &until, "-f", "event=die", "--format", "{{.Action}}"])
        .ok();
    assert!(past.contains("die"), "{past}");
    let listening = ann.spawn_sh(&format!(
        "exec timeout 80 {} events --format '{{{{.Action}}}} {{{{.Actor.Attributes.name}}}}' >heard",
        world.program("ie-container").display()
    ));
    let hears = || {
        ann.run("network create heard").ok();
        ann.run("network rm heard").ok();
        std::fs::read_to_string(ann.home.join("heard")).is_ok_and(|heard| heard.contains("destroy heard"))
    };
    assert!(eventually(hears), "nothing is heard");
    drop(listening);
}

fn booleans_take_values_as_with_docker() {
    let world = world();
    let ann = world.newcomer("ann");
    let line =
        ["run", "--rm=true", "-d=false", "--interactive=0", "-t=F", "busybox:test", "echo", "in front"];
    alike(&ann, &[&line]);
    assert_eq!(ann.run("ps --all=true -q").ok(), "");
    let line = ["run", "--rm=maybe", "busybox:test", "true"];
    assert!(ann.run(line).fails(125).contains("it is true or false"));
    ann.docker(line).exits(125);
    ann.run("run -dit=false --name box busybox:test sleep 1000").ok();
    assert_eq!(
        ann.run(["inspect", "-f", "{{.Config.Tty}} {{.Config.OpenStdin}}", "box"]).line(),
        "false true"
    );
    alike(&ann, &[&["exec", "-t=false", "-e", "A=-1", "box", "sh", "-c", "echo $A"]]);
    ann.run("rm --force=false box").says(&["is running"]).fails(1);
    ann.run("rm -f=true box").ok();
}

fn what_is_so_anyhow_is_taken_and_what_cannot_be_names_what_can() {
    let world = world();
    let ann = world.newcomer("ann");
    let both = format!("{}:{}", ann.uid, ann.gid);
    for own in [&ann.login, &both] {
        let line =
            ["run", "--rm", "--user", own, "--ipc=private", "--privileged=false", "busybox:test", "id", "-u"];
        assert_eq!(ann.run(line).line(), ann.uid.to_string());
    }
    ann.run("run --rm --annotation a=b busybox:test true")
        .says(&["WARNING: ", "Annotations has no effect"])
        .exits(0);
    let warned = ann.run("run --rm -v cache:/root/.cache busybox:test true");
    warned.says(&["WARNING: you are not root", &format!("{}/.cache", ann.home.display())]).exits(0);
    for (line, said, instead) in [
        ("run --rm --ipc=host busybox:test true", "--ipc is not allowed here", "--shm-size"),
        ("run --rm --net=host busybox:test true", "--network host is not allowed here", "-p "),
        ("run --rm --runtime nvidia busybox:test true", "--runtime is not allowed here", "--gpus"),
        ("run --rm -u root busybox:test true", "--user is not allowed here", "pip install --user"),
        ("run --rm -v /etc/passwd:/etc/passwd:ro busybox:test true", "is not needed", "leave it out"),
    ] {
        ann.run(line).says(&[said, instead]).fails(125);
    }
    // Nothing was made meanwhile.
    assert_eq!(ann.run("ps -aq").ok(), "");
}
