//! The architecture, held by a test: who may import whom, and which words live in one place only.

#![allow(clippy::unwrap_used, reason = "a test that cannot read the sources has failed")]

use std::fs;
use std::path::{Path, PathBuf};

fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut dirs = vec![root.join("src")];
    let mut found = Vec::new();
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|ext| ext == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(root).unwrap().to_owned(), text));
            }
        }
    }
    assert!(found.len() > 50, "the sources were not found");
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
        ("client", &["protocol", "policy", "tarball"][..]),
        ("gateway", &["protocol", "policy", "tarball", "sys"]),
        ("mountd", &["protocol", "policy", "sys"]),
        ("copy", &["protocol", "tarball"]),
        ("policy", &["protocol"]),
        ("tarball", &["protocol"]),
        ("protocol", &[]),
    ] {
        for other in ["client", "gateway", "mountd", "copy", "policy", "tarball", "protocol", "sys"] {
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
        ("peer_cred", &["src/gateway/peer.rs", "src/mountd/serve.rs"]),
        ("peercred", &["src/gateway/peer.rs", "src/mountd/serve.rs"]),
        (
            "\"HostConfig\"",
            &[
                "src/gateway/engine/spec.rs",
                "src/gateway/engine/spec/tests.rs",
                "src/gateway/create",
                "src/gateway/fuzz",
                "src/client",
            ],
        ),
        ("\"/containers/create\"", &["src/gateway/engine/turn.rs", "src/gateway/routes.rs", "src/client"]),
        ("println!", &[]),
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

#[test]
fn each_file_opens_with_a_sentence_on_its_purpose() {
    for (path, text) in sources() {
        assert!(text.starts_with("//! "), "{} opens with no sentence", path.display());
    }
}
