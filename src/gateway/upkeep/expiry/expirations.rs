//! Which containers will be removed soon, and since when their owners could read it: a file for each, so that a gateway
//! that is started anew neither forgets it nor takes everything at once after the clock was wrong.

use crate::gateway::engine::ContainerId;
use crate::gateway::records::by_container::ByContainer;
use jiff::Timestamp;
use std::collections::{HashMap, HashSet};
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One that was told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Expiration {
    since: Timestamp,
    /// When the container goes, once somebody has reckoned it.
    goes: Option<Timestamp>,
}

#[derive(Debug)]
pub(in crate::gateway) struct Expirations {
    kept: ByContainer<Expiration>,
    /// When those ended that were asked about.
    ends: Mutex<HashMap<ContainerId, Timestamp>>,
}

impl Expirations {
    /// Reads what an earlier gateway left; what cannot be read was not marked.
    pub(in crate::gateway) fn open(dir: &Path) -> Self {
        let mark = |text: &str| Some(Expiration { since: text.trim_end().parse().ok()?, goes: None });
        Self { kept: ByContainer::open(dir, mark), ends: Mutex::default() }
    }

    /// When a marked container goes, for its owner to read.
    pub(in crate::gateway) fn goes(&self, id: &ContainerId) -> Option<Timestamp> {
        self.kept.held().get(id)?.goes
    }

    /// Marks a container from now on, unless it is marked already; since when it is.
    pub(super) fn put(&self, id: &ContainerId, now: Timestamp) -> io::Result<Timestamp> {
        let mut held = self.kept.held();
        if let Some(mark) = held.get(id) {
            return Ok(mark.since);
        }
        self.kept.write(id, format!("{now}\n").as_bytes())?;
        held.insert(id.clone(), Expiration { since: now, goes: None });
        Ok(now)
    }

    pub(super) fn will_go(&self, id: &ContainerId, at: Timestamp) {
        if let Some(mark) = self.kept.held().get_mut(id) {
            mark.goes = Some(at);
        }
    }

    pub(super) fn ended(&self, id: &ContainerId) -> Option<Timestamp> {
        self.ends().get(id).copied()
    }

    pub(super) fn has_ended(&self, id: &ContainerId, at: Timestamp) {
        self.ends().insert(id.clone(), at);
    }

    /// It was started, and has ended again or is gone.
    pub(in crate::gateway) fn forget(&self, id: &ContainerId) {
        self.ends().remove(id);
        self.clear(id);
    }

    /// It stays.
    pub(super) fn clear(&self, id: &ContainerId) {
        self.kept.forget(id);
    }

    /// Forgets all but these.
    pub(super) fn keep(&self, ids: &HashSet<&ContainerId>) {
        self.kept.keep(ids);
        self.ends().retain(|id, _| ids.contains(id));
    }

    fn ends(&self) -> MutexGuard<'_, HashMap<ContainerId, Timestamp>> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::layout::ASIDE;
    use std::fs;

    fn id(digit: char) -> ContainerId {
        ContainerId::parse(&digit.to_string().repeat(64)).unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_mark_outlives_its_gateway_and_is_put_once() {
        let dir = tempfile::tempdir().unwrap();
        let marks = Expirations::open(dir.path());
        assert_eq!(marks.put(&id('a'), at(5)).unwrap(), at(5));
        marks.put(&id('b'), at(6)).unwrap();
        fs::write(dir.path().join(id('c').as_str()), "half").unwrap();
        fs::write(dir.path().join("other"), "2026-01-01T00:00:00Z\n").unwrap();
        let marks = Expirations::open(dir.path());
        assert_eq!(marks.put(&id('a'), at(99)).unwrap(), at(5));
        assert_eq!(marks.goes(&id('a')), None);
        marks.will_go(&id('a'), at(200));
        assert_eq!(marks.goes(&id('a')), Some(at(200)));
        marks.has_ended(&id('a'), at(1));
        marks.has_ended(&id('b'), at(2));
        marks.keep(&HashSet::from([&id('b')]));
        assert_eq!(
            (marks.goes(&id('a')), marks.ended(&id('a')), marks.ended(&id('b'))),
            (None, None, Some(at(2)))
        );
        let all =
            fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let left: Vec<_> = all.filter(|name| !name.contains(ASIDE)).collect();
        assert_eq!(left, [id('b').as_str()]);
        assert_eq!(marks.put(&id('a'), at(300)).unwrap(), at(300));
        marks.forget(&id('b'));
        assert_eq!((marks.ended(&id('b')), marks.put(&id('b'), at(301)).unwrap()), (None, at(301)));
    }
}
