//! What containers print costs the engine time that no limit of theirs reaches: it is charged to their owner.

use crate::suite::{tests, world_alone};
use crate::world::output::Output;
use crate::world::tools::{eventually, wait_until};
use crate::world::{User, World};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

tests![
    alone who_floods_is_stopped_and_nobody_else,
    alone a_flood_without_lines_or_in_disguise_is_one,
    alone who_floods_in_short_runs_starts_nothing_for_a_while,
    alone a_look_that_is_not_answered_keeps_no_other,
];

/// A second's worth of the engine, and so much each hundred seconds.
const LITTLE: &str = "total = { output = 0.01 }";
const LONG: Duration = Duration::from_secs(240);

/// With a twentieth of a processor.
fn flood(user: &User<'_>, name: &str, options: &str, script: &str) {
    let mut words = vec!["run", "-d", "--cpus", "0.05", "--network", "none", "--name", name];
    words.extend(options.split_whitespace());
    words.extend(["busybox:test", "sh", "-c", script]);
    user.run(words.as_slice()).ok();
}

#[track_caller]
fn is_stopped(world: &World, user: &User<'_>, name: &str) {
    let state = || world.inspect(&user.engine_name(name), "{{.State.Status}}");
    assert!(wait_until(LONG, || state() == "exited"), "{name} is {}", state());
}

#[track_caller]
fn goes_on(world: &World, user: &User<'_>, name: &str) {
    assert_eq!(world.inspect(&user.engine_name(name), "{{.State.Running}}"), "true", "{name}");
}

fn who_floods_is_stopped_and_nobody_else() {
    let world = world_alone();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("bob"));
    world.limit(&ann, LITTLE);
    // As it is by default.
    world.limit(&bob, "total = { output = 0.1 }");
    let chatty = "while :; do echo hello; sleep 1; done";
    flood(&ann, "chatty", "", chatty);
    flood(&bob, "chatty", "", chatty);
    // What the engine makes of it by itself.
    world.docker(["run", "-d", "--cpus", "0.05", "--name", "bare-flood", "busybox:test", "yes", ""]).ok();
    let lines = "while :; do head -c 30000 /dev/zero | tr '\\0' '\\n'; sleep 0.2; done";
    let mut pty = ann.pty(["run", "-it", "--name", "shown", "busybox:test", "sh", "-c", lines]);
    pty.expect("shown is stopped");
    is_stopped(&world, &ann, "shown");
    assert_eq!(world.inspect("bare-flood", "{{.State.Running}}"), "true");
    world.docker("rm -f bare-flood").ok();
    // It would not have started any more.
    world.limit(&ann, "total = { output = 4 }");
    for name in ["one", "two"] {
        flood(&ann, name, "", "yes ''");
    }
    world.limit(&ann, LITTLE);
    is_stopped(&world, &ann, "one");
    is_stopped(&world, &ann, "two");
    let told = ann.run(["ps", "-a", "--format", "{{.Names}} {{.Status}}"]).ok();
    for name in ["one", "two", "shown"] {
        let line = told.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap();
        assert!(line.contains(", stopped: total.output: your containers print so much"), "{told}");
    }
    let error = ann.run("inspect -f {{.State.Error}} one").line();
    assert!(error.starts_with("stopped: total.output: ") && error.contains("policy.toml:"), "{error}");
    for words in ["run --rm busybox:test true", "start one", "restart chatty"] {
        let told = ann.run(words);
        told.says(&[
            "total.output: your containers print so much",
            "0.01 may be, nothing starts for",
            "policy.toml:",
        ]);
        assert_ne!(told.code, 0, "{words}");
    }
    ann.docker("run --rm busybox:test true").says(&["nothing starts for"]).fails(125);
    ann.run("quota").says(&["total.output", "0.01"]);
    // Who prints as people do, or much for once, is left alone, whosever it is; and what runs is served as ever. How much of
    // the engine that takes is judged by samples: a fourth of what may be leaves room for those of a busy machine.
    let script = format!("yes {} | dd bs=64k count=400 iflag=fullblock", "x".repeat(1023));
    let mut words = vec!["run", "--rm", "--network", "none", "busybox:test", "sh", "-c"];
    words.push(&script);
    let printed = bob.run(words.as_slice()).ok().len();
    assert_eq!(printed, 400 << 16);
    for user in [&ann, &bob] {
        goes_on(&world, user, "chatty");
        assert_eq!(user.run("exec chatty echo here").ok(), "here\n");
    }
    bob.run("run --rm busybox:test true").ok();
    // An admin who allows more is heard at once.
    world.limit(&ann, "total = { output = 'none' }");
    ann.run("run --rm busybox:test true").ok();
}

