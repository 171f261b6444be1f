//! Packing: a walk that follows no link and gives an archive in pieces as large as the caller likes.

use super::entry::{Entry, Kind, Owner, PERMISSIONS, Time};
use super::name::join;
use super::reason::{reason, shown};
use super::{LONGEST_NAME, at_most, wide, write};
use crate::protocol::told::{Phrase, Told, phrase};
use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::{Errno, retry_on_intr};
use std::collections::HashMap;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

/// Bytes that a header with the longest name and target needs; a piece with less left is given away.
const HEADER_ROOM: usize = 16 * 1024;

/// From so many bytes on, contents are sent from their pages, without being copied.
const BULK: u64 = 64 * 1024;
/// How many bytes of them are sent before the caller hears of it.
const SENT_AT_ONCE: usize = 4 << 20;

/// The most bytes of a file that the kernel makes as it is read, which is held in memory: its size is not known before.
const MOST_MADE: usize = 16 << 20;

/// Why a packing stopped. What was given away before is no whole archive.
#[derive(Debug, thiserror::Error, Told)]
pub enum PackError {
    #[error("{}: {}", reason(*.errno), shown(.path))]
    Io { path: Vec<u8>, errno: Errno },
    /// It was asked for itself.
    #[error("{what} is not copied: {}", shown(.path))]
    Special { what: Phrase, path: Vec<u8> },
    #[error("longer than {MOST_MADE} bytes, and the kernel does not say how long: {}", shown(.0))]
    Endless(Vec<u8>),
    #[error("the name is longer than 4095 bytes: {}", shown(.0.get(..80).unwrap_or_default()))]
    LongName(Vec<u8>),
}

impl PackError {
    /// What the kernel said, for an exit code.
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Self::Io { errno, .. } => Some(*errno),
            Self::LongName(_) | Self::Special { .. } | Self::Endless(_) => None,
        }
    }
}

/// Something that a packing went on past.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Told)]
pub enum Note {
    #[error("skipped {what}: {}", shown(.name))]
    Skipped { what: Phrase, name: Vec<u8> },
    #[error("file shrank by {by} bytes while it was read, padded with zeroes: {}", shown(.name))]
    Shrank { name: Vec<u8>, by: u64 },
}

impl Note {
    /// Whether what arrives is something that was never there.
    pub fn is_fault(&self) -> bool {
        matches!(self, Self::Shrank { .. })
    }
}

/// A directory that is being walked: the names still to come, last first, and how much of the path is its own.
struct Level {
    directory: Arc<OwnedFd>,
    names: Vec<Vec<u8>>,
    path: usize,
    device: u64,
}

enum State {
    Walking,
    Reading {
        file: OwnedFd,
        left: u64,
        size: u64,
        /// Whether the kernel may be asked to send its pages; it cannot from every file system.
        pages: bool,
    },
    /// A file that the kernel made as it was read.
    Made {
        text: Vec<u8>,
        given: usize,
    },
    /// A file that has become shorter than its header said.
    Zeroes {
        left: u64,
        size: u64,
        note: Note,
    },
    Done,
}

impl State {
    /// Whether a file's contents come next, and are worth a call of their own.
    fn is_bulk(&self) -> bool {
        matches!(self, Self::Reading { left, pages: true, .. } if *left >= BULK)
    }
}

/// Packs one file, link or whole directory.
pub struct Packer {
    state: State,
    levels: Vec<Level>,
    /// The name of the current member: that of the root, and below it the file system's.
    name: Vec<u8>,
    /// How the caller named what is packed, for messages; and how much of `name` that replaces.
    source: Vec<u8>,
    root: usize,
    /// Where files with several names were seen first.
    seen: HashMap<(u64, u64), Vec<u8>>,
    notes: Vec<Note>,
    pending: Vec<u8>,
    contents: u64,
}

