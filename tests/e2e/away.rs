//! A gateway that goes away in the midst of something: who has waited long enough says what was lost, and half of a file is
//! none.

use crate::suite::{tests, world_alone};
use crate::world::output::Running;
use crate::world::tools::{Scan, eventually, scan};
use crate::world::{Pty, User};

tests![alone who_has_waited_long_enough_says_how_to_come_back, alone a_copy_out_that_broke_off_leaves_no_half_of_a_file,];

/// The patience is a minute, and shorter here.
fn who_has_waited_long_enough_says_how_to_come_back() {
    let world = world_alone();
    let ann = world.newcomer("ann");
    let script =
        "echo begun; until [ \"$(stty size)\" = '30 100' ]; do sleep 0.1; done; echo attached; sleep 1000";
    let mut client = ann.client(["run", "-it", "--name", "job", "busybox:test", "sh", "-c", script]);
    let mut pty = Pty::start(client.env("IE_CONTAINER_PATIENCE", "1"), ann.uid);
    // Told by a client that has heard of its start and goes along with it.
    pty.expect("begun");
    pty.resize(30, 100);
    pty.expect("attached");
    world.gateway.kill();
    pty.expect("connection lost, waiting 1 seconds at the most for the gateway");
    pty.expect("connection lost; the container goes on: ie-container attach job");
    assert_eq!(pty.finish(), 125);
    assert!(pty.is_cooked() && !pty.text().contains("is back"), "{}", pty.text());
    world.start_gateway().unwrap();
    assert_eq!(world.inspect(&ann.engine_name("job"), "{{.State.Running}}"), "true");
}

const WHOLE: u64 = 1 << 30;

fn a_copy_out_that_broke_off_leaves_no_half_of_a_file() {
    let world = world_alone();
    let ann = world.newcomer("ann");
    let id = ann.sleeper("box");
    let make = format!("mkdir /tmp/d; dd if=/dev/null of=/tmp/d/big bs=1 seek={WHOLE}");
    ann.run(["exec", "box", "sh", "-c", &make]).ok();
    ann.sh("mkdir to").ok();
    let copy = held_in_its_midst(&ann, &id);
    world.restart_gateway();
    copy.finish().says(&["connection lost; nothing or not all was copied: run it again"]).fails(1);
    assert_eq!(ann.sh(&format!("find to -type f ! -size {WHOLE}c")).ok(), "");
}

/// A copy whose helper in the container is stopped. One that ended before is made again.
fn held_in_its_midst(ann: &User<'_>, id: &str) -> Running {
    let is_helper = |one: &Scan| one.cgroups.contains(id) && one.arguments.iter().any(|word| word == "pack");
    for _ in 0..20 {
        let copy = ann.spawn("cp box:/tmp/d to");
        let (mut is_held, whole) = (false, ann.home.join("to/d/big"));
        assert!(eventually(|| {
            is_held = scan().iter().find(|one| is_helper(one)).is_some_and(Scan::stop);
            is_held || whole.exists()
        }));
        if is_held {
            return copy;
        }
        copy.finish().exits(0);
        std::fs::remove_file(whole).unwrap();
    }
    panic!("no copy was caught in its midst");
}
