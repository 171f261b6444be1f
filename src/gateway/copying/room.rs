//! What a copy into a container that does not run may take of its user's share of the disk.
//!
//! Nothing in it runs that could be stopped for writing too much, as `gateway/disk.rs` stops what does.

use crate::gateway::engine::{Copying, Owned};
use crate::gateway::error::Error;
use crate::gateway::peer::Peer;
use crate::gateway::state::Gateway;
use crate::protocol::report::Refusal;

/// The room of one copy; what it takes is its user's until the disk has been measured again.
pub(super) struct Room {
    copying: Copying,
    /// What is said where it ends.
    over: Refusal,
}

impl Room {
    pub(super) async fn find(gateway: &Gateway, peer: &Peer, container: &Owned) -> Result<Self, Error> {
        let limits = gateway.limits(peer.account()?);
        // Before anything is looked at: two that look at once find the same.
        let mut copying = gateway.engine.copying(container);
        let room = limits.disk_room(&gateway.engine.usage(peer).await?)?;
        copying.allow(room.left.unwrap_or(u64::MAX));
        Ok(Self { copying, over: room.over })
    }

    /// Whether there is room until the copy holds so many bytes in all.
    pub(super) fn reach(&mut self, bytes: u64) -> Result<(), Error> {
        if self.copying.reach(bytes) { Ok(()) } else { Err(self.over.clone().into()) }
    }
}
