//! Debian's docker client on the gateway's socket, verb by verb, under the same rules as our own.

use crate::suite::{tests, world};
use crate::world::tools::eventually;
use rustix::process::Signal;
use std::time::Duration;

tests![
    the_plain_client_works,
    the_plain_client_is_refused_alike,
    versions_are_negotiated,
    a_life_from_create_to_rm,
    what_is_looked_at,
    exec_as_it_is_typed,
    attach_joins_and_leaves,
    a_terminal_of_the_plain_clients,
    options_of_run,
    what_is_safe_is_served,
    ports_and_networks_are_asked_for_as_in_docker,
    health_is_asked_for_as_in_docker,
    what_is_missing_is_no_image,
    files_go_in_and_out,
    an_image_is_pulled,
    events_of_ones_own,
    ended_containers_are_pruned,
    verbs_that_are_not_served_say_so,
    small_things_are_as_in_docker,
    a_refusal_reaches_who_is_still_sending,
];

fn the_plain_client_works() {
    let world = world();
    let bob = world.newcomer("b-o.b");
    let id = bob.docker("run -d --name web busybox:test sleep 1000").line();
    assert_eq!(bob.docker("ps -q --no-trunc").line(), id);
    assert_eq!(bob.docker(["ps", "--format", "{{.Names}}"]).line(), "web");
    assert_eq!(bob.run("ps -q --no-trunc").line(), id);
    assert_eq!(bob.docker("exec web id -u").line(), bob.uid.to_string());
    assert_eq!(bob.docker(["inspect", "--format", "{{.Name}}", "web"]).line(), "/web");
    assert_eq!(
        bob.docker(["run", "--rm", "busybox:test", "sh", "-c", "echo out; exit 3"]).exits(3).stdout(),
        "out\n"
    );
    bob.docker("rm -f web").ok();
    assert_eq!(bob.docker("ps -aq").ok(), "");
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
    assert_eq!(world.inspect(&ann.engine_name("box"), "{{.State.Running}}"), "true");
}

fn versions_are_negotiated() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.docker("version").says(&["Server", "ie-containerd"]).exits(0);
    let newest = world.engine.api_version();
    assert_eq!(ann.docker(["version", "--format", "{{.Server.APIVersion}}"]).line(), newest);
    assert_eq!(ann.docker(["version", "--format", "{{.Server.MinAPIVersion}}"]).line(), "1.24");
    assert_eq!(ann.raw("GET", "/_ping", "").0, 200);
    assert_eq!(ann.raw("GET", "/v1.40/containers/json", "").0, 200);
    assert_eq!(ann.raw("GET", "/containers/json", "").0, 200);
    let (status, body) = ann.raw("GET", "/v1.41/version", "");
    let json: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, json["ApiVersion"].as_str()), (200, Some(&*newest)));
    ann.run("version").says(&[&newest]).exits(0);
}

fn a_life_from_create_to_rm() {
    let world = world();
    let ann = world.newcomer("ann");
    let state = |name: &str| ann.docker(["inspect", "--format", "{{.State.Status}}", name]).line();
    ann.docker("create --name web busybox:test sleep 1000").ok();
    assert_eq!(state("web"), "created");
    assert_eq!(ann.docker("start web").line(), "web");
    assert_eq!(state("web"), "running");
    let began = ann.docker(["inspect", "--format", "{{.State.StartedAt}}", "web"]).line();
    ann.docker("restart -t 0 web").ok();
    assert_ne!(ann.docker(["inspect", "--format", "{{.State.StartedAt}}", "web"]).line(), began);
    ann.docker("rename web site").ok();
    ann.docker("inspect web").fails(1);
    let waiting = ann.docker_spawn("wait site");
    std::thread::sleep(Duration::from_millis(500));
    ann.docker("kill --signal KILL site").ok();
    assert_eq!(waiting.finish().line(), "137");
    ann.docker("start site").ok();
    ann.docker("rm site").says(&["running"]).fails(1);
    ann.docker("stop -t 0 site").ok();
    assert_eq!(state("site"), "exited");
    assert_eq!(ann.docker("rm site").line(), "site");
    assert_eq!(ann.docker("ps -aq").ok(), "");
}

