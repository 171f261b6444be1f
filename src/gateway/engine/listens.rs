//! When the gateway itself attached to listen: whoever reads the events of a container of theirs is not told, and so cannot
//! be silent for just that moment.

use super::ContainerId;
use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// An engine tells of an attach after it has answered it.
const LATE: Duration = Duration::from_secs(10);
/// How long one is remembered after its end. Who asks for older events learns nothing of a moment to come.
const REMEMBERED: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Default)]
pub(in crate::gateway) struct Listens(Arc<Mutex<All>>);

#[derive(Debug, Default)]
struct All {
    newest: u64,
    listens: VecDeque<Listen>,
}

/// From when to when one may be told of; times are nanoseconds since 1970, as an engine's events have them.
#[derive(Debug)]
struct Listen {
    number: u64,
    id: ContainerId,
    begun: u64,
    ended: Option<u64>,
}

/// One that is being asked for, until it is dropped.
#[derive(Debug)]
pub(super) struct Asking {
    number: u64,
    of: Listens,
}

/// Those that one reader of events was not told of: each stands for one event.
#[derive(Debug, Default)]
pub(in crate::gateway) struct Untold(HashSet<u64>);

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn now() -> u64 {
    nanos(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

impl Listens {
    fn all(&self) -> MutexGuard<'_, All> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn begin(&self, id: &ContainerId) -> Asking {
        let mut all = self.all();
        let begun = now();
        all.listens
            .retain(|one| one.ended.is_none_or(|ended| begun.saturating_sub(ended) < nanos(REMEMBERED)));
        all.newest += 1;
        let number = all.newest;
        all.listens.push_back(Listen { number, id: id.clone(), begun, ended: None });
        Asking { number, of: self.clone() }
    }

    /// Whether an attach to this container at that time is one of ours, which this reader has not been spared yet.
    pub(in crate::gateway) fn are_told_of(&self, id: &str, at: u64, untold: &mut Untold) -> bool {
        let all = self.all();
        let oldest = all.listens.front().map_or(u64::MAX, |one| one.number);
        untold.0.retain(|number| *number >= oldest);
        let is_it = |one: &&Listen| {
            one.id.as_str() == id
                && (one.begun..=one.ended.unwrap_or(u64::MAX)).contains(&at)
                && !untold.0.contains(&one.number)
        };
        let found = all.listens.iter().find(is_it).map(|one| one.number);
        found.is_some_and(|number| untold.0.insert(number))
    }
}

impl Asking {
    /// The engine said no, and tells nobody of it.
    pub(super) fn was_refused(self) {
        self.of.all().listens.retain(|one| one.number != self.number);
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        let mut all = self.of.all();
        if let Some(one) = all.listens.iter_mut().find(|one| one.number == self.number) {
            one.ended = Some(now().saturating_add(nanos(LATE)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_kept_from_each_reader_once_and_nothing_else_is() {
        let listens = Listens::default();
        let id = |digit: &str| ContainerId::parse(&digit.repeat(64)).unwrap();
        let before = now();
        let asking = listens.begin(&id("a"));
        let during = now();
        let (mut one, mut other) = (Untold::default(), Untold::default());
        for reader in [&mut one, &mut other] {
            assert!(!listens.are_told_of(id("b").as_str(), during, reader));
            assert!(!listens.are_told_of(id("a").as_str(), before - 1, reader));
            assert!(listens.are_told_of(id("a").as_str(), during, reader));
            // Another one at that time is somebody's own.
            assert!(!listens.are_told_of(id("a").as_str(), during, reader));
        }
        drop(asking);
        let mut third = Untold::default();
        let after = |time: Duration| now() + nanos(time);
        assert!(!listens.are_told_of(id("a").as_str(), after(LATE * 2), &mut third));
        assert!(listens.are_told_of(id("a").as_str(), after(LATE / 2), &mut third));
        listens.begin(&id("c")).was_refused();
        assert!(!listens.are_told_of(id("c").as_str(), now(), &mut third));
    }
}
