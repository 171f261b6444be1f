//! `--restart`: what has ended starts again by itself, by the policy and the limits of that moment, and not after a `stop`.

use crate::suite::{tests, world, world_alone};
use crate::world::tools::eventually;
use crate::world::{User, World};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;

tests![
    what_ends_starts_again,
    a_failure_starts_again_so_often,
    what_was_stopped_stays_so,
    a_signal_that_means_the_end_ends_it,
    the_policy_decides_at_create_and_at_each_start,
    an_update_counts,
    words_are_dockers,
    alone what_a_predecessor_left_does_not_start_again,
    alone a_stop_outlives_gateway_and_engine,
    alone what_the_engine_lost_starts_again_within_the_limits,
];

/// Lines of its log: each start writes one.
fn starts(user: &User<'_>, name: &str) -> usize {
    user.run(["logs", name]).stdout().lines().count()
}

/// What containers have written into their owner's home.
fn written(user: &User<'_>) -> String {
    fs::read_to_string(user.home.join("starts")).unwrap_or_default()
}

fn state(user: &User<'_>, name: &str, template: &str) -> String {
    user.docker(["inspect", "-f", template, name]).line()
}

/// What the engine knows, whose own policy starts nothing.
fn engines(world: &World, user: &User<'_>, name: &str) -> String {
    world.inspect(&user.engine_name(name), "{{.HostConfig.RestartPolicy.Name}} {{.State.Running}}")
}

fn restarting<'w>(world: &'w World, name: &str) -> User<'w> {
    let user = world.newcomer(name);
    world.limit(&user, "restart = true");
    user
}

fn sleeping(user: &User<'_>, name: &str, policy: &str, script: &str) {
    let policy = format!("--restart={policy}");
    user.run(["run", "-d", "--init=false", "--name", name, &policy, "busybox:test", "sh", "-c", script]).ok();
}

fn what_ends_starts_again() {
    let world = world();
    let ann = restarting(&world, "ann");
    sleeping(&ann, "box", "always", "echo once >>$HOME/starts; exec sleep 1000");
    assert_eq!(state(&ann, "box", "{{.HostConfig.RestartPolicy.Name}} {{.RestartCount}}"), "always 0");
    assert_eq!(engines(&world, &ann, "box"), "no true");
    assert!(eventually(|| written(&ann) == "once\n"));
    world.docker(["kill", &ann.engine_name("box")]).ok();
    // With its home, as its owner.
    assert!(eventually(|| written(&ann) == "once\nonce\n"));
    assert!(eventually(|| state(&ann, "box", "{{.State.Status}} {{.RestartCount}}") == "running 1"));
    ann.sh("stat -c %U starts").says(&[&ann.login]);
    // What ends at once waits ever longer, and is shown as Docker shows it.
    ann.docker([
        "run",
        "-d",
        "--name=loop",
        "--restart=always",
        "busybox:test",
        "sh",
        "-c",
        "echo once; exit 3",
    ])
    .ok();
    assert!(eventually(|| starts(&ann, "loop") > 3));
    assert!(eventually(|| ann.docker("ps --filter name=loop").stdout().contains("Restarting (3)")));
    assert!(eventually(|| ann.run("ps -q --filter status=restarting").stdout().lines().count() == 1));
    assert!(eventually(
        || state(&ann, "loop", "{{.State.Status}} {{.State.Restarting}}") == "restarting true"
    ));
    ann.run("rm -f box loop").ok();
}

fn a_failure_starts_again_so_often() {
    let world = world();
    let ann = restarting(&world, "ann");
    sleeping(&ann, "bad", "on-failure:2", "echo once; exit 3");
    ann.docker("run -d --name good --restart on-failure busybox:test echo once").ok();
    assert!(eventually(|| state(&ann, "bad", "{{.RestartCount}} {{.State.Status}}") == "2 exited"));
    assert!(eventually(|| (starts(&ann, "bad"), starts(&ann, "good")) == (3, 1)));
    assert_eq!(state(&ann, "good", "{{.RestartCount}} {{.State.Status}}"), "0 exited");
    let policy = "{{.HostConfig.RestartPolicy.Name}}:{{.HostConfig.RestartPolicy.MaximumRetryCount}}";
    assert_eq!(state(&ann, "bad", policy), "on-failure:2");
    // Started by its owner, it may fail as often once more.
    ann.run("start bad").ok();
    assert!(eventually(|| starts(&ann, "bad") == 6));
}

