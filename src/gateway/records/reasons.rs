//! Why the gateway has stopped a container: for its owner to read until it is started again, or gone.

use super::by_container::ByContainer;
use crate::gateway::engine::ContainerId;
use std::path::Path;

#[derive(Debug)]
pub(in crate::gateway) struct Reasons(ByContainer<String>);

impl Reasons {
    pub(in crate::gateway) fn open(dir: &Path) -> Self {
        let words = |text: &str| Some(text.trim_end().to_owned()).filter(|words| !words.is_empty());
        Self(ByContainer::open(dir, words))
    }

    /// Before the container is stopped. What cannot be written now is written when there is room.
    pub(in crate::gateway) fn put(&self, id: &ContainerId, words: String) {
        if let Err(error) = self.0.write(id, &written(&words)) {
            tracing::warn!("why a container was stopped is not written down yet: {error}");
            self.0.is_behind(id);
        }
        self.0.held().insert(id.clone(), words);
    }

    pub(in crate::gateway) fn of(&self, id: &ContainerId) -> Option<String> {
        self.0.held().get(id).cloned()
    }

    /// It is started, or gone.
    pub(in crate::gateway) fn forget(&self, id: &ContainerId) {
        self.0.forget(id);
    }

    /// Of which containers there is one.
    pub(in crate::gateway) fn noted(&self) -> Vec<ContainerId> {
        self.0.held().keys().cloned().collect()
    }

    /// Writes what could not be written before.
    pub(in crate::gateway) fn catch_up(&self) {
        self.0.catch_up(|words| written(words));
    }
}

fn written(words: &str) -> Vec<u8> {
    format!("{words}\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn it_is_told_until_the_container_is_started_or_gone() {
        let dir = tempfile::tempdir().unwrap();
        let id = |digit: char| ContainerId::parse(&digit.to_string().repeat(64)).unwrap();
        let reasons = Reasons::open(dir.path());
        for digit in ['a', 'b', 'c'] {
            reasons.put(&id(digit), format!("words of {digit}"));
        }
        reasons.forget(&id('a'));
        reasons.forget(&id('d'));
        drop(reasons);
        let reasons = Reasons::open(dir.path());
        assert_eq!((reasons.of(&id('a')), reasons.of(&id('b'))), (None, Some("words of b".to_owned())));
        assert_eq!(reasons.noted().len(), 2);
        reasons.forget(&id('b'));
        assert_eq!((reasons.of(&id('b')), reasons.of(&id('c')).is_some()), (None, true));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
