//! Which containers are watched, and what each of them costs the engine just now.

use crate::gateway::bounds::permits::Permits;
use crate::gateway::caller::account::Account;
use crate::gateway::engine::ContainerId;
use crate::gateway::upkeep::stopping::{STOPPING, Whom};
use crate::protocol::amount::Cpus;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// How long it is known whose a uid is.
const KNOWN: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Watched {
    all: Mutex<HashMap<ContainerId, One>>,
    accounts: Mutex<HashMap<u32, (Instant, Account)>>,
    /// One look at a time at each user's.
    pub(super) looks: Permits,
}

#[derive(Debug)]
struct One {
    whom: Whom,
    uid: u32,
    rate: Cpus,
    stopping: Option<Instant>,
    ends: Arc<Ends>,
}

/// What whoever watches a container is told of its end.
#[derive(Debug, Default)]
pub(super) struct Ends {
    /// Its process has ended, or that of a run before. Its log is there for a moment.
    pub(super) dies: Notify,
    /// It does not run any more.
    pub(super) over: Notify,
}

impl One {
    /// What it goes on costing: whatever is being stopped does not.
    fn costs(&self) -> Cpus {
        match self.stopping {
            Some(since) if since.elapsed() < STOPPING => Cpus(0),
            _ => self.rate,
        }
    }
}

impl Default for Watched {
    fn default() -> Self {
        Self { all: Mutex::default(), accounts: Mutex::default(), looks: Permits::new(1) }
    }
}

impl Watched {
    fn all(&self) -> MutexGuard<'_, HashMap<ContainerId, One>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more. Who watched it when it ran before ends.
    pub(super) fn begin(&self, id: &ContainerId, uid: u32, whom: Whom) -> Arc<Ends> {
        let ends = Arc::new(Ends::default());
        let one = One { whom, uid, rate: Cpus(0), stopping: None, ends: ends.clone() };
        if let Some(before) = self.all().insert(id.clone(), one) {
            before.ends.over.notify_one();
        }
        ends
    }

    /// The engine says that it has ended, now or when it ran before: there is a last look to take.
    pub(super) fn dies(&self, id: &ContainerId) {
        if let Some(one) = self.all().get(id) {
            one.ends.dies.notify_one();
        }
    }

    /// It does not run: to be said under its lock, so that it is not of one that was started anew.
    pub(super) fn ended(&self, id: &ContainerId) {
        if let Some(one) = self.all().get(id) {
            one.ends.over.notify_one();
        }
    }

    /// Nobody watches it any more; unless it was started anew.
    pub(super) fn forget(&self, id: &ContainerId, ends: &Arc<Ends>) {
        let mut all = self.all();
        if all.get(id).is_some_and(|one| Arc::ptr_eq(&one.ends, ends)) {
            all.remove(id);
        }
    }

    pub(super) fn has(&self, id: &ContainerId) -> bool {
        self.all().contains_key(id)
    }

    /// How many are watched.
    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.all().len()).unwrap_or(u32::MAX)
    }

    /// All that are watched, each with who is to be told of its end: to be asked for before a listing.
    pub(super) fn now(&self) -> Vec<(ContainerId, Arc<Ends>)> {
        self.all().iter().map(|(id, one)| (id.clone(), one.ends.clone())).collect()
    }

    /// What it costs, by whoever watches this run of it.
    pub(super) fn note(&self, id: &ContainerId, ends: &Arc<Ends>, rate: Cpus) {
        if let Some(one) = self.all().get_mut(id).filter(|one| Arc::ptr_eq(&one.ends, ends)) {
            one.rate = rate;
        }
    }

    /// Of a user's containers, which together cost more than may be, the one that costs the most. It counts as being
    /// stopped from now on.
    pub(super) fn to_stop(&self, uid: u32, most: Cpus) -> Option<Whom> {
        let mut all = self.all();
        let theirs = || all.values().filter(|one| one.uid == uid);
        let sum: u128 = theirs().map(|one| u128::from(one.costs().0)).sum();
        if sum <= u128::from(most.0) {
            return None;
        }
        let worst = all.values_mut().filter(|one| one.uid == uid).max_by_key(|one| one.costs())?;
        worst.stopping = Some(Instant::now());
        Some(worst.whom.clone())
    }

    pub(super) fn account(&self, uid: u32) -> Option<Account> {
        let accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        accounts.get(&uid).filter(|(since, _)| since.elapsed() < KNOWN).map(|(_, account)| account.clone())
    }

    pub(super) fn learn(&self, uid: u32, account: &Account) {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        accounts.retain(|_, (since, _)| since.elapsed() < KNOWN);
        accounts.insert(uid, (Instant::now(), account.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(digit: char) -> ContainerId {
        ContainerId::parse(&digit.to_string().repeat(64)).unwrap()
    }

    #[test]
    fn the_dearest_are_stopped_until_the_rest_is_little() {
        let watched = Watched::default();
        for (digit, uid, rate) in [('a', 1, 5), ('b', 1, 40), ('c', 1, 30), ('d', 2, 90)] {
            let ends = watched.begin(&id(digit), uid, Whom::fake(&id(digit), uid));
            watched.note(&id(digit), &ends, Cpus(rate));
        }
        let stopped = |most| watched.to_stop(1, Cpus(most)).map(|whom| whom.id().clone());
        assert_eq!((stopped(75), stopped(10), stopped(10)), (None, Some(id('b')), Some(id('c'))));
        assert_eq!((stopped(10), watched.to_stop(3, Cpus(1)).is_none()), (None, true));
    }

    #[test]
    fn who_watches_an_earlier_run_changes_nothing_of_the_next() {
        let watched = Watched::default();
        let begin = || watched.begin(&id('a'), 1, Whom::fake(&id('a'), 1));
        let (first, second) = (begin(), begin());
        watched.note(&id('a'), &first, Cpus(9));
        watched.forget(&id('a'), &first);
        assert!(watched.has(&id('a')) && watched.to_stop(1, Cpus(0)).is_none());
        watched.note(&id('a'), &second, Cpus(9));
        assert!(watched.to_stop(1, Cpus(0)).is_some());
        watched.forget(&id('a'), &second);
        assert!(!watched.has(&id('a')));
    }
}
