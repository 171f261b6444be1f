//! Stopping what takes more than its owner may have, and telling why.
//!
//! Both the disk and the output stop containers by this file.

use crate::gateway::engine::terminals::Terminals;
use crate::gateway::engine::{ContainerId, Engine, Found};
use crate::gateway::records::reasons::Reasons;
use crate::gateway::records::restarts::Restarts;
use crate::protocol::name::ContainerName;
use crate::protocol::report::Refusal;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// What a container may take to end by itself, in seconds.
const GRACE: u32 = 10;
/// Whoever was told to stop is not told again so soon: it is more than a stop takes.
pub(in crate::gateway) const STOPPING: Duration = Duration::from_secs(30);

/// A container, as a list told of it.
#[derive(Debug, Clone)]
pub(in crate::gateway) struct Whom {
    id: ContainerId,
    name: ContainerName,
    uid: u32,
    login: String,
}

impl Whom {
    pub(in crate::gateway) fn of(found: &Found) -> Self {
        let (id, name) = (found.id().clone(), found.name().clone());
        Self { id, name, uid: found.owner(), login: found.labels().login.clone() }
    }

    #[cfg(test)]
    pub(in crate::gateway) fn fake(id: &ContainerId, uid: u32) -> Self {
        let name = ContainerName::try_from("box".to_owned()).unwrap();
        Self { id: id.clone(), name, uid, login: "ann".to_owned() }
    }

    #[cfg(test)]
    pub(in crate::gateway) fn id(&self) -> &ContainerId {
        &self.id
    }
}

/// What it takes to stop a container and to tell its owner why.
#[derive(Debug)]
pub(in crate::gateway) struct Stops {
    pub(in crate::gateway) engine: Arc<Engine>,
    pub(in crate::gateway) terminals: Arc<Terminals>,
    pub(in crate::gateway) reasons: Arc<Reasons>,
    pub(in crate::gateway) restarts: Arc<Restarts>,
}

/// Stops what was seen to take too much, unless that has ended by now. It is told why under its lock, and stopped without:
/// the stop of one that ends meanwhile finds nothing to stop, as it is not started again while that holds.
pub(in crate::gateway) async fn stop(by: Arc<Stops>, whom: Whom, refusal: Refusal, seen: Timestamp) {
    let Whom { id, name, uid, login } = &whom;
    let Ok(container) = by.engine.lock_and_look(id).await else { return };
    if container.started().is_none_or(|started| started > seen) {
        return;
    }
    tracing::warn!(uid, login, container = id.as_str(), "stopped, {}", refusal.message);
    by.terminals.say(id, &format!("{}: {name} is stopped", refusal.message));
    by.reasons.put(id, refusal.message.to_string());
    if let Some(found) = container.found() {
        by.restarts.stop(&found);
    }
    drop(container);
    match by.engine.stop(id, None, Some(GRACE)).await {
        Err(error) if !error.is_not_found() => {
            tracing::error!("a container that takes too much does not stop: {error}");
            by.reasons.forget(id);
        }
        _ => {}
    }
}
