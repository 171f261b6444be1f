//! The lock of one container: start, rename, rm and copies with it do not overlap.

use super::removals::{Removals, being_removed};
use crate::gateway::engine::{Engine, Owned, Turn};
use crate::gateway::error::Error;
use crate::protocol::told::told;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedMutexGuard;

/// How long a verb waits for another one, or a copy, on the same container.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a create or start waits for another one of the same user.
const BEHIND: Duration = Duration::from_secs(120);

/// One container's lock, one user's turn, and whoever waits to remove something.
#[derive(Debug)]
pub(in crate::gateway) struct Locks {
    pub(in crate::gateway) engine: Arc<Engine>,
    pub(in crate::gateway) removals: Removals,
}

impl Locks {
    pub(in crate::gateway) fn new(engine: Arc<Engine>) -> Self {
        Self { engine, removals: Removals::default() }
    }

    /// # Errors
    /// Where another verb, or a copy, has had it for too long.
    pub(in crate::gateway) async fn lock(&self, container: &Owned) -> Result<OwnedMutexGuard<()>, Error> {
        tokio::time::timeout(PATIENCE, self.engine.lock(container.id())).await.map_err(|_| {
            Error::Conflict(told!(
                "{} is busy, a copy or another verb is under way; try again later",
                container.name()
            ))
        })
    }

    /// The same, to remove it: from what has the lock and can be given up, and from what has waited longer.
    pub(in crate::gateway) async fn lock_to_remove(
        &self,
        container: &Owned,
    ) -> Result<OwnedMutexGuard<()>, Error> {
        let _wanted = self.removals.want(container.id());
        self.lock(container).await
    }

    /// The container's lock, and then its owner's turn. The lock first: who waits for a copy must not keep the user's
    /// other containers waiting. And who waits for the turn gives the lock up when the container is to be removed.
    pub(in crate::gateway) async fn lock_and_turn(
        &self,
        uid: u32,
        container: &Owned,
    ) -> Result<(OwnedMutexGuard<()>, Turn<'_>), Error> {
        let lock = self.lock(container).await?;
        self.and(container, lock, self.turn(uid)).await
    }

    /// Both for a moment's work on what may be running: whoever waits for the turn does not have the lock, by which it
    /// would be stopped for taking too much.
    pub(in crate::gateway) async fn turn_and_lock(
        &self,
        uid: u32,
        container: &Owned,
    ) -> Result<(Turn<'_>, OwnedMutexGuard<()>), Error> {
        loop {
            let turn = self.turn(uid).await?;
            if let Some(lock) = self.engine.try_lock(container.id()) {
                return Ok((turn, lock));
            }
            // Nor the turn of who waits for the lock.
            drop(turn);
            drop(self.lock(container).await?);
        }
    }

    /// Lock and turn for what is done by half, and so waits for ever.
    pub(in crate::gateway) async fn lock_and_turn_however_long(
        &self,
        uid: u32,
        container: &Owned,
    ) -> Result<(OwnedMutexGuard<()>, Turn<'_>), Error> {
        let lock = self.engine.lock(container.id()).await;
        self.and(container, lock, async { Ok(self.engine.turn(uid).await) }).await
    }

    async fn and<'l>(
        &'l self,
        container: &Owned,
        lock: OwnedMutexGuard<()>,
        turn: impl Future<Output = Result<Turn<'l>, Error>>,
    ) -> Result<(OwnedMutexGuard<()>, Turn<'l>), Error> {
        let cut = self.removals.watch(container)?;
        tokio::select! {
            biased;
            () = cut.notified() => Err(being_removed(container.id())),
            turn = turn => Ok((lock, turn?)),
        }
    }

    /// The caller's turn. An engine may never end a start, and who waits behind it hears of that.
    ///
    /// # Errors
    /// Where a create or start of the same user's has not ended for too long.
    pub(in crate::gateway) async fn turn(&self, uid: u32) -> Result<Turn<'_>, Error> {
        self.engine.turn_within(uid, BEHIND).await.ok_or_else(|| {
            Error::Conflict(told!(
                "a create or start of yours has not ended for two minutes; try again later"
            ))
        })
    }
}
