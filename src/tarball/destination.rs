//! Placing members below one directory: whole or not at all, and never outside it.

use super::entry::{PERMISSIONS, Time};
use super::name::{join, split};
use super::wide;
use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat, Timespec, Timestamps};
use rustix::io::{Errno, retry_on_intr};
use rustix::pipe::{SpliceFlags, splice};
use std::collections::HashSet;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// Whether links that lie below the directory already are walked through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    Never,
    /// As long as they stay below the directory.
    Beneath,
}

/// Whether a directory may give way to something else, and something else to a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replace {
    /// Only like by like, as `docker cp` asks.
    SameKind,
    /// Also an empty directory by a file, and a file by a directory. A directory with contents is never removed.
    AnyKind,
}

/// Why a member could not be placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Kernel(Errno),
    DirectoryInTheWay,
    NotADirectory,
    /// A path that would leave the directory, or walk through a link.
    Outside,
    NotFromHere,
}

impl From<Errno> for Fault {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::XDEV | Errno::LOOP => Self::Outside,
            errno => Self::Kernel(errno),
        }
    }
}

/// The directory that members are placed below.
pub(super) struct Destination {
    root: Arc<OwnedFd>,
    resolve: ResolveFlags,
    replace: Replace,
    /// The directory of the last member: most of the next ones lie there too.
    last: Option<(Vec<u8>, Arc<OwnedFd>)>,
    /// Files made here, by device and inode: the only ones that a hard link may join.
    made: HashSet<(u64, u64)>,
    nameless: bool,
}

impl Destination {
    pub(super) fn new(root: OwnedFd, links: Links, replace: Replace) -> Self {
        let resolve = match links {
            Links::Never => ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS,
            // Below the root of all everything is beneath, and a link that begins with `/` begins there.
            Links::Beneath if is_root(&root) => ResolveFlags::IN_ROOT,
            Links::Beneath => ResolveFlags::BENEATH,
        } | ResolveFlags::NO_MAGICLINKS;
        // A nameless file gets its name through /proc; where that is missing, files have a temporary name.
        let nameless = fs::statat(fs::CWD, "/proc/self/fd", AtFlags::empty()).is_ok();
        Self { root: Arc::new(root), resolve, replace, last: None, made: HashSet::new(), nameless }
    }

    /// Begins a file: it has no name until it is whole.
    pub(super) fn file(&mut self, name: &[u8]) -> Result<Unnamed, Fault> {
        let (parent, last) = self.parent(name)?;
        let there = self.make_way(&parent, &last)?;
        let (file, temporary) = unnamed(&parent, self.nameless)?;
        Ok(Unnamed { file, parent, name: last, temporary, there })
    }

    /// Gives a whole file its name.
    pub(super) fn finish(&mut self, mut file: Unnamed, mode: u32, mtime: Time) -> Result<(), Fault> {
        fs::fchmod(&file.file, Mode::from_raw_mode(mode & PERMISSIONS))?;
        fs::futimens(&file.file, &times(mtime))?;
        let stat = fs::fstat(&file.file)?;
        file.publish()?;
        self.made.insert((stat.st_dev, stat.st_ino));
        Ok(())
    }

