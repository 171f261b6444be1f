//! `exec`: another process in a container, with nothing more than the first one has.

use crate::suite::{tests, world};
use crate::world::tools::wait_until;
use std::time::Duration;

tests![
    the_process_decides_the_exit_code,
    it_has_no_more_than_the_container,
    streams_pass_both_ways_whole,
    options_reach_the_process,
    only_a_running_container_takes_it,
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
