//! Volumes: one's own, empty at first, and writable by their owner.

use crate::suite::{tests, world, world_alone};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

tests![
    a_volume_keeps_what_was_written,
    other_peoples_volumes_are_not_there,
    volumes_are_counted,
    a_volume_on_what_is_needed_is_refused,
    volumes_are_listed_and_pruned,
    a_prune_takes_what_dockers_would,
    a_name_made_by_hand_gives_nothing,
    a_volume_is_given_where_nothing_else_is,
    alone a_volume_stays_while_a_create_counts_on_it,
    alone what_is_removed_while_it_is_given_leaves_nothing,
];

fn a_volume_keeps_what_was_written() {
    let world = world();
    let ann = world.newcomer("ann");
    let volume = |words: &str| ann.run(format!("run --rm -v proj_Data:/data {words}"));
    volume("busybox:test sh -c id>/data/who").exits(0);
    ann.run([
        "run",
        "--rm",
        "-v",
        "proj_Data:/data",
        "busybox:test",
        "sh",
        "-c",
        "id -u >/data/who; chmod 0700 /data",
    ])
    .ok();
    assert_eq!(volume("busybox:test cat /data/who").ok(), format!("{}\n", ann.uid));
    // Its owner's mode is kept.
    assert_eq!(volume("busybox:test stat -c %a:%u /data").ok(), format!("700:{}\n", ann.uid));
    ann.run("run --rm -v proj_Data:/data:ro busybox:test touch /data/x").exits(1);
    // The plain client's two spellings.
    for mount in ["--mount=type=volume,source=proj_Data,target=/d", "-vproj_Data:/d"] {
        assert_eq!(
            ann.docker(["run", "--rm", mount, "busybox:test", "cat", "/d/who"]).ok(),
            format!("{}\n", ann.uid)
        );
    }
    // Nothing of the image comes into it, and a stopped container is not copied into through it.
    assert_eq!(ann.run("run --rm -v fresh:/bin2 busybox:test ls /bin2").ok(), "");
    ann.run("create --name still -v proj_Data:/data busybox:test true").ok();
    ann.run("cp still:/data/who who").says(&["still has volumes"]).fails(1);
    let seen =
        ann.docker(["inspect", "--format", "{{json .Mounts}} {{json .HostConfig.Mounts}}", "still"]).ok();
    assert!(seen.contains("proj_Data") && !seen.contains(&ann.engine_name("")), "{seen}");
    // On the host: in the engine's own directory, and its owner's.
    let root = world.docker([
        "volume",
        "inspect",
        "--format",
        "{{.Mountpoint}} {{.Driver}}",
        &ann.engine_name("proj_Data"),
    ]);
    let root = root.line();
    let (path, driver) = root.split_once(' ').unwrap();
    assert_eq!(driver, "local");
    let owner = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(path).unwrap());
    assert_eq!(owner, world.outside(ann.uid));
}

fn other_peoples_volumes_are_not_there() {
    let world = world();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("bob"));
    ann.docker("volume create data").ok();
    let engine_name = ann.engine_name("data");
    for verb in ["inspect", "rm"] {
        let (foreign, missing) =
            (bob.docker(["volume", verb, "data"]), bob.docker(["volume", verb, "nothing"]));
        assert_eq!(foreign.code, missing.code, "{verb}");
        assert_eq!(foreign.stderr.replace("data", "X"), missing.stderr.replace("nothing", "X"), "{verb}");
        let (named, none) =
            (bob.docker(["volume", verb, &engine_name]), bob.docker(["volume", verb, "ie-1-none"]));
        assert_eq!(named.stderr.replace(&engine_name, "X"), none.stderr.replace("ie-1-none", "X"), "{verb}");
    }
    assert_eq!(bob.docker("volume ls -q").ok(), "");
    // Their name is a name of bob's own, and makes bob's own volume.
    ann.run(["run", "--rm", "-v", "data:/d", "busybox:test", "sh", "-c", "echo secret >/d/x"]).ok();
    bob.run("run --rm -v data:/d busybox:test cat /d/x").exits(1);
    bob.run(format!("run --rm -v {engine_name}:/d busybox:test cat /d/x")).exits(1);
    assert!(bob.docker("volume ls -q").ok().lines().any(|name| name == "data"));
    assert_eq!(ann.docker("volume ls -q").ok(), "data\n");
}

