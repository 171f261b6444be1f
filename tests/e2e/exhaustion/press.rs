//! One person presses on the gateway in every way there is; somebody else lists their containers and looks at the clock.

use crate::races::Rounds;
use crate::suite::{tests, world_alone};
use crate::world::tools::wait_until;
use crate::world::wire::{Caller, ask_at};
use crate::world::{User, World};
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

tests![
    alone idle_connections,
    alone a_byte_a_second,
    alone huge_bodies,
    alone bodies_that_stay_open,
    alone pulls,
    alone unread_output,
    alone unread_lists,
    alone all_at_once
];

/// Pairs of a quiet and a pressed measurement.
const PAIRS: Rounds = Rounds { short: 3, long: 60 };
/// Requests of the other person's in each measurement.
const ASKED: usize = 60;
const IDLE: usize = 1000;
const SLOW: usize = 500;
const HUGE: usize = 64;
const PULLS: usize = 20;
const UNREAD: usize = 16;

/// The aim is 100 ms; what is asserted leaves room for a machine that others use.
const MOST: Duration = Duration::from_secs(2);
const MOST_MEBIBYTES: usize = 128;
/// Bodies are read to their end for half a minute, heads are waited for as long.
const AGAIN: Duration = Duration::from_secs(120);

/// What one user may leave behind in the engine, and those that went at the same moment.
const LEFT: usize = 32 + UNREAD;

/// Somebody pressing, until it is dropped.
struct Pressure {
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    open: Vec<UnixStream>,
}

impl Pressure {
    fn new() -> Self {
        Self { over: Arc::default(), threads: Vec::new(), open: Vec::new() }
    }

    /// Connections on which this was said and nothing more will be.
    fn open(mut self, caller: &Caller, count: usize, said: &[u8]) -> Self {
        for _ in 0..count {
            // The gateway may well turn one away.
            let Ok(mut stream) = caller.connect() else { continue };
            stream.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
            stream.write_all(said).ok();
            self.open.push(stream);
        }
        self
    }

    /// So many threads, each doing this again and again.
    fn again_and_again(mut self, count: usize, act: impl Fn(usize) + Send + Sync + 'static) -> Self {
        let act = Arc::new(act);
        for number in 0..count {
            let (act, over) = (Arc::clone(&act), Arc::clone(&self.over));
            self.threads.push(thread::spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    act(number);
                }
            }));
        }
        self
    }
}

impl Drop for Pressure {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        self.open.clear();
        for thread in self.threads.drain(..) {
            thread.join().ok();
        }
    }
}

/// How long requests took.
#[derive(Clone, Copy)]
struct Took {
    p99: Duration,
    /// What is asserted: a pause of the whole machine meets one or two of sixty.
    p95: Duration,
}

fn took(ask: impl Fn() -> io::Result<(u16, String)>) -> Took {
    let mut took: Vec<Duration> = (0..ASKED)
        .map(|_| {
            let begun = Instant::now();
            let (status, body) = ask().unwrap();
            assert_eq!(status, 200, "{body}");
            begun.elapsed()
        })
        .collect();
    took.sort();
    Took { p99: took[ASKED * 99 / 100], p95: took[ASKED * 95 / 100] }
}

fn median(all: &[Took], of: impl Fn(&Took) -> Duration) -> Duration {
    let mut times: Vec<Duration> = all.iter().map(of).collect();
    times.sort();
    times[times.len() / 2]
}

fn descriptors(world: &World) -> usize {
    fs::read_dir(format!("/proc/{}/fd", world.gateway.pid())).unwrap().count()
}

/// The most memory that the gateway ever had, in mebibytes.
fn most_memory(world: &World) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", world.gateway.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() / 1024
}

