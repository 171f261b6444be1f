//! What starts again by itself: by which policy, how often it has, whether it was stopped, and what has ended just now.
//!
//! The engine's own restart policy is "no" for every container: a start without the gateway would be without its limits, its
//! stages and its cards. So Docker's words are kept in a label, and what has happened since in a file for each container.

use super::by_container::ByContainer;
use crate::gateway::engine::{ContainerId, Found};
use crate::protocol::restart::Restart;
use jiff::SignedDuration;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Docker's first pause between an end and the next start. Each is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Docker's longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// What has run for so long begins with the first pause again, as in Docker.
const GOOD_RUN: SignedDuration = SignedDuration::from_secs(10);
/// After a start that was refused or failed, before the next try.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// The longest of those: what may not start at all costs a look-up each time.
const LONGEST_RETRY: Duration = Duration::from_secs(300);

/// Between two looks at whether an end has been seen.
const LOOK: Duration = Duration::from_millis(20);
/// So many looks at the most: an engine tells of an end within milliseconds, and who asks is not kept waiting.
const LOOKS: u32 = 50;

/// What is kept from one gateway to the next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Kept {
    /// By its owner, an admin or a limit: it does not start again until it is started.
    stopped: bool,
    /// How often it has started by itself since it was last started by its owner.
    times: u32,
    /// Another policy than the one that it was made with.
    policy: Option<Restart>,
}

impl Kept {
    fn text(self) -> String {
        let stopped = if self.stopped { "stopped" } else { "runs" };
        let policy = self.policy.map_or_else(|| "-".to_owned(), |policy| policy.to_string());
        format!("{stopped} {} {policy}\n", self.times)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let stopped = match words.next()? {
            "stopped" => true,
            "runs" => false,
            _ => return None,
        };
        let times = words.next()?.parse().ok()?;
        let policy = match words.next()? {
            "-" => None,
            word => Some(Restart::typed(word).ok()?),
        };
        words.next().is_none().then_some(Self { stopped, times, policy })
    }
}

/// Where a container stands that has ended and has a policy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Standing {
    #[default]
    Unseen,
    /// Its policy lets it stay as it is.
    Settled,
    /// It starts after a pause.
    Waits,
}

/// What this gateway alone knows.
#[derive(Debug, Default)]
struct Now {
    standing: Standing,
    pause: Duration,
    /// Why the last try failed.
    refused: Option<String>,
}

/// Somebody's container, wherever it is looked at again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::gateway) struct Ended {
    pub(in crate::gateway) id: ContainerId,
    pub(in crate::gateway) uid: u32,
}

/// What there is to look at.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::gateway) enum Work {
    /// It has ended just now, and starts after its pause.
    Ended(Ended),
    /// One user's, which ended while nobody heard: at once, in this order.
    Left(Vec<Ended>),
}

/// What an owner reads of a container that does not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::gateway) enum Shown {
    Waits,
    Refused(String),
}

#[derive(Debug)]
pub(in crate::gateway) struct Restarts {
    kept: ByContainer<Kept>,
    writing: Mutex<()>,
    now: Mutex<HashMap<ContainerId, Now>>,
    /// Those that are looked at, and whether one has ended once more meanwhile.
    under_way: Arc<Mutex<HashMap<ContainerId, bool>>>,
    work: Mutex<VecDeque<Work>>,
    news: Notify,
}

impl Restarts {
    pub(in crate::gateway) fn open(dir: &Path) -> Self {
        Self {
            kept: ByContainer::open(dir, Kept::parse),
            writing: Mutex::default(),
            now: Mutex::default(),
            under_way: Arc::default(),
            work: Mutex::default(),
            news: Notify::new(),
        }
    }

    fn now(&self) -> MutexGuard<'_, HashMap<ContainerId, Now>> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) -> MutexGuard<'_, VecDeque<Work>> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kept(&self, id: &ContainerId) -> Kept {
        self.kept.held().get(id).copied().unwrap_or_default()
    }

