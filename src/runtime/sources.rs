//! What a container's mounts show, opened once: what was judged is what is mounted, whoever renames what meanwhile.
//!
//! runc opens a mount's source by its name, and later. So it gets names that lead nowhere else: clones of what was
//! opened, in a mount namespace that only this program and runc are in, and that ends with them.
//!
//! This program takes a mount namespace of its own and lays a directory of memory over that of the stages. There it
//! mounts clones of what was opened, without what is mounted in them. runc finds these names alone, and inherits the
//! namespace. What a user mounts inside another mount is in that clone already when runc is told of it ([`super::nest`]).

use super::refused::Refused;
use crate::sys::mount_setattr;
use nix::sched::CloneFlags;
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, mkdirat, openat, openat2};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MountPropagationFlags, MoveMountFlags,
    OpenTreeFlags, fsconfig_create, fsconfig_set_string, fsmount, fsopen, mount, mount_change, move_mount,
    open_tree,
};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

/// This process is in a mount namespace of its own: what it mounts reaches nobody but runc.
pub(crate) struct Alone(());

impl Alone {
    /// What is unmounted outside is unmounted here, too, so that nothing is kept busy.
    pub(crate) fn begin() -> Result<Self, Refused> {
        let step = "leaving the host's mount namespace";
        nix::sched::unshare(CloneFlags::CLONE_NEWNS).map_err(Refused::system(step))?;
        let flags = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
        mount_change("/", flags).map_err(Refused::system(step))?;
        Ok(Self(()))
    }
}

/// A file or directory that was opened without following a link.
pub(crate) struct Source(OwnedFd);

impl Source {
    /// Not `NOFOLLOW`: with it a link at the end is opened itself, and is no error.
    const FLAGS: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);

    pub(crate) fn open(path: &Path) -> Result<Self, Errno> {
        openat2(CWD, path, Self::FLAGS, Mode::empty(), ResolveFlags::NO_SYMLINKS).map(Self)
    }

    /// Wherever links lead, with the place where that is.
    pub(crate) fn follow(path: &Path) -> std::io::Result<(Self, PathBuf)> {
        let opened =
            openat2(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::NO_MAGICLINKS)?;
        let place = std::fs::read_link(format!("/proc/self/fd/{}", opened.as_raw_fd()))?;
        Ok((Self(opened), place))
    }

    /// On the directory's own file system alone.
    pub(crate) fn open_beneath(&self, path: &Path) -> Result<Self, Errno> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        openat2(&self.0, path, Self::FLAGS, Mode::empty(), resolve).map(Self)
    }

    /// Makes the directories of this way that are missing; nothing where a link or a file stands on it.
    pub(crate) fn make_beneath(&self, way: &Path) -> Result<(), Errno> {
        let mut at = PathBuf::new();
        for part in way {
            at.push(part);
            match self.open_beneath(&at) {
                Err(Errno::LOOP | Errno::NOTDIR | Errno::XDEV) => return Ok(()),
                Err(Errno::NOENT) => {
                    let parent = at.parent().filter(|parent| !parent.as_os_str().is_empty());
                    let parent = parent.map_or_else(|| self.again(), |parent| self.open_beneath(parent))?;
                    mkdirat(&parent, part, Mode::from_raw_mode(0o755))?;
                }
                opened => drop(opened?),
            }
        }
        Ok(())
    }

    /// What is at this way, and a directory or an empty file where nothing is, with the directories above it; no link is
    /// followed, and another mount not entered.
    pub(crate) fn place(&self, way: &Path, is_dir: bool) -> Result<Self, Errno> {
        let mut at = self.again()?;
        let mut parts = way.iter().peekable();
        while let Some(part) = parts.next() {
            let part = Path::new(part);
            at = match at.open_beneath(part) {
                Err(Errno::NOENT) => {
                    at.make(part, is_dir || parts.peek().is_some())?;
                    at.open_beneath(part)?
                }
                opened => opened?,
            };
        }
        // From the top again: what was moved away meanwhile is not here.
        self.open_beneath(way)
    }

    fn make(&self, name: &Path, is_dir: bool) -> Result<(), Errno> {
        let made = match is_dir {
            true => mkdirat(&self.0, name, Mode::from_raw_mode(0o755)),
            false => {
                let flags =
                    OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                openat(&self.0, name, flags, Mode::from_raw_mode(0o644)).map(drop)
            }
        };
        // Somebody else has made it meanwhile: what it is is seen when it is opened.
        made.or_else(|errno| if errno == Errno::EXIST { Ok(()) } else { Err(errno) })
    }

    /// Whether this process, as who it is now, is let through to there; what is missing or a link is for others to tell.
    pub(crate) fn lets_pass(&self, way: &Path) -> bool {
        let way = if way.as_os_str().is_empty() { Path::new(".") } else { way };
        !matches!(self.open_beneath(way), Err(Errno::ACCESS | Errno::PERM))
    }

    fn again(&self) -> Result<Self, Errno> {
        openat2(&self.0, ".", OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::BENEATH).map(Self)
    }

    pub(crate) fn stat(&self) -> Result<Stat, Errno> {
        fstat(&self.0)
    }

    pub(crate) fn is_dir(&self) -> bool {
        self.stat().is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
    }
}

