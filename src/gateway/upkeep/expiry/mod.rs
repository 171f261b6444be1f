//! `stopped_for`: a container that has not run for so long is removed, and its owner reads before that it will be.
//!
//! Expiry looks each minute. It alone takes away, without being asked, what somebody made, so it is slow to believe. It
//! asks the engine again under the container's lock when the container ended. The container goes only when its mark is
//! as old as the warning is long. The mark is `state/expiring/ID`, and `ps -a` has told of it since.
//!
//! A gateway that was away, a shorter time in the policy, a clock that jumped: each costs the warning's time at least.

mod expirations;

pub(in crate::gateway) use expirations::Expirations;

use crate::gateway::caller::absent::Absent;
use crate::gateway::caller::in_force::InForce;
use crate::gateway::engine::{ContainerId, Engine, EngineError, Found, Locked, Patience};
use crate::gateway::gpu::lease::after;
use crate::policy::warning_of;
use crate::protocol::amount::Span;
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Looked at this often, and sooner where something is due sooner.
const LOOK: Duration = Duration::from_secs(60);
/// But not sooner than after this time, whatever is due.
const SOONEST: Duration = Duration::from_secs(1);

/// What becomes of a container that does not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    /// Nothing, before then.
    Stays(Timestamp),
    /// Its owner reads that it goes then.
    Marked(Timestamp),
    Goes,
}

/// Who looks.
#[derive(Debug)]
pub(in crate::gateway) struct Expiry {
    pub(in crate::gateway) engine: Arc<Engine>,
    pub(in crate::gateway) in_force: Arc<InForce>,
    pub(in crate::gateway) absent: Absent,
    pub(in crate::gateway) expirations: Arc<Expirations>,
}

/// Runs for ever.
pub(in crate::gateway) async fn run(expiry: Expiry) {
    loop {
        let next = round(&expiry).await.unwrap_or_else(|error| {
            tracing::warn!("what has been stopped for long was not looked at: {error}");
            None
        });
        tokio::time::sleep(pause(next, Timestamp::now())).await;
    }
}

fn pause(next: Option<Timestamp>, now: Timestamp) -> Duration {
    let left = next.map(|next| Duration::try_from(next.duration_since(now)).unwrap_or_default());
    left.map_or(LOOK, |left| left.clamp(SOONEST, LOOK))
}

/// Looks at everything that does not run. When something is due next.
async fn round(expiry: &Expiry) -> Result<Option<Timestamp>, EngineError> {
    let shortest = expiry.in_force.policy().shortest_stopped_for();
    let everyones = match shortest {
        Some(_) => expiry.engine.everyones().await?,
        None => Vec::new(),
    };
    let stopped: Vec<&Found> = everyones.iter().filter(|found| has_ended(found)).collect();
    // Only this task marks: none was marked since the listing.
    expiry.expirations.keep(&stopped.iter().map(|found| found.id()).collect());
    let Some(shortest) = shortest else { return Ok(None) };
    let mut round = Round { expiry, shortest, now: Timestamp::now(), allowed: HashMap::new() };
    // What ends from now on is not due before.
    let mut next = before_end(round.now, shortest);
    let mut patience = Patience::default();
    for found in stopped {
        // One that the engine does not answer for is looked at again; the others do not wait for it.
        match patience.in_time(found.owner(), round.look(found)).await {
            Ok(at) => next = next.min(at),
            // One that the engine cannot tell of or take away is no reason to keep the others.
            Err(error) => {
                tracing::warn!(container = found.id().as_str(), "is not judged or not removed: {error}");
            }
        }
    }
    Ok(Some(next))
}

/// One look at everything.
struct Round<'a> {
    expiry: &'a Expiry,
    shortest: Span,
    now: Timestamp,
    allowed: HashMap<u32, Allowed>,
}

/// How long a user's containers may stay.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Allowed {
    ForEver,
    /// Those of this login.
    For(String, Span),
    /// The name service does not say whose they are: nothing goes, and nothing is forgotten.
    Unknown,
}

impl Round<'_> {
    /// Marks or removes one that does not run, if it is time. When to look at it again.
    async fn look(&mut self, found: &Found) -> Result<Timestamp, EngineError> {
        let (expiry, now) = (self.expiry, self.now);
        let created = Timestamp::from_second(found.created()).unwrap_or(now);
        // Too young by any table: nobody is asked.
        if now < before_end(created, self.shortest) {
            return Ok(before_end(created, self.shortest));
        }
        let Some(ended) = self.ended(found, created).await? else { return Ok(Timestamp::MAX) };
        let span = match self.allowed(found.owner()).await {
            Allowed::For(login, span) if login == found.labels().login => span,
            Allowed::Unknown => return Ok(Timestamp::MAX),
            // Of an account that had the uid before: nobody who could be warned sees it, and it is the admin's to remove.
            Allowed::For(..) | Allowed::ForEver => {
                expiry.expirations.clear(found.id());
                return Ok(Timestamp::MAX);
            }
        };
        match judge(expiry, found.id(), ended, span, now) {
            Due::Stays(until) | Due::Marked(until) => Ok(until),
            Due::Goes => remove(expiry, found, ended, span).await.map(|()| Timestamp::MAX),
        }
    }

    /// When it ended, or was made if it never ran.
    async fn ended(&self, found: &Found, created: Timestamp) -> Result<Option<Timestamp>, EngineError> {
        let expirations = &self.expiry.expirations;
        if let Some(ended) = expirations.ended(found.id()) {
            return Ok(Some(ended));
        }
        // Busy: an engine that copies into a container tells nothing of it until that is over.
        let Some(container) = look_again(self.expiry, found).await? else { return Ok(None) };
        let ended = container.ended().map(|ended| ended.max(created));
        if let Some(ended) = ended {
            expirations.has_ended(found.id(), ended);
        }
        Ok(ended)
    }

    async fn allowed(&mut self, uid: u32) -> Allowed {
        if let Some(known) = self.allowed.get(&uid) {
            return known.clone();
        }
        let allowed = allowed(self.expiry, uid).await;
        self.allowed.insert(uid, allowed.clone());
        allowed
    }
}

