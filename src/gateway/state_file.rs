//! The gateway's own directories and files, whatever lies in their places: what is something else than it should be is said
//! in the log and set aside, for the admin to look at. None of it keeps a gateway from starting.
//!
//! The state directory has what Docker cannot hold: account files, ends of leases, hours, marks, reasons and updated limits.
//! A file that is no plain file, or that cannot be understood, is set aside under another name and passed over.
//!
//! Some files must be there before the act: an account's files, and a lease before its start. Where they cannot be
//! written, the act is not done. The rest stays in memory and is tried again each second or minute.

use crate::protocol::layout::ASIDE;
use jiff::Timestamp;
use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// What a file's name ends with until it is whole.
const FRESH: &str = "new";
/// No file that is written here has more bytes.
const LONGEST: u64 = 1 << 20;

/// Makes a directory, whatever is in its place.
pub(super) fn dir(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => return Ok(()),
        Ok(_) => set_aside(path, "it is no directory"),
        Err(_) => {}
    }
    fs::create_dir_all(path)
}

/// Every plain file in a directory, by its name. What was half-written goes, what else is there is set aside.
pub(super) fn files(path: &Path) -> Vec<(String, String)> {
    let entries = match dir(path).and_then(|()| fs::read_dir(path)) {
        Ok(entries) => entries,
        Err(error) => {
            tracing::error!("{} cannot be read, what was kept there is not known: {error}", path.display());
            return Vec::new();
        }
    };
    let paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.iter().filter_map(|path| file(path)).collect()
}

fn file(path: &Path) -> Option<(String, String)> {
    let name = path.file_name()?.to_string_lossy().into_owned();
    if name.contains(ASIDE) {
        return None;
    }
    if path.extension().is_some_and(|end| end == FRESH) && fs::remove_file(path).is_ok() {
        return None;
    }
    match read(path) {
        Ok(text) => Some((name, text)),
        Err(error) => {
            set_aside(path, &error.to_string());
            None
        }
    }
}

/// The text of a plain file. What is none is not even opened: a pipe would hold its reader up.
pub(super) fn read(path: &Path) -> io::Result<String> {
    let meta = fs::symlink_metadata(path)?;
    if !meta.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    if meta.len() > LONGEST {
        return Err(io::Error::other("it is too long"));
    }
    fs::read_to_string(path)
}

/// Gives something another name beside its own, and says so.
pub(super) fn set_aside(path: &Path, why: &str) {
    let shown = path.display();
    let mut aside = path.as_os_str().to_owned();
    aside.push(format!("{ASIDE}{}", Timestamp::now().as_nanosecond()));
    match fs::rename(path, &aside) {
        Ok(()) => {
            let to = Path::new(&aside).display();
            tracing::error!("{shown} is not what the gateway keeps there, {why}: it is set aside as {to}");
        }
        Err(error) => {
            tracing::error!("{shown} is not what the gateway keeps there, {why}, and stays: {error}");
        }
    }
}

/// A file that is written and not yet in its place; left so, it is taken away when all are read.
#[must_use]
pub(super) struct HalfWritten {
    fresh: PathBuf,
    place: PathBuf,
}

impl HalfWritten {
    /// For everybody who has its directory.
    pub(super) fn readable(self) -> io::Result<Self> {
        fs::set_permissions(&self.fresh, Permissions::from_mode(0o644))?;
        Ok(self)
    }

    /// Also after a power cut.
    pub(super) fn on_disk(self) -> io::Result<Self> {
        File::open(&self.fresh)?.sync_all()?;
        Ok(self)
    }

    pub(super) fn finish(self) -> io::Result<()> {
        if self.place.is_dir() {
            set_aside(&self.place, "it is a directory");
        }
        fs::rename(&self.fresh, &self.place).inspect_err(|_| drop(fs::remove_file(&self.fresh)))
    }
}