impl Packer {
    /// Begins a packing of `path`, whose member is called `root`: `.` and `/` too, as Docker has it.
    ///
    /// The path's last component is not followed, unless it ends in `/` or `/.`.
    ///
    /// # Errors
    /// The path cannot be looked at or opened, is a device, a pipe or a socket, or `root` is longer than [`LONGEST_NAME`].
    pub fn open(path: &Path, root: &[u8]) -> Result<Self, PackError> {
        let mut packer = Self {
            state: State::Walking,
            levels: Vec::new(),
            name: root.to_vec(),
            source: path.as_os_str().as_bytes().to_vec(),
            root: root.len(),
            seen: HashMap::new(),
            notes: Vec::new(),
            pending: Vec::new(),
            contents: 0,
        };
        packer.member(fs::CWD, path.as_os_str().as_bytes(), None)?;
        Ok(packer)
    }

    /// Appends to `out` until it is as long as its capacity, or the archive ends; says whether there is more.
    ///
    /// # Errors
    /// A file or a directory that cannot be read, and a name that is longer than [`LONGEST_NAME`].
    pub fn fill(&mut self, out: &mut Vec<u8>) -> Result<bool, PackError> {
        self.fill_until(out, |_| false)
    }

    /// As [`Self::fill`], but stops before contents that [`Self::send`] should take: the two are called in turn.
    ///
    /// # Errors
    /// As [`Self::fill`].
    pub fn gather(&mut self, out: &mut Vec<u8>) -> Result<bool, PackError> {
        self.fill_until(out, State::is_bulk)
    }

    /// Sends contents that come next straight from their file to a pipe or a socket, if they are worth it.
    ///
    /// There are no errors here: what cannot be sent is left to be gathered, and then the file, or who writes, has the
    /// reason.
    pub fn send(&mut self, to: BorrowedFd<'_>) {
        if !self.state.is_bulk() {
            return;
        }
        let State::Reading { file, left, pages, .. } = &mut self.state else { return };
        match retry_on_intr(|| fs::sendfile(to, &*file, None, at_most(*left, SENT_AT_ONCE))) {
            Ok(sent) if sent > 0 => self.sent(wide(sent)),
            Ok(_) | Err(_) => *pages = false,
        }
    }

    fn fill_until(&mut self, out: &mut Vec<u8>, stop: fn(&State) -> bool) -> Result<bool, PackError> {
        out.append(&mut self.pending);
        loop {
            match &mut self.state {
                state if stop(state) => return Ok(true),
                State::Walking if out.capacity() - out.len() < HEADER_ROOM && !out.is_empty() => {
                    return Ok(true);
                }
                State::Walking => self.walk()?,
                State::Reading { .. } | State::Zeroes { .. } | State::Made { .. }
                    if out.len() == out.capacity() =>
                {
                    return Ok(true);
                }
                State::Reading { .. } => self.read(out)?,
                State::Made { text, given } => {
                    let left = text.get(*given..).unwrap_or_default();
                    let some = left.get(..out.capacity() - out.len()).unwrap_or(left);
                    out.extend_from_slice(some);
                    *given += some.len();
                    self.contents += wide(some.len());
                    if *given == text.len() {
                        write::pad(&mut self.pending, wide(text.len()));
                        self.state = State::Walking;
                    }
                }
                State::Zeroes { left, size, note } => {
                    let some = at_most(*left, out.capacity() - out.len());
                    out.resize(out.len() + some, 0);
                    *left -= wide(some);
                    if *left == 0 {
                        write::pad(&mut self.pending, *size);
                        tell(&mut self.pending, note);
                        self.state = State::Walking;
                    }
                }
                State::Done => return Ok(false),
            }
            out.append(&mut self.pending);
        }
    }

