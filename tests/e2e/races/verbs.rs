//! Two verbs on one container, begun a few milliseconds apart.

use super::chance::Chance;
use super::{Rounds, after};
use crate::suite::{tests, world_alone};
use crate::world::tools::{eventually, scan};
use crate::world::wire::Caller;
use crate::world::{User, World};
use std::io::{Read, Write};
use std::thread;
use std::time::Duration;

tests![alone rm_against_exec, alone stop_against_attach, alone cp_against_start, alone a_rename_that_waits_keeps_no_lock];

const ROUNDS: Rounds = Rounds { short: 8, long: 500 };
/// Each verb begins within so many milliseconds.
const APART: u64 = 60;

const SLEEPER: &str = r#"{"Image":"busybox:test","Cmd":["sleep","1000"]}"#;

/// Both verbs on a fresh container of the name `box`, again and again; afterwards it is removed and nothing is left.
fn against(what: &str, runs: bool, one: impl Fn(&User<'_>) + Sync, other: impl Fn(&User<'_>) + Sync) {
    let world = world_alone();
    let ann = world.newcomer("ann");
    ann.write("file", "content\n");
    let mut chance = Chance::new(what);
    for round in 0..ROUNDS.of(what) {
        let (status, body) = ann.ask("POST", "/containers/create?name=box", SLEEPER);
        assert_eq!(status, 201, "{round}: {body}");
        if runs {
            assert_eq!(ann.ask("POST", "/containers/box/start", "").0, 204);
        }
        let (first, second) = (chance.milliseconds(APART), chance.milliseconds(APART));
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(first);
                one(&ann);
            });
            thread::sleep(second);
            other(&ann);
        });
        let (status, body) = ann.ask("DELETE", "/containers/box?force=1", "");
        assert!(matches!(status, 204 | 404), "{round}: {status} {body}");
        nothing_runs(&world, &ann);
    }
    after::settled(&world, &[&ann]);
}

/// No process of hers is left anywhere.
fn nothing_runs(world: &World, user: &User<'_>) {
    let left = || -> Vec<String> {
        scan().into_iter().filter(|one| one.uid == user.uid).map(|one| one.arguments.join(" ")).collect()
    };
    assert!(eventually(|| left().is_empty()), "{:?}", left());
    let held = after::held(world);
    let own: Vec<&str> = held.iter().filter(|one| one.is_of(user.uid)).map(|one| one.name.as_str()).collect();
    assert!(own.is_empty(), "{own:?}");
}

/// Whatever it answers: it answers, and never with a fault of the gateway's own.
fn asked(caller: &Caller, method: &str, path: &str, body: &str) -> String {
    let (status, body) = caller.ask(method, path, body).unwrap();
    assert!(status < 500, "{method} {path}: {status} {body}");
    body
}

/// A connection on which the streams follow, read to its end.
fn streamed(caller: &Caller, path: &str, body: &str) {
    let mut stream = caller.connect().unwrap();
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
         Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n{body}"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut answer = vec![0; 8192];
    let read = stream.read(&mut answer).unwrap();
    answer.truncate(read);
    stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    // A refusal keeps its connection open: the time-out ends that.
    stream.read_to_end(&mut answer).ok();
    assert!(answer.starts_with(b"HTTP/1.1 "), "{path}: {}", String::from_utf8_lossy(&answer));
}

fn rm_against_exec() {
    against(
        "rm against exec",
        true,
        |ann| drop(asked(&ann.caller(), "DELETE", "/containers/box?force=1", "")),
        |ann| {
            let exec = r#"{"Cmd":["sleep","5555"],"AttachStdout":true}"#;
            let made = asked(&ann.caller(), "POST", "/containers/box/exec", exec);
            let made: serde_json::Value = serde_json::from_str(&made).unwrap();
            if let Some(id) = made["Id"].as_str() {
                streamed(&ann.caller(), &format!("/exec/{id}/start"), r#"{"Detach":false,"Tty":false}"#);
            }
        },
    );
}

fn stop_against_attach() {
    against(
        "stop against attach",
        true,
        |ann| drop(asked(&ann.caller(), "POST", "/containers/box/stop?t=0", "")),
        |ann| streamed(&ann.caller(), "/containers/box/attach?stream=1&stdout=1&stdin=1", ""),
    );
}

fn cp_against_start() {
    against(
        "cp against start",
        false,
        |ann| drop(asked(&ann.caller(), "POST", "/containers/box/start", "")),
        |ann| {
            let copied = ann.run("cp file box:/tmp/file");
            assert!(matches!(copied.code, 0 | 1), "{copied}");
        },
    );
}

/// By the lock a container is stopped that fills the disk: nobody holds it for as long as others have the user's turn.
fn a_rename_that_waits_keeps_no_lock() {
    let world = world_alone();
    let ann = world.newcomer("ann");
    // The other gateway has no mount helper.
    world.limit(&ann, "home = \"none\"");
    ann.run("create --name box --network none busybox:test true").ok();
    let stopped = world.stopped_at("/containers/create?name=ie-");
    let through = |words: &str| stopped.spawn(&ann, words);
    let create = through("create --name other --network none busybox:test true");
    stopped.is_there();
    let rename = through("rename box case");
    thread::sleep(Duration::from_secs(2));
    // It needs the lock, and would have waited until the rename gives up.
    through("cp box:/bin/sh -").finish().exits(0);
    stopped.goes_on();
    create.finish().ok();
    rename.finish().ok();
    ann.run("rm case").ok();
}
