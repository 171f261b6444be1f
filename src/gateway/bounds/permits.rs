//! A few permits for each uid, for what costs the machine something: whoever wants more waits for their own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// So many permits for each uid.
#[derive(Debug)]
pub(in crate::gateway) struct Permits {
    each: usize,
    taken: Mutex<HashMap<u32, Arc<Semaphore>>>,
}

impl Permits {
    pub(in crate::gateway) fn new(each: usize) -> Self {
        Self { each, taken: Mutex::default() }
    }

    /// One uid's.
    pub(in crate::gateway) fn of(&self, uid: u32) -> Arc<Semaphore> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that nobody holds or waits for are only in the map.
        taken.retain(|_, permits| Arc::strong_count(permits) > 1);
        taken.entry(uid).or_insert_with(|| Arc::new(Semaphore::new(self.each))).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_uid_has_its_own_and_nothing_is_kept() {
        let places = Permits::new(1);
        let first = places.of(1).try_acquire_owned().unwrap();
        assert!(places.of(1).try_acquire_owned().is_err());
        assert!(places.of(2).try_acquire_owned().is_ok());
        drop(first);
        assert!(places.of(1).try_acquire_owned().is_ok());
        drop(places.of(3));
        assert_eq!(places.taken.lock().unwrap().len(), 1);
    }
}
