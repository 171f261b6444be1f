//! Another user's namespaces: on the bare engine, whoever may name a container may move in with it.

use crate::suite::{tests, world};
use crate::world::World;
use crate::world::tools::eventually;

tests![
    a_network_of_somebody_elses,
    processes_of_somebody_elses,
    memory_of_somebody_elses,
    the_hosts_processes
];

/// Somebody's container on the bare engine, with a service on its loopback address alone.
fn prey(world: &World, name: &str) -> String {
    let serve = "while true; do printf 'HTTP/1.0 200 OK\\r\\n\\r\\nprivate\\n' | nc -l -p 8080; done";
    let words = [
        "run",
        "-d",
        "--network=none",
        "--ipc=shareable",
        "--env=KEY=private",
        "--name",
        name,
        "busybox:test",
        "sh",
        "-c",
        serve,
    ];
    world.docker(words).line()
}

const FETCH: &str = "timeout 5 wget -q -O - http://127.0.0.1:8080/";

fn a_network_of_somebody_elses() {
    let world = world();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("bob"));
    let prey = prey(&world, &format!("prey-net-{}", ann.uid));
    let join = format!("--network=container:{prey}");
    let fetched = || world.docker(["run", "--rm", &join, "busybox:test", "sh", "-c", FETCH]).stdout();
    let reached = eventually(|| fetched() == "private\n");
    world.docker(["rm", "-f", &prey]).exits(0);
    assert!(reached, "the control did not work");

    let id = ann.sleeper("box");
    for word in ["box", &ann.engine_name("box"), &id, &id[..12]] {
        bob.run(["run", "--rm", "--network", &format!("container:{word}"), "busybox:test", "true"])
            .fails(125);
        let body = format!(r#"{{"Image":"busybox:test","HostConfig":{{"NetworkMode":"container:{word}"}}}}"#);
        let (status, answer) = bob.raw("POST", "/v1.41/containers/create", &body);
        assert!(status == 400 || status == 403, "{word}: {status} {answer}");
    }
}

fn processes_of_somebody_elses() {
    let world = world();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("bob"));
    let prey = prey(&world, &format!("prey-pid-{}", ann.uid));
    let join = format!("--pid=container:{prey}");
    let script = "ps; cat /proc/1/environ; kill $(pidof nc)";
    let seen = world.docker(["run", "--rm", "--network=none", &join, "busybox:test", "sh", "-c", script]);
    world.docker(["rm", "-f", &prey]).exits(0);
    seen.says(&["nc -l -p 8080", "KEY=private"]).exits(0);

    let id = ann.sleeper("box");
    for word in ["box", &ann.engine_name("box"), &id] {
        bob.run(["run", "--rm", &format!("--pid=container:{word}"), "busybox:test", "ps"])
            .says(&["not allowed here"])
            .fails(125);
        let body = format!(r#"{{"Image":"busybox:test","HostConfig":{{"PidMode":"container:{word}"}}}}"#);
        assert_eq!(bob.raw("POST", "/v1.41/containers/create", &body).0, 403, "{word}");
    }
    bob.run("run --rm --network=none busybox:test ps").hides(&["sleep 1000"]).exits(0);
}

fn memory_of_somebody_elses() {
    let world = world();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("bob"));
    let prey = prey(&world, &format!("prey-ipc-{}", ann.uid));
    world.docker(["exec", &prey, "sh", "-c", "echo private > /dev/shm/note"]).exits(0);
    let join = format!("--ipc=container:{prey}");
    let read = world
        .docker(["run", "--rm", "--network=none", &join, "busybox:test", "cat", "/dev/shm/note"])
        .stdout();
    world.docker(["rm", "-f", &prey]).exits(0);
    assert_eq!(read, "private\n", "the control did not work");

    ann.sleeper("box");
    ann.run(["exec", "box", "sh", "-c", "echo private > /dev/shm/note"]).ok();
    for word in ["box", &ann.engine_name("box")] {
        bob.run(["run", "--rm", &format!("--ipc=container:{word}"), "busybox:test", "true"])
            .says(&["not allowed here"])
            .fails(125);
        for mode in [format!("container:{word}"), "shareable".to_owned(), "host".to_owned()] {
            let body = format!(r#"{{"Image":"busybox:test","HostConfig":{{"IpcMode":"{mode}"}}}}"#);
            assert_eq!(bob.raw("POST", "/v1.41/containers/create", &body).0, 403, "{mode}");
        }
    }
    // Nor may an administrator's container move in with one of ours: it is private, not shareable.
    let join = format!("--ipc=container:{}", ann.engine_name("box"));
    let output =
        world.docker(["run", "--rm", "--network=none", &join, "busybox:test", "cat", "/dev/shm/note"]);
    output.hides(&["private\n"]).exits(125);
}

/// The engine runs the host's `ps` as root, with the caller's words.
fn the_hosts_processes() {
    let world = world();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("bob"));
    let prey = prey(&world, &format!("prey-top-{}", ann.uid));
    // A word of whichever process comes first, in the place of its pid; `e` adds its environment.
    let told = world.docker(["top", &prey, "axef", "-o", "args,pid"]);
    world.docker(["rm", "-f", &prey]).exits(0);
    assert!(told.stderr.to_lowercase().contains("unexpected pid"), "the control did not work: {told}");

    let _secret = bob.spawn_sh("SECRET=bobs-own exec sleep 1000");
    ann.sleeper("box");
    for words in [
        "axefww -o lstart,user,user,user,pid,args",
        "axef -o args,pid",
        "-eo user,pid,args",
        "-eo pid=PID,args",
        "auxe",
        "-C sleep e",
    ] {
        let refused = ann.docker(format!("top box {words}"));
        refused.says(&["of ps's words"]).fails(1);
        assert!(!refused.to_string().contains("bobs-own"), "{refused}");
    }
    for words in ["", "-ef", "aux", "-o pid,user,args", "-eo pid,args"] {
        let told = ann.docker(format!("top box {words}")).ok();
        assert!(told.contains("sleep 1000") && told.lines().count() == 3, "{words}: {told}");
    }
}