    /// What cannot be written now is written when there is room.
    fn keep(&self, id: &ContainerId, change: impl FnOnce(&mut Kept)) {
        if !self.changed(id, change) {
            return;
        }
        // One after the other, each with what is so by then; whoever only reads waits for no disk.
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = self.kept(id);
        if let Err(error) = self.kept.write(id, kept.text().as_bytes()) {
            tracing::warn!("whether a container starts again is not written down yet: {error}");
            self.kept.is_behind(id);
        }
    }

    fn changed(&self, id: &ContainerId, change: impl FnOnce(&mut Kept)) -> bool {
        let mut held = self.kept.held();
        let before = held.get(id).copied().unwrap_or_default();
        let mut kept = before;
        change(&mut kept);
        if kept != before {
            held.insert(id.clone(), kept);
        }
        kept != before
    }

    /// By which policy a container starts again.
    pub(in crate::gateway) fn policy(&self, found: &Found) -> Restart {
        self.kept(found.id()).policy.unwrap_or(found.labels().restart)
    }

    /// Whether there is a policy at all, by the label in an engine's event.
    pub(in crate::gateway) fn concerns(&self, id: &ContainerId, label: Option<&str>) -> bool {
        let made_with = label.and_then(|word| Restart::typed(word).ok()).unwrap_or_default();
        self.kept(id).policy.unwrap_or(made_with) != Restart::No
    }

    /// How often it has.
    pub(in crate::gateway) fn times(&self, id: &ContainerId) -> u32 {
        self.kept(id).times
    }

    /// Another policy from now on. What does not run is not started by that.
    pub(in crate::gateway) fn set_policy(&self, id: &ContainerId, policy: Restart, runs: bool) {
        self.keep(id, |kept| {
            kept.policy = Some(policy);
            kept.stopped |= !runs;
        });
        // Whatever it waited for, or was told, was by the policy before.
        self.now().remove(id);
    }

    /// Before it is stopped: its end starts nothing.
    pub(in crate::gateway) fn stop(&self, found: &Found) {
        if self.policy(found) != Restart::No {
            self.stop_any(found.id());
        }
    }

    /// The same of one of which no more is known.
    pub(in crate::gateway) fn stop_any(&self, id: &ContainerId) {
        self.keep(id, |kept| kept.stopped = true);
        self.now().remove(id);
    }

    /// Asked under the container's lock by whatever starts it again: a stop that comes later waits for that lock.
    pub(in crate::gateway) fn is_stopped(&self, id: &ContainerId) -> bool {
        self.kept(id).stopped
    }

    /// Its owner starts it, which counts from now on. Whether it was stopped until then.
    pub(in crate::gateway) fn starts(&self, id: &ContainerId) -> bool {
        let stopped = self.is_stopped(id);
        if self.kept.held().contains_key(id) {
            self.keep(id, |kept| (kept.stopped, kept.times) = (false, 0));
        }
        self.now().remove(id);
        stopped
    }

    /// It has started by itself.
    pub(in crate::gateway) fn started_again(&self, id: &ContainerId) {
        self.keep(id, |kept| kept.times = kept.times.saturating_add(1));
        let mut now = self.now();
        let now = now.entry(id.clone()).or_default();
        (now.standing, now.refused) = (Standing::Unseen, None);
    }

    /// Whether it starts again after this end.
    pub(in crate::gateway) fn applies(&self, found: &Found, exit_code: i64) -> bool {
        let kept = self.kept(found.id());
        let applies = !kept.stopped && self.policy(found).applies(exit_code, kept.times);
        if !applies && self.policy(found) != Restart::No {
            let mut now = self.now();
            let now = now.entry(found.id().clone()).or_default();
            (now.standing, now.refused) = (Standing::Settled, None);
        }
        applies
    }

    /// How long it waits after a run of so long.
    pub(in crate::gateway) fn pause(&self, id: &ContainerId, ran: SignedDuration) -> Duration {
        let mut now = self.now();
        let now = now.entry(id.clone()).or_default();
        now.pause = match ran < GOOD_RUN && !now.pause.is_zero() {
            true => now.pause.saturating_mul(2).min(LONGEST_PAUSE),
            false => FIRST_PAUSE,
        };
        now.standing = Standing::Waits;
        now.pause
    }

