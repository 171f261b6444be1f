//! The architecture, held by a test: who may import whom, and which words live in one place only.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot read the sources has failed"
)]

#[path = "house/constants.rs"]
mod constants;
#[path = "house/graph.rs"]
mod graph;

use graph::{Graph, Module};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn sources() -> Vec<(PathBuf, String)> {
    let found = files(&["src"], "rs");
    assert!(found.len() > 50, "the sources were not found");
    found
}

/// The files below these directories that end so, or all of them, with their text.
fn files(below: &[&str], ending: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut dirs: Vec<PathBuf> = below.iter().map(|dir| root.join(dir)).collect();
    let mut found = Vec::new();
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else if ending.is_empty() || path.extension().is_some_and(|ext| ext == ending) {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(root).unwrap().to_owned(), text));
            }
        }
    }
    found
}

/// The lines that are code, with their numbers: no comments, and nothing of a file's own tests.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().take_while(|(_, line)| !line.starts_with("mod tests"));
    lines.map(|(number, line)| (number + 1, line)).filter(|(_, line)| !line.trim_start().starts_with("//"))
}

fn offenders(word: &str, allowed: &[&str]) -> Vec<String> {
    let elsewhere = |path: &Path| !allowed.iter().any(|home| path.starts_with(home));
    sources()
        .iter()
        .filter(|(path, _)| elsewhere(path))
        .flat_map(|(path, text)| {
            code(text)
                .filter(|(_, line)| line.contains(word))
                .map(|(number, line)| format!("{}:{number}: {}", path.display(), line.trim()))
        })
        .collect()
}

#[test]
fn the_rooms_import_only_what_is_below_them() {
    for (room, below) in [
        ("client", &["protocol", "policy", "tarball", "doctor", "setup"][..]),
        ("setup", &["protocol", "policy", "doctor"]),
        ("doctor", &["protocol", "policy", "mountinfo"]),
        ("gateway", &["protocol", "policy", "tarball", "sandbox", "sys"]),
        ("mountd", &["protocol", "policy", "mountinfo", "sandbox", "sys"]),
        ("runtime", &["protocol", "policy", "sandbox", "sys"]),
        ("copy", &["protocol", "tarball"]),
        ("policy", &["protocol"]),
        ("tarball", &["protocol"]),
        ("protocol", &[]),
    ] {
        for other in [
            "client",
            "setup",
            "doctor",
            "gateway",
            "mountd",
            "runtime",
            "copy",
            "policy",
            "tarball",
            "protocol",
            "mountinfo",
            "sandbox",
            "sys",
        ] {
            if other == room || below.contains(&other) {
                continue;
            }
            let room_dir = Path::new("src").join(room);
            for (path, text) in sources().iter().filter(|(path, _)| path.starts_with(&room_dir)) {
                for (number, line) in code(text) {
                    let imports = line.contains(&format!("crate::{other}::"))
                        || line.contains(&format!("use crate::{other};"));
                    assert!(!imports, "{}:{number}: {room} may not import {other}", path.display());
                }
            }
        }
    }
}

#[test]
fn each_dangerous_word_has_one_home() {
    for (word, home) in [
        ("unsafe", &["src/sys.rs"][..]),
        ("peer_cred", &["src/gateway/caller/peer.rs", "src/mountd/serve.rs"]),
        ("peercred", &["src/gateway/caller/peer.rs", "src/mountd/serve.rs"]),
        (
            "\"HostConfig\"",
            &[
                "src/gateway/engine/spec.rs",
                "src/gateway/engine/spec/tests.rs",
                "src/gateway/wish",
                "src/gateway/fuzz",
                "src/client",
            ],
        ),
        (
            "\"/containers/create\"",
            &["src/gateway/engine/turn.rs", "src/gateway/api/routes.rs", "src/client"],
        ),
        ("println!", &[]),
        // rustix has it, and it has one home: see CONTRIBUTING.md.
        ("nix::mount", &[]),
        ("IE_CONTAINERD_DIE_AT", &["src/gateway/failpoint.rs"]),
        ("IE_CONTAINERD_GRACE", &["src/gateway/door/serve.rs"]),
        ("IE_CONTAINER_PATIENCE", &["src/client/patience.rs"]),
        ("todo!(", &[]),
        ("unimplemented!(", &[]),
    ] {
        let found: Vec<String> = offenders(word, home)
            .into_iter()
            .filter(|line| !line.contains("unsafe_code") && !line.contains("compile_fail"))
            .collect();
        assert!(found.is_empty(), "{word} belongs in {home:?} only:\n{}", found.join("\n"));
    }
}

