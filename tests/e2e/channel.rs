//! The channel that the copy helper uses past the engine: whose it is, and what becomes of a copy without it.

use crate::suite::{tests, world, world_alone};
use crate::world::tools::eventually;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

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
    // Of this uid nobody is expected: none of them is heard.
    for mut caller in (0..40).map(|_| UnixStream::connect(&socket).unwrap()) {
        caller.set_read_timeout(Some(Duration::from_secs(3))).unwrap();
        assert_eq!(caller.read(&mut [0]).unwrap(), 0);
    }
    ann.run("cp note box:/tmp/note").ok();
    for word in ["\0".repeat(32), "f".repeat(32), "GET /containers/json HTTP/1.1\r\n\r\n".to_owned()] {
        let mut caller = UnixStream::connect(&socket).unwrap();
        // It may be cut before the word has come.
        let _cut = caller.write_all(word.as_bytes());
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
    let at_first = through_the_engine();
    copy("one");
    assert_eq!(through_the_engine(), at_first);
    fs::remove_file(world.state_dir().join("channel/copy.sock")).unwrap();
    copy("two");
    assert!(through_the_engine() >= at_first + 2, "{}", through_the_engine());
    // The next gateway is there for containers of the last one's time.
    let before = through_the_engine();
    world.gateway.kill();
    world.start_gateway().unwrap();
    assert!(eventually(|| ann.run("ps").code == 0));
    copy("three");
    assert_eq!(through_the_engine(), before);
}
