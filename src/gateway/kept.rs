//! What is kept of containers from one gateway to the next: a directory with a file for each, named by its id.

use super::engine::ContainerId;
use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Something of each of some containers, as it is in memory.
#[derive(Debug)]
pub(super) struct Kept<T> {
    dir: PathBuf,
    held: Mutex<HashMap<ContainerId, T>>,
}

/// A file that is written and not yet in its place; left so, it is taken away when all are read.
#[must_use]
pub(super) struct HalfWritten {
    fresh: PathBuf,
    place: PathBuf,
}

impl HalfWritten {
    /// Writes a file of this name beside its place in a directory.
    pub(super) fn begin(dir: &Path, name: &str, text: &[u8]) -> io::Result<Self> {
        let (fresh, place) = (dir.join(format!("{name}.new")), dir.join(name));
        fs::write(&fresh, text)?;
        Ok(Self { fresh, place })
    }

    pub(super) fn finish(self) -> io::Result<()> {
        fs::rename(self.fresh, self.place)
    }
}

impl<T> Kept<T> {
    /// Reads what was kept, and takes away what cannot be read: it was half-written when a gateway ended.
    pub(super) fn open(dir: &Path, parse: impl Fn(&str) -> Option<T>) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let mut held = HashMap::new();
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            let id = path.file_name().and_then(|name| ContainerId::parse(name.to_str()?));
            let kept = fs::read_to_string(&path).ok().and_then(|text| parse(&text));
            match id.zip(kept) {
                Some((id, kept)) => drop(held.insert(id, kept)),
                None => fs::remove_file(&path)?,
            }
        }
        Ok(Self { dir: dir.to_owned(), held: Mutex::new(held) })
    }

    pub(super) fn held(&self) -> MutexGuard<'_, HashMap<ContainerId, T>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the file of one container, whole or not at all.
    pub(super) fn write(&self, id: &ContainerId, text: &[u8]) -> io::Result<()> {
        self.half_write(id, text)?.finish()
    }

    /// The same, in its two steps.
    pub(super) fn half_write(&self, id: &ContainerId, text: &[u8]) -> io::Result<HalfWritten> {
        HalfWritten::begin(&self.dir, id.as_str(), text)
    }

    /// Takes the file of one container away.
    pub(super) fn unwrite(&self, id: &ContainerId) {
        if let Err(error) = fs::remove_file(self.dir.join(id.as_str())) {
            tracing::warn!(container = id.as_str(), "what was kept of a container is left: {error}");
        }
    }

    pub(super) fn forget(&self, id: &ContainerId) {
        if self.held().remove(id).is_some() {
            self.unwrite(id);
        }
    }

    /// Forgets all but these.
    pub(super) fn keep(&self, ids: &HashSet<&ContainerId>) {
        let others: Vec<ContainerId> = self.held().keys().filter(|id| !ids.contains(id)).cloned().collect();
        others.iter().for_each(|id| self.forget(id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_there_whole_or_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let id = ContainerId::parse(&"a".repeat(64)).unwrap();
        let open = || Kept::open(dir.path(), |text| Some(text.to_owned())).unwrap();
        let kept = open();
        kept.write(&id, b"old words").unwrap();
        // As when the disk is full: the new ones cannot be written.
        fs::create_dir(dir.path().join(format!("{id}.new"))).unwrap();
        assert!(kept.write(&id, b"new").is_err());
        fs::remove_dir(dir.path().join(format!("{id}.new"))).unwrap();
        fs::write(dir.path().join(format!("{id}.new")), "ne").unwrap();
        let read: Vec<String> = open().held().values().cloned().collect();
        assert_eq!(read, ["old words"]);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
