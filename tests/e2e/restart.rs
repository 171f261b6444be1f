//! Every daemon may be killed at any time: containers live on, and nothing is ever bound plainly instead.

use crate::suite::{tests, world_alone};
use crate::world::output::Running;
use crate::world::tools::eventually;
use crate::world::{User, World};
use rustix::process::Signal;
use std::fs;
use std::process::Command;

tests![
    alone the_gateway_is_killed,
    alone an_attached_client_says_how_to_come_back,
    alone an_exec_that_broke_off_has_no_exit_code,
    alone attached_clients_go_on_with_the_next_gateway,
    alone what_the_hosts_restart_has_ended_says_so,
    alone what_changes_something_is_finished_first,
    alone what_does_not_end_is_cut,
    alone the_mount_helper_is_killed,
    alone without_the_mount_helper_nothing_new_starts,
    alone the_engine_is_killed,
    alone stages_are_made_again_at_start,
    alone a_stage_that_cannot_be_made_stops_the_start,
    alone without_a_gateway_the_client_says_what_to_look_at,
    alone stages_nobody_needs_are_taken_away,
];

fn running(world: &World, user: &User<'_>, name: &str) -> bool {
    world.inspect(&user.engine_name(name), "{{.State.Running}}") == "true"
}

fn the_gateway_is_killed() {
    let world = world_alone();
    let ann = world.newcomer("ann");
    world.limit(&ann, "containers = 1");
    let id = ann.sleeper("box");
    world.restart_gateway();
    assert!(running(&world, &ann, "box"));
    assert_eq!(ann.run("ps -q --no-trunc").line(), id);
    ann.run("run --rm busybox:test true").says(&["containers"]).fails(125);
    ann.run("exec box true").ok();
    ann.run("rm -f box").ok();
    ann.run("run --rm busybox:test true").ok();
}

/// Nobody knows how much of what was sent has arrived.
fn an_attached_client_says_how_to_come_back() {
    let world = world_alone();
    let ann = world.newcomer("ann");
    let client = world.program("ie-container").display().to_string();
    let script =
        format!("mkfifo in; exec {client} run -i --name echo busybox:test sh -c 'cat; sleep 1000' <in >out");
    let run = ann.spawn_sh(&script);
    ann.sh("until [ -p in ]; do sleep 0.1; done; echo word >in").ok();
    let out = || fs::read_to_string(ann.home.join("out")).unwrap_or_default();
    assert!(eventually(|| out() == "word\n"));
    world.restart_gateway();
    run.finish().says(&["connection lost; the container goes on: ie-container attach echo"]).fails(125);
    assert!(running(&world, &ann, "echo"));
}

