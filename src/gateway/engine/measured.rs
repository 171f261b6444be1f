//! What the last measurement of the disk said, without the volumes that have gone since it began.
//!
//! A measurement takes the engine seconds. A volume that is removed meanwhile may still be in its answer, and must not
//! count again for the user who has just made room.

use super::holdings::{Holding, Holdings, Thing};
use std::collections::HashSet;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

#[derive(Debug, Default)]
pub(super) struct Measured(RwLock<State>);

#[derive(Debug, Default)]
struct State {
    last: Holdings,
    /// What has gone since the measurement began that is under way; nothing while none is.
    gone: Option<HashSet<Thing>>,
}

impl Measured {
    /// A measurement begins. One at a time: the last to begin is the one that counts.
    pub(super) fn begin(&self) {
        self.write().gone = Some(HashSet::new());
    }

    /// It came to nothing.
    pub(super) fn give_up(&self) {
        self.write().gone = None;
    }

    /// The measurement has ended and says this; given back is what counts of it.
    pub(super) fn end(&self, mut now: Holdings) -> Holdings {
        let mut state = self.write();
        let gone = state.gone.take().unwrap_or_default();
        now.values_mut().for_each(|holdings| holdings.retain(|holding| !gone.contains(&holding.thing)));
        state.last.clone_from(&now);
        now
    }

    pub(super) fn forget(&self, thing: &Thing) {
        let mut state = self.write();
        state.last.values_mut().for_each(|holdings| holdings.retain(|holding| holding.thing != *thing));
        if let Some(gone) = &mut state.gone {
            gone.insert(thing.clone());
        }
    }

    /// What was measured of one user's.
    pub(super) fn of<T>(&self, uid: u32, read: impl FnOnce(&[Holding]) -> T) -> T {
        read(self.read().last.get(&uid).map_or(&[], Vec::as_slice))
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holdings(volumes: &[&str]) -> Holdings {
        let held = |name: &&str| Holding {
            thing: Thing::Volume((*name).to_owned()),
            name: (*name).to_owned(),
            login: "ann".to_owned(),
            bytes: None,
        };
        Holdings::from([(1000, volumes.iter().map(held).collect())])
    }

    fn names(measured: &Measured) -> Vec<String> {
        measured.of(1000, |held| held.iter().map(|held| held.name.clone()).collect())
    }

    #[test]
    fn what_has_gone_since_it_began_is_not_measured() {
        let measured = Measured::default();
        let gone = Thing::Volume("data".to_owned());
        measured.begin();
        measured.end(holdings(&["data", "more"]));
        assert_eq!(names(&measured), ["data", "more"]);
        measured.begin();
        measured.forget(&gone);
        assert_eq!(names(&measured), ["more"]);
        assert_eq!(measured.end(holdings(&["data", "more"])), holdings(&["more"]));
        assert_eq!(names(&measured), ["more"]);
        // One of the same name that was made since is in the next.
        measured.begin();
        measured.end(holdings(&["data", "more"]));
        assert_eq!(names(&measured), ["data", "more"]);
        measured.forget(&gone);
        assert_eq!(names(&measured), ["more"]);
    }
}