fn what_is_looked_at() {
    let world = world();
    let ann = world.newcomer("ann");
    let port = 40_300 + ann.uid % 600;
    let publish = format!("{port}:80");
    let script = "echo ready; exec sleep 1000";
    let words = ["run", "-d", "--name", "web", "-p", &publish, "-l", "tier=web", "busybox:test", "sh", "-c"];
    ann.docker([&words[..], &[script]].concat().as_slice()).ok();
    assert_eq!(ann.docker("port web").line(), format!("80/tcp -> 127.0.0.1:{port}"));
    let ready = || ann.docker("logs web").ok() == "ready\n";
    assert!(eventually(ready));
    ann.docker("logs --tail 1 -t web").says(&["Z ready"]).exits(0);
    ann.docker("top web").says(&["CMD", "sleep 1000"]).exits(0);
    ann.docker("stats --no-stream web").says(&["web", "MiB"]).exits(0);
    assert_eq!(ann.docker("ps -q --filter label=tier=web").ok().lines().count(), 1);
    assert_eq!(ann.docker("ps -q --filter label=tier=other").ok(), "");
    ann.docker("images").says(&["busybox"]).hides(&["forbidden"]).exits(0);
    ann.docker("image inspect busybox:test").says(&["sha256:"]).exits(0);
    ann.docker("info").says(&["Running: 1", "Server Version"]).exits(0);
}

fn exec_as_it_is_typed() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.sleeper("box");
    ann.docker("exec box false").exits(1);
    // 126 or 127, as the engine's age has it.
    let bare = world.docker(["exec", &ann.engine_name("box"), "no-such-program"]);
    ann.docker("exec box no-such-program").exits(bare.code);
    assert_eq!(ann.docker_with_stdin("exec -i box cat", b"typed\n").ok(), "typed\n");
    assert_eq!(ann.docker(["exec", "-e", "A.B=1", "-w", "/tmp", "box", "sh", "-c", "pwd"]).line(), "/tmp");
    ann.docker(["exec", "-d", "box", "sh", "-c", "echo later > /tmp/detached"]).ok();
    let done = || ann.docker("exec box cat /tmp/detached").stdout() == "later\n";
    assert!(eventually(done));
    ann.docker("exec -u 0 box id").says(&["User is not allowed here"]).fails(1);
    ann.docker("exec --privileged box id").says(&["Privileged is not allowed here"]).fails(1);
}

fn attach_joins_and_leaves() {
    let world = world();
    let ann = world.newcomer("ann");
    let script = "read line; echo got $line; sleep 1; exit 3";
    ann.docker(["run", "-d", "-i", "--name", "echo", "busybox:test", "sh", "-c", script]).ok();
    // Standard input stays open, as the engine ends an attachment whose input has ended.
    let shell = ann.sh("mkfifo in; docker attach echo <in & exec 3>in; echo this >&3; wait $!; echo code $?");
    assert_eq!(shell.ok(), "got this\ncode 3\n");
}

fn a_terminal_of_the_plain_clients() {
    let world = world();
    let ann = world.newcomer("ann");
    let mut pty = ann.docker_pty("run -it --name shell busybox:test sh");
    pty.expect("$ ");
    pty.send("echo mark-$((20+3))\n");
    pty.expect("mark-23");
    pty.resize(41, 133);
    pty.send("until [ \"$(stty size)\" = '41 133' ]; do sleep 0.1; done; echo is-$((41*133))\n");
    // This client hears of no change between its first look at the size and its first ear for changes.
    assert!(eventually(|| {
        pty.signal(Signal::WINCH);
        pty.text().contains("is-5453")
    }));
    pty.send("\x10\x11");
    assert_eq!(pty.finish(), 0);
    assert_eq!(world.inspect(&ann.engine_name("shell"), "{{.State.Running}}"), "true");
    let mut pty = ann.docker_pty("attach shell");
    pty.send("exit 4\n");
    assert_eq!(pty.finish(), 4);
    ann.sleeper("box");
    let mut pty = ann.docker_pty("exec -it box sh");
    pty.expect("$ ");
    pty.send("tty; exit 5\n");
    pty.expect("/dev/pts/");
    assert_eq!(pty.finish(), 5);
}

