//! Starting a container, and starting it again: admitted, staged and leased each time.

use super::remover::stop_in_engine;
use super::space::same_as_made;
use super::staged::stage;
use super::standing::standing;
use crate::gateway::caller::Caller;
use crate::gateway::caller::in_force::InForce;
use crate::gateway::engine::ports::Desk;
use crate::gateway::engine::{Engine, Owned, Turn};
use crate::gateway::error::Error;
use crate::gateway::gpu::desk::Asker;
use crate::gateway::gpu::service::Gpus;
use crate::gateway::host::channel::Channel;
use crate::gateway::host::staging::Stager;
use crate::gateway::host::wall::Wall;
use crate::gateway::images::look::{self, Looks};
use crate::gateway::locks::lock::Locks;
use crate::gateway::locks::removals::being_removed;
use crate::gateway::records::reasons::Reasons;
use crate::gateway::records::restarts::Restarts;
use crate::gateway::sessions::pending::Attaches;
use crate::gateway::task::to_the_end;
use crate::gateway::upkeep::output::Output;
use crate::gateway::{audit, failpoint};
use crate::policy::Standing;
use crate::protocol::report::Refusal;
use crate::protocol::told::told;
use axum::http::StatusCode;
use jiff::Timestamp;
use std::sync::{Arc, Weak};
use tokio::sync::OwnedMutexGuard;

/// Whatever it takes to start one.
#[derive(Debug)]
pub(in crate::gateway) struct Starter {
    pub(in crate::gateway) engine: Arc<Engine>,
    pub(in crate::gateway) locks: Arc<Locks>,
    pub(in crate::gateway) stager: Arc<Stager>,
    pub(in crate::gateway) channel: Arc<Channel>,
    pub(in crate::gateway) wall: Arc<Wall>,
    pub(in crate::gateway) gpus: Arc<Gpus>,
    pub(in crate::gateway) looks: Arc<Looks>,
    pub(in crate::gateway) ports: Arc<Desk>,
    pub(in crate::gateway) attaches: Arc<Attaches>,
    pub(in crate::gateway) output: Arc<Output>,
    pub(in crate::gateway) reasons: Arc<Reasons>,
    pub(in crate::gateway) restarts: Arc<Restarts>,
    pub(in crate::gateway) in_force: Arc<InForce>,
}

/// On whose word a container is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Owner,
    /// Its restart policy.
    Itself,
}

/// What came of a start that has had its turn.
enum Started {
    Answered(StatusCode),
    /// Nothing yet: the policy was read anew while it waited.
    Renewed(Caller),
}

impl Starter {
    /// Starts a container, unless it runs.
    ///
    /// # Errors
    /// What the policy, the host or the engine says against it; it is in the audit log.
    pub(in crate::gateway) async fn start(
        self: Arc<Self>,
        caller: Caller,
        container: Owned,
    ) -> Result<StatusCode, Error> {
        self.start_by(By::Owner, caller, container).await
    }

    /// Starts one by its restart policy, unless it runs.
    ///
    /// # Errors
    /// As of a start.
    pub(in crate::gateway) async fn start_again(
        self: Arc<Self>,
        caller: Caller,
        container: Owned,
    ) -> Result<(), Error> {
        self.start_by(By::Itself, caller, container).await.map(drop)
    }

    async fn start_by(
        self: Arc<Self>,
        by: By,
        caller: Caller,
        container: Owned,
    ) -> Result<StatusCode, Error> {
        if container.running() && self.engine.runs(&container).await? {
            return Ok(StatusCode::NOT_MODIFIED);
        }
        // Held until there is an answer, or nobody who waits for one.
        let waiting = Arc::new(());
        let mut caller = caller;
        loop {
            // Here, where it ends with its caller.
            let standing = self.may_start(&caller, &container).await.inspect_err(|error| {
                audit::refused(&caller, "start", container.id().as_str(), error);
            })?;
            if by == By::Itself {
                caller.limits()?.lets_restart()?;
            }
            let (starter, container, waits) = (self.clone(), container.clone(), Arc::downgrade(&waiting));
            let started =
                to_the_end(
                    async move { starter.start_in_turn(by, &caller, &container, &standing, &waits).await },
                );
            match started.await? {
                Started::Answered(status) => return Ok(status),
                Started::Renewed(renewed) => caller = renewed,
            }
        }
    }

    /// A stop and a start: the engine's own restart would not look at the stages.
    ///
    /// # Errors
    /// As of a start; asked before the stop, so that whoever could not start it again keeps a running container.
    pub(in crate::gateway) async fn restart(
        self: Arc<Self>,
        caller: Caller,
        container: Owned,
        seconds: Option<u32>,
    ) -> Result<StatusCode, Error> {
        if container.labels().auto_remove {
            let message = told!("{} was made with --rm: it goes when it stops", container.name());
            return Err(Refusal::new("conflict", message)
                .hint(told!("run it anew, without --rm to restart it later"))
                .into());
        }
        self.may_start(&caller, &container).await?;
        let used = self.engine.usage(&caller).await?;
        caller.limits()?.lets_write(&used)?;
        to_the_end(async move {
            audit::allowed(&caller, "restart", container.id().as_str());
            let _hold = self.stager.hold(container.found().stage_tokens());
            stop_in_engine(&self.engine, Some(&caller), &container, seconds).await?;
            // Half of it is done: nobody gives it up.
            let waiting = Arc::new(());
            let mut caller = caller;
            loop {
                let standing = self.may_start(&caller, &container).await?;
                let held = self.locks.lock_and_turn_however_long(caller.uid(), &container).await?;
                let waits = Arc::downgrade(&waiting);
                match self.start_now(By::Owner, &caller, &container, &standing, held, &waits).await? {
                    Started::Answered(_) => return Ok(StatusCode::NO_CONTENT),
                    Started::Renewed(renewed) => caller = renewed,
                }
            }
        })
        .await
    }

