//! Streams under pressure: much at once, readers that stop, many clients, clients that are killed.

use crate::suite::{tests, world, world_alone};
use crate::world::User;
use crate::world::tools::{eventually, scan, wait_until};
use std::fs;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

tests![
    a_reader_that_stops_for_a_minute_costs_nothing,
    a_gibibyte_goes_each_way_at_once,
    a_half_closed_stdin_leaves_the_output_open,
    two_hundred_clients_at_once,
    alone killed_clients_leave_nothing_behind,
];

const MIB: usize = 1 << 20;

/// Bytes without a pattern, made once: making them costs more than sending them.
static NOISE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let word = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(word).take(MIB / 8).flatten().collect()
});

/// The `number`th of many blocks of a mebibyte, no two alike in any page, with every byte in it.
fn block(number: usize) -> Vec<u8> {
    let mut block = NOISE.clone();
    block.chunks_exact_mut(4096).for_each(|page| page[..8].copy_from_slice(&number.to_le_bytes()));
    block
}

fn piped(mut command: Command) -> Child {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Sends that many mebibytes, and sees the same come back while it sends.
fn echoes(command: Command, mebibytes: usize) {
    let mut child = piped(command);
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    thread::scope(|scope| {
        scope.spawn(move || (0..mebibytes).for_each(|n| stdin.write_all(&block(n)).unwrap()));
        let mut buffer = vec![0; MIB];
        for number in 0..mebibytes {
            stdout.read_exact(&mut buffer).unwrap();
            assert!(buffer == block(number), "mebibyte {number} came back changed");
        }
    });
    assert_eq!(stdout.read(&mut [0]).unwrap(), 0, "more came back than was sent");
    assert_eq!(child.wait().unwrap().code(), Some(5));
}

fn a_gibibyte_goes_each_way_at_once() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.sleeper("box");
    let words = ["exec", "-i", "box", "sh", "-c", "cat; exit 5"];
    echoes(ann.client(words), 1024);
    // The plain docker client, and a container's own streams.
    echoes(ann.docker_command(words), 64);
    echoes(ann.client(["run", "-i", "--rm", "busybox:test", "sh", "-c", "cat; exit 5"]), 64);
}

fn a_half_closed_stdin_leaves_the_output_open() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.sleeper("box");
    let script = "cat; sleep 1; echo after; exit 3";
    for words in [
        vec!["exec", "-i", "box", "sh", "-c", script],
        vec!["run", "-i", "--rm", "busybox:test", "sh", "-c", script],
    ] {
        let ours = ann.run_with_stdin(words.as_slice(), b"before\n");
        let theirs = ann.finish(&mut ann.docker_command(words.as_slice()), b"before\n");
        for output in [ours, theirs] {
            assert_eq!((output.code, output.bytes.as_slice()), (3, &b"before\nafter\n"[..]), "{output}");
        }
    }
}

fn a_reader_that_stops_for_a_minute_costs_nothing() {
    let world = world();
    let ann = world.newcomer("ann");
    let id = ann.sleeper("box");
    let mut clients =
        [piped(ann.client("exec box cat /dev/zero")), piped(ann.docker_command("exec box cat /dev/zero"))];
    thread::sleep(Duration::from_secs(45));
    let before = written_by_cats(&id);
    thread::sleep(Duration::from_secs(15));
    // What was written and not read lies somewhere on the way. The gateway's own memory would say less: others use it.
    let after = written_by_cats(&id);
    assert_eq!(after, before, "the writers go on");
    assert_eq!(after.len(), 2, "{after:?}");
    assert!(after.iter().all(|bytes| *bytes < 8 * MIB), "{after:?} bytes are on the way");
    for client in &mut clients {
        let mut buffer = vec![1; 8 * MIB];
        client.stdout.take().unwrap().read_exact(&mut buffer).unwrap();
        assert!(buffer.iter().all(|byte| *byte == 0));
        client.kill().unwrap();
        client.wait().unwrap();
    }
}

