//! The limits of containers that were updated since they were made.
//!
//! A container's labels say what it was made with, and no engine changes labels. What it has now stands here, and counts in
//! its owner's usage wherever a container is read out of a list.

use super::{ContainerId, Found, Labels};
use crate::protocol::amount::{Bytes, Cpus};
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

/// What one container may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gateway) struct Size {
    pub(in crate::gateway) cpus: Cpus,
    pub(in crate::gateway) memory: Bytes,
    pub(in crate::gateway) pids: u64,
}

impl Size {
    pub(in crate::gateway) fn of(labels: &Labels) -> Self {
        Self { cpus: labels.cpus, memory: labels.memory, pids: labels.pids }
    }

    /// As much of each as either has.
    #[must_use]
    pub(in crate::gateway) fn or_more(self, other: Self) -> Self {
        Self {
            cpus: self.cpus.max(other.cpus),
            memory: self.memory.max(other.memory),
            pids: self.pids.max(other.pids),
        }
    }
}

#[derive(Debug, Default)]
pub(in crate::gateway) struct Sizes(RwLock<HashMap<ContainerId, Size>>);

impl Sizes {
    pub(in crate::gateway) fn put(&self, id: ContainerId, size: Size) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(id, size);
    }

    pub(in crate::gateway) fn forget(&self, id: &ContainerId) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    /// The container with the limits that it has now.
    pub(super) fn over(&self, found: Found) -> Found {
        let sizes = self.0.read().unwrap_or_else(PoisonError::into_inner);
        match sizes.get(found.id()) {
            Some(size) => found.resized(size),
            None => found,
        }
    }
}
