//! What a container had while it ran, given back when it has ended.

use super::expiry::Expirations;
use super::output::Output;
use crate::gateway::engine::{ContainerId, Engine};
use crate::gateway::failpoint;
use crate::gateway::gpu::service::Gpus;
use crate::gateway::host::staging::Stager;
use crate::gateway::sessions::cleanup::ExecCleanups;
use crate::protocol::stage::Token;
use std::sync::Arc;

/// Who is told of an end.
#[derive(Debug)]
pub(in crate::gateway) struct Release {
    pub(in crate::gateway) engine: Arc<Engine>,
    pub(in crate::gateway) stager: Arc<Stager>,
    pub(in crate::gateway) output: Arc<Output>,
    pub(in crate::gateway) gpus: Arc<Gpus>,
    pub(in crate::gateway) expirations: Arc<Expirations>,
    pub(in crate::gateway) cleanups: Arc<ExecCleanups>,
}

impl Release {
    /// Takes the stages of a container that ended, unless it was started again meanwhile.
    pub(in crate::gateway) async fn ended(&self, id: &ContainerId, stages: Vec<Token>) {
        // What the engine does not tell of may run: the next sweep sees to it.
        let Ok(container) = self.engine.lock_and_look(id).await else { return };
        if container.runs() {
            return;
        }
        self.output.ended(id);
        self.gpus.ended(&container);
        self.expirations.forget(id);
        self.cleanups.forget(id);
        failpoint::at("end-freed");
        for token in stages {
            if let Err(error) = self.stager.unstage(&token).await {
                tracing::warn!("a stage is left for the next sweep: {error}");
            }
        }
    }
}
