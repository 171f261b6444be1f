//! The lock of one container: start, rename, rm and copies with it do not overlap.

use crate::gateway::engine::{Owned, Turn};
use crate::gateway::error::Error;
use crate::gateway::peer::Peer;
use crate::gateway::removals::being_removed;
use crate::gateway::state::Gateway;
use std::time::Duration;
use tokio::sync::OwnedMutexGuard;

/// How long a verb waits for another one, or a copy, on the same container.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a create or start waits for those of the same user.
const BEHIND: Duration = Duration::from_secs(120);

pub(super) async fn lock(gateway: &Gateway, container: &Owned) -> Result<OwnedMutexGuard<()>, Error> {
    tokio::time::timeout(PATIENCE, gateway.engine.lock(container.id())).await.map_err(|_| {
        Error::Conflict(format!(
            "{} is busy, a copy or another verb is under way; try again later",
            container.name()
        ))
    })
}

/// The same, to remove it: from what has the lock and can be given up, and from what has waited longer.
pub(super) async fn lock_to_remove(
    gateway: &Gateway,
    container: &Owned,
) -> Result<OwnedMutexGuard<()>, Error> {
    let _wanted = gateway.removals.want(container.id());
    lock(gateway, container).await
}

/// The container's lock, and then its owner's turn. The lock first: who waits for a copy must not keep the user's other
/// containers waiting. And who waits for the turn gives the lock up when the container is to be removed.
pub(super) async fn lock_and_turn<'g>(
    gateway: &'g Gateway,
    peer: &Peer,
    container: &Owned,
) -> Result<(OwnedMutexGuard<()>, Turn<'g>), Error> {
    let lock = lock(gateway, container).await?;
    let cut = gateway.removals.watch(container)?;
    tokio::select! {
        biased;
        () = cut.notified() => Err(being_removed()),
        turn = turn(gateway, peer) => Ok((lock, turn?)),
    }
}

/// The caller's turn.
pub(in crate::gateway) async fn turn<'g>(gateway: &'g Gateway, peer: &Peer) -> Result<Turn<'g>, Error> {
    before_long(gateway.engine.turn(peer.uid())).await
}

/// An engine may never end a start, and who waits behind it hears of that.
async fn before_long<T>(turn: impl Future<Output = T>) -> Result<T, Error> {
    tokio::time::timeout(BEHIND, turn).await.map_err(|_| {
        Error::Conflict("a create or start of yours has not ended for two minutes; try again later".into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_waits_behind_a_start_that_hangs_hears_of_it() {
        let refused = before_long(std::future::pending::<()>()).await.unwrap_err();
        assert!(refused.to_string().contains("has not ended for two minutes"), "{refused}");
        let slow = tokio::time::sleep(BEHIND - Duration::from_secs(1));
        assert!(before_long(slow).await.is_ok());
    }
}
