//! Rewrites an archive as it streams through: what comes out is ours, header by header, whatever went in.
//!
//! For containers that do not run: there the engine itself packs and unpacks, as root. So what it is given holds only
//! files, directories and links, all of one owner, without setuid bits, extended attributes or names that climb; and
//! it is never compressed, for the engine would run a program to undo that. A hard link leads to a file that the same
//! archive brought: to one of the image's it could take a device node out of a place that nobody reaches. Memory is
//! bounded: one header, and the hashes of the names of links and files that the archive made, up to a limit.

use crate::protocol::path::AskedPath;
use crate::protocol::told::{Phrase, Told};
use crate::tarball::entry::{Entry, Kind, Owner, PERMISSIONS};
use crate::tarball::name::{NameFault, clean};
use crate::tarball::read::{Event, Malformed, Reader, compression};
use crate::tarball::{shown, write};
use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

/// Why an archive is not passed on. What was passed on before is whole members only, but for the last one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Told)]
pub enum ArchiveError {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("{name}: {fault}")]
    Name { name: String, fault: NameFault },
    #[error("{name}: the link's target is not one inside the archive: {fault}")]
    HardLink { name: String, fault: NameFault },
    #[error("{0}: a link without a target")]
    NoTarget(String),
    #[error("{0}: the archive's root can only be a directory")]
    Root(String),
    #[error("{name}: {what} is not copied, only files, directories and links are")]
    Special { name: String, what: Phrase },
    #[error("{0}: not what was asked for")]
    Beside(String),
    #[error("{0}: the name leads through a link that came with the archive")]
    ThroughLink(String),
    #[error("{name}: the archive has more than {most} members")]
    TooMany { name: String, most: u64 },
    #[error("{name}: the archive holds more than {most} bytes")]
    TooLarge { name: String, most: u64 },
    #[error("{0}: the archive has too many symbolic links")]
    TooManyLinks(String),
    #[error(
        "{name}: a hard link leads to a file that the archive brought before, one of its first {most}; pack {target} as a file"
    )]
    NotBrought { name: String, target: String, most: usize },
}

/// The most that an archive may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub members: u64,
    /// Of contents, as the headers announce them: refused before they travel.
    pub bytes: u64,
    /// Symbolic links, which have to be remembered.
    pub links: usize,
    /// Files that a hard link may lead to, which are remembered. More may come.
    pub files: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { members: 10_000_000, bytes: 1 << 44, links: 1 << 17, files: 1 << 18 }
    }
}

/// Which way an archive goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// From a user into a container: anything odd is refused.
    In,
    /// From a container to a user: devices are left out.
    Out,
}

/// What every name begins with, as in the engine's own archives of such a path. Clients put the name of the place where
/// the copy arrives there.
fn beginning(path: &AskedPath) -> &'static [u8] {
    match path.base() {
        b"." => b"./",
        b"/" => b"/",
        _ => b"",
    }
}

/// Names, each as 128 bits of a hash that nobody outside can reckon: a tree of links costs little, whatever they are called.
#[derive(Debug, Default)]
struct Names {
    keys: [RandomState; 2],
    known: HashSet<[u64; 2]>,
}

impl Names {
    fn hashed(&self, name: &[u8]) -> [u64; 2] {
        self.keys.each_ref().map(|key| key.hash_one(name))
    }

    fn insert(&mut self, name: &[u8]) {
        self.known.insert(self.hashed(name));
    }

    fn remove(&mut self, name: &[u8]) {
        self.known.remove(&self.hashed(name));
    }

    fn contains(&self, name: &[u8]) -> bool {
        self.known.contains(&self.hashed(name))
    }
}

/// Rewrites one archive.
pub struct Rewriter {
    reader: Reader,
    way: Way,
    /// The component that every name begins with, where that is known.
    base: Option<Vec<u8>>,
    /// What is written before every name.
    beginning: &'static [u8],
    owner: Owner,
    limits: Limits,
    members: u64,
    bytes: u64,
    /// The current file's length, for the padding after it.
    size: u64,
    /// The symbolic links so far, where whoever made the archive may want them followed.
    links: Option<Names>,
    /// What is a file of the archive's own so far, where hard links to anything else are refused.
    files: Option<Names>,
}