fn options_of_run() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.write("env", "FROM_FILE=1\n");
    ann.sh("mkdir work").ok();
    let work = ann.home.join("work").display().to_string();
    let (bind, mount) = (format!("{work}:/work:ro"), format!("type=bind,source={work},target=/again"));
    let words = [
        "run",
        "--rm",
        "-v",
        &bind,
        "--mount",
        &mount,
        "--tmpfs",
        "/scratch:size=1m",
        "-e",
        "discovery.type=x",
        "--env-file",
        "env",
        "--hostname",
        "named",
        "--init",
        "--memory",
        "48m",
        "--cpus",
        "0.5",
        "--pids-limit",
        "32",
        "--shm-size",
        "8m",
        "--read-only",
        "--ulimit",
        "nofile=512:1024",
        "--cap-drop",
        "ALL",
        "--security-opt",
        "no-new-privileges",
        "--stop-signal",
        "TERM",
        "--network",
        "none",
        "-w",
        "/again",
        "busybox:test",
        "sh",
        "-c",
        "hostname; pwd; ulimit -n; tr '\\0' '\\n' < /proc/1/environ | grep -E '^(FROM_FILE|discovery.type)=' | sort; touch here; touch /work/no",
    ];
    let output = ann.docker(&words[..]);
    output.exits(1).says(&["Read-only"]);
    assert_eq!(output.stdout(), "named\n/again\n512\nFROM_FILE=1\ndiscovery.type=x\n");
    assert!(ann.home.join("work/here").exists());
}

fn what_is_safe_is_served() {
    let world = world();
    let ann = world.newcomer("ann");
    let script = "cat /etc/hosts /proc/sys/net/core/somaxconn /proc/self/oom_score_adj";
    let groups = format!("--group-add={}", ann.gid);
    let words = [
        "run",
        "--cpu-quota=50000",
        "--cpu-period=100000",
        "--cpu-shares=512",
        "--blkio-weight=100",
        "--oom-score-adj=500",
        "--memory-reservation=32m",
        "--pids-limit=-1",
        "--restart=no",
        "--add-host=db:10.9.8.7",
        "--sysctl=net.core.somaxconn=512",
        "--log-opt=max-size=1m",
        "--log-opt=max-file=2",
        &groups,
        "busybox:test",
        "sh",
        "-c",
        script,
    ];
    // By either client.
    for (name, is_ours) in [("box", false), ("ours", true)] {
        let words = [&words[..1], &["--name", name], &words[1..]].concat();
        let said = if is_ours { ann.run(words.as_slice()).ok() } else { ann.docker(words.as_slice()).ok() };
        assert!(said.contains("10.9.8.7\tdb\n") && said.ends_with("\n512\n500\n"), "{said}");
        let host = world.inspect(&ann.engine_name(name), "{{json .HostConfig}}");
        let host: serde_json::Value = serde_json::from_str(&host).unwrap();
        assert_eq!((&host["NanoCpus"], &host["CpuQuota"]), (&500_000_000.into(), &0.into()));
        assert_eq!((&host["CpuShares"], &host["MemoryReservation"]), (&512.into(), &(32 << 20).into()));
        assert_eq!(host["LogConfig"]["Config"], serde_json::json!({ "max-size": "1m", "max-file": "2" }));
    }
    // What has another effect than was asked is said.
    let port = 40_300 + ann.uid % 600;
    let publish = format!("0.0.0.0:{port}:80");
    let warned = [
        "create",
        "--memory-swap=-1",
        "--health-cmd=true",
        "--health-interval=1s",
        "-p",
        &publish,
        "busybox:test",
    ];
    let told = ann.docker(warned.as_slice());
    told.exits(0);
    for warning in ["get no swap", "raised to 5s", "ports are published there alone"] {
        assert!(told.stderr.contains(warning), "{}", told.stderr);
    }
    // And what would take from others, or is somebody else's, is refused by name.
    for (option, word) in [
        ("--cpu-shares=2048", "CpuShares"),
        ("--oom-score-adj=-5", "OomScoreAdj"),
        ("--group-add=0", "GroupAdd"),
        ("--sysctl=kernel.msgmax=1", "Sysctls"),
        ("--log-opt=max-size=1g", "LogConfig"),
    ] {
        ann.docker(["create", option, "busybox:test"]).says(&[word, "is not allowed here"]).fails(1);
    }
}