/// An engine gives every piece of a line the time of the line's beginning; a terminal's output has no frames.
fn a_flood_without_lines_or_in_disguise_is_one() {
    let world = world_alone();
    let ann = world.newcomer("ann");
    for (name, options, script) in [
        ("endless", "", "cat /dev/zero"),
        ("shown", "-t", "cat /dev/zero"),
        ("mixed", "", "cat /dev/zero & while :; do echo a line >&2; sleep 0.1; done"),
        ("dated", "-t", "yes 2020-01-01T00:00:00.000000000Z"),
        ("bytes", "", "while :; do cat /bin/busybox; done"),
        // Without a log, or with another, it costs the engine as well.
        ("unkept", "--log-driver none", "cat /dev/zero"),
        ("compact", "--log-driver local", "yes ''"),
    ] {
        world.limit(&ann, "total = { output = 4 }");
        flood(&ann, name, options, script);
        world.limit(&ann, LITTLE);
        is_stopped(&world, &ann, name);
        world.limit(&ann, "total = { output = 'none' }");
        ann.run(["rm", name]).ok();
    }
}

/// Whether it starts again within half a minute.
fn is_short(refused: &Output) -> bool {
    let said = refused.to_string();
    let time = said.split("nothing starts for ").nth(1).unwrap();
    let digits = time.split(|c: char| !c.is_ascii_digit()).next().unwrap();
    time.starts_with(&format!("{digits}s")) && digits.parse::<u32>().unwrap() < 30
}

/// Each is gone, and its log with it, a moment after it began.
fn who_floods_in_short_runs_starts_nothing_for_a_while() {
    let world = world_alone();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("bob"));
    world.limit(&ann, LITTLE);
    let flood = || {
        let words = ["run", "-d", "--rm", "--network", "none", "busybox:test", "sh", "-c"];
        ann.run([&words[..], &["yes '' | head -n 300000"]].concat().as_slice())
    };
    let refused = || {
        let told = flood();
        if told.code == 125 {
            told.says(&["total.output: your containers print so much", "0.01 may be, nothing starts for"]);
            // A debt of a moment may be paid before the next one asks.
            return !is_short(&told);
        }
        assert!(eventually(|| ann.run("ps -aq").ok().is_empty()));
        false
    };
    assert!(wait_until(LONG, refused));
    // One more is no more; whoever did not print is served.
    flood().fails(125);
    bob.run("run --rm --network none busybox:test true").ok();
}

/// The engine answers nothing that one gateway asks of one log.
fn a_look_that_is_not_answered_keeps_no_other() {
    let world = world_alone();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("bob"));
    let ids = [ann.sleeper("stuck"), ann.sleeper("other"), bob.sleeper("box")];
    let asked: Arc<[AtomicUsize; 3]> = Arc::default();
    let over = Arc::new(AtomicBool::new(false));
    let (counts, ended) = (asked.clone(), over.clone());
    let gateway = world.interrupted(move |said| {
        let said = String::from_utf8_lossy(said);
        let at =
            ids.iter().position(|id| said.starts_with("GET ") && said.contains(&format!("{id}/logs?")))?;
        counts[at].fetch_add(1, Ordering::SeqCst);
        while at == 0 && !ended.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(50));
        }
        None
    });
    let so_far = || [0, 1, 2].map(|at| asked[at].load(Ordering::SeqCst));
    assert!(wait_until(LONG, || so_far()[1..].iter().all(|count| *count >= 4)), "{:?}", so_far());
    assert_eq!(so_far()[0], 1, "requests pile up in the engine");
    over.store(true, Ordering::SeqCst);
    assert!(wait_until(LONG, || so_far()[0] >= 3), "{:?}", so_far());
    drop(gateway);
}
