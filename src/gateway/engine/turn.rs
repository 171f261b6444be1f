//! Counting and creating as one step: whoever holds the turn, and nobody else, does either.
//!
//! Usage is counted out of the labels, under one lock for each uid. The lock is held from the counting to the creating.
//! Cards, ports and the networks' addresses are everybody's, and no turn decides them.

use super::orders::{Order, Removal};
use super::owned::engine_name;
use super::spec::Grant;
use super::turns::Turns;
use super::whose::LeftContainer;
use super::{ContainerId, Containers, Engine, EngineError, ImageId, Owned, Target, read};
use crate::gateway::caller::peer::Peer;
use crate::policy::Usage;
use crate::protocol::name::ContainerName;
use hyper::Method;
use serde::Deserialize;
use serde_json::Value;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::OwnedMutexGuard;

/// One user's right to count and create, held until it is dropped.
///
/// Quotas are each user's own, so one lock per uid is enough for them, and nobody waits for somebody else's slow create. What
/// is everybody's has a lock over all: ports and cards a desk, networks theirs.
pub(in crate::gateway) struct Turn<'a> {
    engine: &'a Engine,
    uid: u32,
    _guard: OwnedMutexGuard<()>,
}

/// What the engine answers to a create.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Created {
    id: String,
}

impl Engine {
    /// Waits for the caller's turn.
    pub(in crate::gateway) async fn turn(&self, uid: u32) -> Turn<'_> {
        Turn { engine: self, uid, _guard: self.turns(uid).next().await }
    }

    /// The same, unless somebody keeps one turn for so long: nothing then.
    pub(in crate::gateway) async fn turn_within(&self, uid: u32, each: Duration) -> Option<Turn<'_>> {
        Some(Turn { engine: self, uid, _guard: self.turns(uid).next_within(each).await? })
    }

    /// A turn that nobody has just now.
    pub(in crate::gateway) fn try_turn(&self, uid: u32) -> Option<Turn<'_>> {
        Some(Turn { engine: self, uid, _guard: self.turns(uid).lock.clone().try_lock_owned().ok()? })
    }

    /// What a user's containers hold just now, to look at: who makes or starts one needs the turn.
    pub(in crate::gateway) async fn usage(&self, peer: &Peer) -> Result<Usage, EngineError> {
        Ok(self.usage_of(peer, &self.containers_of(peer).await?))
    }

    /// The same of these, which are all that count for the user.
    pub(in crate::gateway) fn usage_of(&self, peer: &Peer, all: &Containers) -> Usage {
        let own = all.own.iter().map(Owned::used);
        let containers = own.chain(all.left.iter().map(LeftContainer::used)).collect();
        let output = self.spent.of(peer.uid(), Instant::now());
        Usage { containers, disk: self.held(peer, all), output, ..Usage::default() }
    }

    fn turns(&self, uid: u32) -> Arc<Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner).entry(uid).or_default().clone()
    }
}

impl Turn<'_> {
    /// The caller's containers, and what they hold. Which ports are anybody's the desk of ports says.
    pub(in crate::gateway) async fn containers_and_usage(
        &self,
        peer: &Peer,
    ) -> Result<(Containers, Usage), EngineError> {
        debug_assert_eq!(peer.uid(), self.uid);
        let all = self.engine.containers_of(peer).await?;
        let usage = self.engine.usage_of(peer, &all);
        Ok((all, usage))
    }

    /// The same, and the caller's container of this id as it is now.
    pub(in crate::gateway) async fn usage_and(
        &self,
        peer: &Peer,
        id: &ContainerId,
    ) -> Result<(Usage, Option<Owned>), EngineError> {
        debug_assert_eq!(peer.uid(), self.uid);
        let all = self.engine.containers_with(peer, id).await?;
        let usage = self.engine.usage_of(peer, &all);
        Ok((usage, all.own.into_iter().find(|owned| owned.id() == id)))
    }

    /// Makes what was granted.
    pub(in crate::gateway) async fn create(&self, grant: &Grant) -> Result<ContainerId, EngineError> {
        let (name, body) = (engine_name(self.uid, grant.name()), grant.body()?);
        self.engine.index.creating(self.uid, self.engine.create_named(&name, &body)).await
    }

    /// The engine's record of what was just made. It finds the image by its name once more: nothing, where that is another
    /// one by now than the one that was admitted.
    pub(in crate::gateway) async fn made(
        &self,
        id: &ContainerId,
        grant: &Grant,
    ) -> Result<Option<Value>, EngineError> {
        let made = self.engine.get(Target::new(format!("/containers/{id}/json"))).await?;
        let image = made.get("Image").and_then(Value::as_str).and_then(ImageId::parse);
        Ok((image.as_ref() == Some(grant.image_id())).then_some(made))
    }

    /// Takes back what was just made, since something after it failed.
    pub(in crate::gateway) async fn undo(&self, id: &ContainerId) {
        let all = Removal { volumes: true, force: true };
        if let Err(error) = self.engine.order(None, Order::Remove(id, all)).await {
            tracing::error!("a container that could not be finished is left: {error}");
        }
    }

    /// Gives a container another short name.
    pub(in crate::gateway) async fn rename(
        &self,
        container: &Owned,
        name: &ContainerName,
    ) -> Result<(), EngineError> {
        let name = engine_name(self.uid, name);
        self.engine.order(None, Order::Rename(container.id(), &name)).await.map(drop)
    }

    /// Removes the user's network when no container of the user's is left.
    pub(in crate::gateway) async fn tidy_network(&self) -> Result<(), EngineError> {
        if self.engine.has_any(self.uid).await? { Ok(()) } else { self.engine.remove_network(self.uid).await }
    }
}

impl Engine {
    /// Makes a container of a body that [`super::spec`] wrote.
    pub(super) async fn create_named(&self, name: &str, body: &Value) -> Result<ContainerId, EngineError> {
        let target = Target::new("/containers/create").with("name", name);
        let made: Created = read(self.call_with(Method::POST, target, body).await?).await?;
        ContainerId::parse(&made.id).ok_or_else(|| EngineError::Odd(format!("container id {:?}", made.id)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_waits_hears_of_one_that_does_not_end_and_not_of_many() {
        let each = Duration::from_secs(120);
        let turns = Arc::new(Turns::default());
        let stuck = turns.next().await;
        assert!(turns.next_within(each).await.is_none());
        drop(stuck);
        // A crowd takes longer together, and gets on.
        let crowd: Vec<_> = (0..5)
            .map(|_| {
                let turns = turns.clone();
                tokio::spawn(async move {
                    let _turn = turns.next().await;
                    tokio::time::sleep(each - Duration::from_secs(1)).await;
                })
            })
            .collect();
        tokio::task::yield_now().await;
        assert!(turns.next_within(each).await.is_some());
        assert!(crowd.iter().all(tokio::task::JoinHandle::is_finished));
    }
}
