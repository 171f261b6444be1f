//! Watching one container from its start to its end.
//!
//! Each container that was started has a task of its own, which looks every four seconds or so. It looks sooner while
//! the container is young, and more seldom the more containers there are. The moments are chosen by chance: how long
//! ago the last look was says nothing of the next. So a look stands for the usual pause and not for the pause before
//! it, and looks back as far. The first look comes within 200 ms, and looks back to before the start.
//!
//! A container that the engine does not tell of goes on as it was, and has one look under way. A container that is gone
//! goes on as it was until its end is known, so short runs count, too.
//!
//! An engine makes the log of an ended container anew for each reader, also in a directory that it is removing. Then it
//! fails to remove that directory. So a container that goes with its process has no last look.

use super::Output;
use super::watched::Ends;
use crate::gateway::caller::account::Account;
use crate::gateway::engine::{Ears, EngineError, Found};
use crate::gateway::upkeep::stopping::{Whom, stop};
use crate::policy::Usage;
use crate::protocol::amount::Cpus;
use jiff::Timestamp;
use rustix::rand::{GetRandomFlags, getrandom};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// Between two looks at one container, on the whole; the younger it is, the sooner.
const EVERY: Duration = Duration::from_secs(4);
/// Between two looks at any, on the whole: one costs the engine up to 2 ms, and all together a tenth of a processor at most.
const OF_ALL: Duration = Duration::from_millis(20);
/// But not sooner, however young it is.
const SOONEST: Duration = Duration::from_millis(200);
/// The longest pause, as many times the usual one: pauses are left to chance.
const LONGEST: f64 = 6.0;
/// How long a look may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// One run of a container.
pub(in crate::gateway) struct Watch {
    output: Arc<Output>,
    found: Found,
    ends: Arc<Ends>,
    /// None once it has ended.
    ears: Option<Arc<Ears>>,
    since: Instant,
    /// The look before, and what it saw.
    at: Instant,
    rate: Cpus,
    /// The time that the next look stands for.
    owed: Duration,
    /// A look that has not been answered yet: there is one at the most.
    under_way: Option<JoinHandle<Result<Cpus, EngineError>>>,
}

impl Watch {
    /// Of one that is about to start, or runs: what is told of its end from now on is heard. It ends when it is dropped.
    pub(super) fn new(output: &Arc<Output>, found: &Found) -> Self {
        let ends = output.watched.begin(found.id(), found.owner(), Whom::of(found));
        let (now, found) = (Instant::now(), found.clone());
        Self {
            output: output.clone(),
            found,
            ends,
            ears: Some(Arc::default()),
            since: now,
            at: now,
            rate: Cpus(0),
            owed: Duration::ZERO,
            under_way: None,
        }
    }

    /// It runs.
    pub(in crate::gateway) fn begin(self) {
        tokio::spawn(self.run());
    }

    async fn run(mut self) {
        // The first look comes soon, and stands for all that was printed while the engine was still at the start.
        let (mut pause, mut stands_for) = (SOONEST.mul_f64(chance()), None);
        loop {
            let gone = tokio::select! {
                biased;
                () = self.ends.dies.notified() => self.dies().await,
                () = self.ends.over.notified() => true,
                () = tokio::time::sleep(pause) => {
                    self.owed += stands_for.unwrap_or_else(|| self.at.elapsed());
                    self.look().await
                }
            };
            self.charge(gone).await;
            if gone {
                return;
            }
            let usual = usual(self.since.elapsed(), self.output.watched.count());
            (pause, stands_for) = (memoryless(usual), Some(usual));
        }
    }

    /// Whether it is gone. An engine makes the log of what has ended anew for whoever asks for it. Where it is removing that
    /// just now, it finds a file in a directory that it has emptied, and fails; so there the look before was the last one.
    async fn dies(&mut self) -> bool {
        self.found.labels().auto_remove || self.last_look().await
    }

    /// At the end of its log, which may come late to be read: it printed no less than was seen before.
    async fn last_look(&mut self) -> bool {
        let before = self.rate;
        self.owed = self.at.elapsed();
        let ears = self.ears.take();
        let gone = self.look().await;
        // It may have been the end of a run before.
        self.ears = ears;
        self.rate = self.rate.max(before);
        gone
    }

    /// Whether it is gone. What the engine does not tell of goes on as it was.
    async fn look(&mut self) -> bool {
        let due = Instant::now();
        let _permit = self.output.watched.looks.of(self.found.owner()).acquire_owned().await;
        let mut look = self.under_way.take().unwrap_or_else(|| self.begin_look(self.owed + due.elapsed()));
        let looked = match tokio::time::timeout(PATIENCE, &mut look).await {
            Ok(looked) => looked.unwrap_or_else(|error| Err(EngineError::Odd(error.to_string()))),
            Err(_) => {
                self.under_way = Some(look);
                Err(EngineError::Late)
            }
        };
        // What its owner's other containers held up, and what the look itself took, is not missed.
        self.owed += due.elapsed();
        match looked {
            Ok(rate) => self.rate = rate,
            Err(error) if error.is_not_found() => return true,
            Err(error) => {
                tracing::debug!(container = self.found.id().as_str(), "what it prints is not known: {error}");
            }
        }
        false
    }