/// Clients pull an image where a create answers that something is not found.
fn what_is_missing_is_no_image() {
    let world = world();
    let ann = world.newcomer("ann");
    let bind = format!("type=bind,src={}/none,dst=/x", ann.home.display());
    for (option, value, sentence) in [
        ("--mount", bind.as_str(), "invalid mount config for type \"bind\""),
        ("--network", "nope", "network nope not found"),
        ("--link", "nope", "No such container: nope"),
    ] {
        let told = ann.docker(["run", "--rm", option, value, "busybox:test", "true"]);
        told.says(&[sentence]).hides(&["Unable to find image"]).fails(125);
    }
    let body = r#"{"Image":"busybox:nowhere"}"#;
    assert_eq!(ann.ask("POST", "/containers/create", body).0, 404);
}

fn files_go_in_and_out() {
    let world = world();
    let bob = world.newcomer("b-o.b");
    bob.sleeper("web");
    bob.write("file", "by docker\n");
    bob.docker("cp file web:/tmp/file").ok();
    bob.docker("cp web:/tmp/file back").ok();
    assert_eq!(bob.read("back"), "by docker\n");
    bob.sh("mkdir -p tree/deep; echo 1 > tree/deep/one").ok();
    bob.docker("cp tree web:/tmp").ok();
    bob.docker("cp web:/tmp/tree out").ok();
    assert_eq!(bob.read("out/deep/one"), "1\n");
    let packed = bob.docker("cp web:/tmp/tree/deep -").bytes;
    bob.docker_with_stdin("cp - web:/tmp/tree", &packed).exits(0);
    bob.docker("cp web:/no/such/file back").fails(1);
    bob.docker("stop -t 0 web").ok();
    bob.docker("cp web:/tmp/file again").ok();
    assert_eq!(bob.read("again"), "by docker\n");
}

fn an_image_is_pulled() {
    let world = world();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("b-o.b"));
    let image = world.registry();
    world.limit(&ann, r#"images = ["docker.io/library/*", "127.0.0.1:*/*"]"#);
    ann.docker(["pull", &image]).says(&["Downloaded newer image"]).exits(0);
    ann.docker("images").says(&["127.0.0.1", "tiny"]);
    ann.docker(["create", "--name", "pulled", &image, "none"]).ok();
    assert!(ann.docker("cp pulled:/from-the-registry -").stdout().contains("pulled\n"));
    // Whom the policy does not let have it neither pulls it nor sees that it is there.
    bob.docker(["pull", &image]).says(&["127.0.0.1", "images"]).fails(1);
    bob.docker("images").hides(&["tiny"]);
    bob.docker(["image", "inspect", &image]).fails(1);
    ann.docker("rm pulled").ok();
    world.docker(["rmi", &image]).ok();
    // `run` pulls what is not there yet.
    ann.docker(["run", &image, "none"]).says(&["Downloaded newer image"]).exits(127);
}

fn events_of_ones_own() {
    let world = world();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("b-o.b"));
    let began = ann.sh("date +%s").line();
    bob.sleeper("his");
    ann.docker("run --rm --name hers -l tier=web busybox:test true").ok();
    let until = (ann.sh("date +%s").line().parse::<u64>().unwrap() + 2).to_string();
    let events = |filter: &str| {
        let words =
            ["events", "--since", &began, "--until", &until, "--filter", filter, "--format", "{{.Action}}"];
        ann.docker(words)
    };
    events("type=container").says(&["create", "start", "die", "destroy"]).exits(0);
    assert_eq!(events("event=start").ok().lines().count(), 1, "bob's start is none of ann's");
    assert_eq!(events("label=tier=other").ok(), "");
}

