//! The tests' own ground: the engine, the images and the users are real, and a world leaves nothing behind.

use crate::suite::{tests, world, world_alone};
use crate::world::World;
use crate::world::slot::Slot;
use std::collections::HashSet;
use std::sync::Barrier;
use std::thread;

tests![
    the_engine_runs_containers,
    people_are_real_and_unprivileged,
    worlds_are_claimed_at_once,
    alone a_second_world_disturbs_nobody,
];

fn the_engine_runs_containers() {
    let world = world();
    let words = ["run", "--rm", "--network", "none", "busybox:test", "echo", "hello"];
    assert_eq!(world.docker(words).line(), "hello");
    world.docker("run --rm --network none bare:test true").exits(0);
    world.docker("run --rm --network none bare:test sh").exits(127);
}

fn people_are_real_and_unprivileged() {
    let world = world();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("b-o.b"));
    assert_eq!(ann.sh("id -un").line(), ann.login);
    assert_eq!(
        bob.sh("id -un; id -G; pwd").line(),
        format!("{}\n{}\n{}", bob.login, bob.gid, bob.home.display())
    );
    ann.write("secret", "of ann's");
    bob.sh(&format!("cat {}/secret", ann.home.display())).fails(1);
    let socket = world.engine.socket();
    ann.sh(&format!("curl -s --unix-socket {} http://d/_ping", socket.display())).exits(7);
}

fn a_second_world_disturbs_nobody() {
    let first = world_alone();
    let second = World::without_programs().unwrap();
    let guest = second.newcomer("guest");
    second.docker("run -d --network none --name only-in-the-second busybox:test sleep 1000").ok();
    assert_eq!(first.docker("ps -aq --filter name=only-in-the-second").ok(), "");
    assert_eq!(guest.sh("id -u").line(), guest.uid.to_string());
    drop(guest);
    assert_eq!(second.take_down(), Vec::<String>::new());
    first.docker("run --rm --network none busybox:test true").exits(0);
}

/// Nobody's claim is in the way of another's that is made at the same moment.
fn worlds_are_claimed_at_once() {
    const CLAIMS: usize = 4;
    // Two claims meet in one round seldom, in so many surely.
    const ROUNDS: usize = 200;
    let begin = Barrier::new(CLAIMS);
    let claim = || {
        begin.wait();
        Slot::claim()
    };
    for _ in 0..ROUNDS {
        let slots: Result<Vec<Slot>, String> = thread::scope(|scope| {
            let claims: Vec<_> = (0..CLAIMS).map(|_| scope.spawn(claim)).collect();
            claims.into_iter().map(|claim| claim.join().unwrap()).collect()
        });
        let names: HashSet<String> = slots.unwrap().iter().map(Slot::name).collect();
        assert_eq!(names.len(), CLAIMS);
    }
}
