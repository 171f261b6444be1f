//! Connections that are open, for each uid.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// How many connections each uid has open.
#[derive(Debug, Default)]
pub(in crate::gateway) struct Connections(Mutex<HashMap<u32, usize>>);

/// One connection in the count; raw streams that outlive their request's HTTP keep it.
#[derive(Debug)]
pub(in crate::gateway) struct ConnectionPermit {
    open: Arc<Connections>,
    uid: u32,
}

impl Connections {
    /// One more, and how many that makes.
    pub(in crate::gateway) fn enter(self: &Arc<Self>, uid: u32) -> (ConnectionPermit, usize) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(uid).or_default();
        *count += 1;
        (ConnectionPermit { open: self.clone(), uid }, *count)
    }

    #[cfg(test)]
    pub(in crate::gateway) fn is_empty(&self) -> bool {
        self.0.lock().unwrap().is_empty()
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut counts = self.open.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.uid) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.uid);
            }
        }
    }
}
