//! Containers that are to be removed: whatever keeps one of them locked, and can be given up, is.
//!
//! Otherwise its owner could keep one from its admin: by copies that trickle, one behind the other, or by a start that
//! waits for another start.
//!
//! Work that has the lock and waits gives it up as soon as somebody wants to remove the container. Such work is a copy
//! for its caller, or a start that waits for its owner's turn. Whatever gets the lock next gives it up, too.

use crate::gateway::engine::{ContainerId, Owned};
use crate::gateway::error::Error;
use crate::protocol::report::Refusal;
use crate::protocol::told::told;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::{Notify, watch};

#[derive(Debug, Default)]
pub(in crate::gateway) struct Removals(Mutex<Book>);

#[derive(Debug, Default)]
struct Book {
    /// What has a container's lock and may be given up; one at the most for each.
    under_way: HashMap<ContainerId, Weak<Notify>>,
    /// How many wait to remove it.
    wanted: HashMap<ContainerId, usize>,
    /// For those who wait for something of a container, without its lock: whether it goes.
    told: HashMap<ContainerId, Weak<watch::Sender<bool>>>,
}

/// While it is there, what has this container's lock is given up, and so is what gets it next.
#[derive(Debug)]
pub(in crate::gateway) struct Wanted<'a> {
    removals: &'a Removals,
    id: ContainerId,
}

/// What is told to whom was given up.
pub(in crate::gateway) fn being_removed(id: &ContainerId) -> Error {
    let dockers = format!("removal of container {id} is already in progress");
    Refusal::new("conflict", told!("the container is being removed")).dockers(dockers).into()
}

impl Removals {
    /// For who has just got the container's lock: notified when it is to be given back, refused if it is already.
    pub(in crate::gateway) fn watch(&self, container: &Owned) -> Result<Arc<Notify>, Error> {
        self.begin(container.id()).ok_or_else(|| being_removed(container.id()))
    }

    fn begin(&self, id: &ContainerId) -> Option<Arc<Notify>> {
        let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if book.wanted.contains_key(id) {
            return None;
        }
        book.under_way.retain(|_, work| work.strong_count() > 0);
        let cut = Arc::new(Notify::new());
        book.under_way.insert(id.clone(), Arc::downgrade(&cut));
        Some(cut)
    }

    /// Waits until the container is to be removed, or was, whoever did it.
    pub(in crate::gateway) async fn of(&self, id: &ContainerId) {
        let goes = self.teller(id);
        // Said by what is held here, so it says so or never ends.
        let mut told = goes.subscribe();
        let _goes = told.wait_for(|goes| *goes).await;
    }

    /// Whether somebody waits for something of it, to start it.
    pub(in crate::gateway) fn is_awaited(&self, id: &ContainerId) -> bool {
        let book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        book.told.get(id).is_some_and(|goes| goes.strong_count() > 0)
    }

    fn teller(&self, id: &ContainerId) -> Arc<watch::Sender<bool>> {
        let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        book.told.retain(|_, goes| goes.strong_count() > 0);
        if let Some(goes) = book.told.get(id).and_then(Weak::upgrade) {
            return goes;
        }
        let goes = Arc::new(watch::Sender::new(book.wanted.contains_key(id)));
        book.told.insert(id.clone(), Arc::downgrade(&goes));
        goes
    }

    /// It is gone, whoever removed it.
    pub(in crate::gateway) fn gone(&self, id: &ContainerId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).tell(id);
    }

    /// For who is about to wait for the container's lock, to remove it.
    pub(in crate::gateway) fn want(&self, id: &ContainerId) -> Wanted<'_> {
        let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *book.wanted.entry(id.clone()).or_default() += 1;
        if let Some(work) = book.under_way.get(id).and_then(Weak::upgrade) {
            work.notify_one();
        }
        book.tell(id);
        Wanted { removals: self, id: id.clone() }
    }
}

impl Book {
    fn tell(&self, id: &ContainerId) {
        if let Some(goes) = self.told.get(id).and_then(Weak::upgrade) {
            goes.send_replace(true);
        }
    }
}

impl Drop for Wanted<'_> {
    fn drop(&mut self) {
        let mut book = self.removals.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = book.wanted.get_mut(&self.id) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                book.wanted.remove(&self.id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn who_is_in_the_way_is_told_and_nobody_else() {
        let id = |digit: char| ContainerId::parse(&digit.to_string().repeat(64)).unwrap();
        let removals = Removals::default();
        let (one, other) = (removals.begin(&id('a')).unwrap(), removals.begin(&id('b')).unwrap());
        let (wanted, again) = (removals.want(&id('a')), removals.want(&id('a')));
        one.notified().await;
        assert!(tokio::time::timeout(Duration::from_millis(10), other.notified()).await.is_err());
        drop((one, other, wanted));
        assert!(removals.begin(&id('a')).is_none(), "the next in line goes too, while somebody waits");
        drop(again);
        assert!(removals.begin(&id('a')).is_some());
        for way in ["wanted", "gone", "wanted before"] {
            let before = (way == "wanted before").then(|| removals.want(&id('a')));
            let a = id('a');
            let waits = removals.of(&a);
            tokio::pin!(waits);
            if before.is_none() {
                assert!(!removals.is_awaited(&a), "{way}");
                assert!(tokio::time::timeout(Duration::from_millis(10), &mut waits).await.is_err(), "{way}");
                assert!(removals.is_awaited(&a), "{way}");
                removals.gone(&id('b'));
                match way {
                    "wanted" => drop(removals.want(&id('a'))),
                    _ => removals.gone(&id('a')),
                }
            }
            tokio::time::timeout(Duration::from_secs(60), waits).await.unwrap();
        }
        let book = removals.0.lock().unwrap();
        assert_eq!((book.under_way.len(), book.wanted.len()), (1, 0));
    }
}
