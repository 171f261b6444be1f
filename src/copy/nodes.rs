//! `ie-copy nodes`: looks for device nodes in an image, in a container of it that nobody else is in.
//!
//! A container cannot open what its control group forbids, but its owner's shell on the host reaches every file of it,
//! and is in no such group. A node that a layer brought along needs no capability any more.

use super::{Stopped, give};
use crate::protocol::copying::Ended;
use crate::protocol::escape::escape_line;
use std::fs::{self, FileType};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

/// The engine mounts over these in every container, whatever an image has there: no path leads below.
const COVERED: [&str; 3] = ["/dev", "/proc", "/sys"];

/// Writes the first node's path to stdout; nothing where there is none. What cannot be read is a failure.
pub(super) fn run() -> Result<(), Stopped> {
    let Some(node) = first_below(Path::new("/"), &COVERED.map(Path::new))? else { return Ok(()) };
    give(format!("{}\n", escape_line(&node.to_string_lossy())).as_bytes()).map(drop)
}

fn first_below(top: &Path, covered: &[&Path]) -> Result<Option<PathBuf>, Stopped> {
    let mut dirs = vec![top.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).map_err(|error| unread(&dir, &error))? {
            let entry = entry.map_err(|error| unread(&dir, &error))?;
            let path = entry.path();
            let kind = entry.file_type().map_err(|error| unread(&path, &error))?;
            if is_device(kind) {
                return Ok(Some(path));
            }
            if kind.is_dir() && !covered.contains(&path.as_path()) {
                dirs.push(path);
            }
        }
    }
    Ok(None)
}

fn is_device(kind: FileType) -> bool {
    kind.is_block_device() || kind.is_char_device()
}

fn unread(path: &Path, error: &std::io::Error) -> Stopped {
    let path = escape_line(&path.to_string_lossy());
    Stopped::from_kernel(None, Ended::Failed, format!("{path} cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_node_is_found_wherever_it_lies() {
        let top = tempfile::tempdir().unwrap();
        let at = |path: &str| top.path().join(path);
        fs::create_dir_all(at("a/b/c")).unwrap();
        fs::create_dir_all(at("dev")).unwrap();
        fs::write(at("a/file"), "").unwrap();
        symlink("/dev/null", at("a/link")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            at("a/pipe"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR,
            0,
        )
        .unwrap();
        let node = |path: &str| {
            let null = rustix::fs::makedev(1, 3);
            let kind = rustix::fs::FileType::CharacterDevice;
            rustix::fs::mknodat(rustix::fs::CWD, at(path), kind, rustix::fs::Mode::RUSR, null)
                .expect("making a node needs root: run the tests as root");
        };
        let dev = at("dev");
        let found = || first_below(top.path(), &[dev.as_path()]).unwrap();
        node("dev/null");
        assert_eq!(found(), None);
        node("a/b/c/node");
        assert_eq!(found(), Some(at("a/b/c/node")));
    }

    #[test]
    fn what_cannot_be_read_is_no_answer() {
        assert!(first_below(Path::new("/no/such/directory"), &[]).is_err());
    }
}
