//! Opens the directory or file to stage: down to the root as root, and from there as the user.
//!
//! The walk changes this thread's fsuid and groups to the user's, and opens each step by `openat2` beneath the root. It
//! follows no symbolic link and crosses into no other mount inside a home. The owner is checked on the open descriptor, and
//! that it is a directory or a plain file: it is opened as a path alone, so that no pipe, device or socket is woken.

use super::error::Error;
use super::roots::Admitted;
use crate::mountinfo::mounts;
use crate::policy::RootKind;
use crate::protocol::stage::{Access, Map, Shape};
use nix::unistd::{Gid, Uid, setfsgid, setfsuid};
use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat, StatxFlags, fstat, open, openat2, statx,
};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// How long a file system may take to open a directory.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many opens may be under way for one user; where the file system is dead, they do not end.
const MOST_AT_ONCE: usize = 8;
/// And for all users: the unit's `TasksMax` has room for these, the gateway's connections, and some.
const MOST_IN_ALL: usize = 256;
/// How long the next one waits for a permit: living file systems free one in far less.
const BRIEFLY: Duration = Duration::from_secs(1);

/// An open directory or file that the user may have staged; from here on the path is not looked at again.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) node: OwnedFd,
    pub(super) shape: Shape,
    pub(super) device: u64,
    pub(super) inode: u64,
    /// The type of the file system it lies on, for messages.
    pub(super) kind: String,
}

/// Opens what is to be staged, each in a thread of its own that may hang without holding up other users.
#[derive(Debug, Default)]
pub(super) struct Opener {
    permits: Arc<Permits>,
}

impl Opener {
    pub(super) fn open(&self, ask: &Arc<Admitted>) -> Result<Opened, Error> {
        let permit = self.permits.take(ask.uid()).ok_or_else(|| Error::NoAnswer(ask.path()))?;
        let (send, receive) = sync_channel(1);
        let theirs = Arc::clone(ask);
        let work = move || {
            let opened = walk(&theirs);
            drop(permit);
            // Nobody listens any more when the patience is over.
            let _ = send.send(opened);
        };
        thread::Builder::new().name("open".into()).spawn(work).map_err(Error::system("starting a thread"))?;
        receive.recv_timeout(PATIENCE).unwrap_or_else(|_| Err(Error::NoAnswer(ask.path())))
    }
}

/// How many opens are under way for each user.
#[derive(Debug, Default)]
struct Permits {
    taken: Mutex<HashMap<u32, usize>>,
    freed: Condvar,
}

impl Permits {
    /// None when no permit has become free in time.
    fn take(self: &Arc<Self>, uid: u32) -> Option<Permit> {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |taken: &mut HashMap<u32, usize>| is_full(taken, uid);
        let waited = self.freed.wait_timeout_while(taken, BRIEFLY, full);
        let (mut taken, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            return None;
        }
        *taken.entry(uid).or_default() += 1;
        Some(Permit { permits: Arc::clone(self), uid })
    }
}

fn is_full(taken: &HashMap<u32, usize>, uid: u32) -> bool {
    let own = taken.get(&uid).copied().unwrap_or_default();
    own >= MOST_AT_ONCE || taken.values().sum::<usize>() >= MOST_IN_ALL
}

/// One of a user's permits; given back when the open has ended, not when it is given up.
struct Permit {
    permits: Arc<Permits>,
    uid: u32,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut taken = self.permits.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.uid) {
            *count -= 1;
        }
        taken.retain(|_, count| *count > 0);
        self.permits.freed.notify_all();
    }
}

/// The thread's work: nothing after `become_user` happens with root's rights over files.
fn walk(ask: &Admitted) -> Result<Opened, Error> {
    let root = open_root(ask)?;
    become_user(ask.uid(), ask.gids())?;
    let (node, ground) = descend(root, ask)?;
    let stat = look(&node, &ask.path())?;
    let shape = shape(&stat, ask)?;
    if ask.root().kind == RootKind::Home {
        belongs_to_user(&stat, ask)?;
    }
    Ok(Opened { node, shape, device: stat.st_dev, inode: stat.st_ino, kind: ground.kind })
}

