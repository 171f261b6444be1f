//! The host's mounts, as the kernel lists them.

use super::host::Host;
use std::path::PathBuf;

/// A line of mountinfo.
#[derive(Debug)]
pub(crate) struct Mount {
    pub(crate) at: PathBuf,
    pub(super) kind: String,
    /// Whether a user mounted it: only FUSE lets users mount, and it writes down who did.
    pub(crate) is_a_users: bool,
}

pub(crate) fn mounts(host: &Host) -> Vec<Mount> {
    let text = host.text("/proc/self/mountinfo").unwrap_or_default();
    text.lines().filter_map(read).collect()
}

fn read(line: &str) -> Option<Mount> {
    let (left, right) = line.split_once(" - ")?;
    let at = unescaped(left.split(' ').nth(4)?).into();
    let mut words = right.split(' ');
    let (kind, superblock) = (words.next()?.to_owned(), words.nth(1)?);
    let is_a_users = is_fuse(&kind) && !superblock.split(',').any(|word| word == "user_id=0");
    Some(Mount { at, kind, is_a_users })
}

pub(super) fn is_fuse(kind: &str) -> bool {
    ["fuse", "fuseblk"].contains(&kind) || kind.starts_with("fuse.")
}

/// Blanks, tabs, newlines and backslashes stand there in octal.
fn unescaped(word: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(word.to_owned(), |word, (code, plain)| word.replace(code, plain))
}
