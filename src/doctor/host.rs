//! The host's files, below a prefix that is `/` in reality and a made-up directory in tests.

use super::process::Process;
use rustix::fs::{FileType, Mode, OFlags, StatVfsMountFlags, fstat, open, statvfs};
use std::fs::{self, File};
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// No file that is looked at is longer; dpkg's status is the longest, a few MiB.
const LONGEST: u64 = 64 << 20;

/// A host, looked at and never changed.
#[derive(Debug, Clone)]
pub struct Host {
    root: PathBuf,
    processes: Arc<OnceLock<Vec<Process>>>,
    /// What was asked for last; it may not have answered.
    asked: Arc<Mutex<String>>,
}

/// What one path is, links not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// The permission bits.
    pub(crate) mode: u32,
    pub(crate) is_link: bool,
}

/// What a file system has left for those who are not root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) bytes: u64,
    pub(super) files: u64,
    pub(super) read_only: bool,
}

impl Look {
    pub(super) fn others_may(self, bits: u32) -> bool {
        self.mode & bits == bits
    }
}

impl Host {
    /// The host whose `/` is this directory.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), processes: Arc::default(), asked: Arc::default() }
    }

    /// The same host, for whoever wants to know what it is asked for.
    pub(super) fn for_one_look(&self) -> Self {
        Self { asked: Arc::default(), ..self.clone() }
    }

    /// What it was asked for last.
    pub(super) fn asked(&self) -> String {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn notes(&self, what: impl std::fmt::Display) {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = what.to_string();
    }

    /// To be called before the name service of [the machine itself](Self::is_this_one) is.
    pub(super) fn asks_the_name_service(&self) {
        self.notes("the name service");
    }

    /// Whether it is the machine this runs on, whose name service can be asked.
    pub(super) fn is_this_one(&self) -> bool {
        self.root == Path::new("/")
    }

    /// As they were when the host was first looked at.
    pub(super) fn processes(&self) -> &[Process] {
        // Who waits for another look that reads them waits for the same.
        self.notes("/proc");
        self.processes.get_or_init(|| Process::all(self))
    }

    fn at(&self, path: &Path) -> PathBuf {
        self.notes(path.display());
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// The text of a file; nothing where it cannot be read. What is no regular file is not even opened: users name some of
    /// these paths, and a pipe would hold root up, a device act.
    pub(crate) fn text(&self, path: impl AsRef<Path>) -> Option<String> {
        let seen = open(self.at(path.as_ref()), OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok()?;
        if FileType::from_raw_mode(fstat(&seen).ok()?.st_mode) != FileType::RegularFile {
            return None;
        }
        let mut bytes = Vec::new();
        let file = File::open(format!("/proc/self/fd/{}", seen.as_raw_fd())).ok()?;
        file.take(LONGEST).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Whether a named pipe is open for writing; nothing where there is none.
    pub(super) fn is_held(&self, path: impl AsRef<Path>) -> Option<bool> {
        let path = self.at(path.as_ref());
        let meta = fs::symlink_metadata(&path).ok()?;
        if !meta.file_type().is_fifo() {
            return None;
        }
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let pipe = open(path, flags, Mode::empty()).ok()?;
        Some(rustix::io::read(&pipe, &mut [0]).is_err_and(|errno| errno == rustix::io::Errno::AGAIN))
    }

    pub(crate) fn look(&self, path: impl AsRef<Path>) -> Option<Look> {
        let meta = fs::symlink_metadata(self.at(path.as_ref())).ok()?;
        Some(Look {
            uid: meta.uid(),
            gid: meta.gid(),
            mode: meta.mode() & 0o7777,
            is_link: meta.file_type().is_symlink(),
        })
    }

    /// How much more can be put there.
    pub(super) fn room(&self, path: impl AsRef<Path>) -> Option<Room> {
        let fs = statvfs(self.at(path.as_ref())).ok()?;
        Some(Room {
            bytes: fs.f_bavail.saturating_mul(fs.f_frsize),
            // Some file systems do not count files, and have none beforehand.
            files: if fs.f_files == 0 { u64::MAX } else { fs.f_favail },
            read_only: fs.f_flag.contains(StatVfsMountFlags::RDONLY),
        })
    }

    /// The names in a directory, in order.
    pub(crate) fn names(&self, dir: impl AsRef<Path>) -> Vec<String> {
        let entries = fs::read_dir(self.at(dir.as_ref())).into_iter().flatten().flatten();
        let mut names: Vec<_> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// Where a symbolic link points, as it is written.
    pub(super) fn link(&self, path: impl AsRef<Path>) -> Option<PathBuf> {
        fs::read_link(self.at(path.as_ref())).ok()
    }

    /// The path without symbolic links, as far as it is there; they are followed below the prefix.
    pub(super) fn resolved(&self, path: &Path) -> PathBuf {
        let mut path = path.to_owned();
        // As many as the kernel follows.
        for _ in 0..40 {
            let found = prefixes(&path).into_iter().find_map(|part| Some((self.link(&part)?, part)));
            let Some((target, link)) = found else { break };
            let rest = path.strip_prefix(&link).unwrap_or(Path::new("")).to_owned();
            path = link.parent().unwrap_or(Path::new("/")).join(target).join(rest);
        }
        path
    }

    /// What keeps this path from being root's alone: the first part of it that somebody else could change.
    ///
    /// Nothing for a path that ends before its end; [`Host::look`] says whether it is there.
    pub(crate) fn not_roots_alone(&self, path: &Path) -> Option<String> {
        prefixes(path).into_iter().find_map(|part| {
            let look = self.look(&part)?;
            let part = part.display();
            match look {
                Look { is_link: true, .. } => Some(format!("{part} is a symbolic link")),
                Look { uid: 1.., .. } => Some(format!("{part} belongs to uid {}", look.uid)),
                Look { mode, .. } if mode & 0o022 != 0 => {
                    Some(format!("{part} can be written to by others than root (mode {mode:04o})"))
                }
                _ => None,
            }
        })
    }

    /// Whether everybody may walk through all of this resolved path's directories, its own end included.
    pub(super) fn is_open_to_all(&self, path: &Path) -> bool {
        prefixes(path).iter().all(|part| self.look(part).is_some_and(|look| look.others_may(0o001)))
    }
}

/// `/`, `/a`, `/a/b` for `/a/b`.
fn prefixes(path: &Path) -> Vec<PathBuf> {
    let mut walked = PathBuf::from("/");
    let mut all = vec![walked.clone()];
    for part in path.components() {
        if let Component::Normal(name) = part {
            walked.push(name);
            all.push(walked.clone());
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use std::path::Path;

    #[test]
    fn links_are_followed_below_the_prefix() {
        let fake = Fake::new();
        fake.dir("/srv/docker/overlay2", 0o755);
        fake.link("/var/lib/docker", "/data");
        fake.link("/data", "srv/docker");
        fake.link("/loop", "loop");
        let host = fake.host();
        let resolved = |path: &str| host.resolved(Path::new(path));
        assert_eq!(resolved("/var/lib/docker/overlay2"), Path::new("/srv/docker/overlay2"));
        assert_eq!(resolved("/srv/docker"), Path::new("/srv/docker"));
        assert!(resolved("/loop").starts_with("/loop"));
    }
}