impl Rewriter {
    /// For an archive that a user sends into a container; everything in it becomes the user's.
    pub fn inward(owner: Owner, limits: Limits) -> Self {
        Self::new(Way::In, owner, limits)
    }

    /// For an archive of this path that whatever runs in a container made: all its names begin with the path's last
    /// component, and none leads through a link of the archive's own. Docker's clients take both for granted, and would
    /// write what is beside it beside it, and through a link wherever it leads.
    pub fn outward_of(path: &AskedPath, owner: Owner, limits: Limits) -> Self {
        let whole = matches!(path.base(), b"." | b"/");
        let base = (!whole).then(|| path.base().to_vec());
        Self { base, links: Some(Names::default()), ..Self::outward(path, owner, limits) }
    }

    /// For an archive of this path that the engine made of a container's files: it has walked through them itself, so
    /// nothing in it leads through a link.
    pub fn outward(path: &AskedPath, owner: Owner, limits: Limits) -> Self {
        Self { beginning: beginning(path), ..Self::new(Way::Out, owner, limits) }
    }

    fn new(way: Way, owner: Owner, limits: Limits) -> Self {
        let names = || (way == Way::In).then(Names::default);
        let (reader, links, files) = (Reader::default(), names(), names());
        let (base, beginning) = (None, b"".as_slice());
        Self { reader, way, base, beginning, owner, limits, members: 0, bytes: 0, size: 0, links, files }
    }

    /// The contents that headers have announced so far, in bytes.
    pub fn announced(&self) -> u64 {
        self.bytes
    }

    /// Takes the next bytes, however many, and appends what becomes of them to `out`.
    ///
    /// After an error nothing more must be passed on, and the stream must be cut off rather than ended.
    ///
    /// # Errors
    /// What is no archive, a member that is not let through, more members or bytes than the limits have, and a fault that the
    /// sender tells of where the reader would not hear of it.
    pub fn push(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) -> Result<(), ArchiveError> {
        while let Some(event) = self.reader.next(&mut bytes)? {
            match event {
                Event::Entry(entry) => self.entry(entry, out)?,
                Event::Special { what, name, .. } if self.way == Way::In => {
                    return Err(ArchiveError::Special { name: shown(&name), what });
                }
                // Who reads what comes out knows nothing of notes: a break is the only word for a fault.
                Event::Note { is_fault: true, words } if self.way != Way::In => {
                    return Err(Malformed::Sender(words).into());
                }
                Event::Special { .. } | Event::Note { .. } | Event::End => {}
                Event::Data(data) => out.extend_from_slice(data),
                Event::Close => write::pad(out, self.size),
            }
        }
        Ok(())
    }

