//! `stopped_for`: what has not run for so long goes, and its owner reads so before.

use crate::suite::{tests, world_alone};
use crate::world::output::Running;
use crate::world::tools::{eventually, wait_until};
use crate::world::{User, World};
use std::io::{Read, Write};
use std::time::Duration;

tests![
    alone what_has_ended_goes_after_a_warning,
    alone a_copy_that_trickles_holds_nobody_else_up,
    alone who_hangs_up_leaves_no_pile_in_the_engine,
];

/// The names of somebody's containers, each with its status.
fn listed(user: &User<'_>) -> Vec<(String, String)> {
    let lines = user.run(["ps", "-a", "--format", "{{.Names}}\t{{.Status}}"]).ok();
    let pair = |line: &str| line.split_once('\t').map(|(name, status)| (name.to_owned(), status.to_owned()));
    lines.lines().filter_map(pair).collect()
}

fn is_there(user: &User<'_>, name: &str) -> bool {
    listed(user).iter().any(|(there, _)| there == name)
}

/// Whether its owner reads that it goes.
fn is_marked(user: &User<'_>, name: &str) -> bool {
    listed(user).iter().any(|(there, status)| there == name && status.contains(", removed on 20"))
}

fn what_has_ended_goes_after_a_warning() {
    let world = world_alone();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("bob"));
    ann.run("run --name done busybox:test true").ok();
    ann.run("run --name again busybox:test true").ok();
    ann.run("create --name never-started busybox:test true").ok();
    ann.run("run -d --name works busybox:test sleep 1000").ok();
    bob.run("run --name done busybox:test true").ok();
    // Eighteen seconds, then six more to read that it goes.
    world.limit(&ann, "stopped_for = '24s'");
    // Nothing is looked at for a minute while no table sets a time.
    world.restart_gateway();
    let soon = Duration::from_secs(90);
    assert!(wait_until(soon, || is_marked(&ann, "done")), "{:?}", listed(&ann));
    ann.docker(["ps", "-a", "--format", "{{.Status}}"]).says(&["removed on 20"]).exits(0);
    ann.run("start again").ok();
    assert!(eventually(|| !is_marked(&ann, "again")), "{:?}", listed(&ann));
    assert!(wait_until(soon, || !is_there(&ann, "done")), "{:?}", listed(&ann));
    assert!(wait_until(soon, || !is_there(&ann, "never-started")), "{:?}", listed(&ann));
    // It has run since: its time begins anew.
    assert!(is_there(&ann, "again") && !is_marked(&ann, "again"), "{:?}", listed(&ann));
    // Marked, and then kept for ever: a gateway that is started anew knows nothing else.
    assert!(wait_until(soon, || is_marked(&ann, "again")), "{:?}", listed(&ann));
    world.limit(&ann, "stopped_for = 'never'");
    world.restart_gateway();
    let marks = world.state_dir().join("expiring");
    let left = || std::fs::read_dir(&marks).unwrap().count();
    assert!(wait_until(soon, || left() == 0), "{}", left());
    assert_eq!(listed(&ann).len(), 2, "{:?}", listed(&ann));
    assert!(is_there(&ann, "works") && !is_marked(&ann, "again"));
    assert!(is_there(&bob, "done") && !is_marked(&bob, "done"));
}

/// A container that does not run, with a copy into it that does not end; both are there now. What has come of it at once
/// decides how long it may take: a minute, and one more for each four mebibytes.
fn trickle(world: &World, user: &User<'_>, at_once: &str) -> (String, Running) {
    user.sh("truncate -s 64M big; tar cf big.tar big").ok();
    let id = user.run("create --name still busybox:test true").line();
    let program = world.program("ie-container");
    let program = program.display();
    let trickle =
        format!("(head -c {at_once} big.tar; while sleep 2; do printf x; done) | {program} cp - still:/tmp");
    let copy = user.spawn_sh(&trickle);
    let begun = format!(r#""cp-in","container":"{id}""#);
    assert!(eventually(|| world.gateway.said().contains(&begun)));
    (id, copy)
}

/// An engine goes on with a request that has to wait for a container when whoever asked has hung up.
fn who_hangs_up_leaves_no_pile_in_the_engine() {
    const ASKS: usize = 640;
    let world = world_alone();
    let ann = world.newcomer("ann");
    let other = ann.run("create --name other busybox:test true").line();
    ann.run("create --name third busybox:test true").ok();
    let (_, copy) = trickle(&world, &ann, "60M");
    let ask = || {
        let mut stream = ann.caller().connect().unwrap();
        // Too many at once are not heard.
        stream.write_all(b"GET /containers/still/json HTTP/1.1\r\nHost: d\r\n\r\n").ok();
        stream
    };
    let is_busy = || {
        let mut stream = ask();
        stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        stream.read(&mut [0]).is_err()
    };
    assert!(eventually(is_busy));
    let before = world.engine.descriptors();
    let ask_and_hang_up = || {
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    for _ in 0..ASKS / 16 {
                        let asking = ask();
                        std::thread::sleep(Duration::from_millis(200));
                        drop(asking);
                    }
                });
            }
        });
    };
    let more = || world.engine.descriptors().saturating_sub(before);
    // Until no place is left: a gateway that is busy has not heard them all.
    let is_full = || {
        ask_and_hang_up();
        ann.run("start other").to_string().contains("has not answered 128 requests")
    };
    assert!(eventually(is_full), "{} are with the engine", more());
    // Each that waits has one there: fewer than may be would prove nothing.
    assert!((100..200).contains(&more()), "{} are with the engine", more());
    // Their owner is told so. Who removes needs no place, and whoever had to wait for one with the container's lock in
    // hand would keep it from the admin.
    ann.run("start other").says(&["has not answered 128 requests", "rm -f"]).fails(1);
    ann.run("rm third").ok();
    assert_eq!(world.admin_raw("DELETE", &format!("/ie/v1/admin/containers/{other}")).0, 204);
    assert!(is_busy(), "the places were free by then");
    ann.run("rm -f still").ok();
    copy.finish().says(&["the container is being removed"]);
    assert!(eventually(|| world.engine.descriptors() < before + 10), "{}", world.engine.descriptors());
}

/// While an engine copies into a container it tells nothing of it.
fn a_copy_that_trickles_holds_nobody_else_up() {
    let world = world_alone();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("bob"));
    for user in [&ann, &bob] {
        world.limit(user, "stopped_for = '12s'");
    }
    world.restart_gateway();
    // A young gateway does not copy into what does not run.
    ann.run("create --name first busybox:test true").ok();
    let (id, copy) = trickle(&world, &bob, "1000");
    ann.run("run --name done busybox:test true").ok();
    assert!(eventually(|| !is_there(&ann, "done")), "{:?}", listed(&ann));
    assert!(is_there(&bob, "still"), "{:?}", listed(&bob));
    // Whoever removes it does not wait for the copy.
    let begun = std::time::Instant::now();
    assert_eq!(world.admin_raw("DELETE", &format!("/ie/v1/admin/containers/{id}?force=1")).0, 204);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    copy.finish().says(&["the container is being removed"]);
}