    /// Notes since the last time.
    pub fn notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.notes)
    }

    /// Bytes of files' contents so far.
    pub fn contents(&self) -> u64 {
        self.contents
    }

    /// Goes to the next member, or to the end mark.
    fn walk(&mut self) -> Result<(), PackError> {
        let Some(level) = self.levels.last_mut() else {
            write::end(&mut self.pending);
            self.state = State::Done;
            return Ok(());
        };
        let (directory, device) = (Arc::clone(&level.directory), level.device);
        self.name.truncate(level.path);
        match level.names.pop() {
            Some(last) => {
                join(&mut self.name, &last);
                self.member(directory.as_fd(), &last, Some(device))
            }
            None => {
                self.levels.pop();
                Ok(())
            }
        }
    }

    /// The next member. One below the first that is gone since its directory was read is no reason to stop.
    fn member(&mut self, parent: BorrowedFd<'_>, last: &[u8], device: Option<u64>) -> Result<(), PackError> {
        match self.found(parent, last, device) {
            Err(PackError::Io { errno: Errno::NOENT, .. }) if device.is_some() => {
                self.pass(phrase!("a file that is gone"));
                Ok(())
            }
            found => found,
        }
    }

    fn found(&mut self, parent: BorrowedFd<'_>, last: &[u8], device: Option<u64>) -> Result<(), PackError> {
        if self.name.len() > LONGEST_NAME {
            return Err(PackError::LongName(self.name.clone()));
        }
        let stat = fs::statat(parent, last, AtFlags::SYMLINK_NOFOLLOW).map_err(|errno| self.failed(errno))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => self.file(parent, last),
            FileType::Directory => self.directory(parent, last, device),
            FileType::Symlink => {
                let target = fs::readlinkat(parent, last, Vec::new()).map_err(|errno| self.failed(errno))?;
                self.header(Kind::Symlink, &stat, target.into_bytes(), 0)
            }
            FileType::Fifo => self.special(phrase!("a fifo"), device),
            FileType::Socket => self.special(phrase!("a socket"), device),
            FileType::CharacterDevice | FileType::BlockDevice => self.special(phrase!("a device"), device),
            FileType::Unknown => self.special(phrase!("a file of unknown kind"), device),
        }
    }

    fn file(&mut self, parent: BorrowedFd<'_>, last: &[u8]) -> Result<(), PackError> {
        // Not blocking: it may have become a fifo since it was looked at.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = fs::openat(parent, last, flags, Mode::empty()).map_err(|errno| self.failed(errno))?;
        let stat = fs::fstat(&file).map_err(|errno| self.failed(errno))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            self.pass(phrase!("a file that changed while it was read"));
            return Ok(());
        }
        if is_pseudo(&file) {
            return self.made(file, &stat);
        }
        if stat.st_nlink > 1 {
            match self.seen.entry((stat.st_dev, stat.st_ino)) {
                std::collections::hash_map::Entry::Occupied(first) => {
                    let first = first.get().clone();
                    return self.header(Kind::HardLink, &stat, first, 0);
                }
                std::collections::hash_map::Entry::Vacant(place) => {
                    place.insert(self.name.clone());
                }
            }
        }
        let size = u64::try_from(stat.st_size).unwrap_or_default();
        self.header(Kind::File, &stat, Vec::new(), size)?;
        if size > 0 {
            self.state = State::Reading { file, left: size, size, pages: true };
        }
        Ok(())
    }

    /// A file of `/proc` or `/sys` is as long as what is read of it, whatever its size says.
    fn made(&mut self, file: OwnedFd, stat: &Stat) -> Result<(), PackError> {
        let text = read_whole(file, MOST_MADE)
            .map_err(|error| self.failed(Errno::from_io_error(&error).unwrap_or(Errno::IO)))?
            .ok_or_else(|| PackError::Endless(self.path()))?;
        self.header(Kind::File, stat, Vec::new(), wide(text.len()))?;
        if !text.is_empty() {
            self.state = State::Made { text, given: 0 };
        }
        Ok(())
    }

    fn directory(
        &mut self,
        parent: BorrowedFd<'_>,
        last: &[u8],
        device: Option<u64>,
    ) -> Result<(), PackError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = fs::openat(parent, last, flags, Mode::empty()).map_err(|errno| self.failed(errno))?;
        let stat = fs::fstat(&directory).map_err(|errno| self.failed(errno))?;
        let path = self.name.len();
        // With their slash, as everybody writes directories; not the root of all, which is one already.
        if !self.name.ends_with(b"/") {
            self.name.push(b'/');
        }
        let result = self.header(Kind::Directory, &stat, Vec::new(), 0);
        self.name.truncate(path);
        result?;
        if device != Some(stat.st_dev) && is_pseudo(&directory) {
            self.pass(phrase!("the contents of a pseudo file system"));
            return Ok(());
        }
        let names = names(&directory).map_err(|errno| self.failed(errno))?;
        self.levels.push(Level { directory: Arc::new(directory), names, path, device: stat.st_dev });
        Ok(())
    }

    fn header(&mut self, kind: Kind, stat: &Stat, target: Vec<u8>, size: u64) -> Result<(), PackError> {
        // Whole seconds, as in Docker's archives.
        let mtime = Time { seconds: stat.st_mtime, nanoseconds: 0 };
        let mode = stat.st_mode & PERMISSIONS;
        let entry = Entry { kind, name: self.name.clone(), target, size, mode, mtime };
        write::header(&mut self.pending, &entry, Owner { uid: stat.st_uid, gid: stat.st_gid });
        Ok(())
    }

    /// Reads straight into the piece that is given away.
    fn read(&mut self, out: &mut Vec<u8>) -> Result<(), PackError> {
        let State::Reading { file, left, size, .. } = &mut self.state else { return Ok(()) };
        let before = out.len();
        let got = match rustix::io::read(&*file, rustix::buffer::spare_capacity(out)) {
            Ok(got) => got,
            Err(Errno::INTR) => return Ok(()),
            Err(errno) => return Err(self.failed(errno)),
        };
        // A file that has grown is as long as its header said.
        let some = at_most(*left, got);
        out.truncate(before + some);
        if got == 0 {
            let (left, size) = (*left, *size);
            let note = Note::Shrank { name: self.path(), by: left };
            self.notes.push(note.clone());
            self.state = State::Zeroes { left, size, note };
        } else {
            self.sent(wide(some));
        }
        Ok(())
    }

    /// Counts contents that have gone; after the last of them comes their padding.
    fn sent(&mut self, count: u64) {
        let State::Reading { left, size, .. } = &mut self.state else { return };
        *left = left.saturating_sub(count);
        self.contents += count;
        if *left == 0 {
            write::pad(&mut self.pending, *size);
            self.state = State::Walking;
        }
    }

    /// What is no file, directory or link: within a directory it is gone on past.
    fn special(&mut self, what: Phrase, device: Option<u64>) -> Result<(), PackError> {
        match device {
            None => Err(PackError::Special { what, path: self.path() }),
            Some(_) => {
                self.pass(what);
                Ok(())
            }
        }
    }

    fn pass(&mut self, what: Phrase) {
        let note = Note::Skipped { what, name: self.path() };
        tell(&mut self.pending, &note);
        self.notes.push(note);
    }

    fn failed(&self, errno: Errno) -> PackError {
        PackError::Io { path: self.path(), errno }
    }

    /// The current member as the caller would name it.
    fn path(&self) -> Vec<u8> {
        let below = self.name.get(self.root..).unwrap_or_default();
        let below = below.strip_prefix(b"/").unwrap_or(below);
        let mut path = self.source.clone();
        if !below.is_empty() {
            join(&mut path, below);
        }
        path
    }
}

