//! Unpacking: an archive's bytes go in as they come, its members are placed below one directory.

use super::destination::{Destination, Fault, Unnamed};
pub use super::destination::{Links, Replace};
use super::entry::{Entry, Kind, Time};
use super::name::{NameFault, Root, clean};
use super::note::Notes;
use super::pass::{Pass, Turn};
use super::read::{Event, Malformed, Reader};
use super::reason::{reason, shown};
use super::{at_most, wide};
use crate::protocol::told::{Phrase, Told};
use rustix::io::Errno;
use std::os::fd::{BorrowedFd, OwnedFd};

/// From so many bytes on, contents go from a pipe to their file without passing through this program's memory.
const BULK: u64 = 64 * 1024;
/// How many bytes of them at once: what the widest pipe holds.
const DRAWN_AT_ONCE: usize = 1 << 20;

/// What an unpacking allows. No rule lets a member leave the directory, be a device, or be setuid.
#[derive(Debug, Clone)]
pub struct Rules {
    pub links: Links,
    pub replace: Replace,
    /// What all names must begin with, and what stands there instead.
    pub root: Root,
}

/// Why an unpacking stopped. Members before it are there, whole; the one it stopped at is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Told)]
pub enum UnpackError {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("{name}: {fault}")]
    Name { name: String, fault: NameFault },
    #[error("{0}: not what was asked for")]
    NotAsked(String),
    #[error("{name}: {what} is not copied, only files, directories and links are")]
    Special { name: String, what: Phrase },
    #[error("{0}: the name leads out of the destination, or through a link")]
    Outside(String),
    #[error("{0}: a hard link to a file that did not come with the archive")]
    HardLink(String),
    #[error("cannot overwrite a directory with something else: {0}")]
    OverDirectory(String),
    #[error("cannot overwrite something else with a directory: {0}")]
    OverFile(String),
    #[error("{}: {name}", reason(*.errno))]
    Io { name: String, errno: Errno },
}

impl UnpackError {
    fn place(fault: Fault, name: &[u8]) -> Self {
        let name = shown(name);
        match fault {
            Fault::Kernel(errno) => Self::Io { name, errno },
            Fault::DirectoryInTheWay => Self::OverDirectory(name),
            Fault::NotADirectory => Self::OverFile(name),
            Fault::Outside => Self::Outside(name),
            Fault::NotFromHere => Self::HardLink(name),
        }
    }

    /// What the kernel said, for an exit code.
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Self::Io { errno, .. } => Some(*errno),
            _ => None,
        }
    }
}

/// A file that is being received.
struct Receiving {
    file: Unnamed,
    name: Vec<u8>,
    mode: u32,
    mtime: Time,
}

/// A directory that was made here, to be settled when everything is in it.
struct Fresh {
    name: Vec<u8>,
    mode: u32,
    mtime: Time,
}

/// Unpacks one archive.
pub struct Unpacker {
    reader: Reader,
    place: Destination,
    rules: Rules,
    receiving: Option<Receiving>,
    fresh: Vec<Fresh>,
    contents: u64,
    notes: Notes,
    /// For contents out of a socket.
    pass: Option<Pass>,
}

impl Unpacker {
    /// Unpacks below `directory`, an open directory.
    pub fn new(directory: OwnedFd, rules: Rules) -> Self {
        Self {
            reader: Reader::default(),
            place: Destination::new(directory, rules.links, rules.replace),
            rules,
            receiving: None,
            fresh: Vec::new(),
            contents: 0,
            notes: Notes::default(),
            pass: None,
        }
    }

