//! The gateway dies at each marked step of what it does (`src/gateway/failpoint.rs`), and the next one puts things right.

use super::{Rounds, after};
use crate::suite::{tests, world_alone};
use crate::world::tools::eventually;
use crate::world::{User, World};
use std::time::{Duration, Instant};

tests![
    alone dead_while_the_engine_starts,
    alone dead_at_each_step_of_create,
    alone dead_at_each_step_of_start,
    alone dead_at_each_step_of_an_end,
];

const ROUNDS: Rounds = Rounds { short: 1, long: 20 };

const CREATE: [&str; 7] = [
    "create-admitted",
    "create-claimed",
    "create-staged",
    "create-made",
    "give-made",
    "create-given",
    "create-promised",
];
const START: [&str; 5] =
    ["start-admitted", "start-staged", "lease-half-written", "start-leased", "start-started"];
const END: [&str; 5] = ["rename-renamed", "rm-removed", "rm-unstaged", "lease-settled", "end-freed"];

/// What somebody does, one verb after the other; each stands for those of the steps above.
const LIFE: [&str; 4] = [
    "create --name box --gpus 1 -v proj:/data busybox:test sleep 1000",
    "start box",
    "rename box other",
    "rm -f other",
];

/// The engine goes on with a start that a dead gateway asked for: its container has what it needs all the while.
fn dead_while_the_engine_starts() {
    let world = world_alone();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("bob"));
    for user in [&ann, &bob] {
        world.limit(user, "total = { gpus = 4 }");
    }
    // It has ended once: one that was never started keeps its stages in any case.
    let id = ann.run("run -d --name box --gpus 2 busybox:test sleep 1000").line();
    ann.run("stop -t 0 box").ok();
    after::settled(&world, &[&ann, &bob]);
    let hanging = world.hanging_hook();
    // Not inspected: for that the engine lets one wait until it has started.
    let state = || {
        let listed = after::held(&world).into_iter().find(|one| one.is_of(ann.uid));
        listed.map(|one| one.state).unwrap_or_default()
    };
    let starting = ann.spawn("start box");
    assert!(eventually(|| world.hook_was_asked_of(&id) == 2));
    world.restart_gateway();
    // Not for so long that the new gateway judges by what is listed.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(700) {
        bob.run("run --rm --gpus 3 busybox:test true").fails(125);
    }
    assert_eq!(state(), "exited", "it does not hang");
    drop(hanging);
    let has_started = || {
        bob.run("run --rm --gpus 3 busybox:test true").fails(125);
        state() == "running"
    };
    assert!(eventually(has_started), "{}", state());
    drop(starting);
    after::settled(&world, &[&ann, &bob]);
    ann.run("exec box touch there").ok();
    assert!(ann.home.join("there").exists());
}

fn dead_at_each_step_of_create() {
    dead_at_each("create", &CREATE);
}

fn dead_at_each_step_of_start() {
    dead_at_each("start", &START);
}

fn dead_at_each_step_of_an_end() {
    dead_at_each("rename and rm", &END);
}

fn dead_at_each(verb: &str, steps: &[&str]) {
    let world = world_alone();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("bob"));
    for user in [&ann, &bob] {
        world.limit(user, "total = { gpus = 4 }");
    }
    bob.run("run -d --name train --gpus 2 busybox:test sleep 1000").ok();
    for _ in 0..ROUNDS.of(&format!("dead at {} steps of {verb}", steps.len())) {
        for step in steps {
            dead_at(&world, &ann, step);
            after::settled(&world, &[&ann, &bob]);
            goes_on(&world, &ann, step);
            after::settled(&world, &[&ann, &bob]);
        }
    }
}

/// The verbs one after the other, until the gateway is dead; then the next one.
fn dead_at(world: &World, user: &User<'_>, step: &str) {
    world.gateway.kill();
    world.start_gateway_with(&[&format!("IE_CONTAINERD_DIE_AT={step}")]).unwrap();
    for words in LIFE {
        user.run(words);
        if world.gateway.has_ended() {
            break;
        }
    }
    assert!(eventually(|| world.gateway.has_ended()), "{step} was never reached");
    world.start_gateway().unwrap();
}

/// What is there can be removed by its owner, and the same can be made anew.
fn goes_on(world: &World, user: &User<'_>, step: &str) {
    for name in user.run("ps -aq").ok().lines() {
        user.run(["rm", "-f", name]).ok();
    }
    assert_eq!(after::held(world).iter().filter(|one| one.is_of(user.uid)).count(), 0, "{step}");
    let again = "run --rm --name box --gpus 2 -v proj:/data busybox:test touch /data/there";
    let ran = eventually(|| user.run(again).code == 0);
    assert!(ran, "after {step}: {}", user.run(again));
}