/// The steps at which the tests kill the gateway: each is tried, and a program for use has none of them.
#[test]
fn marked_steps_are_the_tests_own() {
    let sources = sources();
    let mark = Path::new("src/gateway/failpoint.rs");
    let (_, text) = sources.iter().find(|(path, _)| path == mark).unwrap();
    let lines: Vec<&str> = code(text).map(|(_, line)| line).filter(|line| !line.is_empty()).collect();
    let bodies: Vec<&[&str]> = lines.split(|line| line.starts_with("#[cfg(")).skip(1).collect();
    let guards: Vec<&&str> = lines.iter().filter(|line| line.starts_with("#[cfg(")).collect();
    assert_eq!(guards, [&"#[cfg(debug_assertions)]", &"#[cfg(not(debug_assertions))]"]);
    assert!(lines[0].starts_with("#[cfg(") && bodies[0].len() > 1, "the first of them does the deed");
    assert_eq!(bodies[1], ["pub(super) fn at(_step: &str) {}"]);
    let settings = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    assert!(!settings.contains("debug-assertions"), "a release has debug assertions");

    let tests = files(&["tests/e2e"], "rs");
    let mut count = 0;
    for (path, text) in &sources {
        for step in text.split("failpoint::at(").skip(1).filter_map(|rest| rest.split('"').nth(1)) {
            count += 1;
            let tried = tests.iter().any(|(_, text)| text.contains(&format!("\"{step}\"")));
            assert!(tried, "{}: no test kills the gateway at {step}", path.display());
        }
    }
    assert!(count >= 16, "only {count} steps are marked");
}

#[test]
fn each_file_opens_with_a_sentence_on_its_purpose() {
    for (path, text) in sources() {
        assert!(text.starts_with("//! "), "{} opens with no sentence", path.display());
    }
}

/// Neither the installation nor anything beside it gives a program rights of its own.
#[test]
fn no_program_is_installed_setuid() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let made = std::process::Command::new("make")
        .args(["-n", "-B", "install", "DESTDIR=/nowhere"])
        .current_dir(root)
        .output()
        .unwrap();
    let mut said = String::from_utf8(made.stdout).unwrap();
    assert!(said.matches("/nowhere").count() > 5, "what is installed was not said: {said}");
    for (_, text) in files(&["packaging", "demo", "scripts"], "") {
        said += &text;
    }
    let words: Vec<&str> = said.split(|c: char| c.is_whitespace() || "'\"=,".contains(c)).collect();
    for (at, word) in words.iter().enumerate() {
        let mode = word.trim_start_matches("-m");
        let octal = mode.len() >= 4 && mode.len() <= 5 && mode.bytes().all(|b| matches!(b, b'0'..=b'7'));
        let after_a_verb =
            word.starts_with("-m") || matches!(words.get(at.wrapping_sub(1)), Some(&("-m" | "chmod")));
        let bits = u32::from_str_radix(mode, 8).unwrap_or_default();
        assert!(!(octal && after_a_verb && bits & 0o6000 != 0), "{word} is a mode with a bit too many");
        assert!(!matches!(*word, "setcap" | "u+s" | "g+s" | "+s" | "ug+s" | "a+s"), "{word} gives rights");
    }
}

/// `room::file::tests::name` and the like, as the documentation writes them.
fn names(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split('`').skip(1).step_by(2);
    words.filter(|word| {
        word.contains("::")
            && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_:".contains(&b))
    })
}

fn is_there(name: &str, code: &[(PathBuf, String)]) -> bool {
    let parts: Vec<&str> = name.split("::").collect();
    let Some((last, before)) = parts.split_last() else { return false };
    code.iter().any(|(path, text)| {
        let on_the_way = |part: &&str| {
            path.iter().any(|step| Path::new(step).file_stem().is_some_and(|stem| stem == *part))
                || text.contains(&format!("mod {part} {{"))
        };
        let defined = text.contains(&format!("fn {last}(")) || on_the_way(last);
        defined && before.iter().all(on_the_way)
    })
}

#[test]
fn each_test_that_the_documents_name_is_there() {
    let code = files(&["src", "tests"], "rs");
    let mut pages = files(&["docs"], "md");
    let security = Path::new(env!("CARGO_MANIFEST_DIR")).join("SECURITY.md");
    pages.push((PathBuf::from("SECURITY.md"), fs::read_to_string(security).unwrap()));
    let mut count = 0;
    for (page, text) in &pages {
        for name in names(text) {
            count += 1;
            assert!(is_there(name, &code), "{} names {name}, which is not there", page.display());
        }
    }
    assert!(count > 150, "only {count} tests are named");
    assert!(!is_there("e2e::run::no_such_test", &code) && !is_there("nowhere::tests", &code));
}

