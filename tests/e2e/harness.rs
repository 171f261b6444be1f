//! The tests' own ground: the engine, the images and the users are real, and a world leaves nothing behind.

use crate::suite::{tests, world, world_alone};
use crate::world::World;

tests![the_engine_runs_containers, people_are_real_and_unprivileged, alone a_second_world_disturbs_nobody];

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
