//! `cp`: in and out, running and stopped, files and streams, and nothing that is not the caller's.

use crate::suite::{tests, world};
use crate::world::User;
use crate::world::tools::eventually;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;

tests![
    a_copy_that_nobody_reads_keeps_no_container,
    any_number_of_copies_keep_no_container,
    a_raw_tar_is_no_body,
    what_is_not_copied_is_told,
    files_go_in_and_out,
    directories_follow_dockers_cases,
    stopped_containers_take_and_give,
    images_without_tar_take_and_give,
    a_dash_is_a_tar_stream,
    what_arrives_is_the_callers,
    links_and_missing_paths,
    a_path_under_the_home_is_named,
    an_archive_never_leaves_its_target,
    a_large_file_arrives_whole,
    what_the_kernel_shows_arrives_or_is_told,
    foreign_containers_are_missing,
    a_full_disk_is_said,
    a_killed_client_leaves_nothing_running,
    who_hangs_up_leaves_no_helper_unstarted,
];

const SLEEP: &str = "sleep 1000";

fn files_go_in_and_out() {
    let world = world();
    let bob = world.newcomer("b-o.b");
    bob.sleeper("box");
    bob.write("letter", "dear container\n");
    let output = bob.run("cp letter box:/tmp");
    output.says(&["Successfully copied", "box:/tmp"]).exits(0);
    assert_eq!(output.stdout(), "");
    assert_eq!(bob.run("exec box cat /tmp/letter").ok(), "dear container\n");
    bob.run("cp letter box:/tmp/renamed").ok();
    bob.run("cp -q box:/tmp/renamed back").says(&[]).ok();
    assert_eq!(bob.read("back"), "dear container\n");
    bob.sh("mkdir dir").ok();
    bob.run("cp box:/tmp/renamed dir").ok();
    assert_eq!(bob.read("dir/renamed"), "dear container\n");
    assert_eq!(bob.run("cp -q letter box:/tmp").stderr, "");
}

/// Files of `/proc` and `/sys`, whose sizes say nothing of what is in them.
fn what_the_kernel_shows_arrives_or_is_told() {
    let world = world();
    let bob = world.newcomer("b-o.b");
    bob.sleeper("box");
    for file in ["/proc/version", "/proc/1/cgroup", "/sys/kernel/mm/transparent_hugepage/enabled"] {
        let text = bob.run(format!("exec box cat {file}")).ok();
        bob.run(format!("cp box:{file} got")).ok();
        assert_eq!(bob.read("got"), text, "{file}");
        bob.docker(format!("cp box:{file} theirs")).ok();
        assert_eq!(bob.read("theirs"), text, "{file}");
    }
    bob.run("cp /proc/version box:/tmp/version").ok();
    assert_eq!(bob.run("exec box cat /tmp/version").ok(), std::fs::read_to_string("/proc/version").unwrap());
    // What cannot be read is no empty file.
    for run in [bob.run("cp box:/proc/self/mem got"), bob.docker("cp box:/proc/self/mem theirs")] {
        run.fails(1);
    }
}

fn directories_follow_dockers_cases() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.sleeper("box");
    ann.sh("mkdir -p tree/empty tree/deep; echo 1 > tree/one; echo 2 > tree/deep/two").ok();
    ann.run("cp tree box:/tmp").ok();
    ann.run("cp tree box:/tmp/new").ok();
    ann.run("exec box mkdir /tmp/there").ok();
    ann.run("cp tree/. box:/tmp/there").ok();
    for base in ["/tmp/tree", "/tmp/new", "/tmp/there"] {
        let listed =
            ann.run(["exec", "box", "sh", "-c", &format!("cd {base} && find . | sort | tr '\\n' ' '")]).ok();
        assert_eq!(listed, ". ./deep ./deep/two ./empty ./one ", "{base}");
    }
    ann.run("cp box:/tmp/tree out").ok();
    ann.sh("mkdir into").ok();
    ann.run("cp box:/tmp/tree into").ok();
    ann.run("cp box:/tmp/tree/. into/flat").ok();
    for path in ["out/deep/two", "into/tree/deep/two", "into/flat/deep/two"] {
        assert_eq!(ann.read(path), "2\n", "{path}");
    }
    ann.run("cp tree/one box:/tmp/no-such-dir/").fails(1);
    ann.run("cp tree box:/tmp/tree/one").fails(1);
    ann.run("cp box:/tmp/tree tree/one").fails(1);
    assert_eq!(ann.read("tree/one"), "1\n");
}

