//! What a copy into a container that does not run may take of its user's share of the disk.
//!
//! Nothing in it runs that could be stopped for writing too much, as `upkeep/disk.rs` stops what does.
//!
//! A copy has what the limit leaves, and takes that room at once from the same user's other copies. `engine/copied.rs`
//! keeps the account.

use super::Copier;
use crate::gateway::caller::Caller;
use crate::gateway::engine::{Copying, Owned};
use crate::gateway::error::Error;
use crate::protocol::report::Refusal;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long what was found is believed: meanwhile others of the user's containers may have written.
const MOMENT: Duration = Duration::from_secs(60);

/// The room of one copy; what it takes is its user's until the disk has been measured again.
pub(super) struct Room {
    copier: Arc<Copier>,
    caller: Caller,
    copying: Copying,
    looked: Instant,
    /// What is said where it ends.
    over: Refusal,
}

impl Room {
    pub(super) async fn find(
        copier: &Arc<Copier>,
        caller: &Caller,
        container: &Owned,
    ) -> Result<Self, Error> {
        let mut copying = copier.engine.copying(container);
        let over = look(copier, caller, &mut copying).await?;
        let (copier, caller) = (copier.clone(), caller.clone());
        Ok(Self { copier, caller, copying, looked: Instant::now(), over })
    }

    /// Whether there is room until the copy holds so many bytes in all.
    pub(super) async fn reach(&mut self, bytes: u64) -> Result<(), Error> {
        if self.looked.elapsed() > MOMENT {
            match self.look().await {
                Err(error) if is_full(&error) => return Err(error),
                // What was found before still holds when there is no telling: a copy is not broken off for that.
                _ => {}
            }
        }
        if self.copying.reach(bytes) {
            return Ok(());
        }
        // There may be more than there was; and what is told is how it is now.
        self.look().await?;
        if self.copying.reach(bytes) { Ok(()) } else { Err(self.over.clone().into()) }
    }

    async fn look(&mut self) -> Result<(), Error> {
        self.looked = Instant::now();
        self.over = look(&self.copier, &self.caller, &mut self.copying).await?;
        Ok(())
    }

    /// The engine gets so many bytes of it.
    pub(super) fn give(&self, bytes: usize) {
        self.copying.give(bytes);
    }
}

/// Finds the room that there is by now, besides what the copy has taken so far; and what is said where it ends. The limit
/// is that of the request's policy, for as long as the copy lasts.
async fn look(copier: &Copier, caller: &Caller, copying: &mut Copying) -> Result<Refusal, Error> {
    let limits = caller.limits()?;
    let all = copier.engine.containers_of(caller).await?;
    // Nothing is waited for from here on: what another copy took meanwhile would count twice.
    let taken = copying.taken();
    let room = limits.disk_room(&copier.engine.usage_of(caller, &all))?;
    copying.allow(taken, room.left.unwrap_or(u64::MAX));
    Ok(room.over)
}

/// Whether more is held than may be, and not that something could not be asked or measured.
fn is_full(error: &Error) -> bool {
    matches!(error, Error::Refused(refusal) if refusal.used.is_some())
}
