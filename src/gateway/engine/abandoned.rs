//! How many raw connections each user's callers have left behind in the engine.
//!
//! An engine learns that a caller has gone when it writes to them, and lets go of a connection to both streams only when the
//! container stops. Until then each costs it some 60 KiB (Docker 20.10 and 26.1).

use super::EngineError;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Connections of one user whose callers have gone and that the engine still has: with so many, no more are made.
const MOST: usize = 32;

#[derive(Debug, Clone, Default)]
pub(super) struct Abandoned(Arc<Mutex<HashMap<u32, usize>>>);

/// One of them, until it is dropped.
#[derive(Debug)]
pub(super) struct Left {
    uid: u32,
    all: Abandoned,
}

impl Abandoned {
    fn counts(&self) -> MutexGuard<'_, HashMap<u32, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there may be another connection of this user's, which may be left behind as well.
    pub(super) fn has_room(&self, uid: u32) -> Result<(), EngineError> {
        match self.counts().get(&uid) {
            Some(count) if *count >= MOST => Err(EngineError::Abandoned(*count, MOST)),
            _ => Ok(()),
        }
    }

    /// One more is left behind.
    pub(super) fn leave(&self, uid: u32) -> Left {
        *self.counts().entry(uid).or_default() += 1;
        Left { uid, all: self.clone() }
    }
}

impl Drop for Left {
    fn drop(&mut self) {
        let mut counts = self.all.counts();
        if let Some(count) = counts.get_mut(&self.uid) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.uid);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_user_has_room_for_so_many_and_nothing_is_kept() {
        let all = Abandoned::default();
        let mut left: Vec<Left> = (0..MOST).map(|_| all.leave(1000)).collect();
        assert!(matches!(all.has_room(1000), Err(EngineError::Abandoned(MOST, MOST))));
        assert!(all.has_room(1001).is_ok());
        left.pop();
        assert!(all.has_room(1000).is_ok());
        left.clear();
        assert!(all.counts().is_empty());
    }
}
