//! What a container's mounts show, opened once: what was judged is what is mounted, whoever renames what meanwhile.
//!
//! runc opens a mount's source by its name, and later. So it gets names that lead nowhere else: clones of what was
//! opened, in a mount namespace that only this program and runc are in, and that ends with them.
//!
//! This program takes a mount namespace of its own and lays a directory of memory over that of the stages. There it
//! mounts clones of what was opened, without what is mounted in them. runc finds these names alone, and inherits the
//! namespace.

use super::refused::Refused;
use crate::sys::mount_setattr;
use nix::sched::CloneFlags;
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, mkdirat, openat, openat2};
use rustix::io::Errno;
use rustix::mount::{
    MountAttrFlags, MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, mount, mount_change,
    move_mount, open_tree,
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

    /// The name under which runc finds this one and nothing that is mounted in it: without device nodes and setuid
    /// programs, private, and read-only where that is wanted.
    pub(crate) fn put(&mut self, source: &Source, read_only: bool) -> Result<PathBuf, Refused> {
        let name = self.count.to_string();
        self.count += 1;
        let mut attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
        attributes.set(MountAttrFlags::MOUNT_ATTR_RDONLY, read_only);
        self.attach(source, &name, attributes).map_err(Refused::system("mounting a source for runc"))?;
        Ok(self.path.join(name))
    }

    fn attach(&self, source: &Source, name: &str, attributes: MountAttrFlags) -> std::io::Result<()> {
        let flags =
            OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
        let clone = open_tree(source, "", flags)?;
        mount_setattr(&clone, attributes, None)?;
        if source.is_dir() {
            mkdirat(&self.dir, name, Mode::RWXU)?;
        } else {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            drop(openat(&self.dir, name, flags, Mode::RUSR)?);
        }
        move_mount(&clone, "", &self.dir, name, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
        Ok(())
    }
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
            let (file, tree) = (shelf.put(&one, true).unwrap(), shelf.put(&two, false).unwrap());
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