    /// Ends the archive, which must be whole.
    ///
    /// # Errors
    /// The archive is not whole.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), ArchiveError> {
        self.reader.finish()?;
        write::end(out);
        Ok(())
    }

    fn entry(&mut self, mut entry: Entry, out: &mut Vec<u8>) -> Result<(), ArchiveError> {
        self.count(&entry)?;
        let name = self.name(&entry)?;
        match entry.kind {
            Kind::Symlink => self.remember(&name, &entry)?,
            Kind::HardLink => entry.target = self.inside(&entry)?,
            Kind::File | Kind::Directory => {}
        }
        self.bring(&name, entry.kind);
        entry.name = self.dressed(&name, entry.kind == Kind::Directory);
        entry.mode &= PERMISSIONS;
        self.size = entry.size;
        write::header(out, &entry, self.owner);
        Ok(())
    }

    fn count(&mut self, entry: &Entry) -> Result<(), ArchiveError> {
        self.members += 1;
        self.bytes = self.bytes.saturating_add(entry.size);
        let Limits { members, bytes, .. } = self.limits;
        if self.members > members {
            return Err(ArchiveError::TooMany { name: shown(&entry.name), most: members });
        }
        if self.bytes > bytes {
            return Err(ArchiveError::TooLarge { name: shown(&entry.name), most: bytes });
        }
        Ok(())
    }

    /// The clean name of a member that may have it.
    fn name(&self, entry: &Entry) -> Result<Vec<u8>, ArchiveError> {
        let fault = |fault| ArchiveError::Name { name: shown(&entry.name), fault };
        let name = clean(&entry.name).map_err(fault)?;
        if name.is_empty() && entry.kind != Kind::Directory {
            return Err(ArchiveError::Root(shown(&entry.name)));
        }
        if self.leads_through_link(&name) {
            return Err(ArchiveError::ThroughLink(shown(&entry.name)));
        }
        if !self.is_asked_for(&name) {
            return Err(ArchiveError::Beside(shown(&entry.name)));
        }
        Ok(name)
    }

    fn is_asked_for(&self, name: &[u8]) -> bool {
        let Some(base) = &self.base else { return true };
        name.strip_prefix(base.as_slice()).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
    }

    /// A hard link's target: another member's name.
    fn inside(&self, entry: &Entry) -> Result<Vec<u8>, ArchiveError> {
        let fault = |fault| ArchiveError::HardLink { name: shown(&entry.name), fault };
        let target = clean(&entry.target).map_err(fault)?;
        if target.is_empty() {
            return Err(ArchiveError::NoTarget(shown(&entry.name)));
        }
        // To a link itself, too: its other name would not be remembered.
        if self.links.as_ref().is_some_and(|links| links.contains(&target))
            || self.leads_through_link(&target)
        {
            return Err(ArchiveError::ThroughLink(shown(&entry.name)));
        }
        if !self.is_asked_for(&target) {
            return Err(ArchiveError::Beside(shown(&entry.name)));
        }
        if self.files.as_ref().is_some_and(|files| !files.contains(&target)) {
            let (name, target) = (shown(&entry.name), shown(&entry.target));
            return Err(ArchiveError::NotBrought { name, target, most: self.limits.files });
        }
        Ok(self.dressed(&target, false))
    }

    /// Keeps the name of a file, which another name of one is too; what else it becomes, it is a file no more.
    fn bring(&mut self, name: &[u8], kind: Kind) {
        let Some(files) = &mut self.files else { return };
        match kind {
            Kind::File | Kind::HardLink if files.known.len() < self.limits.files => files.insert(name),
            Kind::File | Kind::HardLink => {}
            Kind::Directory | Kind::Symlink => files.remove(name),
        }
    }

    /// Keeps a symbolic link's name, for whatever would lead through it.
    fn remember(&mut self, name: &[u8], entry: &Entry) -> Result<(), ArchiveError> {
        if entry.target.is_empty() {
            return Err(ArchiveError::NoTarget(shown(&entry.name)));
        }
        let Some(links) = &mut self.links else { return Ok(()) };
        links.insert(name);
        if links.known.len() > self.limits.links {
            return Err(ArchiveError::TooManyLinks(shown(&entry.name)));
        }
        Ok(())
    }

    /// Whether a directory on the way to `name` is a link of this archive.
    fn leads_through_link(&self, name: &[u8]) -> bool {
        let Some(links) = self.links.as_ref().filter(|links| !links.known.is_empty()) else { return false };
        let slashes = name.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        slashes.filter_map(|(at, _)| name.get(..at)).any(|part| links.contains(part))
    }

    /// The name as it is written: directories end in `/`.
    fn dressed(&self, name: &[u8], directory: bool) -> Vec<u8> {
        let beginning = match self.beginning {
            // A first member called `BZh…` would be taken for the beginning of all that is bzip2's.
            b"" if name.is_empty() || compression(name).is_some() => b"./",
            beginning => beginning,
        };
        let mut dressed = [beginning, name].concat();
        if directory && !dressed.ends_with(b"/") {
            dressed.push(b'/');
        }
        dressed
    }
}

#[cfg(test)]
mod tests;