/// Writes a file, beside its place.
pub(super) fn half_write(place: PathBuf, text: &[u8]) -> io::Result<HalfWritten> {
    if let Some(parent) = place.parent() {
        dir(parent)?;
    }
    let mut fresh = place.clone().into_os_string();
    fresh.push(format!(".{FRESH}"));
    let fresh = PathBuf::from(fresh);
    if fresh.is_dir() {
        set_aside(&fresh, "it is a directory");
    }
    // Whatever else has the name is not written through.
    let _gone = fs::remove_file(&fresh);
    let written = File::create_new(&fresh).and_then(|mut file| file.write_all(text));
    match written {
        Ok(()) => Ok(HalfWritten { fresh, place }),
        Err(error) => {
            // Half a file would take of the room that is missing.
            let _gone = fs::remove_file(&fresh);
            Err(error)
        }
    }
}

/// While it is there nothing can be made in a directory, or read of it, by root either: as with a full disk.
#[cfg(test)]
pub(super) struct Full(PathBuf);

#[cfg(test)]
impl Full {
    pub(super) fn of(dir: &Path) -> Self {
        fs::rename(dir, dir.with_extension("away")).unwrap();
        fs::write(dir, "a file, in which nothing can be").unwrap();
        Self(dir.to_owned())
    }
}

#[cfg(test)]
impl Drop for Full {
    fn drop(&mut self) {
        fs::remove_file(&self.0).unwrap();
        fs::rename(self.0.with_extension("away"), &self.0).unwrap();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    use std::os::unix::fs::symlink;

    fn pipe(path: &Path) {
        mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn whatever_is_in_a_directorys_place_is_set_aside() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        fs::write(at("file"), "words").unwrap();
        pipe(&at("pipe"));
        symlink("/etc", at("link")).unwrap();
        for name in ["file", "pipe", "link", "nothing"] {
            dir(&at(name)).unwrap();
            dir(&at(name)).unwrap();
            assert!(fs::symlink_metadata(at(name)).unwrap().is_dir(), "{name}");
        }
        let aside: Vec<_> = names(root.path()).into_iter().filter(|name| name.contains(ASIDE)).collect();
        assert_eq!(aside.len(), 3, "{aside:?}");
        assert!(aside.iter().any(|name| fs::read_to_string(at(name)).is_ok_and(|text| text == "words")));
    }

    #[test]
    fn plain_files_are_read_and_the_rest_is_set_aside() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        fs::write(at("good"), "words").unwrap();
        fs::write(at("binary"), [0xff, 0xfe]).unwrap();
        fs::write(at("long"), vec![b'x'; 2 << 20]).unwrap();
        fs::write(at("half.new"), "wo").unwrap();
        fs::create_dir(at("dir")).unwrap();
        fs::create_dir(at("other.new")).unwrap();
        pipe(&at("pipe"));
        symlink("good", at("link")).unwrap();
        assert_eq!(files(root.path()), [("good".to_owned(), "words".to_owned())]);
        let left = names(root.path());
        assert_eq!(left.iter().filter(|name| name.contains(ASIDE)).count(), 6, "{left:?}");
        assert_eq!(left.len(), 7, "{left:?}");
        // Once: what was set aside is nobody's file.
        assert_eq!(files(root.path()).len(), 1);
        assert_eq!(names(root.path()), left);
    }

    #[test]
    fn a_file_is_written_whatever_is_in_its_place() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        fs::create_dir_all(at("dir/inner")).unwrap();
        fs::create_dir_all(at("fresh.new/inner")).unwrap();
        pipe(&at("pipe"));
        pipe(&at("behind.new"));
        for name in ["dir", "fresh", "pipe", "behind", "deeper/one"] {
            half_write(at(name), b"words").unwrap().finish().unwrap();
            assert_eq!(read(&at(name)).unwrap(), "words", "{name}");
        }
        half_write(at("dir"), b"others").unwrap().readable().unwrap().finish().unwrap();
        assert_eq!(read(&at("dir")).unwrap(), "others");
        assert_eq!(fs::metadata(at("dir")).unwrap().permissions().mode() & 0o777, 0o644);
    }
}
