//! What a caller has already, as the gateway counts it from the engine's labels.

use crate::protocol::amount::{Bytes, Cpus};
use std::collections::BTreeSet;

/// One of the caller's containers and what it was granted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Used {
    /// The short name.
    pub name: String,
    pub running: bool,
    pub cpus: Cpus,
    pub memory: Bytes,
    pub pids: u64,
    pub gpus: u32,
    /// Host ports it publishes, or will publish when started again.
    pub ports: Vec<u16>,
    /// The login that the uid had when it was made, if that was another one: it counts, and its name is not told.
    pub left_by: Option<String>,
}

/// What one of the caller's containers, or a volume, holds on the engine's disk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held {
    /// As its owner is told of it: a container's short name, or `volume data`.
    pub name: String,
    /// A volume's short name, if it is one.
    pub volume: Option<String>,
    /// Nothing where it cannot be measured.
    pub bytes: Option<Bytes>,
    /// As of a container.
    pub left_by: Option<String>,
}

/// All containers of the caller's uid, and the host ports that anybody's containers hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    pub containers: Vec<Used>,
    pub taken_ports: BTreeSet<u16>,
    /// As it was last measured.
    pub disk: Vec<Held>,
    /// Of the engine's processors, what it spent on what they print: over the last [`BURST`](super::BURST).
    pub output: Cpus,
}

impl Usage {
    pub(super) fn running(&self) -> impl Iterator<Item = &Used> {
        self.containers.iter().filter(|container| container.running)
    }

    /// The same usage without one container, so that starting it does not count it twice.
    pub(super) fn without(&self, name: &str) -> Self {
        let mut rest = self.clone();
        rest.containers.retain(|container| container.name != name);
        rest
    }
}
