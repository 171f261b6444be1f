//! What ends a container. An engine says nothing before all have taken what comes of it: once the container had the time to
//! end by itself, nobody holds that up by taking nothing.
//!
//! Readers that take nothing are let go of (`readers.rs`).

use super::orders::{Order, Removal};
use super::wire::Of;
use super::{ContainerId, Engine, EngineError, Owned};
use hyper::StatusCode;
use std::time::Duration;

/// What an engine gives a container to end by itself, in seconds, if nobody has said how long.
const GRACE: u32 = 10;

impl Engine {
    /// `by_itself`: seconds until it is killed.
    pub(in crate::gateway) async fn stop(
        &self,
        id: &ContainerId,
        of: Option<u32>,
        by_itself: Option<u32>,
    ) -> Result<StatusCode, EngineError> {
        let order = Order::Stop(id, by_itself);
        let by_itself = Duration::from_secs(by_itself.unwrap_or(GRACE).into());
        self.end(id, of.map(Of::Asked), order, by_itself).await
    }

    /// Sends a signal that may end it at once.
    pub(in crate::gateway) async fn kill(
        &self,
        container: &Owned,
        signal: &str,
    ) -> Result<StatusCode, EngineError> {
        let (id, of) = (container.id(), container.found().owner());
        self.end(id, Some(Of::Asked(of)), Order::Kill(id, signal), Duration::ZERO).await
    }

    /// Removes it with its volumes that have no name, under its lock; one that runs by force.
    pub(in crate::gateway) async fn remove(
        &self,
        container: &Owned,
        force: bool,
    ) -> Result<StatusCode, EngineError> {
        let id = container.id();
        self.end(id, None, Order::Remove(id, Removal { volumes: true, force }), Duration::ZERO).await
    }

    async fn end(
        &self,
        id: &ContainerId,
        of: Option<Of>,
        order: Order<'_>,
        by_itself: Duration,
    ) -> Result<StatusCode, EngineError> {
        let nobody_waits_on = async {
            tokio::time::sleep(by_itself).await;
            self.readers.let_go(id).await
        };
        tokio::select! {
            status = self.order(of, order) => status,
            never = nobody_waits_on => match never {},
        }
    }
}
