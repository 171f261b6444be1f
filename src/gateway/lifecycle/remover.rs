//! Stopping a container, and taking it away: its owner's verbs, and an admin's.

use super::staged::unstage;
use crate::gateway::caller::Caller;
use crate::gateway::caller::peer::Peer;
use crate::gateway::engine::{Engine, EngineError, Owned};
use crate::gateway::error::Error;
use crate::gateway::host::staging::Stager;
use crate::gateway::locks::lock::Locks;
use crate::gateway::records::restarts::Restarts;
use crate::gateway::sessions::pending::Attaches;
use crate::gateway::task::to_the_end;
use crate::gateway::{audit, failpoint};
use crate::protocol::restart::Restart;
use axum::http::StatusCode;
use std::sync::Arc;

/// Whatever it takes to end one. Without a caller it is root who asks.
#[derive(Debug)]
pub(in crate::gateway) struct Remover {
    pub(in crate::gateway) engine: Arc<Engine>,
    pub(in crate::gateway) locks: Arc<Locks>,
    pub(in crate::gateway) stager: Arc<Stager>,
    pub(in crate::gateway) attaches: Arc<Attaches>,
    pub(in crate::gateway) restarts: Arc<Restarts>,
}

impl Remover {
    /// Stops a container, within so many seconds or the container's own time.
    ///
    /// # Errors
    /// What the engine says.
    pub(in crate::gateway) async fn stop(
        self: Arc<Self>,
        caller: Option<Caller>,
        container: Owned,
        seconds: Option<u32>,
    ) -> Result<StatusCode, Error> {
        noted(caller.as_ref(), "stop", container.id().as_str());
        self.restarts.stop(container.found());
        to_the_end(async move {
            let peer = caller.as_deref();
            let status = stop_in_engine(&self.engine, peer, &container, seconds).await?;
            if status != StatusCode::NOT_MODIFIED || self.restarts.policy(container.found()) == Restart::No {
                return Ok(status);
            }
            // It may be starting again just now, by a look at it before this stop. No later start does.
            drop(self.locks.lock(&container).await?);
            Ok(stop_in_engine(&self.engine, peer, &container, seconds).await?)
        })
        .await
    }

    /// Removes a container, with its stages; one that runs only by force.
    ///
    /// # Errors
    /// Where something else has it locked, and what the engine says.
    pub(in crate::gateway) async fn remove(
        self: Arc<Self>,
        caller: Option<Caller>,
        container: Owned,
        force: bool,
    ) -> Result<StatusCode, Error> {
        noted(caller.as_ref(), "rm", container.id().as_str());
        to_the_end(async move {
            let _lock = match force {
                true => self.locks.lock_to_remove(&container).await?,
                false => self.locks.lock(&container).await?,
            };
            let status = self.engine.remove(&container, force).await?;
            self.attaches.forget(container.id());
            failpoint::at("rm-removed");
            unstage(&self.stager, &container.found().stage_tokens()).await;
            failpoint::at("rm-unstaged");
            drop(caller);
            Ok(status)
        })
        .await
    }
}

pub(super) async fn stop_in_engine(
    engine: &Engine,
    peer: Option<&Peer>,
    container: &Owned,
    seconds: Option<u32>,
) -> Result<StatusCode, EngineError> {
    // An admin does not wait for permits that the owner has filled.
    let status = engine.stop(container.id(), peer.map(Peer::uid), seconds).await?;
    match container.labels().auto_remove {
        // One that did not run stays.
        true if status == StatusCode::NOT_MODIFIED => {}
        true => engine.until_removed(container).await,
        false => engine.until_listed_as_ended(container).await,
    }
    Ok(status)
}

fn noted(caller: Option<&Caller>, verb: &str, container: &str) {
    match caller {
        Some(caller) => audit::allowed(caller, verb, container),
        None => audit::allowed_to_root(verb, container),
    }
}
