//! `/containers/{id}/archive`: what the gateway answers is what the engine itself answers, name by name.

use crate::suite::{tests, world};
use crate::world::{User, World};
use base64::Engine as _;
use std::io::Read;
use std::path::Path;
use std::process::Command;

tests![names_and_stats_are_the_engines_own, docker_copies_what_is_in_a_directory, absolute_names_go_below];

/// Files of every kind that is copied, and links to them.
const TREE: &str = "umask 022; cd /tmp; mkdir -p d/sub/deep d/empty d/.hidden d/..dots 'd/a. b'; \
    echo one > d/f; echo 22 > d/sub/g; echo . > d/.hidden/x; echo - > 'd/a. b/.c'; : > d/none; ln d/f d/h; \
    ln -s f d/to-file; ln -s sub d/to-dir; ln -s nowhere d/to-none; ln -s /etc/passwd d/out; \
    ln -s d to-d; ln -s /tmp/d/f to-f; ln -s d/to-dir to-to; chmod 750 d/sub; chmod 1777 d/empty";

/// As clients write them: the beginning and the end of a path have meanings of their own.
const PATHS: [&str; 41] = [
    "/bin/busybox",
    "/etc/../bin/./busybox",
    "/tmp/d",
    "/tmp/d/",
    "/tmp/d/.",
    "/tmp/d/./",
    "/tmp/d//",
    "/tmp/d/sub/..",
    "/tmp/d/sub/../",
    "/tmp/d/sub/../.",
    "/tmp/./d",
    "/tmp//d",
    "tmp/d",
    "tmp/d/.",
    "./tmp/d",
    "../tmp/d",
    "/tmp/d/f",
    "/tmp/d/f/",
    "/tmp/d/f/.",
    "/tmp/d/none",
    "/tmp/d/h",
    "/tmp/d/empty",
    "/tmp/d/empty/",
    "/tmp/d/empty/.",
    "/tmp/d/.hidden",
    "/tmp/d/.hidden/.",
    "/tmp/d/..dots",
    "/tmp/d/a. b",
    "/tmp/d/a. b/.",
    "/tmp/d/to-file",
    "/tmp/d/to-file/",
    "/tmp/d/to-dir",
    "/tmp/d/to-dir/",
    "/tmp/d/to-dir/.",
    "/tmp/d/to-none",
    "/tmp/d/out",
    "/tmp/to-d",
    "/tmp/to-d/",
    "/tmp/to-d/.",
    "/tmp/to-d/f",
    "/tmp/to-f",
];

/// What an answer says: its status, the stat of the path and the tar's members.
#[derive(Debug, PartialEq)]
struct Answer {
    code: String,
    stat: serde_json::Value,
    members: Vec<String>,
}

impl Answer {
    /// From what curl wrote down.
    fn read(dir: &Path, code: &str) -> Self {
        let head = std::fs::read_to_string(dir.join("head")).unwrap();
        let stat = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("x-docker-container-path-stat").then(|| value.trim().to_owned())
        });
        let stat = stat.map_or(serde_json::Value::Null, |stat| {
            let stat = base64::engine::general_purpose::STANDARD.decode(stat).unwrap();
            let mut stat: serde_json::Value = serde_json::from_slice(&stat).unwrap();
            stat["mtime"] = serde_json::Value::Null;
            // A directory's size is the file system's affair.
            if stat["mode"].as_u64().unwrap() & (1 << 31) != 0 {
                stat["size"] = 0.into();
            }
            stat
        });
        let members = if code == "200" { members(&dir.join("body")) } else { Vec::new() };
        // What is wrong with a path is the caller's mistake here and the engine's own there.
        let code = if matches!(code, "200" | "404") { code } else { "refused" };
        Self { code: code.to_owned(), stat, members }
    }
}

fn members(tar: &Path) -> Vec<String> {
    let mut archive = tar::Archive::new(std::fs::File::open(tar).unwrap());
    let member = |entry: std::io::Result<tar::Entry<'_, std::fs::File>>| {
        let mut entry = entry.unwrap();
        let mut contents = Vec::new();
        entry.read_to_end(&mut contents).unwrap();
        // Of a program its length is enough.
        let contents = String::from_utf8(contents).unwrap_or_else(|bytes| bytes.as_bytes().len().to_string());
        let name = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
        let link = entry.link_name_bytes().map(|link| String::from_utf8(link.into_owned()).unwrap());
        let header = entry.header();
        // The bits of a link are nobody's, and no copy brings a right of its own.
        let mode = if header.entry_type().is_symlink() { 0 } else { header.mode().unwrap() & 0o777 };
        format!("{:?} {name} {mode:o} {link:?} {contents:?}", header.entry_type())
    };
    let mut members: Vec<String> = archive.entries().unwrap().map(member).collect();
    members.sort();
    members
}

const CURL: &str = "curl -s -D \"$2/head\" -o \"$2/body\" -w '%{http_code}' --get --unix-socket \"$1\" \
    --data-urlencode \"path=$4\" \"http://d/containers/$3/archive\"";