/// As systemd does, the test holds the socket: who connects meanwhile waits for the next gateway.
fn attached_clients_go_on_with_the_next_gateway() {
    let world = world_alone();
    let ann = world.newcomer("ann");
    let socket = world.hold_user_socket();
    world.start_gateway_behind(&socket);
    let client = world.program("ie-container").display().to_string();
    let begin = |name: &str, words: &str| {
        ["out", "err"].iter().for_each(|end| drop(ann.write(&format!("{name}.{end}"), "")));
        ann.spawn_sh(&format!("exec {client} {words} >{name}.out 2>{name}.err </dev/null"))
    };
    let script =
        "n=0; until [ -e go ]; do n=$((n+1)); echo line $n; echo talk $n >&2; sleep 0.05; done; exit 7";
    let run = begin("run", &format!("run --name job busybox:test sh -c '{script}'"));
    assert!(eventually(|| ann.read("run.out").contains("line 3")));
    let mut clients = vec![("run", run, 7)];
    for (name, words, code) in [
        ("attach", "attach --no-stdin job", 7),
        ("logs", "logs -f job", 0),
        ("wait", "wait job", 0),
        ("rm", "run --rm busybox:test sh -c 'until [ -e go ]; do sleep 0.1; done; exit 5'", 5),
    ] {
        clients.push((name, begin(name, words), code));
    }
    let mut pty = ann.pty("run -it --name shell busybox:test sh");
    pty.expect("$ ");
    // A tar that does not end is on its way into a container.
    ann.sleeper("box");
    ann.sh("head -c 300000 /dev/zero >half; tar c half >half.tar").ok();
    let cp = ann.spawn_sh(&format!(
        "(head -c 200000 half.tar; exec sleep 60) | {{ {client} cp - box:/tmp 2>cp.err; echo $? >cp.code; }}"
    ));
    assert!(eventually(|| ann.run("top box -eo pid,args").stdout().contains("ie-copy")));
    let attached = |name: &str| ann.read(&format!("{name}.out")).contains("line");
    assert!(eventually(|| attached("attach")
        && attached("logs")
        && ann.run("ps -q").ok().lines().count() == 4));

    world.gateway.kill();
    let waits = |name: &str| {
        ann.read(&format!("{name}.err")).contains("waiting 60 seconds at the most for the gateway")
    };
    assert!(eventually(|| clients.iter().all(|(name, ..)| waits(name))));
    // What is printed while nobody is there.
    let printed = || world.docker(["logs", &ann.engine_name("job")]).stdout().lines().count();
    let before = printed();
    assert!(eventually(|| printed() > before + 5));
    world.start_gateway_behind(&socket);

    pty.expect("the connection is back");
    let back = |name: &str| ann.read(&format!("{name}.err")).contains("the connection is back");
    assert!(eventually(|| clients.iter().all(|(name, ..)| back(name))));
    ann.write("go", "");
    for (_, client, code) in clients {
        client.finish().exits(code);
    }
    let job = world.docker(["logs", &ann.engine_name("job")]);
    assert_eq!(ann.read("logs.out"), job.stdout(), "lines are lost or doubled");
    let talk = ann.read("logs.err");
    let talk: Vec<&str> = talk.lines().filter(|line| line.starts_with("talk")).collect();
    assert_eq!(talk, job.stderr.lines().collect::<Vec<_>>());
    assert!(ann.read("run.err").contains("what job printed meanwhile: ie-container logs --since 20"));
    let last = job.stdout().lines().last().unwrap().to_owned();
    assert!(ann.read("run.out").contains(&last) && ann.read("attach.out").contains(&last));
    assert_eq!(ann.read("wait.out"), "7\n");
    pty.send("echo again-$((3*3))\n");
    pty.expect("again-9");
    pty.send("exit 6\n");
    assert_eq!(pty.finish(), 6);
    assert!(pty.is_cooked());
    assert!(eventually(|| ann.home.join("cp.code").exists() && ann.read("cp.code") == "1\n"));
    assert!(ann.read("cp.err").contains("connection lost; nothing or not all was copied: run it again"));
    assert_eq!(ann.run("exec box ls -A /tmp").ok(), "");
    drop(cp);
}

/// The engine ends containers when the host goes down, after the gateway.
fn what_the_hosts_restart_has_ended_says_so() {
    let world = world_alone();
    let ann = world.newcomer("ann");
    ann.sleeper("web");
    ann.sleeper("by-hand");
    ann.run("stop -t 0 by-hand").ok();
    world.gateway.signal(Signal::TERM);
    assert!(eventually(|| world.gateway.has_ended()));
    world.docker(["stop", "-t", "0", &ann.engine_name("web")]).ok();
    let status = |name: &str| {
        ann.run(["ps", "-a", "--filter", &format!("name=^{name}$"), "--format", "{{.Status}}"]).line()
    };
    // The same boot: whoever stopped it, the host did not.
    world.start_gateway().unwrap();
    assert!(!status("web").contains("restarted"));
    let note = world.state_dir().join("boot");
    let own = || fs::read_to_string(&note).unwrap();
    assert!(eventually(|| own().split(' ').count() == 1));
    ann.run("start web").ok();
    world.gateway.signal(Signal::TERM);
    assert!(eventually(|| world.gateway.has_ended()));
    world.docker(["stop", "-t", "0", &ann.engine_name("web")]).ok();
    let (_, ended) = own().split_once(' ').map(|(boot, ended)| (boot.to_owned(), ended.to_owned())).unwrap();
    fs::write(&note, format!("another-boot {ended}")).unwrap();
    world.start_gateway().unwrap();
    assert!(eventually(|| status("web").ends_with(", stopped: the host was restarted")), "{}", status("web"));
    assert!(!status("by-hand").contains("restarted"));
    assert!(ann.run("inspect web").ok().contains("stopped: the host was restarted"));
    ann.run("start web").ok();
    assert!(!status("web").contains("restarted"));
    world.restart_gateway();
    assert!(!status("web").contains("restarted"));
}