/// A new gateway is pressed in pairs with a quiet one. `most` is how many connections one person may have.
fn pressed(what: &str, most: usize, press: impl Fn(&User<'_>) -> Pressure) {
    let world = world_alone();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("bob"));
    let text = fs::read_to_string(world.policy_file()).unwrap();
    world.spoil_policy(&text.replace("connections = 64", &format!("connections = {most}")));
    world.restart_gateway();
    for user in [&ann, &bob] {
        user.sleeper("box");
    }
    let talks = "while :; do cat /bin/busybox; done";
    ann.run(["run", "-d", "--name", "talker", "busybox:test", "sh", "-c", talks]).ok();
    let caller = bob.caller();
    caller.ask("GET", "/containers/json", "").unwrap();
    let before = descriptors(&world);
    let socket = world.engine.socket();
    let gateway = || caller.ask("GET", "/containers/json", "");
    let engine = || ask_at(&socket, "GET", "/containers/json", "");
    let (mut quiet, mut loud, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..PAIRS.of(what) {
        // What was left at it before is let go.
        ann.run("restart -t 0 talker").ok();
        quiet.push(took(gateway));
        let pressure = press(&ann);
        thread::sleep(Duration::from_millis(500));
        // Each may need the engine, and a pipe between the two; twice as many are told that they are too many: the
        // others are turned away.
        let open = descriptors(&world);
        assert!(open <= before + 6 * most + 16, "{what}: {before} descriptors became {open}");
        loud.push(took(gateway));
        bare.push(took(engine));
        drop(pressure);
    }
    let memory = most_memory(&world);
    let [without, with, engine] = [&quiet, &loud, &bare].map(|all| median(all, |took| took.p99));
    eprintln!(
        "{what}: another's list takes {with:.1?} (p99; {without:.1?} without, {engine:.1?} of the engine itself), the gateway took {memory} MiB"
    );
    let [quiet, loud] = [quiet, loud].map(|all| median(&all, |took| took.p95));
    assert!(loud < MOST + 10 * quiet, "{what}: {loud:?}");
    assert!(memory < MOST_MEBIBYTES, "{what}: {memory} MiB");
    // What was attached when its caller went is held, for so many at the most, until the container stops.
    let back = wait_until(AGAIN, || descriptors(&world) <= before + LEFT + 4);
    assert!(back, "{what}: {before} descriptors became {}", descriptors(&world));
    ann.run("rm -f talker").ok();
    let back = wait_until(AGAIN, || descriptors(&world) <= before + 4);
    assert!(back, "{what}: {before} descriptors became {}", descriptors(&world));
    assert_eq!(ann.ask("GET", "/containers/json", "").0, 200);
}

fn idle_connections() {
    pressed("a thousand idle connections", 64, idle);
}

fn idle(ann: &User<'_>) -> Pressure {
    Pressure::new().open(&ann.caller(), IDLE, b"")
}

/// Where the policy lets them all in.
fn a_byte_a_second() {
    pressed("five hundred clients at a byte a second", SLOW, slow);
}

fn slow(ann: &User<'_>) -> Pressure {
    let caller = ann.caller();
    let streams: Vec<UnixStream> = (0..SLOW).filter_map(|_| caller.connect().ok()).collect();
    for (number, mut stream) in streams.iter().enumerate() {
        stream.set_nonblocking(true).unwrap();
        // Half of them are slow in the head, half in the body.
        let head = [
            "GET /containers/json HTTP/1.1\r\nX-Slow: ",
            "POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Length: 100000\r\n\r\n",
        ][number % 2];
        stream.write_all(head.as_bytes()).ok();
    }
    Pressure::new().again_and_again(1, move |_| {
        for mut stream in &streams {
            stream.write_all(b" ").ok();
        }
        thread::sleep(Duration::from_secs(1));
    })
}

fn huge_bodies() {
    pressed("sixty-four bodies as large as they may be, or larger", HUGE, huge);
}

/// Up to the limit, and without any end; each again as soon as it is answered.
fn huge(ann: &User<'_>) -> Pressure {
    let caller = ann.caller();
    let padding = |text: String| {
        let mut bytes = text.into_bytes();
        bytes.resize(1 << 20, b' ');
        bytes
    };
    // As many values as fit, and as many as are read, of the kind that takes the most memory.
    let many = padding(format!("{{\"Env\":[{}0]}}", "0,".repeat((1 << 19) - 10)));
    let wide = padding(format!("{{\"Env\":[{}0]}}", "{\"a\":0},".repeat(8000)));
    Pressure::new().again_and_again(HUGE, move |number| {
        let Ok(mut stream) = caller.connect() else { return };
        stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        let (body, length, times) = match number % 4 {
            0 => (&many, many.len(), 1),
            1 => (&wide, wide.len(), 1),
            _ => (&many, 1 << 40, 64),
        };
        let head = format!("POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Length: {length}\r\n\r\n");
        let sent = stream.write_all(head.as_bytes());
        let sent = sent.and_then(|()| (0..times).try_for_each(|_| stream.write_all(body)));
        if sent.is_ok() {
            stream.read_exact(&mut [0; 512]).ok();
        }
    })
}

/// Everything is sent but the last byte.
fn bodies_that_stay_open() {
    pressed("sixty-four bodies that lack their last byte", HUGE, nearly);
}

fn nearly(ann: &User<'_>) -> Pressure {
    let length = 2 << 20;
    let mut said = format!("POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Length: {length}\r\n\r\n");
    said.push_str(&" ".repeat(length - 1));
    Pressure::new().open(&ann.caller(), HUGE, said.as_bytes())
}

fn pulls() {
    pressed("twenty pulls of a name that does not resolve", 64, pull);
}

fn pull(ann: &User<'_>) -> Pressure {
    let caller = ann.caller();
    Pressure::new().again_and_again(PULLS, move |number| {
        caller.ask("POST", &format!("/images/create?fromImage=nowhere{number}"), "").ok();
    })
}

fn unread_output() {
    pressed("endless output that nobody reads", 64, unread);
}

fn unread(ann: &User<'_>) -> Pressure {
    let attach = b"POST /containers/talker/attach?stream=1&stdout=1&stderr=1 HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";
    let logs = b"GET /containers/talker/logs?follow=1&stdout=1 HTTP/1.1\r\nHost: d\r\n\r\n";
    Pressure::new().open(&ann.caller(), UNREAD, attach).open(&ann.caller(), UNREAD, logs)
}

fn unread_lists() {
    pressed("sixty-four lists as long as one person can make them, that nobody reads", 64, lists);
}

/// Containers whose command and labels are as long as may be, each character six in JSON; then their list.
fn lists(ann: &User<'_>) -> Pressure {
    let long = "\\u0001".repeat(10_900);
    let create = |long: &str| {
        let body = format!(r#"{{"Image":"busybox:test","Cmd":["{long}"],"Labels":{{"l":"{long}"}}}}"#);
        ann.ask("POST", "/containers/create", &body)
    };
    let longer = format!("{long}{long}");
    let (status, told) = create(&longer);
    assert!(status == 400 && told.contains("the most is 256 of 65536"), "{status} {told}");
    while create(&long).0 == 201 {}
    let list = b"GET /containers/json?all=1 HTTP/1.1\r\nHost: d\r\n\r\n";
    Pressure::new().open(&ann.caller(), 60, list)
}

fn all_at_once() {
    pressed("all of these at once", 64, |ann| {
        let all = [unread(ann), pull(ann), huge(ann), nearly(ann), slow(ann), idle(ann)];
        let mut together = Pressure::new();
        // Each ends when the whole is dropped.
        let mut all = Some(all);
        together.threads.push(thread::spawn({
            let over = Arc::clone(&together.over);
            move || {
                while !over.load(Ordering::Relaxed) {
                    thread::sleep(Duration::from_millis(50));
                }
                drop(all.take());
            }
        }));
        together
    });
}