    /// Takes the archive's next bytes, however many.
    ///
    /// # Errors
    /// What is no archive, a member that the rules refuse, and a file that cannot be made or written. Unpacking ends there.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<(), UnpackError> {
        while let Some(event) = self.reader.next(&mut bytes)? {
            match event {
                Event::Entry(entry) => self.entry(&entry)?,
                Event::Special { what, name, .. } => {
                    return Err(UnpackError::Special { name: shown(&name), what });
                }
                Event::Note { is_fault, words } => self.notes.add(is_fault, words),
                Event::Data(data) => self.data(data)?,
                Event::Close => self.close()?,
                Event::End => {}
            }
        }
        Ok(())
    }

    /// Takes contents that come next straight from a pipe or a socket into their file, if there is much of them.
    ///
    /// There are no errors of the other side's and of the file's here: whoever reads and pushes the rest has the reason.
    ///
    /// # Errors
    /// As [`Self::push`], for what follows the contents.
    pub fn draw(&mut self, from: BorrowedFd<'_>) -> Result<(), UnpackError> {
        while self.reader.contents_left() >= BULK
            && let Some(Receiving { file, .. }) = &self.receiving
        {
            let most = at_most(self.reader.contents_left(), DRAWN_AT_ONCE);
            let Turn { moved, rest } = match file.draw(from, most) {
                Ok(moved) => Turn { moved, rest: Vec::new() },
                // Only pipes go straight into a file.
                Err(Errno::INVAL) => match self.through_a_pipe(from, most) {
                    Some(turn) => turn,
                    None => break,
                },
                Err(_) => break,
            };
            self.reader.pass_over(wide(moved));
            self.contents += wide(moved);
            self.push(&rest)?;
            if moved == 0 {
                break;
            }
        }
        // What was drawn may have been the file's last.
        self.push(&[])
    }

    fn through_a_pipe(&mut self, from: BorrowedFd<'_>, most: usize) -> Option<Turn> {
        if self.pass.is_none() {
            self.pass = Pass::open(DRAWN_AT_ONCE).ok();
        }
        let file = &self.receiving.as_ref()?.file;
        self.pass.as_ref()?.turn(from, file, most).ok()
    }

    /// Ends the unpacking; the archive must be whole. Says how many bytes of contents were in it.
    ///
    /// # Errors
    /// The archive is not whole, or a directory cannot be given its mode and time.
    pub fn finish(self) -> Result<u64, UnpackError> {
        self.reader.finish()?;
        // From the inside out: an outer one may then be closed to us.
        for fresh in self.fresh.iter().rev() {
            let settled = self.place.settle(&fresh.name, fresh.mode, fresh.mtime);
            settled.map_err(|fault| UnpackError::place(fault, &fresh.name))?;
        }
        Ok(self.contents)
    }

    /// What the packer went on past, so far.
    pub fn notes(&self) -> &Notes {
        &self.notes
    }

    /// Bytes of contents so far.
    pub fn contents(&self) -> u64 {
        self.contents
    }

    fn entry(&mut self, entry: &Entry) -> Result<(), UnpackError> {
        let name = self.name(&entry.name)?;
        if name.is_empty() {
            // The destination itself: it is there, and stays as it is.
            let directory = entry.kind == Kind::Directory;
            return if directory { Ok(()) } else { Err(UnpackError::OverDirectory(shown(&entry.name))) };
        }
        let (mode, mtime) = (entry.mode, entry.mtime);
        let placed = match entry.kind {
            Kind::File => self.place.file(&name).and_then(|file| {
                file.reserve(entry.size)?;
                self.receiving = Some(Receiving { file, name: name.clone(), mode, mtime });
                Ok(())
            }),
            Kind::Directory => self.place.directory(&name, mode).map(|new| {
                if new {
                    self.fresh.push(Fresh { name: name.clone(), mode, mtime });
                }
            }),
            Kind::Symlink => self.place.symlink(&name, &entry.target, mtime),
            Kind::HardLink => {
                let target = self.name(&entry.target)?;
                self.place.hard_link(&name, &target)
            }
        };
        placed.map_err(|fault| UnpackError::place(fault, &name))
    }

    fn data(&mut self, data: &[u8]) -> Result<(), UnpackError> {
        let Some(receiving) = &self.receiving else { return Ok(()) };
        self.contents += wide(data.len());
        receiving.file.write(data).map_err(|fault| UnpackError::place(fault, &receiving.name))
    }

    fn close(&mut self) -> Result<(), UnpackError> {
        let Some(Receiving { file, name, mode, mtime }) = self.receiving.take() else { return Ok(()) };
        self.place.finish(file, mode, mtime).map_err(|fault| UnpackError::place(fault, &name))
    }

    /// A name in the archive as one below the directory.
    fn name(&self, raw: &[u8]) -> Result<Vec<u8>, UnpackError> {
        let name = clean(raw).map_err(|fault| UnpackError::Name { name: shown(raw), fault })?;
        self.rules.root.rename(&name).ok_or_else(|| UnpackError::NotAsked(shown(raw)))
    }
}