/// An engine gives 126 for an exec whose streams broke, and forgets it when it is restarted.
fn an_exec_that_broke_off_has_no_exit_code() {
    let world = world_alone();
    let ann = world.newcomer("ann");
    let lost = ["connection lost", "may go on: ie-container top box"];
    ann.sleeper("box");
    // One that prints, and one that is silent.
    let scripts = ["while :; do echo part; sleep 0.1; done", "echo part; sleep 1000"];
    let client = world.program("ie-container").display().to_string();
    let begin = |words: &str| {
        assert!(eventually(|| ann.run("exec box true").code == 0));
        let begun = scripts.iter().zip(["first", "second"]).map(|(script, out)| {
            ann.write(out, "");
            ann.spawn_sh(&format!("exec {client} {words} box sh -c '{script}' >>{out}"))
        });
        let begun: Vec<_> = begun.collect();
        assert!(eventually(|| ["first", "second"].iter().all(|out| ann.read(out).contains("part"))));
        begun
    };
    for words in ["exec", "exec -i"] {
        let begun = begin(words);
        world.restart_gateway();
        begun.into_iter().for_each(|client| drop(client.finish().says(&lost).fails(125).to_owned()));
        let begun = begin(words);
        world.engine.kill();
        world.engine.revive();
        begun.into_iter().for_each(|client| drop(client.finish().says(&lost).fails(125).to_owned()));
    }
    // What ends with its container has not broken off.
    assert!(eventually(|| ann.run("exec box true").code == 0));
    let client = ann.spawn(["exec", "box", "sh", "-c", "touch third; sleep 1000"]);
    assert!(eventually(|| ann.home.join("third").exists()));
    ann.run("rm -f box").ok();
    let ended = client.finish();
    assert!(ended.code == 137 || ended.stderr.contains("box has ended, and with it"), "{ended}");
}

fn the_mount_helper_is_killed() {
    let world = world_alone();
    let ann = world.newcomer("ann");
    ann.sleeper("box");
    world.restart_mountd();
    assert!(running(&world, &ann, "box"));
    ann.run("exec box touch after-the-restart").ok();
    assert!(ann.home.join("after-the-restart").exists());
    ann.run("restart -t 0 box").ok();
    ann.run("exec box touch once-more").ok();
    assert!(ann.home.join("once-more").exists());
    ann.run("run --rm busybox:test touch and-a-new-one").ok();
}

fn without_the_mount_helper_nothing_new_starts() {
    let world = world_alone();
    let ann = world.newcomer("ann");
    ann.sleeper("box");
    ann.run("run --name over busybox:test true").ok();
    world.mountd.kill();
    ann.run("run --rm busybox:test true").fails(125);
    ann.run("start over").fails(1);
    ann.run("ps -a").says(&["box", "over"]).exits(0);
    ann.run("exec box true").ok();
    ann.run("stop -t 0 box").ok();
    ann.run("rm box").ok();
    assert_eq!(ann.run("ps -aq").ok().lines().count(), 1, "the refused run left a container");
}

fn the_engine_is_killed() {
    let world = world_alone();
    let ann = world.newcomer("ann");
    let id = ann.sleeper("box");
    world.engine.kill();
    let output = ann.run("ps");
    output.says(&["engine"]).fails(1);
    ann.run("run --rm busybox:test true").fails(125);
    world.engine.revive();
    assert!(eventually(|| ann.run("ps -q --no-trunc").stdout().trim() == id));
    assert!(running(&world, &ann, "box"));
    ann.run("exec box true").ok();
    ann.run("run --rm busybox:test true").ok();
}

/// After a reboot the stage is empty; here it is emptied by hand.
fn stages_are_made_again_at_start() {
    let world = world_alone();
    let ann = world.newcomer("ann");
    ann.run(["run", "--name", "job", "busybox:test", "sh", "-c", "echo ran >> log"]).ok();
    world.gateway.kill();
    world.mountd.kill();
    unmount_stages(&world);
    world.recover();
    ann.run("start -a job").ok();
    assert_eq!(ann.read("log"), "ran\nran\n");
}

fn unmount_stages(world: &World) {
    for stage in world.stages() {
        Command::new("umount").arg("--lazy").arg(&stage).output().unwrap();
        fs::remove_dir(&stage).ok();
    }
}