fn volumes_are_counted() {
    let world = world();
    let ann = world.newcomer("ann");
    world.limit(&ann, "volumes = 2");
    ann.docker("volume create one").ok();
    ann.docker("volume create one").ok();
    ann.run("run --rm -v two:/d busybox:test true").ok();
    ann.run("run --rm -v three:/d busybox:test true")
        .says(&["volumes: asked 1, 0 of 2 free", "policy.toml:", "docker volume rm one"])
        .fails(125);
    assert_ne!(ann.docker("volume create three").code, 0);
    ann.run("quota").says(&["volumes"]);
    for (words, what) in [
        ("volume create --driver nfs x", "Driver"),
        ("volume create --opt type=none --opt o=bind --opt device=/etc x", "DriverOpts"),
        ("volume create --label io.ie-container.uid=0 x", "io.ie-container.uid"),
        ("volume create ../x", "x"),
    ] {
        ann.docker(words).says(&[what]).exits(1);
    }
}

fn a_volume_on_what_is_needed_is_refused() {
    let world = world();
    let ann = world.newcomer("ann");
    let home = ann.home.display().to_string();
    for words in [
        vec!["-v".to_owned(), format!("data:{home}")],
        vec!["-v".to_owned(), "data:/a".to_owned(), "-v".to_owned(), "other:/a".to_owned()],
        vec!["--tmpfs".to_owned(), "/a".to_owned(), "-v".to_owned(), "data:/a/".to_owned()],
        vec!["-v".to_owned(), "data:/etc/passwd".to_owned()],
        vec!["-v".to_owned(), "data:/.ie-copy".to_owned()],
        vec!["-v".to_owned(), "data:/".to_owned()],
        vec!["-v".to_owned(), "data:/proc/x".to_owned()],
    ] {
        let mut command: Vec<&str> = vec!["run", "--rm"];
        command.extend(words.iter().map(String::as_str));
        command.extend(["busybox:test", "true"]);
        assert_eq!(ann.run(command.as_slice()).code, 125, "{words:?}");
    }
}

fn volumes_are_listed_and_pruned() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.docker("volume create --label kind=data kept").ok();
    ann.docker("volume create gone").ok();
    ann.run(["run", "-d", "--name", "box", "-v", "kept:/d", "busybox:test", "sleep", "1000"]).ok();
    assert_eq!(ann.docker("volume ls -q --filter label=kind=data").ok(), "kept\n");
    assert_eq!(ann.docker("volume ls -q --filter dangling=true").ok(), "gone\n");
    assert_ne!(ann.docker("volume rm kept").code, 0);
    ann.docker("volume prune -f --filter all=1").says(&["gone"]).exits(0);
    assert_eq!(ann.docker("volume ls -q").ok(), "kept\n");
    let shown = ann.docker("volume inspect kept").ok();
    assert!(!shown.contains("io.ie-container") && !shown.contains("/engine/"), "{shown}");
    ann.run("rm -f box").ok();
    ann.docker("volume rm kept").ok();
}

/// A volume with an owner's name that the gateway did not make, as an admin's mistake or somebody's trick.
fn a_name_made_by_hand_gives_nothing() {
    let world = world();
    let ann = world.newcomer("ann");
    let name = ann.engine_name("trap");
    let label = format!("--label=io.ie-container.uid={}", ann.uid);
    world.docker(["volume", "create", &label, &name]).ok();
    assert_eq!(ann.docker("volume ls -q").ok(), "");
    ann.run("run --rm -v trap:/d busybox:test true").says(&["not its owner's"]).fails(125);
    assert_eq!(ann.run("ps -aq").ok(), "");
    world.docker(["volume", "rm", &name]).ok();
}

/// The engine mounts all of a container's while it unpacks into one, as root: links in live directories lead it astray.
fn a_volume_is_given_where_nothing_else_is() {
    let world = world();
    let ann = world.newcomer("ann");
    let mut words = vec!["events", "--filter", "event=extract-to-dir", "--since", "5m", "--until", "0s"];
    words.extend(["--format", "{{.Actor.Attributes.name}}"]);
    for more in ["-v data:/a/b/x -v data2:/d", "-v /deep/er", "--read-only -v data3:/d"] {
        let run = format!("run --rm {more} busybox:test sh -c");
        let mut run: Vec<&str> = run.split(' ').collect();
        run.push("for dir in /a/b/x /d /deep/er; do [ ! -e $dir ] || touch $dir/mine; done");
        ann.run(run.as_slice()).ok();
    }
    // `until` is in whole seconds.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let told = world.docker(words.as_slice()).ok().to_owned();
    assert!(told.lines().count() >= 4, "{told}");
    let astray: Vec<_> = told.lines().filter(|name| name.starts_with(&ann.engine_name(""))).collect();
    assert_eq!(astray, Vec::<&str>::new());
    let left = || world.docker(["ps", "-aq", "--filter", "name=ie-give-"]).stdout();
    assert!(crate::world::tools::eventually(|| left().is_empty()));
}