fn stopped_containers_take_and_give() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.run(["run", "--name", "over", "busybox:test", "sh", "-c", "echo left > /tmp/result"]).ok();
    ann.run("cp over:/tmp/result .").ok();
    assert_eq!(ann.read("result"), "left\n");
    ann.write("more", "for later\n");
    ann.run("cp more over:/tmp").ok();
    ann.run("cp over:/tmp/more again").ok();
    assert_eq!(ann.read("again"), "for later\n");
    assert_eq!(std::fs::metadata(ann.home.join("again")).unwrap().uid(), ann.uid);
}

fn images_without_tar_take_and_give() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.run(format!("run -d --name bare --tmpfs /tmp bare:test {SLEEP}")).ok();
    ann.write("letter", "to a bare one\n");
    ann.run("cp letter bare:/tmp/here").ok();
    assert_eq!(ann.run("exec bare cat /tmp/here").ok(), "to a bare one\n");
    ann.run("cp bare:/tmp/here back").ok();
    assert_eq!(ann.read("back"), "to a bare one\n");
}

fn a_dash_is_a_tar_stream() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.sleeper("box");
    ann.sh("mkdir src; echo a > src/a; tar -C src -cf in.tar a").ok();
    let tar = std::fs::read(ann.home.join("in.tar")).unwrap();
    ann.run_with_stdin("cp - box:/tmp", &tar).exits(0);
    assert_eq!(ann.run("exec box cat /tmp/a").ok(), "a\n");
    let output = ann.run("cp box:/tmp/a -");
    output.exits(0);
    ann.write("out.tar", &output.bytes);
    assert_eq!(ann.sh("tar -xOf out.tar a").ok(), "a\n");
}

fn what_arrives_is_the_callers() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.sleeper("box");
    ann.run("run --name over busybox:test true").ok();
    // Packed by root, as somebody would who wants a setuid program of root's out of it.
    let packed = hostile_tar(&ann, &["--owner=0", "--group=0", "--mode=6755"]);
    for (container, look) in [("box", true), ("over", false)] {
        ann.run_with_stdin(format!("cp - {container}:/tmp"), &packed);
        if look {
            let found = ann.run("exec box stat -c %u:%g:%a /tmp/tool").ok();
            assert_eq!(found, format!("{}:{}:755\n", ann.uid, ann.gid));
        }
        ann.run(format!("cp {container}:/tmp/tool got-{container}")).ok();
        let got = std::fs::metadata(ann.home.join(format!("got-{container}"))).unwrap();
        assert_eq!((got.uid(), got.mode() & 0o7000), (ann.uid, 0), "{container}");
    }
    // As the engine sees it, not as our own helper tells it.
    let exported = world.docker(["export", &ann.engine_name("over")]);
    exported.exits(0);
    let mut list = ann.command("/bin/tar", "--numeric-owner -tvf - tmp/tool");
    let line = ann.finish(&mut list, &exported.bytes).line();
    assert!(line.starts_with(&format!("-rwxr-xr-x {}/{} ", ann.uid, ann.gid)), "{line}");
}

fn hostile_tar(user: &User<'_>, options: &[&str]) -> Vec<u8> {
    user.write("tool", "#!/bin/sh\nid\n");
    let mut words = vec!["-C", user.home.to_str().unwrap(), "-c"];
    words.extend(options);
    words.push("tool");
    std::process::Command::new("tar").args(words).output().unwrap().stdout
}

fn links_and_missing_paths() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.sleeper("box");
    ann.sh("echo real > file; ln -s file link").ok();
    ann.run("cp link box:/tmp").ok();
    assert_eq!(ann.run("exec box readlink /tmp/link").ok(), "file\n");
    ann.run("cp -L link box:/tmp/followed").ok();
    assert_eq!(ann.run("exec box cat /tmp/followed").ok(), "real\n");
    ann.run("cp missing box:/tmp").says(&["missing"]).fails(1);
    ann.run("cp box:/tmp/missing .").says(&["missing"]).fails(1);
    ann.run("cp file box:/etc").fails(1);
    ann.run("cp box:/etc/shadow-of-nothing -").fails(1);
    ann.run("cp file other").fails(1);
    ann.run("cp box:/tmp box:/tmp").fails(1);
}

fn a_path_under_the_home_is_named() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.run("run --name over busybox:test true").ok();
    ann.write("file", "x");
    let output = ann.run(format!("cp file over:{}/copied", ann.home.display()));
    output.says(&[ann.home.to_str().unwrap()]).fails(1);
    assert!(!ann.home.join("copied").exists());
}

