//! Which containers a user may have, by their ids: a look-up that names ids costs the engine those, and one by label walks all
//! the containers there are.
//!
//! Nothing is decided by it. Whose a container is, how large it is and whether it runs stands in the engine's answer, in which
//! one that is not the caller's is passed over as before. So an id too many costs nothing. An id that is missing would hide a
//! container, and so the index answers only where it can miss none:
//!
//! - the engine's events are heard, without a gap since the last list of everybody's containers began;
//! - that list is not old: an engine drops what a slow listener does not take, and says nothing of it;
//! - and no create of the user's own leaves a doubt (`doubts.rs`).
//!
//! Otherwise the look-up goes by label (`look_up.rs`).

use super::doubts::{Doubts, End};
use super::label::UID;
use super::moment::{Moment, Moments};
use super::{ContainerId, EngineError};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How old a list may be. Sweeps make one each minute.
const OLDEST: Duration = Duration::from_secs(300);
/// The most ids that are worth a question: with more of them the walk by label costs no more, and the address has an end.
const MOST: usize = 100;

#[derive(Debug, Default)]
pub(super) struct Index(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    moments: Moments,
    /// Since when events are heard; nothing while they are not.
    heard: Option<Moment>,
    /// The newest list of everybody's.
    listed: Option<Listing>,
    /// Each with the moment at which it was learned, by uid.
    ids: HashMap<u32, HashMap<ContainerId, Moment>>,
    doubts: Doubts,
}

/// When a list of everybody's containers began.
#[derive(Debug, Clone, Copy)]
pub(super) struct Listing {
    moment: Moment,
    begun: Instant,
}

/// Held by whoever hears the engine's events and says each to the index.
#[derive(Debug)]
pub(super) struct Hearing {
    index: Arc<Index>,
    since: Moment,
}

/// A create that the engine is asked for. Dropped, it has had no answer.
#[derive(Debug)]
#[must_use]
struct Creating {
    index: Arc<Index>,
    uid: u32,
    end: End,
}

/// Whose a thing in one of the engine's answers may be, by the label alone.
pub(super) fn owner(labels: Option<&Value>) -> Option<u32> {
    labels?.get(UID)?.as_str()?.parse().ok()
}

/// The same of a container in a list, with its id.
pub(super) fn listed(summary: &Value) -> Option<(u32, ContainerId)> {
    let id = ContainerId::parse(summary.get("Id")?.as_str()?)?;
    Some((owner(summary.get("Labels"))?, id))
}

impl Index {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All ids that a container of this user's can have. Nothing where that is not known: then ask by label.
    pub(super) fn ids_of(&self, uid: u32) -> Option<Vec<ContainerId>> {
        let known = self.known();
        let listed = known.listed.filter(|listed| {
            let whole = known.heard.is_some_and(|heard| heard < listed.moment);
            whole && listed.begun.elapsed() < OLDEST
        })?;
        if known.doubts.of(uid, listed.moment) {
            return None;
        }
        let ids: Vec<ContainerId> =
            known.ids.get(&uid).into_iter().flat_map(HashMap::keys).cloned().collect();
        (ids.len() <= MOST).then_some(ids)
    }

    /// One more that may be this user's: it was made, or listed.
    pub(super) fn note(&self, uid: u32, id: ContainerId) {
        self.known().note(uid, id);
    }

    /// A list of everybody's containers is about to be asked for.
    pub(super) fn list_begins(&self) -> Listing {
        Listing { moment: self.known().moments.next(), begun: Instant::now() }
    }

    /// That list has come: what it does not know, and was not learned since it began, is gone.
    pub(super) fn listed(&self, listing: Listing, all: impl Iterator<Item = (u32, ContainerId)>) {
        let mut known = self.known();
        // Of two at once, the one that began first is the older.
        if known.listed.is_some_and(|newest| newest.moment > listing.moment) {
            return;
        }
        known.listed = Some(listing);
        known.doubts.tidy(listing.moment);
        for ids in known.ids.values_mut() {
            ids.retain(|_, learned| *learned > listing.moment);
        }
        for (uid, id) in all {
            known.ids.entry(uid).or_default().entry(id).or_insert(listing.moment);
        }
        known.ids.retain(|_, ids| !ids.is_empty());
    }

    /// The engine has let somebody hear its events.
    pub(super) fn hears(self: &Arc<Self>) -> Hearing {
        let mut known = self.known();
        let since = known.moments.next();
        known.heard = Some(since);
        drop(known);
        Hearing { index: self.clone(), since }
    }

    /// Asks the engine for a container of this user's.
    pub(super) async fn creating(
        self: &Arc<Self>,
        uid: u32,
        create: impl Future<Output = Result<ContainerId, EngineError>>,
    ) -> Result<ContainerId, EngineError> {
        let creating = self.create_begins(uid);
        match create.await {
            Ok(id) => {
                creating.made(id.clone());
                Ok(id)
            }
            Err(error) => {
                if error.is_unasked() {
                    creating.ends(End::Certain);
                } else if error.is_said() {
                    creating.ends(End::Refused);
                }
                Err(error)
            }
        }
    }

    fn create_begins(self: &Arc<Self>, uid: u32) -> Creating {
        self.known().doubts.begins(uid);
        Creating { index: self.clone(), uid, end: End::Unanswered }
    }
}

impl Known {
    fn note(&mut self, uid: u32, id: ContainerId) {
        let now = self.moments.next();
        self.ids.entry(uid).or_default().insert(id, now);
    }

    fn forget(&mut self, uid: u32, id: &ContainerId) {
        if let Some(ids) = self.ids.get_mut(&uid) {
            ids.remove(id);
        }
    }
}

impl Hearing {
    /// What the engine tells, in its order.
    pub(super) fn hear(&self, event: &Value) {
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
        let id = text("/Actor/ID").and_then(ContainerId::parse);
        let (Some("container"), Some(uid), Some(id)) =
            (text("/Type"), owner(event.pointer("/Actor/Attributes")), id)
        else {
            return;
        };
        match text("/Action") {
            Some("create") => self.index.known().note(uid, id),
            Some("destroy") => self.index.known().forget(uid, &id),
            _ => {}
        }
    }

    /// Something that was told could not be understood: it is as if hearing began now.
    pub(super) fn missed(&mut self) {
        let mut known = self.index.known();
        let now = known.moments.next();
        if known.heard == Some(self.since) {
            known.heard = Some(now);
            self.since = now;
        }
    }
}

impl Drop for Hearing {
    fn drop(&mut self) {
        let mut known = self.index.known();
        // Somebody else may hear by now.
        if known.heard == Some(self.since) {
            known.heard = None;
        }
    }
}

impl Creating {
    /// Noted before anybody is told, and before the doubt ends.
    fn made(self, id: ContainerId) {
        self.index.note(self.uid, id);
        self.ends(End::Certain);
    }

    fn ends(mut self, end: End) {
        self.end = end;
    }
}

impl Drop for Creating {
    fn drop(&mut self) {
        let mut known = self.index.known();
        let at = known.moments.next();
        known.doubts.ends(self.uid, self.end, at);
    }
}

#[cfg(test)]
mod tests;