fn a_stage_that_cannot_be_made_stops_the_start() {
    let world = world_alone();
    let ann = world.newcomer("ann");
    ann.run(["run", "--name", "job", "busybox:test", "sh", "-c", "echo ran >> log"]).ok();
    unmount_stages(&world);
    let aside = ann.home.with_extension("aside");
    fs::rename(&ann.home, &aside).unwrap();
    // Not there at all, then somebody else's, then a link to somewhere else.
    ann.run_in_root("start job").says(&[ann.home.to_str().unwrap()]).fails(1);
    fs::create_dir(&ann.home).unwrap();
    ann.run_in_root("start job").fails(1);
    fs::remove_dir(&ann.home).unwrap();
    std::os::unix::fs::symlink("/etc", &ann.home).unwrap();
    ann.run_in_root("start job").fails(1);
    ann.run_in_root("run --rm busybox:test true").fails(125);
    fs::remove_file(&ann.home).unwrap();
    fs::rename(&aside, &ann.home).unwrap();
    assert_eq!(ann.read("log"), "ran\n");
    ann.run("start -a job").ok();
    assert_eq!(ann.read("log"), "ran\nran\n");
}

fn without_a_gateway_the_client_says_what_to_look_at() {
    let world = world_alone();
    let ann = world.newcomer("ann");
    world.gateway.kill();
    ann.run("run --rm busybox:test true").says(&["systemctl status ie-containerd"]).fails(125);
    ann.run("ps").says(&["systemctl status ie-containerd"]).fails(1);
}

fn stages_nobody_needs_are_taken_away() {
    let world = world_alone();
    let ann = world.newcomer("ann");
    let before = world.stages();
    ann.sleeper("box");
    let own: Vec<_> = world.stages().into_iter().filter(|stage| !before.contains(stage)).collect();
    assert!(!own.is_empty());
    // Removed behind the gateway's back, while it is not there to see it.
    world.gateway.kill();
    world.docker(["rm", "-f", &ann.engine_name("box")]).ok();
    world.recover();
    let left = || world.stages().into_iter().any(|stage| own.contains(&stage));
    assert!(eventually(|| !left()), "{:?}", world.stages());
}

/// A container that is told to end, and ends when there is a file `go`; and a caller who stops it, and prints the answer.
fn stopping(world: &World, user: &User<'_>) -> Running {
    let script = "trap 'echo told >told; until [ -e go ]; do sleep 0.1; done; exit 0' TERM; echo begun; echo >ready; while sleep 0.1; do :; done";
    user.run(["run", "-d", "--name", "box", "busybox:test", "sh", "-c", script].as_slice()).ok();
    assert!(eventually(|| user.home.join("ready").exists()));
    let curl = "curl -sS -o /dev/null -w '%{http_code}' -X POST --unix-socket";
    let stop = format!("{curl} {} 'http://d/containers/box/stop?t=600'", world.user_socket().display());
    let stop = user.spawn_sh(&stop);
    assert!(eventually(|| user.home.join("told").exists()));
    stop
}

/// Whoever only looks is not waited for.
fn what_changes_something_is_finished_first() {
    let world = world_alone();
    let ann = world.newcomer("ann");
    world.gateway.kill();
    world.start_gateway_with(&["IE_CONTAINERD_GRACE=600"]).unwrap();
    let stop = stopping(&world, &ann);
    let log = "http://d/containers/box/logs?follow=1&stdout=1";
    let look = format!("curl -sSN -o seen --unix-socket {} '{log}'", world.user_socket().display());
    ann.write("seen", "");
    let looks = ann.spawn_sh(&look);
    assert!(eventually(|| ann.read("seen").contains("begun")));
    world.gateway.signal(Signal::TERM);
    looks.finish().fails(18);
    assert!(!world.gateway.has_ended());
    ann.write("go", "");
    assert_eq!(stop.finish().ok(), "204");
    assert!(eventually(|| world.gateway.has_ended()));
    assert!(!world.gateway.said().contains("cut, as they had not come to an end"));
}

fn what_does_not_end_is_cut() {
    let world = world_alone();
    let ann = world.newcomer("ann");
    world.gateway.kill();
    world.start_gateway_with(&["IE_CONTAINERD_GRACE=1"]).unwrap();
    let stop = stopping(&world, &ann);
    world.gateway.signal(Signal::TERM);
    assert!(eventually(|| world.gateway.has_ended()));
    stop.finish().fails(52);
    let said = world.gateway.said();
    assert!(said.contains("cut, as they had not come to an end within 1 s"), "{said}");
    ann.write("go", "");
}