impl AsFd for Source {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Where the clones are: a directory of memory over that of the stages, of which nothing is reached from here any more.
pub(crate) struct Shelf {
    path: PathBuf,
    dir: OwnedFd,
    count: usize,
}

impl Shelf {
    pub(crate) fn over(_: &Alone, stages: &Path) -> Result<Self, Refused> {
        let step = || format!("covering {}", stages.display());
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        mount("ie-runc", stages, "tmpfs", flags, c"mode=0711,size=64k").map_err(Refused::system(step()))?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = openat2(CWD, stages, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS);
        Ok(Self { path: stages.to_owned(), dir: dir.map_err(Refused::system(step()))?, count: 0 })
    }

    /// The name under which runc finds this one.
    pub(crate) fn put(&mut self, mount: &Unmounted) -> Result<PathBuf, Refused> {
        let name = self.count.to_string();
        self.count += 1;
        self.attach(mount, &name).map_err(Refused::system("mounting a source for runc"))?;
        Ok(self.path.join(name))
    }

    fn attach(&self, mount: &Unmounted, name: &str) -> std::io::Result<()> {
        if mount.0.is_dir() {
            mkdirat(&self.dir, name, Mode::RWXU)?;
        } else {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            drop(openat(&self.dir, name, flags, Mode::RUSR)?);
        }
        move_mount(&mount.0, "", &self.dir, name, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
        Ok(())
    }
}

/// A mount that was made and is nowhere yet: without device nodes and setuid programs, and private. Mounted, it is what was
/// mounted there, whoever renames what.
pub(crate) struct Unmounted(Source);

impl Unmounted {
    /// What was opened, and nothing that is mounted in it.
    pub(crate) fn clone_of(source: &Source, more: MountAttrFlags) -> Result<Self, Refused> {
        let flags =
            OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
        let clone = open_tree(source, "", flags).map_err(Refused::system("cloning a source for runc"))?;
        mount_setattr(&clone, closed(more), None).map_err(Refused::system("closing a source for runc"))?;
        Ok(Self(Source(clone)))
    }

    /// New memory, with options of the file system's own.
    pub(crate) fn memory(options: &[(String, String)], more: MountAttrFlags) -> Result<Self, Refused> {
        let made = || -> Result<OwnedFd, Errno> {
            let tmpfs = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
            for (key, value) in options {
                fsconfig_set_string(tmpfs.as_fd(), key.as_str(), value.as_str())?;
            }
            fsconfig_create(tmpfs.as_fd())?;
            fsmount(tmpfs.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, closed(more))
        };
        made().map(|mount| Self(Source(mount))).map_err(Refused::system("making memory inside a mount"))
    }

    /// Mounts it on what was opened in another mount, by no name.
    pub(crate) fn onto(&self, place: &Source) -> Result<(), Errno> {
        let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
        move_mount(&self.0, "", place, "", flags)
    }

