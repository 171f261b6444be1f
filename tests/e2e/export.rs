//! `export`: the container's own files as one tar, and nothing of what is mounted.

use crate::suite::{tests, world};
use crate::world::tools::eventually;
use std::io::{Read, Write};
use std::process::Command;

tests![it_is_the_engines_own_tar, what_is_mounted_is_not_in_it, one_that_nobody_reads_keeps_no_container];

/// The members of a tar in somebody's home, as tar lists them.
fn members(path: &std::path::Path) -> String {
    let listed = Command::new("tar").args(["--numeric-owner", "-tvf"]).arg(path).output().unwrap();
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    String::from_utf8(listed.stdout).unwrap()
}

fn it_is_the_engines_own_tar() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.run([
        "run",
        "-d",
        "--name",
        "box",
        "busybox:test",
        "sh",
        "-c",
        "echo mine >/tmp/mine; ln -s / /tmp/link; sleep 1000",
    ])
    .ok();
    assert!(eventually(|| ann.run("exec box test -L /tmp/link").code == 0));
    let said = ann.docker("export -o runs.tar box");
    said.says(&["box runs, and is exported only while it does not"]).exits(1);
    ann.run("stop -t 0 box").ok();
    let exported = |to: &str| {
        ann.docker(["export", "-o", to, "box"]).ok();
        members(&ann.home.join(to))
    };
    let engines = world.shared().join("engines.tar");
    let runs = exported("runs.tar");
    world.docker(["export", "-o", engines.to_str().unwrap(), &ann.engine_name("box")]).ok();
    assert_eq!(runs, members(&engines));
    assert!(runs.contains(&format!("{}/{}", ann.uid, ann.gid)) && runs.contains("tmp/mine"), "{runs}");
    assert!(runs.lines().any(|line| line.contains(" 0/0 ") && line.ends_with("bin/[")), "{runs}");
    ann.run("export -o ours.tar box").ok();
    assert_eq!(members(&ann.home.join("ours.tar")), runs);
    std::fs::remove_file(engines).unwrap();
    let bob = world.newcomer("bob");
    for word in ["box", &ann.engine_name("box")] {
        bob.docker(["export", "-o", "theirs.tar", word]).says(&["No such container"]).exits(1);
    }
}

fn what_is_mounted_is_not_in_it() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.write("secret", "of the home");
    let run = ["run", "-d", "--name", "box", "-v", "data:/data", "--tmpfs", "/scratch", "busybox:test"];
    let words = [&run[..], &["sh", "-c", "touch /data/in /scratch/in; exec sleep 1000"]].concat();
    ann.run(words.as_slice()).ok();
    assert!(eventually(|| ann.run("exec box test -e /scratch/in").code == 0));
    ann.run("stop -t 0 box").ok();
    ann.docker("export -o box.tar box").ok();
    let members = members(&ann.home.join("box.tar"));
    assert!(
        members.contains(" data/") && !members.contains("data/in") && !members.contains("scratch/in"),
        "{members}"
    );
    assert!(!members.contains("secret"), "{members}");
}

fn one_that_nobody_reads_keeps_no_container() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.run("create --name still busybox:test true").ok();
    ann.sh("dd if=/dev/zero of=big bs=1M count=64 2>/dev/null").ok();
    ann.run("cp big still:/tmp/").ok();
    let mut readers: Vec<_> = (0..3).map(|_| ann.caller().connect().unwrap()).collect();
    for (number, reader) in readers.iter_mut().enumerate() {
        reader.write_all(b"GET /containers/still/export HTTP/1.1\r\nHost: d\r\n\r\n").unwrap();
        if number == 0 {
            reader.read_exact(&mut [0; 100]).unwrap();
        }
    }
    ann.run("rm -f still").ok();
    assert_eq!(ann.run("ps -aq").ok(), "");
}
