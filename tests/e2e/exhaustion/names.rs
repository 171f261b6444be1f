//! A name service that does not answer for one person is that person's trouble alone.

use crate::suite::{Alone, tests, world_alone};
use crate::world::tools::{eventually, step};
use crate::world::{User, World};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

tests![alone who_hangs_is_told_and_others_are_served, alone a_flood_of_who_hangs, alone who_hangs_in_the_line_for_gpus];

/// The gateway gives a look-up five seconds.
const TOLD: Duration = Duration::from_secs(5);
/// What others may wait while somebody hangs; the machine may be busy, a look-up that is waited for takes longer.
const AT_ONCE: Duration = Duration::from_millis(4500);

/// A gateway whose look-ups can be made to hang. The suite starts the usual one again.
struct Names<'w> {
    world: &'w World,
    list: PathBuf,
}

impl<'w> Names<'w> {
    fn new(world: &'w Alone) -> Self {
        let (library, list) = (world.program("hanging_names.so"), world.program("hangs"));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/exhaustion/names.c");
        step(Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source)).unwrap();
        fs::write(&list, "").unwrap();
        world.gateway.kill();
        let preload = format!("LD_PRELOAD={}", library.display());
        world.start_gateway_with(&[&preload, &format!("IE_E2E_HANGS={}", list.display())]).unwrap();
        Self { world, list }
    }

    /// From now on look-ups of these do not end.
    fn hang(&self, users: &[&User<'_>]) {
        let uids: String = users.iter().map(|user| format!("{}\n", user.uid)).collect();
        let fresh = self.list.with_extension("new");
        fs::write(&fresh, uids).unwrap();
        fs::rename(fresh, &self.list).unwrap();
    }
}

impl Drop for Names<'_> {
    fn drop(&mut self) {
        fs::remove_file(&self.list).ok();
        self.world.gateway.kill();
    }
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begun = Instant::now();
    (work(), begun.elapsed())
}

/// Somebody else is served as if nothing were.
#[track_caller]
fn is_served(user: &User<'_>) {
    let ((status, body), took) = timed(|| user.ask("GET", "/containers/json", ""));
    assert_eq!(status, 200, "{body}");
    assert!(took < AT_ONCE, "{} waited {took:?}", user.login);
}

fn who_hangs_is_told_and_others_are_served() {
    let world = world_alone();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("bob"));
    let names = Names::new(&world);
    ann.sleeper("box");
    names.hang(&[&ann]);
    let caller = ann.caller();
    let asking = std::thread::spawn(move || timed(|| caller.ask("GET", "/ie/v1/quota", "").unwrap()));
    while !asking.is_finished() {
        is_served(&bob);
        std::thread::sleep(Duration::from_millis(100));
    }
    let ((status, body), took) = asking.join().unwrap();
    eprintln!("who hangs is told after {took:.1?}");
    assert!(status >= 500 && body.contains("the name service does not answer"), "{status} {body}");
    assert!(took >= TOLD && took < TOLD * 3, "{took:?}");
    // Her own are still hers.
    ann.run("ps").says(&["box"]).exits(0);
    names.hang(&[]);
    ann.run("run --rm busybox:test true").ok();
}

/// As many look-ups as one person can begin, and again as many when those were given up: they do not end.
fn a_flood_of_who_hangs() {
    const CONNECTIONS: usize = 700;
    let world = world_alone();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("bob"));
    let text = fs::read_to_string(world.policy_file()).unwrap();
    let names = Names::new(&world);
    world.spoil_policy(&text.replace("connections = 64", &format!("connections = {CONNECTIONS}")));
    assert_eq!(world.admin_raw("POST", "/ie/v1/admin/reload").0, 200);
    names.hang(&[&ann]);
    let caller = ann.caller();
    let flood: Vec<UnixStream> = (0..CONNECTIONS).map(|_| caller.connect().unwrap()).collect();
    let begun = Instant::now();
    while begun.elapsed() < TOLD * 3 / 2 {
        is_served(&bob);
        std::thread::sleep(Duration::from_millis(200));
    }
    let threads = threads(&world);
    eprintln!("{CONNECTIONS} connections that hang: the gateway has {threads} threads");
    assert!(threads < 64, "{threads} threads");
    assert!(told(flood).contains("the name service does not answer"));
    names.hang(&[]);
    assert!(eventually(|| ann.ask("GET", "/ie/v1/quota", "").0 == 200));
}

/// What one of these connections is answered.
fn told(mut flood: Vec<UnixStream>) -> String {
    let mut one = flood.pop().unwrap();
    drop(flood);
    one.write_all(b"GET /ie/v1/quota HTTP/1.0\r\nHost: d\r\n\r\n").unwrap();
    one.set_read_timeout(Some(TOLD * 3)).unwrap();
    let mut answer = String::new();
    one.read_to_string(&mut answer).unwrap();
    answer
}

fn threads(world: &World) -> usize {
    fs::read_dir(format!("/proc/{}/task", world.gateway.pid())).unwrap().count()
}

/// Whoever stands in line was known when joining: being served must not depend on the name service.
fn who_hangs_in_the_line_for_gpus() {
    let world = world_alone();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("bob"));
    for user in [&ann, &bob] {
        world.limit(user, "total = { gpus = 4 }");
    }
    let names = Names::new(&world);
    bob.run("run -d --name train --gpus 4 busybox:test sleep 1000").ok();
    let mut waiting = ann.stands("count=1");
    waiting.hears("Before");
    names.hang(&[&ann]);
    bob.run("rm -f train").ok();
    let begun = Instant::now();
    while begun.elapsed() < TOLD {
        is_served(&bob);
        let (status, body) = bob.ask("GET", "/ie/v1/gpus", "");
        assert_eq!(status, 200, "{body}");
        std::thread::sleep(Duration::from_millis(100));
    }
    waiting.hears("Granted");
    let (_, body) = bob.ask("GET", "/ie/v1/gpus", "");
    assert!(body.contains(&format!("\"Login\":\"{}\"", ann.login)), "{body}");
}
