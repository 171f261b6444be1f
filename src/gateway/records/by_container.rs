//! What is kept of containers from one gateway to the next: a directory with a file for each, named by its id.

use crate::gateway::engine::ContainerId;
use crate::gateway::state_file::{self, HalfWritten};
use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Something of each of some containers, as it is in memory.
#[derive(Debug)]
pub(in crate::gateway) struct ByContainer<T> {
    dir: PathBuf,
    held: Mutex<HashMap<ContainerId, T>>,
    /// Those whose files could not be written.
    behind: Mutex<HashSet<ContainerId>>,
}

impl<T> ByContainer<T> {
    /// Reads what was kept. What cannot be understood is set aside.
    pub(in crate::gateway) fn open(dir: &Path, parse: impl Fn(&str) -> Option<T>) -> Self {
        let mut held = HashMap::new();
        for (name, text) in state_file::files(dir) {
            match ContainerId::parse(&name).zip(parse(&text)) {
                Some((id, kept)) => drop(held.insert(id, kept)),
                None => state_file::set_aside(&dir.join(name), "it cannot be understood"),
            }
        }
        Self { dir: dir.to_owned(), held: Mutex::new(held), behind: Mutex::default() }
    }

    pub(in crate::gateway) fn held(&self) -> MutexGuard<'_, HashMap<ContainerId, T>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn behind(&self) -> MutexGuard<'_, HashSet<ContainerId>> {
        self.behind.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the file of one container, whole or not at all.
    pub(in crate::gateway) fn write(&self, id: &ContainerId, text: &[u8]) -> io::Result<()> {
        self.half_write(id, text)?.finish()?;
        self.behind().remove(id);
        Ok(())
    }

    /// The same, in its first step.
    pub(in crate::gateway) fn half_write(&self, id: &ContainerId, text: &[u8]) -> io::Result<HalfWritten> {
        state_file::half_write(self.dir.join(id.as_str()), text)
    }

    /// The file of one container says something older than what is in memory: it is written when it can be.
    pub(in crate::gateway) fn is_behind(&self, id: &ContainerId) {
        self.behind().insert(id.clone());
    }

    /// Writes what could not be written before.
    pub(in crate::gateway) fn catch_up(&self, text: impl Fn(&T) -> Vec<u8>) {
        let behind: Vec<ContainerId> = self.behind().iter().cloned().collect();
        for id in behind {
            // Under the lock: what is forgotten meanwhile does not come back.
            let held = self.held();
            match held.get(&id) {
                Some(kept) if self.write(&id, &text(kept)).is_err() => return,
                Some(_) => {}
                None => drop(self.behind().remove(&id)),
            }
            drop(held);
        }
    }

    /// Takes the file of one container away.
    pub(in crate::gateway) fn unwrite(&self, id: &ContainerId) {
        self.behind().remove(id);
        let gone = fs::remove_file(self.dir.join(id.as_str()));
        if let Err(error) = gone.or_else(|error| missing(&error).then_some(()).ok_or(error)) {
            tracing::warn!(container = id.as_str(), "what was kept of a container is left: {error}");
        }
    }

    pub(in crate::gateway) fn forget(&self, id: &ContainerId) {
        if self.held().remove(id).is_some() {
            self.unwrite(id);
        }
    }

    /// Forgets all but these.
    pub(in crate::gateway) fn keep(&self, ids: &HashSet<&ContainerId>) {
        let others: Vec<ContainerId> = self.held().keys().filter(|id| !ids.contains(id)).cloned().collect();
        others.iter().for_each(|id| self.forget(id));
    }
}

/// What was never written is not there.
fn missing(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::state_file::Full;

    fn id() -> ContainerId {
        ContainerId::parse(&"a".repeat(64)).unwrap()
    }

    fn open(dir: &Path) -> ByContainer<String> {
        ByContainer::open(dir, |text| Some(text.to_owned()).filter(|text| text != "garbage"))
    }

    fn read(dir: &Path) -> Vec<String> {
        open(dir).held().values().cloned().collect()
    }

    #[test]
    fn a_file_is_there_whole_or_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let kept = open(dir.path());
        kept.write(&id(), b"old words").unwrap();
        // Given up in the midst, as when its gateway is killed.
        drop(kept.half_write(&id(), b"ne").unwrap());
        assert_eq!(read(dir.path()), ["old words"]);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        fs::write(dir.path().join(id().as_str()), "garbage").unwrap();
        assert_eq!(read(dir.path()), Vec::<String>::new());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "it is set aside, not gone");
    }

    #[test]
    fn what_could_not_be_written_is_written_later() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("state/kept");
        let kept = open(&dir);
        let written = || kept.catch_up(|text| text.as_bytes().to_vec());
        let full = Full::of(&root.path().join("state"));
        kept.held().insert(id(), "words".to_owned());
        assert!(kept.write(&id(), b"words").is_err());
        kept.is_behind(&id());
        written();
        drop(full);
        assert_eq!(read(&dir), Vec::<String>::new());
        written();
        assert_eq!(read(&dir), ["words"]);
        // Once: what is written since is not written over, and what is forgotten does not come back.
        kept.write(&id(), b"newer").unwrap();
        written();
        assert_eq!(read(&dir), ["newer"]);
        kept.is_behind(&id());
        kept.forget(&id());
        written();
        assert_eq!(read(&dir), Vec::<String>::new());
    }
}
