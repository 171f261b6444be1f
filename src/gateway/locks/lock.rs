//! The lock of one container: start, rename, rm and copies with it do not overlap.

use super::removals::being_removed;
use crate::gateway::caller::peer::Peer;
use crate::gateway::engine::{Owned, Turn};
use crate::gateway::error::Error;
use crate::gateway::state::Gateway;
use std::time::Duration;
use tokio::sync::OwnedMutexGuard;

/// How long a verb waits for another one, or a copy, on the same container.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a create or start waits for another one of the same user.
const BEHIND: Duration = Duration::from_secs(120);

pub(in crate::gateway) async fn lock(
    gateway: &Gateway,
    container: &Owned,
) -> Result<OwnedMutexGuard<()>, Error> {
    tokio::time::timeout(PATIENCE, gateway.engine.lock(container.id())).await.map_err(|_| {
        Error::Conflict(format!(
            "{} is busy, a copy or another verb is under way; try again later",
            container.name()
        ))
    })
}

/// The same, to remove it: from what has the lock and can be given up, and from what has waited longer.
pub(in crate::gateway) async fn lock_to_remove(
    gateway: &Gateway,
    container: &Owned,
) -> Result<OwnedMutexGuard<()>, Error> {
    let _wanted = gateway.removals.want(container.id());
    lock(gateway, container).await
}

/// The container's lock, and then its owner's turn. The lock first: who waits for a copy must not keep the user's other
/// containers waiting. And who waits for the turn gives the lock up when the container is to be removed.
pub(in crate::gateway) async fn lock_and_turn<'g>(
    gateway: &'g Gateway,
    peer: &Peer,
    container: &Owned,
) -> Result<(OwnedMutexGuard<()>, Turn<'g>), Error> {
    let lock = lock(gateway, container).await?;
    and(gateway, container, lock, turn(gateway, peer)).await
}

/// Both for a moment's work on what may be running: whoever waits for the turn does not have the lock, by which it would be
/// stopped for taking too much.
pub(in crate::gateway) async fn turn_and_lock<'g>(
    gateway: &'g Gateway,
    peer: &Peer,
    container: &Owned,
) -> Result<(Turn<'g>, OwnedMutexGuard<()>), Error> {
    loop {
        let turn = turn(gateway, peer).await?;
        if let Some(lock) = gateway.engine.try_lock(container.id()) {
            return Ok((turn, lock));
        }
        // Nor the turn of who waits for the lock.
        drop(turn);
        drop(lock(gateway, container).await?);
    }
}

/// Lock and turn for what is done by half, and so waits for ever.
pub(in crate::gateway) async fn lock_and_turn_however_long<'g>(
    gateway: &'g Gateway,
    peer: &Peer,
    container: &Owned,
) -> Result<(OwnedMutexGuard<()>, Turn<'g>), Error> {
    let lock = gateway.engine.lock(container.id()).await;
    and(gateway, container, lock, async { Ok(gateway.engine.turn(peer.uid()).await) }).await
}

async fn and<'g>(
    gateway: &'g Gateway,
    container: &Owned,
    lock: OwnedMutexGuard<()>,
    turn: impl Future<Output = Result<Turn<'g>, Error>>,
) -> Result<(OwnedMutexGuard<()>, Turn<'g>), Error> {
    let cut = gateway.removals.watch(container)?;
    tokio::select! {
        biased;
        () = cut.notified() => Err(being_removed()),
        turn = turn => Ok((lock, turn?)),
    }
}

/// The caller's turn. An engine may never end a start, and who waits behind it hears of that.
pub(in crate::gateway) async fn turn<'g>(gateway: &'g Gateway, peer: &Peer) -> Result<Turn<'g>, Error> {
    gateway.engine.turn_within(peer.uid(), BEHIND).await.ok_or_else(|| {
        Error::Conflict("a create or start of yours has not ended for two minutes; try again later".into())
    })
}
