//! What containers print is charged to whose they are: the engine writes all of it down, as root and with processors that
//! no limit of a container's reaches.
//!
//! Each container that runs is looked at now and then, at moments that nobody can foresee. What a look sees is taken for
//! what was since the look before: too much for one and too little for another, and right on the whole. Who has printed too
//! much starts nothing for a while, and of what goes on printing the most is stopped.
//!
//! The engine counts nothing of it. Reading the output costs more than writing it did, so the gateway takes samples.
//!
//! The cost goes to the uid's level in `engine/spent.rs`, which the policy's `total.output` drains. Over it, creates
//! and starts are refused. Of containers that together cost more than the limit the dearest is stopped, one after the
//! other (`stopping.rs`).

mod watch;
mod watched;

use super::stopping::Stops;
use crate::gateway::caller::absent::Absent;
use crate::gateway::engine::{ContainerId, Engine, Found};
use std::collections::HashSet;
use std::sync::Arc;
pub(in crate::gateway) use watch::Watch;
use watched::{Ends, Watched};

/// Everything that is known of what containers print.
#[derive(Debug)]
pub(in crate::gateway) struct Output {
    engine: Arc<Engine>,
    absent: Absent,
    stops: Arc<Stops>,
    watched: Watched,
}

/// What is watched before a listing.
pub(in crate::gateway) struct Before(Vec<(ContainerId, Arc<Ends>)>);

impl Output {
    pub(in crate::gateway) fn new(absent: Absent, stops: Arc<Stops>) -> Self {
        Self { engine: stops.engine.clone(), absent, stops, watched: Watched::default() }
    }

    /// Watches one that is about to start, or runs.
    pub(in crate::gateway) fn watch(self: &Arc<Self>, found: &Found) -> Watch {
        Watch::new(self, found)
    }

    /// The engine says that it has ended, now or when it ran before: there is a last look to take.
    pub(in crate::gateway) fn dies(&self, id: &ContainerId) {
        self.watched.dies(id);
    }

    /// It does not run: to be said under its lock, so that it is not of one that was started anew.
    pub(in crate::gateway) fn ended(&self, id: &ContainerId) {
        self.watched.ended(id);
    }

    pub(in crate::gateway) fn before(&self) -> Before {
        Before(self.watched.now())
    }

    /// What a sweep found: what runs and is not watched yet is, and what was watched before the listing and does not run
    /// is not any more.
    pub(in crate::gateway) fn keep(self: &Arc<Self>, before: &Before, everyones: &[Found]) {
        let running = || everyones.iter().filter(|found| found.running());
        let ids: HashSet<&ContainerId> = running().map(Found::id).collect();
        before.0.iter().filter(|(id, _)| !ids.contains(id)).for_each(|(_, ends)| ends.over.notify_one());
        running().filter(|found| !self.watched.has(found.id())).for_each(|found| self.watch(found).begin());
    }
}