fn ended_containers_are_pruned() {
    let world = world();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("b-o.b"));
    bob.docker("run --name his busybox:test true").ok();
    ann.docker("run --name ended busybox:test true").ok();
    ann.sleeper("box");
    ann.docker("container prune -f").says(&["Deleted Containers"]).exits(0);
    assert_eq!(ann.docker(["ps", "-a", "--format", "{{.Names}}"]).line(), "box");
    assert_eq!(bob.docker(["ps", "-a", "--format", "{{.Names}}"]).line(), "his");
}

/// Either sentence of ours: what is not in the route table, or an option of what is.
const OURS: [&str; 2] = ["not served", "not allowed here"];

fn verbs_that_are_not_served_say_so() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.sleeper("box");
    ann.sh("mkdir context; printf 'FROM busybox:test\\nRUN true\\n' > context/Dockerfile").ok();
    for words in [
        "build context",
        "commit box mine:test",
        "load",
        "import - mine:test",
        "save -o saved busybox:test",
        "push busybox:test",
        "tag busybox:test mine:test",
        "rmi busybox:test",
        "diff box",
        "swarm init",
        "plugin ls",
        "search busybox",
    ] {
        let output = ann.docker(words);
        assert_ne!(output.code, 0, "{output}");
        assert!(OURS.iter().any(|word| output.stderr.contains(word)), "{output}");
    }
    world.docker("image inspect busybox:test").exits(0);
    world.docker("image inspect mine:test").exits(1);
}

fn small_things_are_as_in_docker() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.docker("inspect nothing").says(&["No such object: nothing"]).fails(1);
    let info = ann.docker("info");
    info.exits(0);
    assert!(!info.stderr.contains("WARNING: No"), "{info}");
    // A volume without a name: its owner's, and gone with the container.
    ann.docker(["run", "-d", "--name", "Web_1", "-v", "/data", "busybox:test", "sleep", "1000"]).exits(0);
    assert_eq!(ann.docker("exec Web_1 sh -c id>/data/who").code, 0);
    assert_eq!(ann.docker("exec Web_1 stat -c %u /data").ok(), format!("{}\n", ann.uid));
    assert_eq!(ann.docker("inspect -f {{.Name}} Web_1").ok(), "/Web_1\n");
    let volume = world.inspect(&ann.engine_name("Web_1"), "{{range .Mounts}}{{.Name}}{{end}}");
    let is_there = || world.docker("volume ls -q").ok().lines().any(|name| name == volume);
    assert!(is_there(), "{volume}");
    ann.docker("inspect web_1").fails(1);
    ann.docker("rm -f Web_1").exits(0);
    assert!(!is_there(), "{volume}");
    let mut pty = ann.pty("run -it --rm --name brief -v /data busybox:test sh");
    pty.expect("$ ");
    let volume = world.inspect(&ann.engine_name("brief"), "{{range .Mounts}}{{.Name}}{{end}}");
    let is_there = || world.docker("volume ls -q").ok().lines().any(|name| name == volume);
    assert!(is_there(), "{volume}");
    pty.send("exit\n");
    assert_eq!(pty.finish(), 0);
    assert!(!is_there(), "{volume}");
    assert_eq!(ann.docker("images -q --filter dangling=true").ok(), "");
    assert!(ann.docker("images --filter dangling=false").ok().contains("busybox"));
    let own = if cfg!(target_arch = "x86_64") { "linux/amd64" } else { "linux/arm64" };
    ann.docker(["run", "--rm", "--platform", own, "busybox:test", "true"]).exits(0);
    ann.docker("run --rm --platform linux/s390x busybox:test true")
        .says(&["images run as they are"])
        .fails(125);
}

fn a_refusal_reaches_who_is_still_sending() {
    let world = world();
    let ann = world.newcomer("ann");
    let large = vec![b'x'; 24 << 20];
    for words in ["load", "import - mine:test"] {
        let output = ann.docker_with_stdin(words, &large);
        assert!(OURS.iter().any(|word| output.stderr.contains(word)), "{output}");
    }
    ann.sh("mkdir context; echo FROM busybox:test > context/Dockerfile").ok();
    ann.write("context/large", &large);
    ann.docker("build context").says(&["not served"]).fails(1);
    ann.docker("ps").ok();
}