    pub(crate) fn top(&self) -> &Source {
        &self.0
    }
}

fn closed(more: MountAttrFlags) -> MountAttrFlags {
    MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV | more
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{StatVfsMountFlags, statvfs};
    use std::fs;
    use std::os::unix::fs::symlink;

    /// In a mount namespace of the test's own thread.
    fn alone<T: Send + 'static>(act: impl FnOnce(Alone) -> T + Send + 'static) -> T {
        let ran = std::thread::spawn(|| act(Alone::begin().expect("needs root: run the tests as root")));
        ran.join().unwrap()
    }

    #[test]
    fn what_was_opened_is_what_is_shown_whatever_its_name_leads_to_later() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().canonicalize().unwrap();
        let (stages, file, tree) = (path.join("stages"), path.join("file"), path.join("tree"));
        for made in [&stages, &tree] {
            fs::create_dir(made).unwrap();
        }
        fs::write(&file, "judged").unwrap();
        fs::write(tree.join("in"), "judged").unwrap();
        let (covered, outside) = (stages.clone(), path.clone());
        alone(move |alone| {
            let (one, two) = (Source::open(&file).unwrap(), Source::open(&tree).unwrap());
            for name in [&file, &tree] {
                fs::rename(name, name.with_extension("gone")).unwrap();
                symlink("/etc/passwd", name).unwrap();
            }
            let mut shelf = Shelf::over(&alone, &stages).unwrap();
            let clone = |source: &Source, more| Unmounted::clone_of(source, more).unwrap();
            let file = shelf.put(&clone(&one, MountAttrFlags::MOUNT_ATTR_RDONLY)).unwrap();
            let tree = shelf.put(&clone(&two, MountAttrFlags::empty())).unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), "judged");
            assert_eq!(fs::read_to_string(tree.join("in")).unwrap(), "judged");
            let closed = StatVfsMountFlags::NODEV | StatVfsMountFlags::NOSUID;
            assert!(statvfs(&file).unwrap().f_flag.contains(closed | StatVfsMountFlags::RDONLY));
            let flags = statvfs(&tree).unwrap().f_flag;
            assert!(flags.contains(closed) && !flags.contains(StatVfsMountFlags::RDONLY));
            assert_eq!(Source::open(&outside.join("file")).err(), Some(Errno::LOOP));
        });
        // Nobody else saw any of it.
        assert_eq!(fs::read_dir(covered).unwrap().count(), 0);
    }

    #[test]
    fn a_place_is_made_beneath_and_through_no_link() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().canonicalize().unwrap();
        let source = Source::open(&path).unwrap();
        fs::write(path.join("file"), "text").unwrap();
        symlink("/", path.join("link")).unwrap();
        symlink("nowhere", path.join("dangling")).unwrap();
        let place = |way: &str, is_dir| source.place(Path::new(way), is_dir).map(|place| place.is_dir());
        assert_eq!(place("a/b/c", true), Ok(true));
        assert_eq!(place("a/b/f", false), Ok(false));
        assert!(path.join("a/b/c").is_dir() && fs::read(path.join("a/b/f")).unwrap().is_empty());
        // What is there is what it is, and is left as it is.
        assert_eq!((place("file", true), place("a/b", false)), (Ok(false), Ok(true)));
        assert_eq!(fs::read(path.join("file")).unwrap(), b"text");
        for way in
            ["link", "link/tmp", "link/tmp/never-made", "dangling", "dangling/x", "file/x", "../up", ".."]
        {
            assert!(place(way, true).is_err() && place(way, false).is_err(), "{way}");
        }
        assert!(!Path::new("/tmp/never-made").exists() && !path.parent().unwrap().join("up").exists());
        assert!(!path.join("nowhere").exists());
    }

    #[test]
    fn a_way_is_made_beneath_and_through_no_link() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().canonicalize().unwrap();
        let source = Source::open(&path).unwrap();
        fs::write(path.join("file"), "").unwrap();
        symlink("/", path.join("link")).unwrap();
        for way in ["", "a", "a/b/c", "a/b/c", "file/x", "link/tmp/never-made"] {
            source.make_beneath(Path::new(way)).unwrap();
        }
        assert!(path.join("a/b/c").is_dir());
        source.make_beneath(Path::new("../up")).unwrap();
        assert!(!Path::new("/tmp/never-made").exists() && !path.parent().unwrap().join("up").exists());
    }
}