fn what_was_stopped_stays_so() {
    let world = world();
    let ann = restarting(&world, "ann");
    for name in ["box", "other"] {
        sleeping(&ann, name, "always", "echo once; exec sleep 1000");
    }
    ann.run("stop -t 0 box").ok();
    // One that waits is not removed without force; it is stopped as well, and is not shown as restarting any more.
    ann.run("run -d --name loop --restart always busybox:test false").ok();
    assert!(eventually(|| state(&ann, "loop", "{{.State.Status}}") == "restarting"));
    ann.docker("rm loop").says(&["stop the container before removing"]).exits(1);
    ann.docker("stop loop").ok();
    assert_eq!(state(&ann, "loop", "{{.State.Status}}"), "exited");
    let count = state(&ann, "loop", "{{.RestartCount}}");
    // By the time that another one is back, they would be, too.
    for again in 2..5 {
        world.docker(["kill", &ann.engine_name("other")]).ok();
        assert!(eventually(|| starts(&ann, "other") == again));
    }
    assert_eq!((starts(&ann, "box"), state(&ann, "box", "{{.State.Status}}")), (1, "exited".to_owned()));
    assert_eq!(state(&ann, "loop", "{{.RestartCount}}"), count);
    // `restart` and `start` make it one that starts again.
    ann.run("restart -t 0 box").ok();
    world.docker(["kill", &ann.engine_name("box")]).ok();
    assert!(eventually(|| starts(&ann, "box") == 3));
}

fn a_signal_that_means_the_end_ends_it() {
    let world = world();
    let ann = restarting(&world, "ann");
    for (name, signal) in [("killed", "KILL"), ("asked", "TERM")] {
        let script = "echo once; trap 'exit 1' TERM USR1; while :; do sleep 0.1; done";
        sleeping(&ann, name, "unless-stopped", script);
        assert!(eventually(|| starts(&ann, name) == 1));
        // One that the program understands in its own way is no stop.
        ann.docker(["kill", "-s", "USR1", name]).ok();
        assert!(eventually(|| starts(&ann, name) == 2));
        ann.docker(["kill", "-s", signal, name]).ok();
        assert!(eventually(|| state(&ann, name, "{{.State.Status}}") == "exited"));
    }
    assert_eq!((starts(&ann, "killed"), starts(&ann, "asked")), (2, 2));
}

fn the_policy_decides_at_create_and_at_each_start() {
    let world = world();
    let bob = world.newcomer("bob");
    for client in [User::run, User::docker] {
        let asked = client(&bob, "run -d --restart always busybox:test true");
        asked.says(&["restart: what has ended stays ended here", "built-in"]).exits(125);
    }
    let ann = restarting(&world, "ann");
    sleeping(&ann, "box", "always", "echo once; exec sleep 1000");
    world.limit(&ann, "restart = false");
    world.docker(["kill", &ann.engine_name("box")]).ok();
    let says = |words: &str| eventually(|| ann.run("ps -a --filter name=box").stdout().contains(words));
    assert!(says("does not start again: restart: what has ended stays ended here"));
    assert!(state(&ann, "box", "{{.State.Error}}").contains("does not start again: restart"));
    ann.docker("update --restart no box").ok();
    ann.docker("update --restart always box").says(&["restart: what has ended stays ended"]).exits(1);
    // Its owner may start it, as any other.
    ann.run("start box").ok();
    assert!(eventually(|| starts(&ann, "box") == 2));
}

fn an_update_counts() {
    let world = world();
    let ann = restarting(&world, "ann");
    sleeping(&ann, "box", "no", "echo once; exec sleep 1000");
    assert_eq!(ann.docker("update --restart unless-stopped box").line(), "box");
    assert_eq!(state(&ann, "box", "{{.HostConfig.RestartPolicy.Name}}"), "unless-stopped");
    assert_eq!(engines(&world, &ann, "box"), "no true");
    world.docker(["kill", &ann.engine_name("box")]).ok();
    assert!(eventually(|| starts(&ann, "box") == 2));
    assert_eq!(ann.run("update --restart no box").line(), "box");
    sleeping(&ann, "other", "always", "echo once; exec sleep 1000");
    for name in ["box", "other"] {
        world.docker(["kill", &ann.engine_name(name)]).ok();
    }
    assert!(eventually(|| starts(&ann, "other") == 2));
    assert_eq!((starts(&ann, "box"), state(&ann, "box", "{{.State.Status}}")), (2, "exited".to_owned()));
}

