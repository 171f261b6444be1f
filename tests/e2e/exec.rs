//! `exec`: another process in a container, with nothing more than the first one has.

use crate::suite::{tests, world};
use crate::world::tools::eventually;
use crate::world::{Pty, User};
use rustix::process::Signal;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::time::Duration;

tests![
    without_an_upgrade_the_output_is_the_body,
    who_hangs_up_leaves_nothing_uncounted,
    the_process_decides_the_exit_code,
    it_has_no_more_than_the_container,
    streams_pass_both_ways_whole,
    options_reach_the_process,
    only_a_running_container_takes_it,
    a_process_ends_with_its_client,
    a_terminals_process_ends_with_its_client,
    whoever_is_left_alone_ends,
    what_is_left_on_purpose_goes_on,
    the_last_words_come_through_while_stdin_flows,
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
    assert!(eventually(|| ann.run("exec box test -e /tmp/later").code == 0));
}

fn only_a_running_container_takes_it() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.run("run --name over busybox:test true").ok();
    // The engine's list may be behind for a moment.
    assert!(eventually(|| ann.run("ps -q").ok().is_empty()));
    ann.run("exec over true").says(&["over", "not running"]).fails(125);
    ann.run("exec missing true").says(&["missing"]).fails(125);
}

/// How many processes of a container have this in their command line.
fn processes(user: &User<'_>, word: &str) -> usize {
    user.run("top box -eo pid,args").ok().lines().filter(|line| line.contains(word)).count()
}

fn a_process_ends_with_its_client() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.sleeper("box");
    ann.sh("head -c 8000000 /dev/zero >zeros").ok();
    let client = world.program("ie-container").display().to_string();
    let clients = [
        "exec box sh -c 'trap \"\" HUP TERM; sleep 4444 & while :; do sleep 1; done'",
        "exec -i box sleep 5555",
        "exec box yes 6666 >/dev/null",
        // One that neither reads what it is sent nor says anything.
        "exec -i box sleep 7777 <zeros",
    ]
    .map(|words| ann.spawn_sh(&format!("exec {client} {words}")));
    for word in ["4444", "5555", "6666", "7777"] {
        assert!(eventually(|| processes(&ann, word) > 0), "{word} never ran");
    }
    for client in &clients {
        client.signal(rustix::process::Signal::KILL);
    }
    for word in ["4444", "5555", "6666", "7777"] {
        assert!(eventually(|| processes(&ann, word) == 0), "{word} is left");
    }
    assert!(processes(&ann, "sleep 1000") > 0, "the container's own process is gone");
    assert!(eventually(|| processes(&ann, "ie-copy") == 0));
    for client in clients {
        client.finish();
    }
}

fn a_terminals_process_ends_with_its_client() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.sleeper("box");
    let shell = |number: &str| format!("trap '' HUP; echo ready; sleep {number}; while :; do sleep 1; done");
    let [mut killed, mut hung_up, mut closed] = ["4444", "5555", "6666"].map(|number| {
        let mut pty = ann.pty(["exec", "-it", "box", "sh", "-c", &shell(number)]);
        pty.expect("ready");
        pty
    });
    // The plain docker client leaves by itself, too.
    let mut docker =
        Pty::start(&ann.docker_command(["exec", "-it", "box", "sh", "-c", &shell("7777")]), ann.uid);
    docker.expect("ready");
    killed.signal(Signal::KILL);
    hung_up.signal(Signal::HUP);
    closed.hang_up();
    docker.hang_up();
    for number in ["4444", "5555", "6666", "7777"] {
        assert!(eventually(|| processes(&ann, number) == 0), "{number} is left");
    }
    assert_eq!((killed.finish(), hung_up.finish(), closed.finish()), (137, 129, 129));
    docker.finish();
    assert!(eventually(|| processes(&ann, "trap") == 0) && processes(&ann, "sleep 1000") > 0);
}

