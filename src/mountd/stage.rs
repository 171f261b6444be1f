//! The stages: made, confirmed and taken away, each a directory of root's that exists only while it is mounted.
//!
//! `stage/<token>` is a tiny read-only tmpfs, the wrapper, and in it `d` is the user's directory, or `f` the user's file.
//! An engine that does not receive our mounts sees an empty `stage/<token>` without either, so binding fails there, where
//! it would otherwise bind an empty directory in silence. So it does where a file has become a directory.
//!
//! Docker resolves the source of a bind again at each start, as root. So no path that a user can change is ever given
//! to Docker: the engine binds a stage. A stage is a clone (`open_tree`) of the directory's mount: nosuid, nodev and
//! idmapped, moved below a directory of root's.
//!
//! The engine itself thus proves at each create and start that it sees the stage. So ie-mountd needs no CAP_SYS_PTRACE
//! to look into the engine's table of mounts.
//!
//! Stages go when their container ends or is removed, and a start makes them again.

use super::error::Error;
use super::open::{Opened, open_roots_alone};
use super::roots::Admitted;
use crate::mountinfo::{Mount, mounts};
use crate::protocol::stage::{Access, Place, Shape, Token};
use crate::sys::mount_setattr;
use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags, mkdirat, openat, openat2, unlinkat};
use rustix::io::Errno;
use rustix::mount as mnt;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags};
use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The user's directory in the wrapper.
const DIRECTORY: &str = "d";
/// The user's file in the wrapper.
const FILE: &str = "f";
/// What was staged for whom, in the wrapper, written before it becomes read-only.
const NOTE: &str = "note";
/// The note of a stage that nobody's directory is in.
const HOLLOW: &str = "hollow\n";
/// Longer than a child needs to become its own program.
const CHILDS_BEGINNING: Duration = Duration::from_secs(5);

/// The stages below one directory.
#[derive(Debug)]
pub(super) struct Stages {
    dir: OwnedFd,
    path: PathBuf,
    turn: Mutex<()>,
}

impl Stages {
    /// Makes the directory of the stages; `path` and all above it must be root's alone.
    pub(super) fn below(path: &Path) -> Result<Self, Error> {
        let making = Error::system(format!("making {}", path.display()));
        match rustix::fs::mkdir(path, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(making(errno)),
        }
        let dir = open_roots_alone(path)?;
        // Of an older version, or made by hand: nobody but root walks through it.
        rustix::fs::chmod(path, Mode::RWXU).map_err(Error::system("closing the directory of the stages"))?;
        Ok(Self { dir, path: path.to_owned(), turn: Mutex::new(()) })
    }

    /// Makes the stage, or confirms that it is there as it must be. The path holds what is the user's, and nothing else.
    pub(super) fn stage(&self, token: &Token, wish: &Wish) -> Result<Made, Error> {
        let _turn = self.turn();
        let path = self.path.join(token.as_str()).join(wish.name());
        if self.is_confirmed(token, wish)? {
            return Ok(Made { path, anew: false });
        }
        self.take_away(token)?;
        let made = self.make(token, wish).and_then(|()| self.is_confirmed(token, wish));
        match made {
            Ok(true) => Ok(Made { path, anew: true }),
            // The kernel's table has the last word: what it does not show is not handed out.
            Ok(false) => Err(self.undone(token, Error::system("confirming the stage")(Errno::STALE))),
            Err(error) => Err(self.undone(token, error)),
        }
    }

    /// An empty stage in the place of whatever is there, which has both a directory and a file. Only a wrapper: no wish is
    /// ever confirmed by it.
    pub(super) fn hollow(&self, token: &Token, inside: &[Place]) -> Result<PathBuf, Error> {
        let _turn = self.turn();
        self.take_away(token)?;
        let both = [Shape::Directory, Shape::File];
        self.wrap(token, HOLLOW, &both, inside).map_err(|error| self.undone(token, error))?;
        Ok(self.path.join(token.as_str()).join(DIRECTORY))
    }

    /// Takes a stage away; false where there was none.
    pub(super) fn unstage(&self, token: &Token) -> Result<bool, Error> {
        let _turn = self.turn();
        self.take_away(token)
    }

    /// Takes every stage away but those named, and counts.
    pub(super) fn keep(&self, tokens: &[Token]) -> Result<usize, Error> {
        let kept: BTreeSet<&Token> = tokens.iter().collect();
        let _turn = self.turn();
        let mut count = 0;
        for entry in std::fs::read_dir(&self.path).map_err(Error::system("listing the stages"))? {
            let name = entry.map_err(Error::system("listing the stages"))?.file_name();
            let token = name.into_string().ok().and_then(|name| Token::try_from(name).ok());
            if let Some(token) = token.filter(|token| !kept.contains(token)) {
                count += usize::from(self.take_away(&token)?);
            }
        }
        Ok(count)
    }