/// What it is, if that is what it was when the container was made: the engine binds by that.
fn shape(stat: &Stat, ask: &Admitted) -> Result<Shape, Error> {
    let shape = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => Shape::Directory,
        FileType::RegularFile => Shape::File,
        _ => return Err(Error::Neither(ask.path())),
    };
    match (ask.shape(), shape) {
        (Some(Shape::Directory), Shape::File) => Err(Error::NotADirectory(ask.path())),
        (Some(Shape::File), Shape::Directory) => Err(Error::NotAFile(ask.path())),
        _ => Ok(shape),
    }
}

fn belongs_to_user(stat: &Stat, ask: &Admitted) -> Result<(), Error> {
    if stat.st_uid != ask.uid() {
        return Err(Error::NotYours(ask.path()));
    }
    // The kernel lets nobody write to what has an id that is not mapped: told here, not found out in the container.
    let writes = ask.map() != Map::Off && ask.access() == Access::ReadWrite;
    if writes && !ask.gids().contains(&stat.st_gid) {
        return Err(Error::GroupNotYours { path: ask.path(), gid: stat.st_gid });
    }
    Ok(())
}

fn open_root(ask: &Admitted) -> Result<OwnedFd, Error> {
    let path = &ask.root().path;
    match ask.root().kind {
        RootKind::Home => open_roots_alone(path),
        RootKind::Shared { .. } => {
            // The admin may give the directory itself to anyone, but nobody may move another one into its place.
            let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
                return Err(Error::NotARoot(path.clone()));
            };
            step(&open_roots_alone(parent)?, name, ResolveFlags::empty()).map_err(|e| Error::opening(path, e))
        }
    }
}

/// Opens an absolute path, every directory of which, `/` included, is root's and written to by nobody else.
pub(super) fn open_roots_alone(path: &Path) -> Result<OwnedFd, Error> {
    let mut so_far = PathBuf::from("/");
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut here = open("/", flags, Mode::empty()).map_err(|e| Error::opening(&so_far, e))?;
    for part in path.components() {
        match part {
            Component::RootDir => {}
            Component::Normal(name) => {
                so_far.push(name);
                here = step(&here, name, ResolveFlags::empty()).map_err(|e| Error::opening(&so_far, e))?;
            }
            _ => return Err(Error::NotARoot(path.to_owned())),
        }
        if !is_roots_alone(&look(&here, &so_far)?) {
            return Err(Error::NotRootsAlone(so_far));
        }
    }
    Ok(here)
}

/// Gives this thread the user's rights over files, and takes root's away from it.
pub(super) fn become_user(uid: u32, gids: &[u32]) -> Result<(), Error> {
    let failed = || Error::system("taking on the user's ids");
    let groups: Vec<_> = gids.iter().map(|gid| rustix::thread::Gid::from_raw(*gid)).collect();
    rustix::thread::set_thread_groups(&groups).map_err(failed())?;
    let primary = Gid::from_raw(gids.first().copied().unwrap_or(u32::MAX));
    setfsgid(primary);
    setfsuid(Uid::from_raw(uid));
    // Neither call can say that it failed; asking for what is no id tells what holds.
    let nobody = u32::MAX;
    if setfsgid(Gid::from_raw(nobody)) != primary || setfsuid(Uid::from_raw(nobody)).as_raw() != uid {
        return Err(failed()(rustix::io::Errno::PERM));
    }
    Ok(())
}