/// As ssh leaves what it has started, with a terminal and without.
fn whoever_is_left_alone_ends() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.sleeper("box");
    let client = world.program("ie-container").display().to_string();
    let mut terminal = ann.pty("exec box sleep 4444");
    // The hang-up is passed on to this one, which does not mind.
    let mut container =
        ann.pty(["run", "--name", "job", "busybox:test", "sh", "-c", "trap '' HUP; echo ready; sleep 1000"]);
    container.expect("ready");
    let (ssh, far) = UnixStream::pair().unwrap();
    let end = || Stdio::from(OwnedFd::from(far.try_clone().unwrap()));
    let mut command = ann.command("/bin/sh", ["-c", &format!("cd /; {client} exec box sleep 5555; true")]);
    let mut session = command.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
    drop((command, far));
    let mut command = ann.command("/bin/sh", ["-c", &format!("{client} exec box sleep 6666; true")]);
    let mut parent =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Nobody hears this one any more, and its shell waits for it all the same.
    let pipeline =
        ann.spawn_sh(&format!("{client} exec box sleep 7777 2>/dev/null </dev/null | true; read x"));
    for number in ["4444", "5555", "6666", "7777"] {
        assert!(eventually(|| processes(&ann, number) > 0), "{number} never ran");
    }
    terminal.hang_up();
    container.hang_up();
    drop(ssh);
    drop((parent.stdin.take(), parent.stdout.take(), parent.stderr.take()));
    parent.kill().unwrap();
    parent.wait().unwrap();
    for number in ["4444", "5555", "6666"] {
        assert!(eventually(|| processes(&ann, number) == 0), "{number} is left");
    }
    assert_eq!((terminal.finish(), container.finish()), (129, 129));
    assert!(session.wait().unwrap().success());
    assert_eq!(world.inspect(&ann.engine_name("job"), "{{.State.Running}}"), "true");
    assert!(processes(&ann, "7777") > 0, "who has a shell to come back to was ended");
    pipeline.signal(Signal::KILL);
    assert!(eventually(|| processes(&ann, "7777") == 0));
}

fn what_is_left_on_purpose_goes_on() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.sleeper("box");
    ann.run("exec -d box sleep 4444").ok();
    let mut pty = ann.pty(["exec", "-it", "box", "sh", "-c", "echo ready; sleep 5555"]);
    pty.expect("ready");
    pty.send("\x10\x11");
    assert_eq!(pty.finish(), 1);
    ann.run(["exec", "box", "sh", "-c", "sleep 6666 >/dev/null 2>&1 &"]).ok();
    // Longer than what the helper waits before it kills.
    std::thread::sleep(Duration::from_secs(4));
    for word in ["4444", "5555", "6666"] {
        assert!(processes(&ann, word) > 0, "{word} has gone");
    }
}

/// A process that ends while its stdin is still being sent closes one way before the other.
fn the_last_words_come_through_while_stdin_flows() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.sleeper("box");
    let input = vec![0; 4_000_000];
    let script = "head -c 100000 >/dev/null; head -c 1000000 /dev/zero; exit 7";
    for _ in 0..5 {
        let output = ann.run_with_stdin(["exec", "-i", "box", "sh", "-c", script], &input);
        assert_eq!((output.code, output.bytes.len()), (7, 1_000_000), "{}", output.stderr);
    }
}

/// An engine keeps an exec instance until its container ends, whoever waits for the answer.
fn who_hangs_up_leaves_nothing_uncounted() {
    let world = world();
    let ann = world.newcomer("ann");
    let id = ann.sleeper("box");
    let body = r#"{"Cmd":["true"]}"#;
    let request = format!(
        "POST /containers/box/exec HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    std::thread::scope(|scope| {
        for number in 0..8 {
            let (caller, request) = (ann.caller(), &request);
            scope.spawn(move || {
                for pause in 0..150 {
                    let Ok(mut stream) = caller.connect() else { continue };
                    stream.write_all(request.as_bytes()).ok();
                    std::thread::sleep(Duration::from_micros(number * 500 + pause * 70));
                }
            });
        }
    });
    // Until none of those connections is left, and nothing more is made.
    let made = || world.inspect(&id, "{{len .ExecIDs}}");
    let at_rest = || {
        let before = made();
        std::thread::sleep(Duration::from_secs(1));
        made() == before && ann.ask("GET", "/containers/json", "").0 == 200
    };
    assert!(eventually(at_rest));
    // The rest of what may wait, by somebody who stays to hear that it is the most.
    let told =
        (0..300).map(|_| ann.ask("POST", "/containers/box/exec", body)).find(|(status, _)| *status != 201);
    let (status, said) = told.unwrap();
    assert!(
        status == 403 && said.contains("exec instances of yours wait to be started, the most is 256"),
        "{said}"
    );
    // As many as may wait, and those that were in the making when that was counted.
    let made: usize = made().parse().unwrap();
    assert!((256..256 + 16).contains(&made), "{made}");
    ann.run("rm -f box").ok();
}

/// As curl asks, and clients that know nothing of upgrades.
fn without_an_upgrade_the_output_is_the_body() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.sleeper("box");
    let body = r#"{"AttachStdout":true,"Cmd":["echo","heard"]}"#;
    let (_, made) = ann.ask("POST", "/containers/box/exec", body);
    let id = made.split('"').find(|word| word.len() == 64).unwrap().to_owned();
    let (status, said) = ann.ask("POST", &format!("/exec/{id}/start"), r#"{"Detach":false,"Tty":false}"#);
    assert_eq!((status, said.contains("heard\n")), (200, true), "{said:?}");
    ann.run(["run", "-d", "--name", "talks", "busybox:test", "sh", "-c", "sleep 30; echo later"]).ok();
    let (status, said) = ann.ask("POST", "/containers/talks/attach?stream=1&stdout=1", "");
    assert_eq!((status, said.contains("later\n")), (200, true), "{said:?}");
}
