//! What ends a container. An engine says nothing before all have taken what comes of it: once the container had the time to
//! end by itself, nobody holds that up by taking nothing.
//!
//! Readers that take nothing are let go of (`readers.rs`).

use super::{ContainerId, Engine, EngineError, Target};
use hyper::body::Incoming;
use hyper::{Method, Response, StatusCode};
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
        let target = Target::new(format!("/containers/{id}/stop"));
        let target = of.into_iter().fold(target, Target::of);
        let target = by_itself.iter().fold(target, |target, seconds| target.with("t", &seconds.to_string()));
        let by_itself = Duration::from_secs(by_itself.unwrap_or(GRACE).into());
        Ok(self.end(id, Method::POST, target, by_itself).await?.status())
    }

    /// At once.
    pub(in crate::gateway) async fn end_now(
        &self,
        id: &ContainerId,
        method: Method,
        target: Target,
    ) -> Result<StatusCode, EngineError> {
        Ok(self.end(id, method, target, Duration::ZERO).await?.status())
    }

    async fn end(
        &self,
        id: &ContainerId,
        method: Method,
        target: Target,
        by_itself: Duration,
    ) -> Result<Response<Incoming>, EngineError> {
        let nobody_waits_on = async {
            tokio::time::sleep(by_itself).await;
            self.readers.let_go(id).await
        };
        tokio::select! {
            answer = self.call(method, target) => answer,
            never = nobody_waits_on => match never {},
        }
    }
}