/// Walks from the root to what is asked for. Mounts are crossed only as long as every directory so far is root's alone:
/// there the admin mounts (automounted homes, data sets); below it users can, and what they mount is not staged.
fn descend(root: OwnedFd, ask: &Admitted) -> Result<(OwnedFd, Ground), Error> {
    let mut path = ask.root().path.clone();
    let mut here = root;
    let mut ground = Ground::below(&here, &path, None)?;
    let mut admins = is_roots_alone(&look(&here, &path)?);
    if ask.relative().as_os_str().is_empty() {
        // A root the user may not enter is not the user's to have mounted either.
        here = step(&here, OsStr::new("."), ResolveFlags::NO_XDEV).map_err(|e| Error::opening(&path, e))?;
    }
    let mut names = ask.relative().iter().peekable();
    while let Some(name) = names.next() {
        path.push(name);
        let crossing = if admins { ResolveFlags::empty() } else { ResolveFlags::NO_XDEV };
        // First as a directory, which has the kernel mount what is mounted on demand; the last may be a file, too.
        let opened = match to(&here, name, OFlags::DIRECTORY, crossing) {
            Err(rustix::io::Errno::NOTDIR) if names.peek().is_none() => {
                to(&here, name, OFlags::empty(), crossing)
            }
            opened => opened,
        };
        here = opened.map_err(|e| Error::opening(&path, e))?;
        ground = Ground::below(&here, &path, Some(ground))?;
        admins = admins && is_roots_alone(&look(&here, &path)?);
    }
    Ok((here, ground))
}

/// The mount a directory lies on.
struct Ground {
    id: u64,
    kind: String,
}

impl Ground {
    /// Finds it without asking the file system, so that a user's own is refused before its server hears of it.
    fn below(dir: &OwnedFd, path: &Path, before: Option<Self>) -> Result<Self, Error> {
        let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
        let id = statx(dir, "", flags, StatxFlags::MNT_ID).map_err(|e| Error::opening(path, e))?.stx_mnt_id;
        if let Some(same) = before.filter(|before| before.id == id) {
            return Ok(same);
        }
        let failed = || Error::system("finding the mount of the directory");
        let mount = mounts().map_err(failed())?.into_iter().find(|mount| mount.id == id);
        let mount = mount.ok_or_else(|| failed()(std::io::Error::from(std::io::ErrorKind::NotFound)))?;
        if mount.is_a_users() {
            return Err(Error::UsersMount { path: path.to_owned(), kind: mount.kind });
        }
        Ok(Self { id, kind: mount.kind })
    }
}

/// One step down, into a directory.
fn step(dir: &OwnedFd, name: &OsStr, more: ResolveFlags) -> rustix::io::Result<OwnedFd> {
    to(dir, name, OFlags::DIRECTORY, more)
}

/// One step. `OFlags::NOFOLLOW` is left out on purpose: with it a link would be opened, without it is refused.
fn to(dir: &OwnedFd, name: &OsStr, kind: OFlags, more: ResolveFlags) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::CLOEXEC | kind;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS | more;
    openat2(dir, name, flags, Mode::empty(), resolve)
}

/// The call that every step is made of.
pub(super) fn look_at_root() -> rustix::io::Result<()> {
    let root = open("/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    step(&root, OsStr::new("."), ResolveFlags::empty()).map(drop)
}

fn look(dir: &OwnedFd, path: &Path) -> Result<Stat, Error> {
    fstat(dir).map_err(|e| Error::opening(path, e))
}

fn is_roots_alone(stat: &Stat) -> bool {
    stat.st_uid == 0 && stat.st_mode & 0o022 == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_user_has_a_few_places_and_all_have_no_more_than_threads() {
        let taken = |users: u32, each: usize| (1..=users).map(|uid| (uid, each)).collect::<HashMap<_, _>>();
        assert!(is_full(&taken(1, 8), 1) && !is_full(&taken(1, 7), 1) && !is_full(&taken(1, 8), 2));
        assert!(is_full(&taken(32, 8), 99) && !is_full(&taken(31, 8), 99));
    }
}
