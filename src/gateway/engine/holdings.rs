//! What each user's containers and volumes hold on the engine's disk.

use super::ContainerId;
use super::copied::Copied;
use super::measured::Measured;
use std::collections::HashMap;

/// One thing on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::gateway) struct Holding {
    pub(in crate::gateway) thing: Thing,
    /// The short name that its owner knows, which may change.
    pub(in crate::gateway) name: String,
    /// Of the account that it was made for.
    pub(in crate::gateway) login: String,
    /// Nothing where the engine could not measure it, or measured what cannot be.
    pub(in crate::gateway) bytes: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::gateway) enum Thing {
    /// Its own layer and the volumes without a name.
    Container(ContainerId),
    /// By its name in the engine.
    Volume(String),
}

/// By uid.
pub(in crate::gateway) type Holdings = HashMap<u32, Vec<Holding>>;

#[derive(Debug, Default)]
pub(super) struct Disk {
    pub(super) measured: Measured,
    pub(super) copied: Copied,
}