/// The same question to the gateway as this person, and to the engine as root of the container's twin.
fn both(world: &World, user: &User<'_>, container: &str, twin: &str, path: &str) -> [Answer; 2] {
    let socket = world.user_socket();
    let dir = user.home.join("answer");
    user.sh("rm -rf answer; mkdir answer").ok();
    let words = ["-c", CURL, "sh", socket.to_str().unwrap(), dir.to_str().unwrap(), container, path];
    let code = user.finish(&mut user.command("/bin/sh", words.as_slice()), b"").ok();
    let ours = Answer::read(&dir, code.trim());
    let socket = world.engine.socket();
    let root = tempfile::tempdir().unwrap();
    let words = ["-c", CURL, "sh", socket.to_str().unwrap(), root.path().to_str().unwrap(), twin, path];
    let code = Command::new("/bin/sh").args(words).output().unwrap();
    let engines = Answer::read(root.path(), String::from_utf8(code.stdout).unwrap().trim());
    [ours, engines]
}

fn names_and_stats_are_the_engines_own() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.sleeper("box");
    ann.run(["exec", "box", "sh", "-c", TREE]).ok();
    ann.run(["run", "--name", "over", "busybox:test", "sh", "-c", TREE]).ok();
    // Of root's own: what ours mount is not there for the engine while they do not run.
    let twins = ["twin-box", "twin-over"].map(|name| ann.engine_name(name));
    let made = |name: &str, words: &[&str]| {
        world.docker([&["run", "--network=none", "--name", name], words].concat().as_slice()).exits(0);
    };
    made(&twins[0], &["-d", "busybox:test", "sleep", "1000"]);
    world.docker(["exec", &twins[0], "sh", "-c", TREE]).exits(0);
    made(&twins[1], &["busybox:test", "sh", "-c", TREE]);
    let mut differ = Vec::new();
    for (container, twin) in ["box", "over"].into_iter().zip(&twins) {
        for path in PATHS {
            let [ours, engines] = both(&world, &ann, container, twin, path);
            if ours != engines {
                differ.push(format!("{container}:{path}\n  ours    {ours:?}\n  engine's {engines:?}"));
            }
        }
    }
    // What lies at the root differs, and what it is called does not.
    for path in ["/", "/.", "//", "/./", "."] {
        let [ours, engines] = both(&world, &ann, "over", &twins[1], path);
        let names = |answer: &Answer| {
            let name = |member: &String| member.split(' ').nth(1).unwrap().to_owned();
            let passwd = answer.members.iter().map(name).find(|name| name.ends_with("etc/passwd"));
            let root = answer.members.iter().map(name).min_by_key(String::len);
            (answer.stat["name"].clone(), root, passwd)
        };
        if names(&ours) != names(&engines) {
            differ.push(format!("over:{path} ours {:?} engine's {:?}", names(&ours), names(&engines)));
        }
    }
    twins.iter().for_each(|twin| drop(world.docker(["rm", "-f", twin])));
    assert!(differ.is_empty(), "{} of {} differ\n{}", differ.len(), 2 * PATHS.len(), differ.join("\n"));
}

/// Clients put the new directory's name where names begin with `.`: into a directory that is not there, and no other.
fn docker_copies_what_is_in_a_directory() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.sleeper("box");
    ann.run(["exec", "box", "sh", "-c", TREE]).ok();
    ann.run(["run", "--name", "over", "busybox:test", "sh", "-c", TREE]).ok();
    ann.write("f", "precious\n");
    for container in ["box", "over"] {
        for (number, path) in ["/tmp/d/.", "/tmp/d/./", "/tmp/to-d/."].iter().enumerate() {
            let new = format!("new-{container}-{number}");
            ann.docker(format!("cp {container}:{path} {new}")).exits(0);
            assert_eq!(ann.read(&format!("{new}/f")), "one\n");
            assert_eq!(ann.read(&format!("{new}/.hidden/x")), ".\n");
            assert_eq!(ann.read(&format!("{new}/h")), "one\n");
        }
        ann.docker(format!("cp {container}:/tmp/d/f one-{container}")).exits(0);
        assert_eq!(ann.read(&format!("one-{container}")), "one\n");
    }
    assert_eq!(ann.read("f"), "precious\n");
    assert!(!ann.home.join("sub").exists() && !ann.home.join("h").exists());
}

/// As the engine takes them: Compose sends a service's configs and secrets so.
fn absolute_names_go_below() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.sleeper("box");
    ann.run("create --name over busybox:test sleep 1000").ok();
    let mut archive = tar::Builder::new(Vec::new());
    for name in ["/run-config", "//sub/deep", "plain"] {
        let mut header = tar::Header::new_ustar();
        header.as_ustar_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(4);
        header.set_mode(0o440);
        header.set_cksum();
        archive.append(&header, b"data".as_slice()).unwrap();
    }
    let packed = archive.into_inner().unwrap();
    for container in ["box", "over"] {
        ann.run_with_stdin(format!("cp - {container}:/tmp"), &packed).exits(0);
        ann.docker_with_stdin(format!("cp - {container}:/tmp"), &packed).exits(0);
        ann.run(format!("start {container}"));
        for name in ["run-config", "sub/deep", "plain"] {
            assert_eq!(ann.run(format!("exec {container} cat /tmp/{name}")).ok(), "data", "{name}");
        }
        ann.run(format!("exec {container} test -e /run-config")).exits(1);
    }
}
