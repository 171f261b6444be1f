//! What the engine has spent on what each user's containers print, and what of it is paid back.
//!
//! Two minutes' worth may be printed at once, and ten minutes' worth is the most that is owed. A gateway that starts
//! has forgotten it.

use crate::policy::{BURST, DEBT};
use crate::protocol::amount::Cpus;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// By uid, as all totals are. A gateway that starts has forgotten it: that is [`DEBT`] at the most, and what goes on
/// printing is seen again at once.
#[derive(Debug, Default)]
pub(in crate::gateway) struct Spent(Mutex<HashMap<u32, Level>>);

/// Billionths of a second, less what was paid back since.
#[derive(Debug, Clone, Copy)]
struct Level {
    spent: u64,
    most: Cpus,
    at: Instant,
}

impl Level {
    fn new(most: Cpus, at: Instant) -> Self {
        Self { spent: 0, most, at }
    }

    fn now(self, now: Instant) -> u64 {
        let seconds = now.saturating_duration_since(self.at);
        let paid = u128::from(self.most.0) * seconds.as_nanos() / u128::from(Cpus::ONE);
        self.spent.saturating_sub(u64::try_from(paid).unwrap_or(u64::MAX))
    }

    fn add(self, more: u64, most: Cpus, now: Instant) -> Self {
        let ceiling = most.0.saturating_mul(BURST.0 + DEBT.0);
        Self { spent: self.now(now).saturating_add(more).min(ceiling), most, at: now }
    }
}

impl Spent {
    fn levels(&self) -> MutexGuard<'_, HashMap<u32, Level>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So much more, in billionths of a second, by a user who may have so much.
    pub(in crate::gateway) fn add(&self, uid: u32, more: u64, most: Cpus, now: Instant) {
        let mut levels = self.levels();
        // Who owes nothing any more is not remembered.
        levels.retain(|_, level| level.now(now) > 0);
        let level = levels.get(&uid).copied().unwrap_or_else(|| Level::new(most, now));
        levels.insert(uid, level.add(more, most, now));
    }

    /// What is not paid back yet, as the part of a processor that it is over the time of a burst.
    pub(in crate::gateway) fn of(&self, uid: u32, now: Instant) -> Cpus {
        let spent = self.levels().get(&uid).map_or(0, |level| level.now(now));
        rounded(spent / BURST.0)
    }
}

/// Nobody wants to read 0.103487621.
fn rounded(billionths: u64) -> Cpus {
    const STEP: u64 = Cpus::ONE / 1000;
    Cpus(billionths.next_multiple_of(STEP))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    const TENTH: Cpus = Cpus(Cpus::ONE / 10);
    const SECOND: u64 = Cpus::ONE;

    #[test]
    fn what_is_spent_is_paid_back_and_the_debt_has_a_ceiling() {
        let (spent, begun) = (Spent::default(), Instant::now());
        let after = |seconds| begun + Duration::from_secs(seconds);
        spent.add(1, 12 * SECOND, TENTH, begun);
        assert_eq!((spent.of(1, begun), spent.of(2, begun)), (TENTH, Cpus(0)));
        assert_eq!(spent.of(1, after(60)), Cpus(Cpus::ONE / 20));
        assert_eq!(spent.of(1, after(120)), Cpus(0));
        spent.add(1, u64::MAX, TENTH, begun);
        assert_eq!(spent.of(1, after(DEBT.0)), TENTH);
        assert!(spent.of(1, after(DEBT.0 - 2)) > TENTH);
        // Whom nothing is owed by is forgotten.
        spent.add(2, 1, TENTH, after(1000));
        assert_eq!(spent.levels().len(), 1);
    }

    proptest! {
        #[test]
        fn nobody_spends_more_than_a_burst_and_the_pace(costs in proptest::collection::vec((0u64..5 * SECOND, 0u64..30), 1..100)) {
            let (spent, begun) = (Spent::default(), Instant::now());
            let (mut now, mut total) = (begun, 0);
            for (cost, pause) in costs {
                now += Duration::from_secs(pause);
                // Whoever is over prints nothing.
                if spent.of(1, now) <= TENTH {
                    spent.add(1, cost, TENTH, now);
                    total += cost;
                }
            }
            let allowed = TENTH.0 * (BURST.0 + now.duration_since(begun).as_secs()) + 6 * SECOND;
            prop_assert!(total <= allowed, "{total} of {allowed}");
        }
    }
}
