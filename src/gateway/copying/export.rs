//! `export`: a container's own files as one tar, as the engine packs them.
//!
//! The engine packs what lies in the container's layers, in a process that has these for its root. It mounts nothing of the
//! container's, and no link in there leads that process out of there. So what is mounted is an empty directory in the tar, and
//! the tar goes as it comes, with the owners that the files have inside.
//!
//! Only of a container that does not run, and under its lock: a process inside could put a pipe in the place of a file that the
//! engine is about to open, and the engine would wait at that pipe for ever.
//!
//! What a container has written may claim more than a disk holds, and a reader may stop reading: an export has the pace
//! and the end of a copy, and `rm -f` cuts it off.

use super::Copier;
use super::clock::Pace;
use super::stream::{Rewritten, pumped};
use crate::gateway::audit;
use crate::gateway::caller::Caller;
use crate::gateway::engine::{Owned, in_time};
use crate::gateway::error::Error;
use crate::gateway::locks::removals::being_removed;
use crate::protocol::name::ContainerRef;
use crate::protocol::report::Refusal;
use crate::protocol::told::{Told, told};
use axum::body::Body;
use hyper::Method;
use std::sync::Arc;
use std::time::Duration;

/// Between two looks at whether the gateway is young.
const YOUNG: Duration = Duration::from_millis(200);

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
        // Before its lock: who waits for a permit keeps no container from anybody.
        let permit = self.exports.of(caller.uid()).acquire_owned().await.ok();
        let lock = self.locks.lock(&container).await?;
        let cut = self.locks.removals.watch(&container)?;
        let asked = async {
            // The engine may be at a start that a gateway before this one asked for.
            while self.youth.lasts() {
                tokio::time::sleep(YOUNG).await;
            }
            if in_time(self.engine.runs(&container)).await? {
                return Err(runs(&container));
            }
            Ok(in_time(self.engine.call(Method::GET, container.target("/export").of_nobody())).await?)
        };
        let answer = tokio::select! {
            biased;
            () = cut.notified() => return Err(being_removed(container.id())),
            answer = asked => answer?,
        };
        let tar = Body::new(answer.into_body()).into_data_stream();
        let tar = Rewritten { tar, rewriter: None, room: None, pace: Pace::begin(), cut, _held: lock };
        Ok(Body::from_stream(pumped(tar, permit)))
    }
}

fn runs(container: &Owned) -> Error {
    let name = container.name();
    Refusal::new("conflict", told!("{name} runs, and is exported only while it does not"))
        .hint(Told::Text(format!("ie-container stop {name}")))
        .into()
}