/// A container's owner is the attacker here, and the caller's own files outside the target are the prize.
fn an_archive_never_leaves_its_target() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.sleeper("box");
    ann.write("precious", "mine\n");
    let home = ann.home.display();
    let script = format!("mkdir /tmp/out; ln -s {home} /tmp/out/way; ln -s {home}/precious /tmp/out/direct");
    ann.run(["exec", "box", "sh", "-c", &script]).ok();
    ann.run("cp box:/tmp/out out").exits(0);
    // What is there now are links; the second copy brings files of the same names.
    ann.run([
        "exec",
        "box",
        "sh",
        "-c",
        "cd /tmp/out; rm way direct; mkdir way; echo bad > way/precious; echo bad > direct",
    ])
    .ok();
    ann.run("cp box:/tmp/out/. out");
    assert_eq!(ann.read("precious"), "mine\n");

    // The other way: a link in the container that leads to the home must not be written through by root.
    symlink("/etc", ann.home.join("etc-link")).unwrap();
    ann.run(["exec", "box", "ln", "-s", "/etc", "/tmp/etc"]).ok();
    ann.run("cp precious box:/tmp/etc/planted").fails(1);
    let upward = tar_with_name("../../../../tmp/../etc/upward");
    ann.run_with_stdin("cp - box:/tmp", &upward);
    ann.run("exec box test -e /etc/upward").exits(1);
    assert!(!Path::new("/etc/upward").exists());
}

/// A one-file archive with a name that no honest program would write.
fn tar_with_name(name: &str) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_size(3);
    header.set_mode(0o644);
    header.set_entry_type(tar::EntryType::Regular);
    header.set_cksum();
    let mut archive = tar::Builder::new(Vec::new());
    archive.append(&header, b"bad".as_slice()).unwrap();
    archive.into_inner().unwrap()
}

fn a_large_file_arrives_whole() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.sleeper("box");
    ann.sh("head -c 50000000 /dev/urandom > big; chmod 640 big").ok();
    ann.run("cp big box:/tmp").ok();
    ann.run("cp box:/tmp/big back").ok();
    ann.sh("cmp big back").ok();
    let mode = std::fs::metadata(ann.home.join("back")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
}

fn foreign_containers_are_missing() {
    let world = world();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("b-o.b"));
    let id = ann.sleeper("box");
    bob.write("file", "x");
    for word in ["box", &id, &id[..12], &ann.engine_name("box")] {
        bob.run(format!("cp file {word}:/tmp")).fails(1);
        bob.run(format!("cp {word}:/etc/passwd stolen")).fails(1);
    }
    ann.run("exec box test -e /tmp/file").exits(1);
    assert!(!bob.home.join("stolen").exists());
}

fn a_full_disk_is_said() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.run("run -d --name small --tmpfs /small:size=1m busybox:test sleep 1000").ok();
    ann.sh("head -c 3000000 /dev/zero > big").ok();
    ann.run("cp big small:/small").says(&["space"]).fails(1);
    ann.run("exec small true").ok();
}

fn a_killed_client_leaves_nothing_running() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.sleeper("box");
    ann.write("little", "small\n");
    // Its stdin is open, so it does not end by itself.
    let client = ann.spawn("cp - box:/tmp");
    let copies = || ann.run("exec box ps").stdout().contains("ie-copy unpack");
    assert!(eventually(copies), "the helper was never seen");
    client.signal(rustix::process::Signal::KILL);
    client.finish().exits(137);
    assert!(eventually(|| !copies()), "the helper is still there");
    ann.run("cp little box:/tmp/little").ok();
    assert_eq!(ann.run("exec box cat /tmp/little").ok(), "small\n");
}

/// Both ways: a name that goes, a file that shrinks, and what is no file.
fn what_is_not_copied_is_told() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.sleeper("box");
    ann.run(["exec", "box", "sh", "-c", "mkdir /tmp/d; mkfifo /tmp/d/fifo; echo here > /tmp/d/file"]).ok();
    let out = ann.run("cp box:/tmp/d .");
    out.says(&["skipped a fifo: /tmp/d/fifo", "Successfully copied"]).exits(0);
    assert_eq!(ann.read("d/file"), "here\n");
    for (words, said) in [
        ("cp box:/tmp/d/fifo .", "a fifo is not copied: /tmp/d/fifo"),
        ("cp box:/dev/null nothing", "a device is not copied: /dev/null"),
    ] {
        ann.run(words).says(&[said]).fails(1);
    }
    assert!(!ann.home.join("nothing").exists());
    ann.sh("mkdir in; mkfifo in/fifo; echo mine > in/file").ok();
    ann.run("cp in box:/tmp").says(&["skipped a fifo: ", "Successfully copied"]).exits(0);
    ann.run("cp in/fifo box:/tmp").says(&["a fifo is not copied"]).fails(1);
    // To stdout, too, the reason is told; and the plain client copies the rest.
    ann.run(["exec", "box", "sh", "-c", "mkdir /tmp/e; echo x > /tmp/e/closed; chmod 0 /tmp/e/closed"]).ok();
    ann.run("cp box:/tmp/e -").says(&["permission denied: "]).fails(1);
    // A name that is no text can be neither asked for nor mistaken for another.
    ann.run(["exec", "box", "sh", "-c", "cd /tmp; echo twin > \"$(printf 'l\\357\\277\\275')\""]).ok();
    for method in ["GET", "HEAD"] {
        assert_eq!(ann.ask(method, "/containers/box/archive?path=/tmp/l%FF", "").0, 400, "{method}");
    }
    ann.docker("cp box:/tmp/d again").exits(0);
    assert_eq!(ann.read("again/file"), "here\n");
}