/// Since version 1.42 of the API what has a name stays, unless all are asked for.
fn a_prune_takes_what_dockers_would() {
    let world = world();
    let ann = world.newcomer("ann");
    let (_, version) = ann.ask("GET", "/version", "");
    let newer = !version.contains(r#""ApiVersion":"1.41""#);
    let prune = |path: &str| {
        ann.docker("volume create named").ok();
        let nameless = ann.ask("POST", "/volumes/create", "{}").1;
        let (status, told) = ann.ask("POST", path, "");
        assert_eq!(status, 200, "{told}");
        let listed = ann.docker("volume ls -q").ok();
        let nameless = nameless.split('"').find(|word| word.len() == 33).unwrap().to_owned();
        assert_eq!(told.contains(&nameless), !listed.contains(&nameless), "{told} {listed}");
        (listed.contains("named"), listed.contains(&nameless))
    };
    assert_eq!(prune("/v1.41/volumes/prune"), (false, false));
    assert_eq!(prune("/volumes/prune"), (newer, false));
    if newer {
        assert_eq!(prune("/v1.42/volumes/prune"), (true, false));
    }
    let all = |word: &str| format!("/volumes/prune?filters=%7B%22all%22%3A%5B%22{word}%22%5D%7D");
    assert_eq!(prune(&all("false")), (true, false));
    assert_eq!(prune(&all("1")), (false, false));
    assert_eq!(ann.ask("POST", &all("yes"), "").0, 400);
}

/// The engine makes a volume that is missing, and asks nobody whose it is.
fn a_volume_stays_while_a_create_counts_on_it() {
    let world = world_alone();
    let ann = world.newcomer("ann");
    // The other gateway has no mount helper. And the first one would tidy a container in which volumes are given.
    world.limit(&ann, "home = \"none\"");
    ann.docker("volume create data").ok();
    let engines = format!("ie-{}-data", ann.uid);
    for (method, path) in [
        ("DELETE", "/v1.41/volumes/data"),
        ("POST", "/v1.41/volumes/prune?filters=%7B%22all%22%3A%5B%221%22%5D%7D"),
    ] {
        let stopped = world.stopped_at("/containers/create?name=ie-");
        let create = stopped.spawn(&ann, "create --name box --network none -v data:/d:ro busybox:test true");
        stopped.is_there();
        let caller = ann.caller_of(&stopped.gateway);
        let (tell, told) = mpsc::channel();
        let asks = thread::spawn(move || tell.send(caller.ask(method, path, "").unwrap()));
        // Only what does not wait for the create is over by now.
        let early = told.recv_timeout(Duration::from_secs(3)).ok();
        stopped.goes_on();
        create.finish().ok();
        let (status, body) = early.unwrap_or_else(|| told.recv().unwrap());
        asks.join().unwrap().ok();
        assert!(status == 409 || body.contains("\"VolumesDeleted\":[]"), "{method}: {status} {body}");
        let owner = "{{index .Labels \"io.ie-container.uid\"}}";
        let labelled = world.docker(["volume", "inspect", "-f", owner, &engines]).line();
        assert_eq!(labelled, ann.uid.to_string(), "{method}");
        ann.run("rm box").ok();
    }
    // Even one that is missing is its owner's then.
    let stopped = world.stopped_at("/containers/create?name=ie-");
    let create = stopped.spawn(&ann, "create --name box --network none -v data:/d:ro busybox:test true");
    stopped.is_there();
    world.docker(["volume", "rm", &engines]).exits(0);
    stopped.goes_on();
    create.finish().ok();
    assert_eq!(ann.docker("volume ls -q").ok(), "data\n");
    ann.run("rm box").ok();
    ann.docker("volume rm data").ok();
}

/// The container in which volumes are given would have them made anew.
fn what_is_removed_while_it_is_given_leaves_nothing() {
    let world = world_alone();
    let ann = world.newcomer("ann");
    world.limit(&ann, "home = \"none\"");
    let volumes = || world.docker(["volume", "ls", "-q"]).ok();
    let before = volumes();
    let stopped = world.stopped_at("/containers/create?name=ie-give-");
    let create = stopped.spawn(&ann, "create --name box --network none -v /one -v /two busybox:test true");
    stopped.is_there();
    world.docker(["rm", "-f", "-v", &ann.engine_name("box")]).exits(0);
    stopped.goes_on();
    assert_ne!(create.finish().code, 0);
    assert_eq!(volumes(), before);
}
