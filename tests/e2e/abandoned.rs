//! Raw connections whose clients have gone: an engine keeps each until its container stops.

use crate::suite::{tests, world, world_alone};
use crate::world::tools::eventually;
use crate::world::{User, World};
use rustix::process::Signal;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::Duration;

tests![
    alone who_attaches_and_hangs_up_leaves_no_pile,
    alone who_hangs_up_too_soon_leaves_no_pile,
    alone what_does_not_run_is_attached_to_at_its_start,
    alone what_could_not_start_holds_nothing,
    alone an_exec_that_is_left_ends_and_counts_no_more,
    alone looks_at_what_does_not_end_leave_no_trace,
    alone who_takes_nothing_hides_no_flood,
    who_takes_nothing_holds_up_no_end,
];

/// So many at the most, as the message says.
const MOST: usize = 32;
/// And those that were there, or asked for, when so many had been left: `gateway.connections`, and what one user may have
/// with the engine at once.
const CONNECTIONS: usize = 64;
const ASKED: usize = 128;
/// What an engine needs for each, at the most, and for what comes and goes by itself.
const GOROUTINES: usize = 8;
const OTHERS: usize = 60;

/// How many goroutines the engine has: what it needs for a connection goes with it, its descriptor some minutes later.
fn goroutines(world: &World) -> usize {
    let (code, info) = world.ask_engine("GET", "/info", "");
    assert_eq!(code, 200, "{info}");
    let info: Value = serde_json::from_str(&info).unwrap();
    info["NGoroutines"].as_u64().unwrap().try_into().unwrap()
}