/// Marks and unmarks, by when it was seen to end. One that runs by now is unmarked when it ends, or is next listed; and
/// whatever its mark says, it is asked again before it goes.
fn judge(expiry: &Expiry, id: &ContainerId, ended: Timestamp, span: Span, now: Timestamp) -> Due {
    let begins = before_end(ended, span);
    if now < begins {
        expiry.expirations.clear(id);
        return Due::Stays(begins);
    }
    match expiry.expirations.put(id, now) {
        Ok(marked) => {
            let due = due(ended, marked, span, now);
            if let Due::Marked(goes) = due {
                expiry.expirations.will_go(id, goes);
            }
            due
        }
        Err(error) => {
            // Whoever was not warned keeps it.
            tracing::warn!("a container cannot be marked: {error}");
            Due::Stays(after(now, Span(LOOK.as_secs())))
        }
    }
}

/// It goes when its time is over, and never before its owner could have read so for the whole time of the warning.
fn due(ended: Timestamp, marked: Timestamp, span: Span, now: Timestamp) -> Due {
    let goes = after(ended, span).max(after(marked, warning_of(span)));
    if now < goes { Due::Marked(goes) } else { Due::Goes }
}

/// When the warning begins.
fn before_end(ended: Timestamp, span: Span) -> Timestamp {
    after(ended, Span(span.0.saturating_sub(warning_of(span).0)))
}

fn has_ended(found: &Found) -> bool {
    matches!(found.state(), "created" | "exited" | "dead")
}

async fn allowed(expiry: &Expiry, uid: u32) -> Allowed {
    match expiry.absent.account(uid).await {
        Ok(account) => {
            let span = expiry.absent.limits(&account).stopped_for();
            span.map_or(Allowed::ForEver, |span| Allowed::For(account.login().to_owned(), span))
        }
        Err(error) => {
            tracing::debug!(uid, "nobody knows whose containers these are: {error}");
            Allowed::Unknown
        }
    }
}

/// What is still there, as it is now, if nobody works with it.
async fn look_again(expiry: &Expiry, found: &Found) -> Result<Option<Locked>, EngineError> {
    let again = expiry.engine.look_again(found.id(), found.owner()).await?;
    Ok(again.filter(|container| !container.is_gone()))
}

/// Removes it, unless it has run since.
async fn remove(expiry: &Expiry, found: &Found, ended: Timestamp, span: Span) -> Result<(), EngineError> {
    let Some(container) = look_again(expiry, found).await? else { return Ok(()) };
    if container.ended().is_none_or(|now| now > ended) {
        expiry.expirations.forget(found.id());
        return Ok(());
    }
    let (uid, login, id) = (found.owner(), found.labels().login.as_str(), found.id());
    let name = found.name().as_str();
    // With its volumes without a name: nobody could find them any more, and they would count for nobody.
    if expiry.engine.remove_stopped(&container, uid).await? {
        tracing::info!(uid, login, container = id.as_str(), name, "removed, it has not run for {span}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 24 * 3600;

    fn day(day: u64) -> Timestamp {
        Timestamp::from_second(i64::try_from(day * DAY).unwrap()).unwrap()
    }

    #[test]
    fn it_goes_when_its_time_is_over_and_its_owner_was_warned() {
        let month = Span(30 * DAY);
        assert_eq!(before_end(day(100), month), day(127));
        assert_eq!(due(day(100), day(127), month, day(129)), Due::Marked(day(130)));
        assert_eq!(due(day(100), day(127), month, day(130)), Due::Goes);
        // After a gateway that was away, or a shorter time in the policy, the warning is as long as ever.
        assert_eq!(due(day(100), day(500), month, day(500)), Due::Marked(day(503)));
        assert_eq!(due(day(100), day(500), month, day(503)), Due::Goes);
    }

    #[test]
    fn whoever_looks_sleeps_until_something_is_due() {
        assert_eq!(pause(None, day(1)), LOOK);
        assert_eq!(pause(Some(day(9)), day(1)), LOOK);
        assert_eq!(pause(Some(day(1)), day(2)), SOONEST);
        assert_eq!(pause(Some(after(day(1), Span(7))), day(1)), Duration::from_secs(7));
    }
}
