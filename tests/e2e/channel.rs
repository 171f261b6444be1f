//! The channel that the copy helper uses past the engine: whose it is, and what becomes of a copy without it.

use crate::suite::{tests, world, world_alone};
use crate::world::tools::wait_until;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

tests![copies_go_by_it, who_says_no_mark_hears_nothing, without_it_the_engine_carries_the_copy];

fn copies_go_by_it() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.sleeper("box");
    ann.write("note", "by the channel");
    ann.run("cp note box:/tmp/note").ok();
    assert_eq!(ann.run("exec box cat /tmp/note").ok(), "by the channel");
    // A mark that nobody gave, from a process in the container: heard by nobody, and told nothing.
    let zeroes = "0".repeat(32);
    let said = ann.run(["exec", "box", "/.ie-copy", "pack", "/tmp/note", "--through", &zeroes]);
    assert_eq!(said.stdout(), "", "{said}");
    ann.run("exec box touch /.ie-channel/mine").says(&["Read-only"]).exits(1);
    ann.run("exec box rm /.ie-channel/copy.sock").exits(1);
}

fn who_says_no_mark_hears_nothing() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.sleeper("box");
    ann.write("note", "x");
    let socket = world.state_dir().join("channel/copy.sock");
    let begun = Instant::now();
    let mut callers: Vec<UnixStream> = (0..40).map(|_| UnixStream::connect(&socket).unwrap()).collect();
    // More than a few of one uid are dropped at once, the others when they have said nothing for a while.
    let mut dropped = 0;
    for caller in &mut callers {
        caller.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        dropped += usize::from(caller.read(&mut [0]).is_ok_and(|got| got == 0));
    }
    assert!((20..=24).contains(&dropped), "{dropped} were dropped");
    ann.run("cp note box:/tmp/note").ok();
    for caller in &mut callers {
        caller.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let got = caller.read(&mut [0]);
        assert!(
            got.as_ref().is_ok_and(|got| *got == 0)
                || got.is_err_and(|e| e.kind() != std::io::ErrorKind::WouldBlock)
        );
    }
    assert!(begun.elapsed() < Duration::from_secs(9), "{:?}", begun.elapsed());
    for word in ["\0".repeat(32), "f".repeat(32), "GET /containers/json HTTP/1.1\r\n\r\n".to_owned()] {
        let mut caller = UnixStream::connect(&socket).unwrap();
        caller.write_all(word.as_bytes()).unwrap();
        let mut answer = Vec::new();
        let _cut = caller.read_to_end(&mut answer);
        assert_eq!(answer, b"", "{word:?}");
    }
}

fn without_it_the_engine_carries_the_copy() {
    let world = world_alone();
    let ann = world.newcomer("ann");
    ann.sleeper("box");
    ann.write("note", "carried");
    let copy = |name: &str| {
        ann.run(["cp", "note", &format!("box:/tmp/{name}")]).ok();
        ann.run(["cp", &format!("box:/tmp/{name}"), name]).ok();
        assert_eq!(ann.read(name), "carried");
    };
    let through_the_engine = || world.gateway.said().matches("a copy goes through the engine").count();
    copy("one");
    assert_eq!(through_the_engine(), 0);
    fs::remove_file(world.state_dir().join("channel/copy.sock")).unwrap();
    copy("two");
    assert!(through_the_engine() >= 2, "{}", through_the_engine());
    // The next gateway is there for containers of the last one's time.
    let before = through_the_engine();
    world.gateway.kill();
    world.start_gateway().unwrap();
    assert!(wait_until(Duration::from_secs(10), || ann.run("ps").code == 0));
    copy("three");
    assert_eq!(through_the_engine(), before);
}