/// Each invariant and each known hole is held by a test that is named.
#[test]
fn each_wall_names_its_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let rows = |page: &str, start: &str| -> Vec<String> {
        let text = fs::read_to_string(root.join(page)).unwrap();
        text.lines().filter(|line| line.starts_with(start)).map(str::to_owned).collect()
    };
    let invariants: Vec<String> = rows("SECURITY.md", "| ")
        .into_iter()
        .filter(|row| row[2..].starts_with(|c: char| c.is_ascii_digit()))
        .collect();
    assert!(invariants.len() >= 20, "only {} invariants", invariants.len());
    let holes = rows("docs/cves.md", "| CVE-");
    assert!(holes.len() >= 45, "only {} known holes", holes.len());
    for row in invariants.iter().chain(&holes) {
        let held = names(row).next().is_some() || row.contains("does not apply because");
        assert!(held, "no test is named: {row}");
    }
}

/// An account that was made, and then its ranges were not, gets them the next time.
#[test]
fn the_demo_goes_on_where_it_was_interrupted() {
    let told = |ranges: &str| {
        let script = format!(
            "place=p first_id=1000; . demo/lib.sh; id() {{ true; }}; usermod() {{ echo \"$1\"; }}
             grep() {{ case {ranges} in *\"$3\"*) true ;; *) false ;; esac; }}; make_engine_user"
        );
        let output = std::process::Command::new("bash")
            .args(["-euc", &script])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(told("none"), "--add-subuids\n--add-subgids\n");
    assert_eq!(told("/etc/subuid"), "--add-subgids\n");
    assert_eq!(told("/etc/subuid/etc/subgid"), "");
}

/// The gateway's rooms, the highest floor first: a room imports from lower floors alone.
const FLOORS: [&[&str]; 13] = [
    &[""],
    &["wiring"],
    &["door"],
    &["api"],
    &["copying", "lifecycle"],
    &["upkeep"],
    &["gpu", "images"],
    &["locks", "sessions"],
    &["audit", "task"],
    &["error", "records"],
    &["engine"],
    &["wish"],
    &["caller", "host"],
];
/// What every room may import, and what imports none.
const GROUND: [&str; 4] = ["bounds", "failpoint", "options", "state_file"];

/// The largest circle of files that import each other, inside a room.
const LARGEST_CIRCLE: usize = 8;

fn room(module: &Module) -> &str {
    module.first().map_or("", String::as_str)
}

/// How high a room is; none for one that nobody has placed.
fn floor(room: &str) -> Option<usize> {
    if GROUND.contains(&room) {
        return Some(0);
    }
    FLOORS.iter().rev().position(|floor| floor.contains(&room)).map(|height| height + 1)
}

fn gateway() -> Graph {
    Graph::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/gateway"))
}

#[test]
fn the_gateways_rooms_import_only_what_is_below_them() {
    let graph = gateway();
    let mut between: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (from, to) in graph.arrows.iter().filter(|(from, to)| room(from) != room(to)) {
        let (above, below) = (floor(room(from)), floor(room(to)));
        assert!(above.is_some(), "{} is on no floor", room(from));
        assert!(below < above, "{} imports {}, which is not below it", from.join("/"), to.join("/"));
        *between.entry((room(from), room(to))).or_default() += 1;
    }
    for ((from, to), count) in &between {
        println!("{} -> {to}: {count}", if from.is_empty() { "main" } else { from });
    }
    let rooms: BTreeSet<&str> = graph.files().map(room).collect();
    println!("{} files in {} rooms, {} arrows", graph.files().count(), rooms.len(), graph.arrows.len());
    assert!(rooms.len() > 15 && graph.arrows.len() > 700, "the arrows were not found");
}

#[test]
fn no_circle_of_the_gateways_files_is_large_or_leaves_its_room() {
    for circle in gateway().circles() {
        let names: Vec<String> = circle.iter().map(|module| module.join("/")).collect();
        println!("a circle of {}: {}", names.len(), names.join(" "));
        let rooms: BTreeSet<&str> = circle.iter().map(room).collect();
        assert!(rooms.len() == 1, "a circle across rooms: {}", names.join(" "));
        assert!(names.len() <= LARGEST_CIRCLE, "a circle of {} files: {}", names.len(), names.join(" "));
    }
}

/// What the two tests above see: without it a change to how Rust is written would make them blind.
#[test]
fn imports_of_every_shape_are_seen() {
    let dir = tempfile::tempdir().unwrap();
    let top = dir.path().join("gateway");
    let write = |name: &str, text: &str| {
        let path = top.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("mod.rs", "mod a; mod b; mod c; #[cfg(test)] mod t;");
    write("a/mod.rs", "mod deep; pub(super) use deep::{Thing as Other, made}; pub(super) struct Own;");
    write("a/deep.rs", "pub struct Thing; pub fn made() {} pub fn called() {}");
    write(
        "b.rs",
        "use super::{a::{Own, self}, c}; fn f() { let _ = format!(\"{}\", c::there()); a::made() }",
    );
    write(
        "c.rs",
        "fn f(_: crate::gateway::a::Other) { use_it!(super::b::f) } #[cfg(test)] mod tests { use crate::gateway::t::X; }",
    );
    write("t.rs", "use super::a::Own;");
    let graph = Graph::read(&top);
    let seen: BTreeSet<String> =
        graph.arrows.iter().map(|(from, to)| format!("{} {}", from.join("/"), to.join("/"))).collect();
    let wanted = ["b a", "b a/deep", "b c", "c a/deep", "c b"];
    assert_eq!(seen, wanted.iter().map(|arrow| (*arrow).to_owned()).collect());
    let circles = graph.circles();
    assert_eq!(circles.len(), 1);
    assert_eq!(circles[0].iter().map(|module| module.join("/")).collect::<Vec<_>>(), ["b", "c"]);
}

fn constants() -> Vec<constants::Constant> {
    let all = constants::all(Path::new(env!("CARGO_MANIFEST_DIR")));
    assert!(all.len() > 200, "only {} constants were found", all.len());
    all
}

/// A number that tunes something says beside it what is counted, and why it is that number.
#[test]
fn each_constant_says_its_unit_and_why() {
    let all = constants();
    let named = |constant: &&constants::Constant| format!("{}: {}", constant.file.display(), constant.name);
    let mute: Vec<_> =
        all.iter().filter(|constant| constant.reason.is_empty()).map(|one| named(&one)).collect();
    assert!(mute.is_empty(), "without a doc comment that gives the reason:\n{}", mute.join("\n"));
    let vague: Vec<_> = all.iter().filter(|constant| !constant.has_unit()).map(|one| named(&one)).collect();
    let told = "neither type, name nor doc comment has a unit of `UNITS` in tests/house/constants.rs";
    assert!(vague.is_empty(), "{told}:\n{}", vague.join("\n"));
}

#[test]
fn the_page_of_limits_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/limits.md");
    let page = constants::page(&constants());
    if std::env::var_os("IE_WRITE_DOCS").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    assert!(there == page, "run `make limits`: docs/limits.md is not what the sources say");
}

/// What the two tests above see.
#[test]
fn constants_of_every_shape_are_seen() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = dir.path().join("src").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write(
        "gateway/room/file.rs",
        "/// How long | it\n/// waits.\npub(crate) const WAIT: Duration = Duration::from_secs(10);\n\
         const MUTE: usize = 64 << 10;\n\
         /// Vague.\nconst VAGUE: (u32, u32) = (1, 2);\n\
         /// Its size.\nconst SIZE_BYTES: [u64; 2] = [1, 2];\n\
         struct A; impl A { /// Bytes.\n const IN: u64 = 7; }\n\
         const WORD: &str = \"a\"; const DATA: [u8; 2] = [1, 2]; fn f() { const OWN: u8 = 1; }\n\
         mod inner { /// Bits.\n const DEEP: u8 = 1; }\n\
         #[cfg(test)] mod tests { const TEST: u8 = 1; }",
    );
    write("gateway/fuzz.rs", "const FUZZ: u8 = 1;");
    write("client/other.rs", "/// Seconds.\nconst OTHER: f64 = 0.5;");
    write("client/words.txt", "no code");
    let all = constants::all(dir.path());
    let names: Vec<&str> = all.iter().map(|constant| constant.name.as_str()).collect();
    assert_eq!(names, ["OTHER", "WAIT", "MUTE", "VAGUE", "SIZE_BYTES", "A::IN", "DEEP"]);
    let mute: Vec<bool> = all.iter().map(|constant| constant.reason.is_empty()).collect();
    assert_eq!(mute, [false, false, true, false, false, false, false]);
    let units: Vec<bool> = all.iter().map(constants::Constant::has_unit).collect();
    assert_eq!(units, [true, true, false, false, true, true, true]);
    let page = constants::page(&all);
    let row = "| `WAIT` | `10` s | How long \\| it waits. | [src/gateway/room/file.rs](../src/gateway/room/file.rs) |";
    assert!(page.contains("\n## client\n") && page.contains("\n## gateway/room\n"), "{page}");
    assert!(page.contains(row) && page.contains("| `MUTE` | `64 << 10` |"), "{page}");
}