    fn begin_look(&self, ago: Duration) -> JoinHandle<Result<Cpus, EngineError>> {
        let (engine, found, ears) = (self.output.engine.clone(), self.found.clone(), self.ears.clone());
        tokio::spawn(async move { engine.printed(&found, ears.as_deref(), ago).await })
    }

    /// Charges its owner with what it cost in the time that the look stands for, and stops what goes on costing too much.
    async fn charge(&mut self, gone: bool) {
        let (uid, id) = (self.found.owner(), self.found.id());
        let (now, rate) = (Instant::now(), self.rate);
        self.output.watched.note(id, &self.ends, if gone { Cpus(0) } else { rate });
        let time = if gone { now.saturating_duration_since(self.at) } else { self.owed };
        if rate == Cpus(0) {
            (self.at, self.owed) = (now, Duration::ZERO);
            return;
        }
        // The limits are today's; when the name service does not say whose, the next look asks again.
        let Some(account) = self.account().await else { return };
        let cost = cost(rate, time);
        (self.at, self.owed) = (now, Duration::ZERO);
        let limits = self.output.absent.limits(&account);
        let Some(most) = limits.output() else { return };
        let spent = &self.output.engine.spent;
        spent.add(uid, cost, most, now);
        let used = Usage { output: spent.of(uid, now), ..Usage::default() };
        if limits.output_left(&used).is_err()
            && let Some(whom) = self.output.watched.to_stop(uid, most)
        {
            tokio::spawn(stop(self.output.stops.clone(), whom, limits.output_over(&used), Timestamp::now()));
        }
    }

    async fn account(&self) -> Option<Account> {
        let (output, uid) = (&self.output, self.found.owner());
        if let Some(account) = output.watched.account(uid) {
            return Some(account);
        }
        match output.absent.account(uid).await {
            Ok(account) => {
                output.watched.learn(uid, &account);
                Some(account)
            }
            Err(error) => {
                tracing::debug!(uid, "nobody knows whose containers print: {error}");
                None
            }
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.output.watched.forget(self.found.id(), &self.ends);
        self.under_way.iter().for_each(JoinHandle::abort);
    }
}

/// In billionths of a second of a processor.
fn cost(rate: Cpus, time: Duration) -> u64 {
    let cost = u128::from(rate.0) * time.as_nanos() / u128::from(Cpus::ONE);
    u64::try_from(cost).unwrap_or(u64::MAX)
}

/// By chance, and so long on the whole: however long the look before is ago, the next one is as likely to come now as at any
/// other moment. Whoever knows of it, as by what `quota` says, knows nothing of the next.
fn memoryless(usual: Duration) -> Duration {
    // The one in some four hundred that would be longer is not: a flood is not to be left alone for so long.
    usual.mul_f64((-chance().ln()).min(LONGEST))
}

fn usual(age: Duration, count: u32) -> Duration {
    age.clamp(SOONEST, EVERY.max(OF_ALL.saturating_mul(count)))
}

/// More than nothing, and one at the most.
fn chance() -> f64 {
    let mut bytes = [0; 4];
    // Without randomness there are more looks.
    let filled = getrandom(&mut bytes, GetRandomFlags::empty()).is_ok();
    let number = if filled { u32::from_ne_bytes(bytes) } else { u32::MAX };
    (f64::from(number) + 1.0) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_seldom_enough_for_the_engine_however_many_are_watched() {
        let seconds = Duration::from_secs;
        for (age, count, wanted) in [
            (seconds(0), 1, SOONEST),
            (seconds(1), 1, seconds(1)),
            (seconds(1), 5000, seconds(1)),
            (seconds(3600), 1, EVERY),
            (seconds(3600), 200, EVERY),
            (seconds(3600), 2000, seconds(40)),
        ] {
            assert_eq!(usual(age, count), wanted, "{age:?} {count}");
        }
    }

    #[test]
    fn the_next_look_is_as_likely_at_any_moment() {
        let pauses: Vec<Duration> = (0..40_000).map(|_| memoryless(EVERY)).collect();
        let longer = |than: Duration| pauses.iter().filter(|pause| **pause > than).count();
        // Of those that have waited so long, 37 of a hundred wait as long again. Chance leads a tenth as far off as may be.
        for waited in [0, 1, 2] {
            let (before, after) = (longer(EVERY * waited), longer(EVERY * (waited + 1)));
            let share = f64::from(u32::try_from(after).unwrap()) / f64::from(u32::try_from(before).unwrap());
            assert!((0.30..0.44).contains(&share), "{share} after {waited}");
        }
        assert!(pauses.iter().all(|pause| *pause <= EVERY.mul_f64(LONGEST)));
    }
}