    /// Mounts are made one request at a time: a stage is looked at and changed as one step.
    fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether exactly the wrapper and what is the user's are mounted, with the flags they must have, and the wrapper's
    /// note says that they were made for this wish. What is the user's is not touched: its server may be dead.
    fn is_confirmed(&self, token: &Token, wish: &Wish) -> Result<bool, Error> {
        let at = self.path.join(token.as_str());
        let table = mounts().map_err(Error::system("reading the table of mounts"))?;
        let here: Vec<&Mount> = table.iter().filter(|mount| mount.at.starts_with(&at)).collect();
        let only = |path: &Path| here.iter().find(|mount| mount.at == path).filter(|_| here.len() == 2);
        let (Some(wrapper), Some(inner)) = (only(&at), only(&at.join(wish.name()))) else {
            return Ok(false);
        };
        if inner.parent != wrapper.id || !is_wrapper(wrapper) || !wish.is_met_by(inner) {
            return Ok(false);
        }
        Ok(read_note(&self.open_wrapper(token)?).is_ok_and(|note| note == wish.note()))
    }

    /// Everything the file system may object to comes first, while nothing can be seen of it.
    fn make(&self, token: &Token, wish: &Wish) -> Result<(), Error> {
        let tree = wish.tree()?;
        self.wrap(token, &wish.note(), &[wish.opened.shape], &[])?;
        attach(&tree, &self.open_wrapper(token)?, wish.name()).map_err(Error::system("mounting the stage"))
    }

    /// The wrapper alone, with something empty of each shape in it.
    fn wrap(&self, token: &Token, note: &str, shapes: &[Shape], inside: &[Place]) -> Result<(), Error> {
        let wrapper =
            make_wrapper(note, shapes, inside).map_err(Error::system("making the stage's wrapper"))?;
        let failed = || Error::system("mounting the stage");
        mkdirat(&self.dir, token.as_str(), Mode::RWXU).map_err(failed())?;
        attach(&wrapper, &self.dir, token.as_str()).map_err(failed())
    }

    fn open_wrapper(&self, token: &Token) -> Result<OwnedFd, Error> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        let opened = openat2(&self.dir, token.as_str(), flags, Mode::empty(), resolve);
        opened.map_err(Error::system("opening the stage"))
    }

    /// Detaches all that is mounted there, half-made stages too, and removes the directory.
    fn take_away(&self, token: &Token) -> Result<bool, Error> {
        let at = self.path.join(token.as_str());
        let failed = || Error::system("taking the stage away");
        loop {
            match mnt::unmount(&at, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW) {
                Ok(()) => {}
                // Not a mount, or not there.
                Err(Errno::INVAL | Errno::NOENT) => break,
                Err(errno) => return Err(failed()(errno)),
            }
        }
        match unlinkat(&self.dir, token.as_str(), AtFlags::REMOVEDIR) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(failed()(errno)),
        }
    }

    /// Leaves nothing of a stage that could not be made; the first error is the one to tell.
    fn undone(&self, token: &Token, error: Error) -> Error {
        let _ = self.take_away(token);
        error
    }
}

/// A stage that is there.
#[derive(Debug)]
pub(super) struct Made {
    /// What to bind.
    pub(super) path: PathBuf,
    /// False when it was there already.
    pub(super) anew: bool,
}

/// What a stage is to be: something open, for whom, and the ids to map.
pub(super) struct Wish<'a> {
    pub(super) ask: &'a Admitted,
    pub(super) opened: &'a Opened,
    /// The user namespace to idmap by; none only where the policy says `idmap = "off"`.
    pub(super) map: Option<BorrowedFd<'a>>,
}

impl Wish<'_> {
    /// What it is called in the wrapper.
    fn name(&self) -> &'static str {
        name(self.opened.shape)
    }

    /// All that tells one stage from another. What is under a mount keeps its inode, so its number is not reused.
    fn note(&self) -> String {
        let gids: BTreeSet<&u32> = self.ask.gids().iter().collect();
        let Opened { device, inode, .. } = self.opened;
        format!(
            "device {device} inode {inode} uid {} gids {gids:?} {:?} {:?}\n",
            self.ask.uid(),
            self.ask.access(),
            self.ask.map()
        )
    }

    fn attributes(&self) -> MountAttrFlags {
        let always = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
        match self.ask.access() {
            Access::ReadOnly => always | MountAttrFlags::MOUNT_ATTR_RDONLY,
            Access::ReadWrite => always,
        }
    }

    fn is_met_by(&self, mount: &Mount) -> bool {
        mount.has("nosuid")
            && mount.has("nodev")
            && mount.has("idmapped") == self.map.is_some()
            && (self.ask.access() == Access::ReadWrite || mount.has("ro"))
    }

    /// A clone of the mount of what is open, seen nowhere yet. Not recursive: what is mounted inside stays outside.
    /// And private, or what is mounted inside later would come after it.
    fn tree(&self) -> Result<OwnedFd, Error> {
        let flags =
            OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
        let tree =
            mnt::open_tree(&self.opened.node, "", flags).map_err(Error::system("cloning what is staged"))?;
        mount_setattr(&tree, self.attributes(), self.map).map_err(|cause| self.unmappable(cause))?;
        Ok(tree)
    }

    /// EINVAL: the file system cannot; EPERM: the mount is idmapped already, and is not mapped twice.
    fn unmappable(&self, cause: std::io::Error) -> Error {
        let told = cause.raw_os_error().map(Errno::from_raw_os_error);
        if self.map.is_some() && matches!(told, Some(Errno::INVAL | Errno::OPNOTSUPP | Errno::PERM)) {
            return Error::NoIdmap { path: self.ask.path(), kind: self.opened.kind.clone() };
        }
        Error::system("setting the mount's attributes")(cause)
    }
}