    /// Why it has not started; how long it waits after so many tries in a row.
    pub(in crate::gateway) fn refused(&self, id: &ContainerId, why: String, tries: u32) -> Duration {
        self.now().entry(id.clone()).or_default().refused = Some(why);
        let doubled = 1_u32.checked_shl(tries).unwrap_or(u32::MAX);
        FIRST_RETRY.saturating_mul(doubled).min(LONGEST_RETRY)
    }

    /// What its owner reads of it.
    pub(in crate::gateway) fn shown(&self, id: &ContainerId) -> Option<Shown> {
        let now = self.now();
        let now = now.get(id)?;
        match (&now.refused, now.standing) {
            (Some(why), _) => Some(Shown::Refused(why.clone())),
            (None, Standing::Waits) => Some(Shown::Waits),
            (None, _) => None,
        }
    }

    /// Whether it starts again in a moment. What has ended just now is looked at first.
    pub(in crate::gateway) async fn waits(&self, found: &Found) -> bool {
        let unseen = || found.state() == "exited" && self.is_unseen(found);
        for _ in 0..LOOKS {
            if !unseen() {
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
        self.shown(found.id()) == Some(Shown::Waits)
    }

    /// It has ended just now.
    pub(in crate::gateway) fn ended(&self, ended: Ended) {
        self.work().push_back(Work::Ended(ended));
        self.news.notify_one();
    }

    /// Those of everybody's that have ended while nobody heard, each user's in the order in which they were made.
    pub(in crate::gateway) fn left(&self, everyones: &[Found]) {
        let mut left: BTreeMap<u32, Vec<&Found>> = BTreeMap::new();
        // The engine lists the newest first.
        for found in everyones.iter().rev().filter(|found| found.state() == "exited" && self.is_left(found)) {
            left.entry(found.owner()).or_default().push(found);
        }
        for (uid, found) in left {
            let ended = found.iter().map(|found| Ended { id: found.id().clone(), uid }).collect();
            self.work().push_back(Work::Left(ended));
        }
        self.news.notify_one();
    }

    fn is_left(&self, found: &Found) -> bool {
        let under_way =
            self.under_way.lock().unwrap_or_else(PoisonError::into_inner).contains_key(found.id());
        self.is_unseen(found) && !under_way
    }

    fn is_unseen(&self, found: &Found) -> bool {
        let standing = self.now().get(found.id()).map(|now| now.standing).unwrap_or_default();
        self.policy(found) != Restart::No && !self.kept(found.id()).stopped && standing == Standing::Unseen
    }

    /// Waits for work.
    pub(in crate::gateway) async fn next(&self) -> Work {
        loop {
            if let Some(work) = self.work().pop_front() {
                return work;
            }
            self.news.notified().await;
        }
    }

    /// One that is looked at, unless it is already: then once more afterwards.
    pub(in crate::gateway) fn claim(self: &Arc<Self>, ended: Ended) -> Option<Claim> {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        match under_way.get_mut(&ended.id) {
            Some(again) => {
                *again = true;
                None
            }
            None => {
                under_way.insert(ended.id.clone(), false);
                Some(Claim { ended, restarts: self.clone() })
            }
        }
    }

    /// Of which containers something is kept.
    pub(in crate::gateway) fn noted(&self) -> Vec<ContainerId> {
        let mut noted: Vec<ContainerId> = self.kept.held().keys().cloned().collect();
        noted.extend(self.now().keys().cloned());
        noted
    }

    /// It is gone.
    pub(in crate::gateway) fn forget(&self, id: &ContainerId) {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        self.kept.forget(id);
        self.now().remove(id);
    }

    /// Writes what could not be written before.
    pub(in crate::gateway) fn catch_up(&self) {
        self.kept.catch_up(|kept| kept.text().into_bytes());
    }
}

/// A container that is looked at, by one task alone.
#[derive(Debug)]
pub(in crate::gateway) struct Claim {
    ended: Ended,
    restarts: Arc<Restarts>,
}

impl Claim {
    pub(in crate::gateway) fn ended(&self) -> &Ended {
        &self.ended
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut under_way = self.restarts.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if under_way.remove(&self.ended.id) == Some(true) {
            drop(under_way);
            self.restarts.ended(self.ended.clone());
        }
    }
}

#[cfg(test)]
mod tests;