/// Out of one that does not run, where the engine itself would wait for the reader.
fn a_copy_that_nobody_reads_keeps_no_container() {
    use std::io::{Read, Write};
    let world = world();
    let ann = world.newcomer("ann");
    ann.run("create --name still busybox:test true").ok();
    ann.sh("dd if=/dev/zero of=big bs=1M count=64 2>/dev/null").ok();
    ann.run("cp big still:/tmp/").ok();
    // As many as are rewritten at once, and two more that wait for a place.
    let mut readers: Vec<_> = (0..6).map(|_| ann.caller().connect().unwrap()).collect();
    for (number, reader) in readers.iter_mut().enumerate() {
        reader.write_all(b"GET /containers/still/archive?path=/tmp/big HTTP/1.1\r\nHost: d\r\n\r\n").unwrap();
        if number == 0 {
            reader.read_exact(&mut [0; 100]).unwrap();
        }
    }
    let begun = std::time::Instant::now();
    ann.run("rm -f still").ok();
    assert!(begun.elapsed() < std::time::Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(ann.run("ps -aq").ok(), "");
}

/// One behind the other, each of which could take its time.
fn any_number_of_copies_keep_no_container() {
    use std::io::Write;
    let world = world();
    let ann = world.newcomer("ann");
    ann.run("create --name still busybox:test true").ok();
    let id = ann.run("ps -aq --no-trunc").line();
    // A young gateway keeps copies waiting.
    ann.run("cp still:/bin/busybox .").ok();
    let head = "PUT /containers/still/archive?path=/tmp HTTP/1.1\r\nHost: d\r\nContent-Length: 10240\r\n\r\n";
    let copies: Vec<_> = (0..60)
        .map(|_| {
            let mut copy = ann.caller().connect().unwrap();
            copy.write_all(head.as_bytes()).unwrap();
            copy
        })
        .collect();
    let begun = format!(r#""cp-in","container":"{id}""#);
    assert!(eventually(|| world.gateway.said().matches(&begun).count() == copies.len()));
    ann.run("rm -f still").ok();
    assert_eq!(ann.run("ps -aq").ok(), "");
}

/// It would be waited for, with the container locked.
fn a_raw_tar_is_no_body() {
    use std::io::{Read, Write};
    let world = world();
    let ann = world.newcomer("ann");
    ann.run("create --name still busybox:test true").ok();
    let mut caller = ann.caller().connect().unwrap();
    let head = "PUT /containers/still/archive?path=/tmp HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\n\
                Upgrade: ie-tar\r\nContent-Length: 5\r\n\r\n";
    caller.write_all(head.as_bytes()).unwrap();
    let mut answer = vec![0; 12];
    caller.read_exact(&mut answer).unwrap();
    assert_eq!(String::from_utf8_lossy(&answer), "HTTP/1.1 400");
}

/// An engine keeps an exec that was made and not started until the container stops.
fn who_hangs_up_leaves_no_helper_unstarted() {
    let world = world();
    let ann = world.newcomer("ann");
    let id = ann.sleeper("box");
    let request = "HEAD /containers/box/archive?path=/tmp HTTP/1.1\r\nHost: d\r\n\r\n";
    std::thread::scope(|scope| {
        for number in 0..4 {
            let caller = ann.caller();
            scope.spawn(move || {
                for pause in 0..25 {
                    let Ok(mut stream) = caller.connect() else { continue };
                    stream.write_all(request.as_bytes()).ok();
                    std::thread::sleep(Duration::from_micros(number * 500 + pause * 2000));
                }
            });
        }
    });
    ann.run("cp box:/bin/busybox copied").ok();
    let execs = || world.inspect(&id, "{{.ExecIDs}}");
    assert!(eventually(|| execs() == "[]"), "the engine still has {}", execs());
}