    /// Makes a directory; says whether it is new. One that is there stays as it is.
    pub(super) fn directory(&mut self, name: &[u8], mode: u32) -> Result<bool, Fault> {
        let (parent, last) = self.parent(name)?;
        let mode = Mode::from_raw_mode(mode & PERMISSIONS) | Mode::RWXU;
        match fs::mkdirat(&*parent, last.as_slice(), mode) {
            Ok(()) => return Ok(true),
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno.into()),
        }
        if let Some(stat) = stat(&parent, &last)?
            && !is_directory(&stat)
        {
            if self.replace == Replace::SameKind {
                return Err(Fault::NotADirectory);
            }
            fs::unlinkat(&*parent, last.as_slice(), AtFlags::empty())?;
            fs::mkdirat(&*parent, last.as_slice(), mode)?;
            return Ok(true);
        }
        Ok(false)
    }

    /// Sets what a new directory keeps once everything is in it.
    pub(super) fn settle(&self, name: &[u8], mode: u32, mtime: Time) -> Result<(), Fault> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = fs::openat2(&*self.root, name, flags, Mode::empty(), self.resolve)?;
        fs::fchmod(&directory, Mode::from_raw_mode(mode & PERMISSIONS))?;
        fs::futimens(&directory, &times(mtime))?;
        Ok(())
    }

    pub(super) fn symlink(&mut self, name: &[u8], target: &[u8], mtime: Time) -> Result<(), Fault> {
        let (parent, last) = self.parent(name)?;
        self.make_way(&parent, &last)?;
        put(&parent, &last, |name| fs::symlinkat(target, &*parent, name))?;
        Ok(fs::utimensat(&*parent, last.as_slice(), &times(mtime), AtFlags::SYMLINK_NOFOLLOW)?)
    }

    pub(super) fn hard_link(&mut self, name: &[u8], target: &[u8]) -> Result<(), Fault> {
        let (from, from_last) = self.parent(target)?;
        let found = stat(&from, &from_last)?.ok_or(Fault::Kernel(Errno::NOENT))?;
        if is_directory(&found) || !self.made.contains(&(found.st_dev, found.st_ino)) {
            return Err(Fault::NotFromHere);
        }
        let (parent, last) = self.parent(name)?;
        self.make_way(&parent, &last)?;
        put(&parent, &last, |name| fs::linkat(&*from, from_last.as_slice(), &*parent, name, AtFlags::empty()))
    }

    /// The directory a member lies in, made if it is missing, and the member's last component.
    fn parent(&mut self, name: &[u8]) -> Result<(Arc<OwnedFd>, Vec<u8>), Fault> {
        let (directory, last) = split(name);
        let last = last.to_vec();
        if directory.is_empty() {
            return Ok((Arc::clone(&self.root), last));
        }
        if let Some((known, fd)) = &self.last
            && known == directory
        {
            return Ok((Arc::clone(fd), last));
        }
        let fd = match self.open(directory) {
            Err(Fault::Kernel(Errno::NOENT)) => self.make_all(directory)?,
            other => other?,
        };
        let fd = Arc::new(fd);
        self.last = Some((directory.to_vec(), Arc::clone(&fd)));
        Ok((fd, last))
    }

    fn open(&self, directory: &[u8]) -> Result<OwnedFd, Fault> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(fs::openat2(&*self.root, directory, flags, Mode::empty(), self.resolve)?)
    }

    /// Directories that the archive does not name, as Docker and tar make them.
    fn make_all(&self, directory: &[u8]) -> Result<OwnedFd, Fault> {
        let mut path = Vec::with_capacity(directory.len());
        let mut parent = None;
        for part in directory.split(|byte| *byte == b'/') {
            let at: BorrowedFd<'_> = parent.as_ref().map_or(self.root.as_fd(), OwnedFd::as_fd);
            match fs::mkdirat(at, part, Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno.into()),
            }
            join(&mut path, part);
            parent = Some(self.open(&path)?);
        }
        parent.ok_or(Fault::Kernel(Errno::INVAL))
    }

    /// Looks at what has the name already, and removes an empty directory if it may; says whether something is there.
    fn make_way(&mut self, parent: &OwnedFd, last: &[u8]) -> Result<bool, Fault> {
        match stat(parent, last)? {
            None => Ok(false),
            Some(stat) if !is_directory(&stat) => Ok(true),
            Some(_) if self.replace == Replace::SameKind => Err(Fault::DirectoryInTheWay),
            Some(_) => {
                self.last = None;
                fs::unlinkat(parent, last, AtFlags::REMOVEDIR)?;
                Ok(false)
            }
        }
    }
}

/// A file that is being written and has no name yet. Dropped, or its process killed, it is gone.
pub(super) struct Unnamed {
    file: OwnedFd,
    parent: Arc<OwnedFd>,
    name: Vec<u8>,
    /// Where the file system has no nameless files: the name it has meanwhile.
    temporary: Option<Vec<u8>>,
    there: bool,
}

