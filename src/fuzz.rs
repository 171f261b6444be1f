//! Entry points for fuzzing: bytes in, and properties that hold whatever they are.
//!
//! Each is one of `fuzz/fuzz_targets/`, and each runs over its committed corpus, and over changed pieces of it, with the
//! usual tests, so that none of them can rot. What they need of the private modules lies in those modules' own `fuzz`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a broken property, and a broken world of the fuzzer's own, are told by a panic"
)]

mod archives;
mod words;

#[cfg(test)]
mod tests;

pub(crate) use archives::assert_plain;
pub use archives::{demux, rewrite, unpack};
pub use words::{amounts, escape, paths, policy, references};

/// A target's name, which is that of its directory in `fuzz/corpus`, and its entry point.
pub type Target = (&'static str, fn(&[u8]));

/// All of them, by name.
pub const TARGETS: [Target; 20] = [
    ("amounts", amounts),
    ("client_lists", client_lists),
    ("create_body", create_body),
    ("demux", demux),
    ("engine_error", engine_error),
    ("engine_inspect", engine_inspect),
    ("engine_list", engine_list),
    ("escape", escape),
    ("exec_body", exec_body),
    ("image_reference", image_reference),
    ("mountd_message", mountd_message),
    ("mountinfo", mountinfo),
    ("path_stat", path_stat),
    ("paths", paths),
    ("policy", policy),
    ("references", references),
    ("requests", requests),
    ("rewrite", rewrite),
    ("runtime_spec", runtime_spec),
    ("unpack", unpack),
];

/// A body of `POST /containers/create`, up to the body the engine would get.
pub fn create_body(data: &[u8]) {
    crate::gateway::fuzz::create_body(data);
}

/// A body of `POST /containers/{id}/exec`, up to the body the engine would get.
pub fn exec_body(data: &[u8]) {
    crate::gateway::fuzz::exec_body(data);
}

/// A whole request, through the route table, against an engine that writes down what reaches it.
pub fn requests(data: &[u8]) {
    crate::gateway::fuzz::requests(data);
}

/// An image's reference, against another reader of it.
pub fn image_reference(data: &[u8]) {
    crate::gateway::fuzz::image_reference(data);
}

/// The engine's list of containers.
pub fn engine_list(data: &[u8]) {
    crate::gateway::fuzz::engine_list(data);
}

/// The engine's description of one container.
pub fn engine_inspect(data: &[u8]) {
    crate::gateway::fuzz::engine_inspect(data);
}

/// The engine's error sentences.
pub fn engine_error(data: &[u8]) {
    crate::gateway::fuzz::engine_error(data);
}

/// A line of the kernel's table of mounts.
pub fn mountinfo(data: &[u8]) {
    crate::mountd::fuzz::mountinfo(data);
}

/// What crosses ie-mountd's socket.
pub fn mountd_message(data: &[u8]) {
    crate::mountd::fuzz::message(data);
}

/// A specification for runc, as an image's author and the gateway can make one.
pub fn runtime_spec(data: &[u8]) {
    crate::runtime::fuzz::spec(data);
}

/// Lists and descriptions of containers, as the client shows them.
pub fn client_lists(data: &[u8]) {
    crate::client::fuzz::lists(data);
}

/// The header that says what a path in a container is.
pub fn path_stat(data: &[u8]) {
    use crate::protocol::copying::PathStat;
    let Some(stat) = PathStat::from_header(data) else { return };
    let header = stat.to_header().unwrap();
    assert_eq!(PathStat::from_header(header.as_bytes()), Some(stat));
}

/// Holds that a text can do nothing to a terminal, but for beginning a new line.
pub(crate) fn assert_harmless(text: &str) {
    // Not the code's own list: the controls of both sets, and what turns the direction of writing.
    let acts = |c: &char| {
        let bidirectional = ['\u{61c}', '\u{200e}', '\u{200f}'].contains(c)
            || ('\u{202a}'..='\u{202e}').contains(c)
            || ('\u{2066}'..='\u{2069}').contains(c);
        (*c < ' ' && *c != '\n') || ('\u{7f}'..='\u{9f}').contains(c) || bidirectional
    };
    assert_eq!(text.chars().find(acts), None, "in {text:?}");
}

/// The same, and no new line.
pub(crate) fn assert_line(text: &str) {
    assert_harmless(text);
    assert!(!text.contains('\n'), "more than a line: {text:?}");
}

/// A new directory for what a target needs on a disk, below `$TMPDIR`.
pub(crate) fn directory(of: &str) -> std::path::PathBuf {
    use std::sync::atomic::{AtomicU32, Ordering};
    static MADE: AtomicU32 = AtomicU32::new(0);
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    let directory = std::env::temp_dir().join(format!("ie-fuzz.{}.{number}.{of}", rustix::process::getpid()));
    let _left_of_another_one = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).unwrap();
    directory
}