/// Asks for it, and no more.
fn ask(user: &User<'_>, name: &str, streams: &str, upgrade: &str) -> UnixStream {
    let mut stream = user.caller().connect().unwrap();
    let request =
        format!("POST /containers/{name}/attach?stream=1&{streams} HTTP/1.1\r\nHost: d\r\n{upgrade}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

/// Attaches, and reads the answer's head.
fn attach(user: &User<'_>, name: &str, streams: &str, upgrade: &str) -> UnixStream {
    let mut stream = ask(user, name, streams, upgrade);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    stream
}

fn rest(stream: &mut UnixStream) -> String {
    let mut said = Vec::new();
    stream.read_to_end(&mut said).unwrap();
    String::from_utf8_lossy(&said).into_owned()
}

/// Attaches, reads the answer's beginning and hangs up.
fn attach_and_go(user: &User<'_>, name: &str, streams: &str, upgrade: &str) -> String {
    let mut answer = [0; 1000];
    let count = ask(user, name, streams, upgrade).read(&mut answer).unwrap();
    String::from_utf8_lossy(&answer[..count]).into_owned()
}

const CLOSE: &str = "Connection: close\r\n";
const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: tcp\r\n";

/// Until there is no room, or for ever.
fn fill(user: &User<'_>, name: &str, streams: &str, upgrade: &str) -> String {
    let mut said = String::new();
    // The gateway sees a little later that somebody has gone.
    let is_full = || {
        said = attach_and_go(user, name, streams, upgrade);
        said.contains(" 429 ")
    };
    assert!(eventually(is_full), "an attach is always let in: {said}");
    said
}

fn who_attaches_and_hangs_up_leaves_no_pile() {
    let world = world_alone();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("bob"));
    ann.run("run -d --name silent busybox:test sleep 10000").ok();
    let once = r#"{"Image":"busybox:test","Cmd":["sleep","10000"],"OpenStdin":true,"StdinOnce":true,"AttachStdin":true}"#;
    assert_eq!(ann.ask("POST", "/containers/create?name=once", once).0, 201);
    assert_eq!(ann.ask("POST", "/containers/once/start", "").0, 204);
    bob.run("run -d --name silent busybox:test sleep 10000").ok();
    let before = goroutines(&world);
    let both = "stdout=1&stderr=1";
    for (name, streams, upgrade) in [
        ("silent", both, UPGRADE),
        ("silent", both, CLOSE),
        ("silent", "stdin=1&stdout=1", UPGRADE),
        ("once", "stdin=1&stdout=1&stderr=1", UPGRADE),
        ("once", "stdout=1", UPGRADE),
    ] {
        let said = fill(&ann, name, streams, upgrade);
        let numbers =
            format!("connections to your containers whose clients have gone, and the most is {MOST}");
        assert!(said.contains(&numbers) && said.contains("when its container stops"), "{said}");
        let now = goroutines(&world);
        assert!(now < before + GOROUTINES * (MOST + CONNECTIONS) + OTHERS, "{before}, {now}");
        // Others are served, and their owner can do what lets go of them.
        assert!(attach_and_go(&bob, "silent", both, UPGRADE).contains(" 101 "));
        bob.run("restart -t 0 silent").ok();
        ann.run("exec silent true").says(&["whose clients have gone"]);
        ann.run("ps").says(&["silent"]).exits(0);
        ann.run(["restart", "-t", "0", name].as_slice()).ok();
        let is_free = || attach_and_go(&ann, "silent", both, UPGRADE).contains(" 101 ");
        assert!(eventually(is_free), "{name} has been stopped, and nothing is free");
        ann.run("restart -t 0 silent").ok();
        assert!(eventually(|| goroutines(&world) < before + OTHERS), "{before}, {}", goroutines(&world));
    }
}

/// Before the answer is there: nobody takes it, and the engine has attached all the same.
fn who_hangs_up_too_soon_leaves_no_pile() {
    let world = world_alone();
    let ann = world.newcomer("ann");
    ann.run("run -d --name silent busybox:test sleep 10000").ok();
    let before = goroutines(&world);
    let mut asked = 0;
    let is_full = || {
        for _ in 0..20 {
            let stream = ask(&ann, "silent", "stdout=1&stderr=1", UPGRADE);
            if asked % 2 == 0 {
                stream.shutdown(Shutdown::Both).ok();
            }
            asked += 1;
        }
        attach_and_go(&ann, "silent", "stdout=1", UPGRADE).contains(" 429 ")
    };
    assert!(eventually(is_full), "{asked} were asked for");
    let now = goroutines(&world);
    assert!(now < before + GOROUTINES * (MOST + CONNECTIONS + ASKED) + OTHERS, "{before}, {now}");
}

/// An engine would keep those for ever, if it was never started and is removed.
fn what_does_not_run_is_attached_to_at_its_start() {
    let world = world_alone();
    let ann = world.newcomer("ann");
    let both = "stdout=1&stderr=1";
    ann.run("create --name never busybox:test sleep 10000").ok();
    let before = goroutines(&world);
    for upgrade in [UPGRADE, CLOSE].repeat(MOST) {
        let said = attach_and_go(&ann, "never", both, upgrade);
        assert!(said.contains(" 101 ") || said.contains(" 200 "), "{said}");
    }
    let now = goroutines(&world);
    assert!(now < before + OTHERS, "{before}, {now}");
    // Who waits hears that it is gone.
    let mut waits = attach(&ann, "never", both, UPGRADE);
    ann.run("rm never").ok();
    assert_eq!(rest(&mut waits), "");

    ann.run(
        ["create", "--name", "twice", "busybox:test", "sh", "-c", "echo begun; sleep 1; echo over"]
            .as_slice(),
    )
    .ok();
    for (logs, printed) in [("0", 1), ("1", 2)] {
        let streams = format!("{both}&logs={logs}");
        let mut waiting = [UPGRADE, UPGRADE, CLOSE].map(|upgrade| attach(&ann, "twice", &streams, upgrade));
        ann.run("start twice").ok();
        for waits in &mut waiting {
            let said = rest(waits);
            assert_eq!(said.matches("begun").count(), printed, "{said}");
            assert_eq!(said.matches("over").count(), printed, "{said}");
        }
        ann.run("wait twice").ok();
    }
}

/// A client attaches before it starts; when that fails, it hangs up on what never ran.
fn what_could_not_start_holds_nothing() {
    let world = world_alone();
    let ann = world.newcomer("ann");
    for _ in 0..3 {
        let body =
            r#"{"Image":"busybox:test","Cmd":["not-there"],"HostConfig":{"AutoRemove":true,"Init":false}}"#;
        assert_eq!(ann.ask("POST", "/containers/create?name=fails", body).0, 201);
        let waits: Vec<UnixStream> =
            (0..MOST / 2).map(|_| attach(&ann, "fails", "stdout=1&stderr=1", UPGRADE)).collect();
        assert_eq!(ann.ask("POST", "/containers/fails/start", "").0, 400);
        drop(waits);
        assert!(eventually(|| ann.ask("GET", "/containers/fails/json", "").0 == 404));
    }
    ann.run("run -d --name box busybox:test sleep 10000").ok();
    let said = attach_and_go(&ann, "box", "stdout=1&stderr=1", UPGRADE);
    assert!(said.contains(" 101 "), "{said}");
}

/// Its process is ended, and with it the connection: whoever runs many for a while has room for more.
fn an_exec_that_is_left_ends_and_counts_no_more() {
    let world = world_alone();
    let ann = world.newcomer("ann");
    ann.run("run -d --name box busybox:test sleep 10000").ok();
    for number in 0..MOST + 10 {
        let command = format!("touch begun.{number}; sleep 10000");
        let exec = ann.spawn(["exec", "box", "sh", "-c", &command].as_slice());
        assert!(eventually(|| ann.home.join(format!("begun.{number}")).exists()));
        exec.signal(Signal::KILL);
        exec.finish();
    }
    let is_free = || ann.run("exec box echo there").to_string().contains("there");
    assert!(eventually(is_free));
}

/// A last line without an end is listened to. What heard nothing goes on listening, and is asked instead of another one.
fn looks_at_what_does_not_end_leave_no_trace() {
    let world = world_alone();
    let ann = world.newcomer("ann");
    let long = "head -c 20000 /dev/zero | tr '\\0' x";
    let silent = format!("{long}; sleep 10000");
    let steady = format!("{long}; while sleep 0.05; do printf x; done");
    let attached = |id: &str| {
        let filters = format!(r#"{{"container":["{id}"],"event":["attach"]}}"#);
        let filters: String = form_urlencoded::byte_serialize(filters.as_bytes()).collect();
        let (code, events) =
            world.ask_engine("GET", &format!("/events?since=0&until=0&filters={filters}"), "");
        assert_eq!(code, 200, "{events}");
        events.lines().count()
    };
    let docker = world.engine.program("docker");
    let listener = ann.spawn_sh(&format!(
        "DOCKER_HOST=unix://{} exec {} events --filter type=container --format '{{{{.Action}}}} {{{{.Actor.ID}}}}' >told",
        world.user_socket().display(),
        docker.display()
    ));
    let told = || ann.sh("cat told").stdout();
    let silent = ann.run(["run", "-d", "busybox:test", "sh", "-c", &silent].as_slice()).line();
    let steady =
        ann.run(["run", "-d", "--name", "steady", "busybox:test", "sh", "-c", &steady].as_slice()).line();
    assert!(eventually(|| attached(&steady) >= 4), "{}", attached(&steady));
    let before = goroutines(&world);
    assert!(eventually(|| attached(&steady) >= 12), "{}", attached(&steady));
    // Eight looks, of which each would leave five.
    assert!(eventually(|| goroutines(&world) < before + 20), "{before}, {}", goroutines(&world));
    // One for each stream, however many looks there were.
    assert!(attached(&silent) <= 2, "{}", attached(&silent));
    // Whoever reads the events does not learn when it was listened, not even by what of their own is missing.
    assert!(attach_and_go(&ann, "steady", "stdout=1", UPGRADE).contains(" 101 "));
    ann.run(["kill", "steady"].as_slice()).ok();
    assert!(eventually(|| told().contains(&format!("die {steady}"))), "{}", told());
    assert!(!told().contains("attach"), "{}", told());
    listener.signal(Signal::TERM);
    listener.finish();
}

/// As long as somebody takes nothing of one stream, an engine lets nobody else listen to it.
fn who_takes_nothing_hides_no_flood() {
    let world = world_alone();
    let ann = world.newcomer("ann");
    world.limit(&ann, "total = { output = 0.01 }");
    let script = "until [ -e go ]; do sleep 0.1; done; head -c 6000000 /dev/zero; echo over >over";
    let script = format!("({script}) & until [ -e go ]; do sleep 0.1; done; sleep 1; cat /dev/zero >&2");
    ann.run(["run", "-d", "--cpus", "0.2", "--name", "both", "busybox:test", "sh", "-c", &script].as_slice())
        .ok();
    let takes_nothing = attach(&ann, "both", "stdout=1", UPGRADE);
    ann.write("go", "");
    let is_charged = || ann.run("run --rm busybox:test true").to_string().contains("nothing starts for");
    assert!(eventually(is_charged));
    // All of it would have been written if nobody had stood in the way.
    assert!(!ann.home.join("over").exists());
    drop(takes_nothing);
}

/// An engine says that a container has ended when all that it printed was taken, and `kill` waits for that, and whoever is
/// next for its cards.
fn who_takes_nothing_holds_up_no_end() {
    let world = world();
    let ann = world.newcomer("ann");
    // More than there is room for on the way.
    let much = "head -c 8000000 /dev/zero; echo printed >printed; sleep 10000";
    let attached = |upgrade: &str| attach(&ann, "box", "stdout=1&stderr=1", upgrade);
    let executed = |upgrade: &str| {
        let body = format!(r#"{{"AttachStdout":true,"AttachStderr":true,"Cmd":["sh","-c","{much}"]}}"#);
        let (code, made) = ann.ask("POST", "/containers/box/exec", &body);
        assert_eq!(code, 201, "{made}");
        let made: Value = serde_json::from_str(&made).unwrap();
        let mut stream = ann.caller().connect().unwrap();
        let body = r#"{"Detach":false,"Tty":false}"#;
        let request = format!(
            "POST /exec/{}/start HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{upgrade}\r\n{body}",
            made["Id"].as_str().unwrap(),
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        stream.read_exact(&mut [0; 12]).unwrap();
        stream
    };
    let prints = format!("until [ -e go ]; do sleep 0.1; done; {much}");
    let mut ends = ["kill box", "stop -t 0 box", "rm -f box", "stop -t 1 box"].into_iter();
    for is_exec in [false, true] {
        for upgrade in [UPGRADE, CLOSE] {
            let main = if is_exec { "sleep 10000" } else { &prints };
            ann.run(["run", "-d", "--name", "box", "busybox:test", "sh", "-c", main].as_slice()).ok();
            let mut stream = if is_exec { executed(upgrade) } else { attached(upgrade) };
            ann.write("go", "");
            // What there is room for is on its way by then.
            std::thread::sleep(Duration::from_secs(2));
            assert!(!ann.home.join("printed").exists());
            ann.run(ends.next().unwrap()).ok();
            // The engine's list is behind what it answers.
            assert!(eventually(|| ann.run("ps -q").exits(0).stdout().is_empty()));
            // What was on its way comes, and then the end.
            rest(&mut stream);
            ann.run("rm -f box");
            ann.sh("rm go");
        }
    }
}
