//! Other limits for a container that is there, within the policy, while it runs or not.
//!
//! What counts in its owner's usage is never less than what the engine may have been told: more is written down before the
//! engine hears of it, and less after it has done it.

use crate::gateway::audit;
use crate::gateway::caller::Caller;
use crate::gateway::caller::in_force::InForce;
use crate::gateway::engine::{Engine, Owned, Size, in_time};
use crate::gateway::error::Error;
use crate::gateway::locks::lock::Locks;
use crate::gateway::records::resized::Resized;
use crate::gateway::records::restarts::Restarts;
use crate::gateway::task::to_the_end;
use crate::gateway::wish::UpdateWish;
use crate::policy::{Ask, Used};
use crate::protocol::restart::Restart;
use crate::protocol::told::told;
use std::sync::Arc;

#[derive(Debug)]
pub(in crate::gateway) struct Updater {
    pub(in crate::gateway) engine: Arc<Engine>,
    pub(in crate::gateway) locks: Arc<Locks>,
    pub(in crate::gateway) resized: Arc<Resized>,
    pub(in crate::gateway) restarts: Arc<Restarts>,
    pub(in crate::gateway) in_force: Arc<InForce>,
}

impl Updater {
    /// # Errors
    /// What the policy or the engine says against it; the container keeps what it had.
    pub(in crate::gateway) async fn update(
        self: Arc<Self>,
        caller: Caller,
        container: Owned,
        wish: UpdateWish,
    ) -> Result<(), Error> {
        to_the_end(async move {
            let updated = self.updated(&caller, &container, &wish).await;
            match &updated {
                Ok(()) => audit::allowed(&caller, "update", container.id().as_str()),
                Err(error) => audit::refused(&caller, "update", container.id().as_str(), error),
            }
            updated
        })
        .await
    }

    async fn updated(&self, caller: &Caller, container: &Owned, wish: &UpdateWish) -> Result<(), Error> {
        let (turn, _lock) = self.locks.turn_and_lock(caller.uid(), container).await?;
        let renewed = caller.renewed(&self.in_force)?;
        let caller = renewed.as_ref().unwrap_or(caller);
        let (usage, now) = turn.usage_and(caller, container.id()).await?;
        let now = now.ok_or_else(|| Error::NoContainer(container.name().to_string()))?;
        let ask = Ask { cpus: wish.cpus, memory: wish.memory, pids: wish.pids, ..Ask::default() };
        // One that is listed as ended may be one that the engine is starting for a gateway that was killed.
        let running = now.running() || in_time(self.engine.locked_runs(&now)).await?;
        may_restart(caller, &now, wish.restart)?;
        let resized = caller.limits()?.resize(&usage, &Used { running, ..now.used() }, &ask)?;
        let before = Size::of(now.labels());
        let after = Size { cpus: resized.cpus, memory: resized.memory, pids: resized.pids };
        let noted = |size| {
            self.resized.put(now.id(), size).map_err(|error| Error::State("a container's limits", error))
        };
        noted(after.or_more(before))?;
        match self.engine.update(&now, after, &wish.scheduling).await {
            Ok(()) => {
                if let Some(policy) = wish.restart {
                    self.restarts.set_policy(now.id(), policy, running);
                }
                noted(after)
            }
            Err(error) => {
                // Whatever else happened, it may have been done.
                if error.is_said() && error.status().is_client_error() {
                    noted(before)?;
                }
                Err(error.into())
            }
        }
    }
}

fn may_restart(caller: &Caller, container: &Owned, asked: Option<Restart>) -> Result<(), Error> {
    if asked.is_none_or(|asked| asked == Restart::No) {
        return Ok(());
    }
    if container.labels().auto_remove {
        return Err(Error::Bad(told!(
            "Restart policy cannot be updated because AutoRemove is enabled for the container"
        )));
    }
    Ok(caller.limits()?.lets_restart()?)
}
