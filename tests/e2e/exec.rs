//! `exec`: another process in a container, with nothing more than the first one has.

use crate::suite::{tests, world};
use crate::world::User;
use crate::world::tools::wait_until;
use std::time::Duration;

tests![
    the_process_decides_the_exit_code,
    it_has_no_more_than_the_container,
    streams_pass_both_ways_whole,
    options_reach_the_process,
    only_a_running_container_takes_it,
    a_process_ends_with_its_client,
    what_is_left_on_purpose_goes_on,
    the_last_words_come_through_while_stdin_flows,
];

fn the_process_decides_the_exit_code() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.sleeper("box");
    for (words, code) in [("true", 0), ("false", 1), ("no-such-program", 127), ("/etc/passwd", 126)] {
        ann.run(format!("exec box {words}")).exits(code);
    }
    ann.run(["exec", "box", "sh", "-c", "exit 42"]).exits(42);
}

fn it_has_no_more_than_the_container() {
    let world = world();
    let bob = world.newcomer("b-o.b");
    bob.sleeper("box");
    let status = bob.run("exec box cat /proc/self/status").ok();
    let uids = format!("Uid:\t{0}\t{0}\t{0}\t{0}", bob.uid);
    for line in [&uids, "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1"] {
        assert!(status.contains(line), "{line} is not in {status}");
    }
    for option in ["--privileged", "-u 0", "--user root"] {
        bob.run(format!("exec {option} box true")).fails(125);
    }
    let groups = bob.run(["exec", "box", "sh", "-c", "whoami; id -G"]).ok();
    assert_eq!(groups, format!("{}\n{}\n", bob.login, bob.gid));
}

fn streams_pass_both_ways_whole() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.sleeper("box");
    let bytes: Vec<u8> = (0..4_000_000_u32).map(|n| n.wrapping_mul(2_246_822_519).to_le_bytes()[3]).collect();
    let output = ann.run_with_stdin("exec -i box cat", &bytes);
    output.exits(0);
    assert!(output.bytes == bytes, "{} of {} bytes came back, or changed", output.bytes.len(), bytes.len());
    assert_eq!(ann.run_with_stdin("exec box cat", b"unasked").ok(), "");
    let apart = ann.run(["exec", "box", "sh", "-c", "echo data; echo talk >&2"]);
    assert_eq!((apart.ok().as_str(), apart.stderr.as_str()), ("data\n", "talk\n"));
}

fn options_reach_the_process() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.sleeper("box");
    assert_eq!(
        ann.run(["exec", "-e", "A=b c", "-w", "/tmp", "box", "sh", "-c", "echo $A; pwd"]).ok(),
        "b c\n/tmp\n"
    );
    ann.run("exec -d box touch /tmp/later").ok();
    assert!(wait_until(Duration::from_secs(10), || ann.run("exec box test -e /tmp/later").code == 0));
}

fn only_a_running_container_takes_it() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.run("run --name over busybox:test true").ok();
    ann.run("exec over true").says(&["over", "not running"]).fails(125);
    ann.run("exec missing true").says(&["missing"]).fails(125);
}

/// How many processes of a container have this in their command line.
fn processes(user: &User<'_>, word: &str) -> usize {
    user.run("top box -eo pid,args").ok().lines().filter(|line| line.contains(word)).count()
}

fn a_process_ends_with_its_client() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.sleeper("box");
    ann.sh("head -c 8000000 /dev/zero >zeros").ok();
    let client = world.program("ie-container").display().to_string();
    let clients = [
        "exec box sh -c 'trap \"\" HUP TERM; sleep 4444 & while :; do sleep 1; done'",
        "exec -i box sleep 5555",
        "exec box yes 6666 >/dev/null",
        // One that neither reads what it is sent nor says anything.
        "exec -i box sleep 7777 <zeros",
    ]
    .map(|words| ann.spawn_sh(&format!("exec {client} {words}")));
    for word in ["4444", "5555", "6666", "7777"] {
        assert!(wait_until(Duration::from_secs(10), || processes(&ann, word) > 0), "{word} never ran");
    }
    for client in &clients {
        client.signal(rustix::process::Signal::KILL);
    }
    for word in ["4444", "5555", "6666", "7777"] {
        assert!(wait_until(Duration::from_secs(20), || processes(&ann, word) == 0), "{word} is left");
    }
    assert!(processes(&ann, "sleep 1000") > 0, "the container's own process is gone");
    assert_eq!(processes(&ann, "ie-copy"), 0);
    for client in clients {
        client.finish();
    }
}

fn what_is_left_on_purpose_goes_on() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.sleeper("box");
    ann.run("exec -d box sleep 4444").ok();
    let mut pty = ann.pty(["exec", "-it", "box", "sh", "-c", "echo ready; sleep 5555"]);
    pty.expect("ready");
    pty.send("\x10\x11");
    assert_eq!(pty.finish(), 1);
    ann.run(["exec", "box", "sh", "-c", "sleep 6666 >/dev/null 2>&1 &"]).ok();
    // Longer than what the helper waits before it kills.
    std::thread::sleep(Duration::from_secs(4));
    for word in ["4444", "5555", "6666"] {
        assert!(processes(&ann, word) > 0, "{word} has gone");
    }
}

/// A process that ends while its stdin is still being sent closes one way before the other.
fn the_last_words_come_through_while_stdin_flows() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.sleeper("box");
    let input = vec![0; 4_000_000];
    let script = "head -c 100000 >/dev/null; head -c 1000000 /dev/zero; exit 7";
    for _ in 0..5 {
        let output = ann.run_with_stdin(["exec", "-i", "box", "sh", "-c", script], &input);
        assert_eq!((output.code, output.bytes.len()), (7, 1_000_000), "{}", output.stderr);
    }
}