    /// What no other container that runs changes: the image, today's lists, the ports, the wall. Asked before any lock, as the
    /// first start of an image takes a moment longer. It ends with whoever waits for it: the caller, and the container. What
    /// was granted comes back: it is held against the lists of the moment of the start.
    async fn may_start(&self, caller: &Caller, container: &Owned) -> Result<Standing, Error> {
        let (standing, places) = standing(&self.engine, container).await?;
        caller.limits()?.still_allows(&container.used(), &standing)?;
        self.ports.ask(&self.engine, container).await?;
        tokio::select! {
            looked = look::through(&self.looks, container, &places) => looked?,
            () = self.locks.removals.of(container.id()) => return Err(being_removed(container.id())),
        }
        if container.networked() {
            self.wall.stands()?;
        }
        Ok(standing)
    }

    async fn start_in_turn(
        &self,
        by: By,
        caller: &Caller,
        container: &Owned,
        standing: &Standing,
        waits: &Weak<()>,
    ) -> Result<Started, Error> {
        let held = self.locks.lock_and_turn(caller.uid(), container).await.inspect_err(|error| {
            audit::refused(caller, "start", container.id().as_str(), error);
        })?;
        self.start_now(by, caller, container, standing, held, waits).await.inspect_err(|error| {
            audit::refused(caller, "start", container.id().as_str(), error);
        })
    }

    /// Admitted again, staged again, then started: never with a stage that is missing.
    async fn start_now(
        &self,
        by: By,
        caller: &Caller,
        container: &Owned,
        standing: &Standing,
        (_lock, turn): (OwnedMutexGuard<()>, Turn<'_>),
        waits: &Weak<()>,
    ) -> Result<Started, Error> {
        // It may have been started, renamed or removed while we waited, and another one may have its name.
        let (used, container) = match turn.usage_and(caller, container.id()).await? {
            (used, Some(container)) => (used, container),
            (_, None) => return Err(Error::NoContainer(container.name().to_string())),
        };
        if container.running() && self.engine.locked_runs(&container).await? {
            return Ok(Started::Answered(StatusCode::NOT_MODIFIED));
        }
        if by == By::Itself && self.restarts.is_stopped(container.id()) {
            return Ok(Started::Answered(StatusCode::NOT_MODIFIED));
        }
        // What has waited is judged anew, all of it, where the policy is another one by now.
        if let Some(renewed) = caller.renewed(&self.in_force)? {
            return Ok(Started::Renewed(renewed));
        }
        let limits = caller.limits()?;
        limits.still_allows(&container.used(), standing)?;
        limits.readmit(&used, &container.used())?;
        let ports = self.ports.take(&self.engine, &container).await?;
        still_waits(waits)?;
        let container = &container;
        audit::allowed(caller, "start", container.id().as_str());
        failpoint::at("start-admitted");
        let _hold = self.stager.hold(container.found().stage_tokens());
        // A network that was made by name is its owner's to keep.
        if container.networked() && container.on_own_network() {
            self.engine.ensure_network(caller, caller.policy().gateway()).await?;
        }
        let space = same_as_made(&self.engine, caller, container).await?;
        stage(&self.stager, caller, &container.labels().stages, space).await?;
        if let Some(channel) = &container.labels().channel {
            self.channel.make(channel).map_err(|error| Error::State("the copy channel", error))?;
        }
        failpoint::at("start-staged");
        still_waits(waits)?;
        let asker = Asker { uid: caller.uid(), login: caller.account()?.login() };
        self.gpus.lease(asker, container, &limits, Timestamp::now())?;
        failpoint::at("start-leased");
        let watch = self.output.watch(container.found());
        // One that is being removed is not started, and would keep whoever is attached to it.
        if !matches!(container.found().state(), "removing" | "dead") {
            self.attaches.attach(container.id()).await;
        }
        // Before it is started: a stop that comes meanwhile holds.
        let stopped = by == By::Owner && self.restarts.starts(container.id());
        let started = self.engine.start(container).await;
        self.attaches.attach_late(container.id());
        if let Err(error) = &started {
            if stopped {
                self.restarts.stop(container.found());
            }
            self.gpus.not_started(container.id());
            if !error.is_said() {
                ports.linger();
            }
        }
        failpoint::at("start-started");
        let started = started?;
        watch.begin();
        self.reasons.forget(container.id());
        if by == By::Itself {
            self.restarts.started_again(container.id());
        }
        Ok(Started::Answered(started))
    }
}

/// A start can take minutes, and who gave it up does not expect it afterwards.
fn still_waits(waits: &Weak<()>) -> Result<(), Error> {
    match waits.strong_count() {
        0 => Err(Error::Conflict(told!("the start was given up"))),
        _ => Ok(()),
    }
}