fn words_are_dockers() {
    let world = world();
    let ann = restarting(&world, "ann");
    for (words, said) in [
        ("--restart always:3", "maximum retry count cannot be used with restart policy"),
        ("--restart on-failure:-1", "maximum retry count cannot be negative"),
        ("--restart sometimes", "invalid restart policy"),
        ("--restart always --rm", "restart"),
    ] {
        ann.run(format!("create {words} busybox:test true")).says(&[said]).exits(1);
    }
    let refused = |policy: &str, said: &str| {
        let body = format!(r#"{{"Image":"busybox:test","HostConfig":{{"RestartPolicy":{policy}}}}}"#);
        let (status, words) = ann.raw("POST", "/containers/create", &body);
        assert!(status == 400 && words.contains(said), "{status} {words}");
    };
    refused(r#"{"Name":"always","MaximumRetryCount":3}"#, "maximum retry count cannot be used");
    refused(r#"{"Name":"sometimes"}"#, "invalid restart policy");
    refused(
        r#"{"Name":"always"},"AutoRemove":true"#,
        "can't create 'AutoRemove' container with restart policy",
    );
    refused(r#"{"Name":"always","Privileged":true}"#, "Privileged");
    assert_eq!(ann.run("ps -aq").line(), "");
}

/// A uid that has another login by now: what it inherits is nothing.
fn what_a_predecessor_left_does_not_start_again() {
    let world = world_alone();
    let (ann, bob) = (restarting(&world, "ann"), restarting(&world, "bob"));
    for user in [&ann, &bob] {
        sleeping(user, "box", "always", "echo once; exec sleep 1000");
    }
    let lost = |user: &User<'_>| drop(world.docker(["kill", &user.engine_name("box")]).ok());
    world.rename_account(&ann, "x");
    lost(&ann);
    for again in 2..5 {
        lost(&bob);
        assert!(eventually(|| starts(&bob, "box") == again));
    }
    assert_eq!(engines(&world, &ann, "box"), "no false");
    world.rename_account_back(&ann, "x");
    // As soon as it is tried again.
    assert!(eventually(|| engines(&world, &ann, "box") == "no true"));
}

/// Takes the engine away, and what ran in it: as a restart of the host does, in a world in which containers outlive an engine.
fn lose(world: &World, user: &User<'_>, names: &[&str]) {
    let pid = |name: &&str| world.inspect(&user.engine_name(name), "{{.State.Pid}}").parse().unwrap();
    let pids: Vec<i32> = names.iter().map(pid).collect();
    world.engine.kill();
    for pid in pids {
        kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    }
}

fn a_stop_outlives_gateway_and_engine() {
    let world = world_alone();
    let ann = restarting(&world, "ann");
    for name in ["stopped", "other"] {
        sleeping(&ann, name, "unless-stopped", "echo once; exec sleep 1000");
    }
    ann.run("stop -t 0 stopped").ok();
    // One that ends while no gateway is there.
    world.gateway.kill();
    world.docker(["kill", &ann.engine_name("other")]).ok();
    world.start_gateway().unwrap();
    assert!(eventually(|| starts(&ann, "other") == 2));
    assert_eq!(
        (starts(&ann, "stopped"), state(&ann, "stopped", "{{.State.Status}}")),
        (1, "exited".to_owned())
    );
    lose(&world, &ann, &["other"]);
    world.engine.revive();
    assert!(eventually(|| starts(&ann, "other") == 3));
    assert_eq!(
        (starts(&ann, "stopped"), state(&ann, "stopped", "{{.State.Status}}")),
        (1, "exited".to_owned())
    );
}

/// In the order in which they were made, as far as the limits let them; and the last one when there is room.
fn what_the_engine_lost_starts_again_within_the_limits() {
    let world = world_alone();
    let ann = restarting(&world, "ann");
    for name in ["one", "two", "three"] {
        let script = format!("echo {name} >>$HOME/starts; exec sleep 1000");
        let run = ["run", "-d", "--name", name, "--memory=64m", "--restart=always", "busybox:test"];
        let words = [&run[..], &["sh", "-c", &script]].concat();
        ann.run(words.as_slice()).ok();
        assert!(eventually(|| written(&ann).contains(name)));
    }
    ann.write("starts", "");
    world.limit(&ann, "restart = true\ntotal = { memory = '128m' }");
    world.gateway.kill();
    lose(&world, &ann, &["one", "two", "three"]);
    world.engine.revive();
    // As after a restart of the host: an engine that finds them ended one after the other tells so one after the other.
    assert!(eventually(|| matches!(world.docker("ps -q"), ps if ps.code == 0 && ps.stdout().is_empty())));
    world.start_gateway().unwrap();
    assert!(eventually(|| written(&ann) == "one\ntwo\n"), "{}", written(&ann));
    let says = |words: &str| eventually(|| ann.run("ps -a --filter name=three").stdout().contains(words));
    assert!(says("does not start again: total.memory"));
    world.limit(&ann, "restart = true");
    assert!(eventually(|| written(&ann) == "one\ntwo\nthree\n"));
    assert!(eventually(|| !ann.run("ps -a --filter name=three").stdout().contains("does not start")));
}