/// What a file holds; none where that is more than so many bytes.
fn read_whole(file: OwnedFd, most: usize) -> std::io::Result<Option<Vec<u8>>> {
    let mut text = Vec::new();
    std::fs::File::from(file).take(wide(most) + 1).read_to_end(&mut text)?;
    Ok((text.len() <= most).then_some(text))
}

/// In the archive, a note reaches the one who unpacks. Only between two members.
fn tell(archive: &mut Vec<u8>, note: &Note) {
    write::note(archive, note.is_fault(), &note.to_string());
}

/// A directory's names, last first.
fn names(directory: &OwnedFd) -> Result<Vec<Vec<u8>>, Errno> {
    let mut names = Vec::new();
    for entry in fs::Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(name.to_vec());
        }
    }
    names.sort_unstable_by(|one, other| other.cmp(one));
    Ok(names)
}

/// Whether this lies on a file system that holds no files, but shows what the kernel knows.
fn is_pseudo(node: &OwnedFd) -> bool {
    const PROC: u64 = 0x9fa0;
    const SYS: u64 = 0x6265_6572;
    const CGROUP: u64 = 0x0027_e0eb;
    const CGROUP2: u64 = 0x6367_7270;
    const DEVPTS: u64 = 0x1cd1;
    const MQUEUE: u64 = 0x1980_0202;
    fs::fstatfs(node).is_ok_and(|system| {
        let kind = u64::try_from(system.f_type).unwrap_or_default();
        [PROC, SYS, CGROUP, CGROUP2, DEVPTS, MQUEUE].contains(&kind)
    })
}

#[cfg(test)]
mod tests;
