//! Starting a container, and starting it again: admitted, staged and leased each time.

use super::act::{StopQuery, grace, stop_in_engine, tokens};
use super::create::stage;
use crate::gateway::api::routes::Word;
use crate::gateway::caller::peer::Peer;
use crate::gateway::engine::{Owned, Turn};
use crate::gateway::error::Error;
use crate::gateway::gpu::desk::Asker;
use crate::gateway::images::look;
use crate::gateway::lifecycle::space::same_as_made;
use crate::gateway::lifecycle::standing::standing;
use crate::gateway::locks::lock::{lock_and_turn, lock_and_turn_however_long};
use crate::gateway::locks::removals::being_removed;
use crate::gateway::state::Gateway;
use crate::gateway::task::to_the_end;
use crate::gateway::upkeep::output::Watch;
use crate::gateway::{audit, mark};
use crate::policy::Standing;
use crate::protocol::report::Refusal;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use hyper::Method;
use jiff::Timestamp;
use std::sync::{Arc, Weak};
use tokio::sync::OwnedMutexGuard;

type Shared = State<Arc<Gateway>>;

pub(in crate::gateway) async fn start(
    peer: Peer,
    State(gateway): Shared,
    Word(word): Word,
) -> Result<StatusCode, Error> {
    let container = gateway.engine.owned(&peer, &word).await?;
    if container.running() && gateway.engine.runs(&container).await? {
        return Ok(StatusCode::NOT_MODIFIED);
    }
    // Here, where it ends with its caller.
    let standing = may_start(&gateway, &peer, &container).await.inspect_err(|error| {
        audit::refused(&peer, "start", container.id().as_str(), error);
    })?;
    // Held until there is an answer, or nobody who waits for one.
    let waiting = Arc::new(());
    let caller = Arc::downgrade(&waiting);
    to_the_end(async move {
        let started = start_in_turn(&gateway, &peer, &container, &standing, &caller).await;
        if let Err(error) = &started {
            audit::refused(&peer, "start", container.id().as_str(), error);
        }
        started
    })
    .await
    .inspect(|_| drop(waiting))
}

/// What no other container that runs changes: the image, today's lists, the ports, the wall. Asked before any lock, as the
/// first start of an image takes a moment longer. It ends with whoever waits for it: the caller, and the container. What
/// was granted comes back: it is held against the lists of the moment of the start.
async fn may_start(gateway: &Arc<Gateway>, peer: &Peer, container: &Owned) -> Result<Standing, Error> {
    let (standing, places) = standing(gateway, container).await?;
    gateway.limits(peer.account()?).still_allows(&container.used(), &standing)?;
    gateway.ports.ask_again(&gateway.engine, container).await?;
    tokio::select! {
        looked = look::through(gateway, container, &places) => looked?,
        () = gateway.removals.of(container.id()) => return Err(being_removed()),
    }
    if container.networked() {
        gateway.wall.stands()?;
    }
    Ok(standing)
}

/// A start can take minutes, and who gave it up does not expect it afterwards.
fn still_waits(caller: &Weak<()>) -> Result<(), Error> {
    match caller.strong_count() {
        0 => Err(Error::Conflict("the start was given up".into())),
        _ => Ok(()),
    }
}

async fn start_in_turn(
    gateway: &Arc<Gateway>,
    peer: &Peer,
    container: &Owned,
    standing: &Standing,
    caller: &Weak<()>,
) -> Result<StatusCode, Error> {
    let held = lock_and_turn(gateway, peer, container).await?;
    start_now(gateway, peer, container, standing, held, caller).await
}

/// Admitted again, staged again, then started: never with a stage that is missing.
async fn start_now(
    gateway: &Arc<Gateway>,
    peer: &Peer,
    container: &Owned,
    standing: &Standing,
    (_lock, turn): (OwnedMutexGuard<()>, Turn<'_>),
    caller: &Weak<()>,
) -> Result<StatusCode, Error> {
    // It may have been started, renamed or removed while we waited, and another one may have its name.
    let (used, container) = match turn.usage_and(peer, container.id()).await? {
        (used, Some(container)) => (used, container),
        (_, None) => return Err(Error::NoContainer(container.name().to_string())),
    };
    if container.running() && gateway.engine.locked_runs(&container).await? {
        return Ok(StatusCode::NOT_MODIFIED);
    }
    // Not those of before: the policy may have been reloaded while we waited.
    let limits = gateway.limits(peer.account()?);
    limits.still_allows(&container.used(), standing)?;
    limits.readmit(&used, &container.used())?;
    gateway.ports.ask_again(&gateway.engine, &container).await?;
    still_waits(caller)?;
    let container = &container;
    audit::allowed(Some(peer), "start", container.id().as_str());
    mark::at("start-admitted");
    let _hold = gateway.stager.hold(tokens(container.found()));
    // A network that was made by name is its owner's to keep.
    if container.networked() && container.on_own_network() {
        gateway.engine.ensure_network(peer, gateway.policy().gateway()).await?;
    }
    let space = same_as_made(gateway, peer, container).await?;
    stage(gateway, peer, &container.labels().stages, space).await?;
    if let Some(channel) = &container.labels().channel {
        gateway.channel.make(channel).map_err(|error| Error::State("the copy channel", error))?;
    }
    mark::at("start-staged");
    still_waits(caller)?;
    let asker = Asker { uid: peer.uid(), login: peer.account()?.login() };
    gateway.gpus.lease(asker, container, &limits, Timestamp::now())?;
    mark::at("start-leased");
    let watch = Watch::new(gateway, container.found());
    // One that is being removed is not started, and would keep whoever is attached to it.
    if !matches!(container.found().state(), "removing" | "dead") {
        gateway.attaches.attach(gateway, container.id()).await;
    }
    let started = gateway.engine.call(Method::POST, container.target("/start").of_nobody()).await;
    gateway.attaches.attach_late(gateway, container.id());
    if started.is_err() {
        gateway.gpus.not_started(container.id());
    }
    mark::at("start-started");
    let started = started?;
    watch.begin();
    gateway.reasons.forget(container.id());
    Ok(started.status())
}

/// A stop and a start: the engine's own restart would not look at the stages.
pub(in crate::gateway) async fn restart(
    peer: Peer,
    State(gateway): Shared,
    Word(word): Word,
    Query(query): Query<StopQuery>,
) -> Result<StatusCode, Error> {
    let seconds = grace(query.t)?;
    let container = gateway.engine.owned(&peer, &word).await?;
    if container.labels().auto_remove {
        let message = format!("{} was made with --rm: it goes when it stops", container.name());
        return Err(Refusal::new("conflict", message)
            .hint("run it anew, without --rm to restart it later")
            .into());
    }
    // Asked before the stop: a caller who could not start again keeps a running container.
    may_start(&gateway, &peer, &container).await?;
    let used = gateway.engine.usage(&peer).await?;
    gateway.limits(peer.account()?).lets_write(&used)?;
    to_the_end(async move {
        audit::allowed(Some(&peer), "restart", container.id().as_str());
        let _hold = gateway.stager.hold(tokens(container.found()));
        stop_in_engine(&gateway, Some(&peer), &container, seconds).await?;
        // Half of it is done: nobody gives it up.
        let waiting = Arc::new(());
        let standing = may_start(&gateway, &peer, &container).await?;
        let held = lock_and_turn_however_long(&gateway, &peer, &container).await?;
        start_now(&gateway, &peer, &container, &standing, held, &Arc::downgrade(&waiting)).await?;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}
