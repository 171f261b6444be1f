//! Opening a file that root alone can change: what is checked is the open file, and every directory on the way to it.

use super::paths::{PathFault, is_root, plain};
use crate::protocol::told::{Phrase, Told, phrase};
use rustix::fs::{FileType, Mode, OFlags, Stat, fstat, openat};
use rustix::io::Errno;
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

/// The longest policy file that is read, in bytes.
const LONGEST: u64 = 1 << 20;

/// Why a file is not believed.
#[derive(Debug, thiserror::Error, Told)]
pub enum Untrusted {
    #[error("{path} {fault}", path = path.display())]
    Path { path: PathBuf, fault: PathFault },
    #[error("{path} cannot be opened: {cause}", path = path.display())]
    Open { path: PathBuf, cause: std::io::Error },
    #[error("{path} is a symbolic link, name the file itself", path = path.display())]
    Link { path: PathBuf },
    #[error("{path} is not a {wanted}", path = path.display())]
    Kind { path: PathBuf, wanted: Phrase },
    #[error("{path} belongs to uid {owner}, it must belong to root", path = path.display())]
    Owner { path: PathBuf, owner: u32 },
    #[error("{path} can be written to by others than root (mode {mode:04o}): chmod go-w {path}", path = path.display())]
    Writable { path: PathBuf, mode: u32 },
    #[error("{path} is longer than 1 MiB", path = path.display())]
    Long { path: PathBuf },
    #[error("{path} is not UTF-8 text", path = path.display())]
    Text { path: PathBuf },
}

/// The text of the file at this absolute path, if only root could have written it.
///
/// Each directory is opened in the one before it and never through a symbolic link, so what was checked is what is
/// used. An access list that lets others write shows in the mode as a writable group.
///
/// # Errors
/// What on the way is not root's alone or a link, or a file that is missing, longer than 1 MiB, or not UTF-8.
pub fn open_trusted(path: &Path) -> Result<String, Untrusted> {
    text(walk(path, FileType::RegularFile)?, path)
}

/// The reading end of the named pipe at this absolute path, if only root could have made it. Nothing waits for a writer.
///
/// # Errors
/// As [`open_trusted`], but for what is in it: nothing is read.
pub fn open_trusted_pipe(path: &Path) -> Result<File, Untrusted> {
    walk(path, FileType::Fifo)
}

fn walk(path: &Path, end: FileType) -> Result<File, Untrusted> {
    let path = plain(path).map_err(|fault| Untrusted::Path { path: path.to_owned(), fault })?;
    if is_root(&path) {
        return Err(Untrusted::Kind { path, wanted: named(end) });
    }
    let mut walked = PathBuf::from("/");
    let mut parent = open(None, &walked, Path::new("/"), DIRECTORY)?;
    roots_alone(&parent, &walked, FileType::Directory)?;
    let mut names = path.components().filter(|part| matches!(part, Component::Normal(_))).peekable();
    while let Some(name) = names.next() {
        walked.push(name);
        let last = names.peek().is_none();
        let flags = if last { FILE } else { DIRECTORY };
        let opened = open(Some(&parent), &walked, Path::new(name.as_os_str()), flags)?;
        let kind = if last { end } else { FileType::Directory };
        roots_alone(&opened, &walked, kind)?;
        parent = opened;
    }
    Ok(File::from(parent))
}

fn named(kind: FileType) -> Phrase {
    match kind {
        FileType::Directory => phrase!("directory"),
        FileType::Fifo => phrase!("named pipe"),
        _ => phrase!("regular file"),
    }
}

/// O_PATH: no right to read a directory is needed to pass it.
const DIRECTORY: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// O_NONBLOCK: a FIFO is not waited for.
const FILE: OFlags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

fn open(parent: Option<&OwnedFd>, shown: &Path, name: &Path, flags: OFlags) -> Result<OwnedFd, Untrusted> {
    let at = |name| match parent {
        Some(parent) => openat(parent, name, flags, Mode::empty()),
        None => openat(rustix::fs::CWD, name, flags, Mode::empty()),
    };
    at(name).map_err(|errno| match errno {
        Errno::LOOP => Untrusted::Link { path: shown.to_owned() },
        other => Untrusted::Open { path: shown.to_owned(), cause: other.into() },
    })
}

fn roots_alone(file: &OwnedFd, path: &Path, wanted: FileType) -> Result<(), Untrusted> {
    let stat: Stat =
        fstat(file).map_err(|cause| Untrusted::Open { path: path.to_owned(), cause: cause.into() })?;
    let path = path.to_owned();
    let kind = FileType::from_raw_mode(stat.st_mode);
    let mode = stat.st_mode & 0o7777;
    if kind == FileType::Symlink {
        return Err(Untrusted::Link { path });
    }
    if kind != wanted {
        return Err(Untrusted::Kind { path, wanted: named(wanted) });
    }
    if stat.st_uid != 0 {
        return Err(Untrusted::Owner { path, owner: stat.st_uid });
    }
    if mode & 0o022 != 0 {
        return Err(Untrusted::Writable { path, mode });
    }
    Ok(())
}

/// Reads one byte past the limit to see that there is no more; a file's size may change after it was looked at.
fn text(file: File, path: &Path) -> Result<String, Untrusted> {
    let mut bytes = Vec::new();
    let read = file.take(LONGEST + 1).read_to_end(&mut bytes);
    let read = read.map_err(|cause| Untrusted::Open { path: path.to_owned(), cause })?;
    if u64::try_from(read).is_ok_and(|read| read > LONGEST) {
        return Err(Untrusted::Long { path: path.to_owned() });
    }
    String::from_utf8(bytes).map_err(|_| Untrusted::Text { path: path.to_owned() })
}
