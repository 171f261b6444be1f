//! What containers print is charged to whose they are: the engine writes all of it down, as root and with processors that
//! no limit of a container's reaches.
//!
//! Each container that runs is looked at now and then, at moments that nobody can foresee. What a look sees is taken for
//! what was since the look before: too much for one and too little for another, and right on the whole. Who has printed too
//! much starts nothing for a while, and of what goes on printing the most is stopped.

mod watch;
mod watched;

pub(in crate::gateway) use watch::Watch;
pub(in crate::gateway) use watched::Watched as Output;

use crate::gateway::engine::{ContainerId, Found};
use crate::gateway::state::Gateway;
use std::collections::HashSet;
use std::sync::Arc;
use watched::Ends;

/// What is watched before a listing.
pub(in crate::gateway) struct Before(Vec<(ContainerId, Arc<Ends>)>);

pub(in crate::gateway) fn before(gateway: &Gateway) -> Before {
    Before(gateway.output.now())
}

/// What a sweep found: what runs and is not watched yet is, and what was watched before the listing and does not run is not
/// any more.
pub(in crate::gateway) fn keep(gateway: &Arc<Gateway>, before: &Before, everyones: &[Found]) {
    let running = || everyones.iter().filter(|found| found.running());
    let ids: HashSet<&ContainerId> = running().map(Found::id).collect();
    before.0.iter().filter(|(id, _)| !ids.contains(id)).for_each(|(_, ends)| ends.over.notify_one());
    running()
        .filter(|found| !gateway.output.has(found.id()))
        .for_each(|found| Watch::new(gateway, found).begin());
}