/// How many bytes each `cat` in a container has written.
fn written_by_cats(id: &str) -> Vec<usize> {
    let cats = scan().into_iter().filter(|process| process.comm == "cat" && process.cgroups.contains(id));
    cats.map(|cat| {
        let io = fs::read_to_string(format!("/proc/{}/io", cat.pid)).unwrap();
        io.lines().find_map(|line| line.strip_prefix("wchar: ")).unwrap().parse().unwrap()
    })
    .collect()
}

fn two_hundred_clients_at_once() {
    let world = world();
    let users: Vec<User<'_>> = (0..5).map(|_| world.newcomer("crowd")).collect();
    for user in &users {
        user.run(["run", "-d", "--name", "box", "--pids-limit", "256", "busybox:test", "sleep", "1000"]).ok();
    }
    let numbers: Vec<usize> = (0..200).collect();
    let running = || users.iter().map(|user| processes(user, "read x")).sum::<usize>();
    let mut clients: Vec<Child> = numbers
        .iter()
        .map(|n| {
            // Not more at a time than the name service of a busy machine is asked for within its time. Looking costs as much
            // as a client.
            let enough = || n % 10 != 0 || running() + 30 >= *n;
            assert!(wait_until(Duration::from_secs(400), enough), "{} run", running());
            let user = &users[n % users.len()];
            let script = format!("read x; echo {n} $x; exit {}", n % 100);
            let words = ["exec", "-i", "box", "sh", "-c", script.as_str()];
            piped(if n % 4 == 0 { user.docker_command(words) } else { user.client(words) })
        })
        .collect();
    // All are there at once before the first is let go.
    assert!(wait_until(Duration::from_secs(400), || running() >= 200), "{} run", running());
    for (n, client) in clients.iter_mut().enumerate() {
        writeln!(client.stdin.take().unwrap(), "word {n}").unwrap();
    }
    for (n, client) in clients.into_iter().enumerate() {
        let output = client.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let expected = (Some(i32::try_from(n % 100).unwrap()), format!("{n} word {n}\n"));
        assert_eq!((output.status.code(), said), expected, "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// How many processes of a container have this in their command line.
fn processes(user: &User<'_>, word: &str) -> usize {
    user.run("top box -eo pid,args").ok().lines().filter(|line| line.contains(word)).count()
}

fn killed_clients_leave_nothing_behind() {
    let world = world_alone();
    let ann = world.newcomer("ann");
    ann.sleeper("box");
    ann.run(["run", "-d", "--name", "talker", "busybox:test", "sh", "-c", "while :; do echo x; done"]).ok();
    let descriptors = || fs::read_dir(format!("/proc/{}/fd", world.gateway.pid())).unwrap().count();
    // Warm: what is kept for the next time is there.
    ann.run("ps").ok();
    let before = descriptors();
    let kinds = [
        "exec -i box sleep 8888",
        "exec box cat /dev/zero",
        "attach talker",
        "logs -f talker",
        "stats box",
        "wait box",
        "cp box:/bin/busybox -",
    ];
    let clients: Vec<Child> = kinds
        .iter()
        .flat_map(|words| [piped(ann.client(*words)), piped(ann.docker_command(*words))].into_iter())
        .collect();
    assert!(eventually(|| processes(&ann, "8888") >= 2));
    assert!(eventually(|| descriptors() > before + 12), "{}", descriptors());
    for mut client in clients {
        client.kill().unwrap();
        client.wait().unwrap();
    }
    for word in ["8888", "/dev/zero", "ie-copy"] {
        assert!(eventually(|| processes(&ann, word) == 0), "{word} is left");
    }
    let back = eventually(|| descriptors() <= before + 2);
    assert!(back, "{before} descriptors became {}", descriptors());
    let execs = || world.inspect(&ann.engine_name("box"), "{{.ExecIDs}}");
    assert!(eventually(|| execs() == "[]"), "the engine still runs {}", execs());
    assert_eq!(ann.run("ps -q").ok().lines().count(), 2);
}