fn ports_and_networks_are_asked_for_as_in_docker() {
    let world = world();
    let ann = world.newcomer("ann");
    let words = |name| ["run", "-d", "--name", name, "-P", "--expose", "81"];
    let command = ["busybox:test", "sleep", "1000"];
    ann.docker([&words("all")[..], &command].concat().as_slice()).ok();
    // Docker's own client has no alias where the network has no name.
    ann.run([&words("ours")[..], &["--network-alias", "site"], &command].concat().as_slice()).ok();
    for name in ["all", "ours"] {
        let told = ann.docker(["port", name]).line();
        assert!(told.starts_with("81/tcp -> 127.0.0.1:4"), "{told}");
    }
    let aliases = ["inspect", "-f", "{{json .NetworkSettings.Networks.bridge.Aliases}}", "ours"];
    let aliases = ann.docker(aliases).line();
    assert!(aliases.contains("site"), "{aliases}");
    ann.docker("rm -f all ours").ok();
    ann.docker("create -p 80-90:80 busybox:test").says(&["host ports 80-90 are not in"]).exits(1);
    let first = 40_300 + ann.uid % 600;
    let range = format!("{first}-{}:80", first + 20);
    for name in ["one", "two"] {
        ann.docker(["run", "-d", "--name", name, "-p", &range, "busybox:test", "sleep", "1000"]).ok();
    }
    let port = |name: &str| -> u32 {
        ann.docker(["port", name, "80"]).line().rsplit_once(':').unwrap().1.parse().unwrap()
    };
    let ports = [port("one"), port("two")];
    assert!(
        ports[0] != ports[1] && ports.iter().all(|port| (first..=first + 20).contains(port)),
        "{ports:?}"
    );
    ann.docker("network create --opt com.docker.network.driver.mtu=1400 small").ok();
    let mtu = ann.docker("run --rm --network small busybox:test cat /sys/class/net/eth0/mtu").line();
    assert_eq!(mtu, "1400");
    ann.docker("network create --opt com.docker.network.bridge.name=docker0 x")
        .says(&["not allowed here"])
        .exits(1);
    ann.docker("network rm small").ok();
    let socket = world.user_socket();
    let asked = format!(
        "curl -s --unix-socket {} -X POST -H 'X-Registry-Auth: eyJ1c2VybmFtZSI6ImFubiJ9' 'http://d/images/create?fromImage=busybox&tag=test'",
        socket.display()
    );
    ann.sh(&asked).says(&["what is pulled here is everybody's"]);
}

fn health_is_asked_for_as_in_docker() {
    let world = world();
    let ann = world.newcomer("ann");
    let words = [
        "run",
        "-d",
        "--name",
        "box",
        "--health-cmd",
        "true",
        "--health-interval",
        "42.5s",
        "--health-timeout",
        "1m30s",
        "--health-retries",
        "2",
        "busybox:test",
        "sleep",
        "1000",
    ];
    ann.run(words).ok();
    let told = ann.docker(["inspect", "-f", "{{json .Config.Healthcheck}}", "box"]).line();
    let health: serde_json::Value = serde_json::from_str(&told).unwrap();
    let expected = serde_json::json!({"Test": ["CMD-SHELL", "true"], "Interval": 42_500_000_000_u64, "Timeout": 90_000_000_000_u64, "Retries": 2});
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&health[key], value, "{health}");
    }
    // An image's own runs, and can be left out.
    ann.run("create --name checked hostile:test").ok();
    assert_eq!(world.inspect(&ann.engine_name("checked"), "{{.Config.Healthcheck.Interval}}"), "5s");
    ann.run("create --no-healthcheck --name unchecked hostile:test").ok();
    assert_eq!(
        world.inspect(&ann.engine_name("unchecked"), "{{json .Config.Healthcheck.Test}}"),
        r#"["NONE"]"#
    );
}