impl Unnamed {
    pub(super) fn write(&self, mut data: &[u8]) -> Result<(), Fault> {
        while !data.is_empty() {
            match rustix::io::write(&self.file, data) {
                Ok(0) => return Err(Fault::Kernel(Errno::NOSPC)),
                Ok(written) => data = data.get(written..).unwrap_or_default(),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }

    /// Moves bytes from a pipe to the file's end; says how many.
    pub(super) fn draw(&self, pipe: BorrowedFd<'_>, most: usize) -> Result<usize, Errno> {
        retry_on_intr(|| splice(pipe, None, &self.file, None, most, SpliceFlags::MOVE))
    }

    /// Takes the room on the disk beforehand, so that a full disk says so before bytes have travelled.
    pub(super) fn reserve(&self, size: u64) -> Result<(), Fault> {
        if size < wide(super::CHUNK) {
            return Ok(());
        }
        match fs::fallocate(&self.file, fs::FallocateFlags::KEEP_SIZE, 0, size) {
            Err(errno @ (Errno::NOSPC | Errno::DQUOT | Errno::FBIG)) => Err(errno.into()),
            _ => Ok(()),
        }
    }

    fn publish(&mut self) -> Result<(), Fault> {
        if let Some(temporary) = self.temporary.take() {
            let result =
                fs::renameat(&*self.parent, temporary.as_slice(), &*self.parent, self.name.as_slice());
            if result.is_err() {
                self.temporary = Some(temporary);
            }
            return Ok(result?);
        }
        let link = |name: &[u8]| {
            let path = format!("/proc/self/fd/{}", self.file.as_raw_fd());
            fs::linkat(fs::CWD, path, &*self.parent, name, AtFlags::SYMLINK_FOLLOW)
        };
        if self.there { replace(&self.parent, &self.name, link) } else { put(&self.parent, &self.name, link) }
    }
}

impl Drop for Unnamed {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            let _ = fs::unlinkat(&*self.parent, temporary.as_slice(), AtFlags::empty());
        }
    }
}

/// Opens a file without a name, or with a temporary one.
fn unnamed(parent: &OwnedFd, nameless: bool) -> Result<(OwnedFd, Option<Vec<u8>>), Fault> {
    let mode = Mode::RUSR | Mode::WUSR;
    if nameless {
        let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
        match fs::openat(parent, ".", flags, mode) {
            Ok(file) => return Ok((file, None)),
            // The file system, or the kernel under it, has no such thing.
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOENT) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    let name = temporary()?;
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = fs::openat(parent, name.as_slice(), flags, mode)?;
    Ok((file, Some(name)))
}

/// Makes something under its name, or, where that is taken, under a temporary name that then replaces it.
fn put(parent: &OwnedFd, name: &[u8], make: impl Fn(&[u8]) -> Result<(), Errno>) -> Result<(), Fault> {
    match make(name) {
        Err(Errno::EXIST) => replace(parent, name, make),
        other => Ok(other?),
    }
}

fn replace(parent: &OwnedFd, name: &[u8], make: impl Fn(&[u8]) -> Result<(), Errno>) -> Result<(), Fault> {
    let temporary = temporary()?;
    make(&temporary)?;
    let renamed = fs::renameat(parent, temporary.as_slice(), parent, name);
    // Renaming one name of a file over another one of it leaves both.
    let _ = fs::unlinkat(parent, temporary.as_slice(), AtFlags::empty());
    Ok(renamed?)
}

fn temporary() -> Result<Vec<u8>, Fault> {
    let mut bytes = [0; 8];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
    Ok(format!(".ie-copy.{:016x}", u64::from_ne_bytes(bytes)).into_bytes())
}

fn stat(parent: &OwnedFd, last: &[u8]) -> Result<Option<Stat>, Fault> {
    match fs::statat(parent, last, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

fn is_directory(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}

fn is_root(directory: &OwnedFd) -> bool {
    let same = |here: Stat, root: Stat| (here.st_dev, here.st_ino) == (root.st_dev, root.st_ino);
    fs::fstat(directory).and_then(|here| Ok(same(here, fs::stat("/")?))).unwrap_or(false)
}

fn times(mtime: Time) -> Timestamps {
    let last_access = Timespec { tv_sec: 0, tv_nsec: fs::UTIME_NOW };
    let nanoseconds = mtime.nanoseconds.min(999_999_999);
    Timestamps {
        last_access,
        last_modification: Timespec { tv_sec: mtime.seconds, tv_nsec: nanoseconds.into() },
    }
}

#[cfg(test)]
mod tests;
