//! `export`: a container's own files as one tar, as the engine packs them.
//!
//! The engine packs what lies in the container's layers, in a process that has these for its root. It mounts nothing of the
//! container's, and no link in there leads that process out of there, whether the container runs or not. So what is
//! mounted is an empty directory in the tar, and the tar goes as it comes, with the owners that the files have inside.
//!
//! What a container has written may claim more than a disk holds, and a reader may stop reading: an export has the pace
//! and the end of a copy, and `rm -f` cuts it off.

use super::Copier;
use super::clock::Pace;
use super::stream::{Rewritten, pumped};
use crate::gateway::audit;
use crate::gateway::caller::Caller;
use crate::gateway::error::Error;
use crate::protocol::name::ContainerRef;
use axum::body::Body;
use hyper::Method;
use std::sync::Arc;

impl Copier {
    /// # Errors
    /// Where there is no such container of the caller's, and what the engine says.
    pub(in crate::gateway) async fn export(
        self: &Arc<Self>,
        caller: &Caller,
        word: &ContainerRef,
    ) -> Result<Body, Error> {
        let container = self.engine.owned(caller, word).await?;
        // It only looks, and is a line in the log nevertheless.
        self.rate_limit.wait(caller.uid()).await;
        audit::allowed(caller, "export", container.id().as_str());
        let permit = self.exports.of(caller.uid()).acquire_owned().await.ok();
        let cut = self.locks.removals.watch(&container)?;
        let answer = self.engine.call(Method::GET, container.target("/export").of_nobody()).await?;
        let tar = Body::new(answer.into_body()).into_data_stream();
        let tar = Rewritten { tar, rewriter: None, room: None, pace: Pace::begin(), cut, _held: () };
        Ok(Body::from_stream(pumped(tar, permit)))
    }
}