fn name(shape: Shape) -> &'static str {
    match shape {
        Shape::Directory => DIRECTORY,
        Shape::File => FILE,
    }
}

fn attach(mount: &OwnedFd, dir: impl AsFd, name: &str) -> rustix::io::Result<()> {
    mnt::move_mount(mount, "", dir, name, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
}

fn wrapper_attributes() -> MountAttrFlags {
    MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_NOEXEC
}

fn is_wrapper(mount: &Mount) -> bool {
    mount.kind == "tmpfs" && ["ro", "nosuid", "nodev", "noexec"].iter().all(|option| mount.has(option))
}

/// A tmpfs with something of each shape and the note, read-only before anyone can see it.
pub(super) fn make_wrapper(note: &str, shapes: &[Shape], inside: &[Place]) -> std::io::Result<OwnedFd> {
    let wrapper = writable_wrapper(note, shapes, inside)?;
    make_read_only(&wrapper)?;
    Ok(wrapper)
}

fn writable_wrapper(note: &str, shapes: &[Shape], inside: &[Place]) -> std::io::Result<OwnedFd> {
    let tmpfs = mnt::fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    let names = inside.iter().map(|place| place.path.iter().count()).sum::<usize>();
    let inodes = (names + 4).to_string();
    for (key, value) in [("mode", "0700"), ("size", "16k"), ("nr_inodes", &inodes), ("source", "ie-mountd")] {
        mnt::fsconfig_set_string(tmpfs.as_fd(), key, value)?;
    }
    mnt::fsconfig_create(tmpfs.as_fd())?;
    let wrapper = mnt::fsmount(tmpfs.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, wrapper_attributes())?;
    for shape in shapes {
        make_empty(&wrapper, Path::new(name(*shape)), *shape)?;
    }
    for place in inside {
        make_inside(&wrapper, place)?;
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let file = openat(&wrapper, NOTE, flags, Mode::RUSR)?;
    std::fs::File::from(file).write_all(note.as_bytes())?;
    Ok(wrapper)
}

/// Something of that shape, and the directories above it.
fn make_inside(wrapper: &OwnedFd, place: &Place) -> std::io::Result<()> {
    let mut at = PathBuf::from(DIRECTORY);
    let mut names = place.path.iter().peekable();
    while let Some(name) = names.next() {
        at.push(name);
        let shape = if names.peek().is_some() { Shape::Directory } else { place.shape };
        match make_empty(wrapper, &at, shape) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            made => made?,
        }
    }
    Ok(())
}

fn make_empty(wrapper: &OwnedFd, at: &Path, shape: Shape) -> std::io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    match shape {
        Shape::Directory => mkdirat(wrapper, at, Mode::RWXU)?,
        Shape::File => drop(openat(wrapper, at, flags, Mode::RUSR)?),
    }
    Ok(())
}

/// A child of another thread's has what was open when it began, until it is its own program: for so long the note counts as
/// being written, and the kernel makes nothing read-only that is.
fn make_read_only(wrapper: &OwnedFd) -> std::io::Result<()> {
    let end = Instant::now() + CHILDS_BEGINNING;
    loop {
        match mount_setattr(wrapper, MountAttrFlags::MOUNT_ATTR_RDONLY, None) {
            Err(error) if error.kind() == ErrorKind::ResourceBusy && Instant::now() < end => {
                thread::sleep(Duration::from_millis(1));
            }
            told => return told,
        }
    }
}

fn read_note(wrapper: &OwnedFd) -> std::io::Result<String> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(wrapper, NOTE, flags, Mode::empty())?;
    let mut note = String::new();
    std::fs::File::from(file).take(16 * 1024).read_to_string(&mut note)?;
    Ok(note)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_that_a_child_has_open_at_its_beginning_is_waited_for() {
        let wrapper = writable_wrapper("words", &[Shape::Directory], &[]).unwrap();
        let held = openat(&wrapper, NOTE, OFlags::WRONLY, Mode::empty()).unwrap();
        let at_once = mount_setattr(&wrapper, MountAttrFlags::MOUNT_ATTR_RDONLY, None);
        assert_eq!(at_once.unwrap_err().kind(), ErrorKind::ResourceBusy);
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(50));
                drop(held);
            });
            make_read_only(&wrapper).unwrap();
        });
        assert_eq!(openat(&wrapper, NOTE, OFlags::WRONLY, Mode::empty()).unwrap_err(), Errno::ROFS);
        assert_eq!(read_note(&wrapper).unwrap(), "words");
    }
}
