//! What changes a container: start, stop, restart, kill, rename, rm.

use super::create::{stage, unstage};
use super::list::one_by_one;
use super::lock::{lock, lock_and_turn, lock_and_turn_however_long, lock_to_remove};
use super::standing::standing;
use crate::gateway::answer::Flag;
use crate::gateway::create::{container_name, signal};
use crate::gateway::engine::{EngineError, Found, Owned, Turn};
use crate::gateway::error::Error;
use crate::gateway::filters;
use crate::gateway::gpu::desk::Asker;
use crate::gateway::peer::Peer;
use crate::gateway::routes::Word;
use crate::gateway::state::Gateway;
use crate::gateway::task::to_the_end;
use crate::gateway::{audit, mark};
use crate::policy::Limits;
use crate::protocol::report::Refusal;
use crate::protocol::stage::Token;
use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use hyper::Method;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::{Arc, Weak};
use tokio::sync::OwnedMutexGuard;

type Shared = State<Arc<Gateway>>;

pub(in crate::gateway) fn tokens(found: &Found) -> Vec<Token> {
    found.labels().stages.iter().map(|stage| stage.token.clone()).collect()
}

pub(in crate::gateway) async fn start(
    peer: Peer,
    State(gateway): Shared,
    Word(word): Word,
) -> Result<StatusCode, Error> {
    let container = gateway.engine.owned(&peer, &word).await?;
    if container.running() && gateway.engine.runs(&container).await? {
        return Ok(StatusCode::NOT_MODIFIED);
    }
    // Held until there is an answer, or nobody who waits for one.
    let waiting = Arc::new(());
    let caller = Arc::downgrade(&waiting);
    to_the_end(async move {
        let started = start_in_turn(&gateway, &peer, &container, &caller).await;
        if let Err(error) = &started {
            audit::refused(&peer, "start", container.id().as_str(), error);
        }
        started
    })
    .await
    .inspect(|_| drop(waiting))
}

/// What no other container changes: the image, today's lists, the wall. Asked before any lock, as the first start of an
/// image takes a moment longer.
async fn may_start(gateway: &Gateway, peer: &Peer, container: &Owned) -> Result<Limits, Error> {
    let limits = gateway.limits(peer.account()?);
    limits.still_allows(&container.used(), &standing(gateway, container).await?)?;
    gateway.engine.look_through(container).await?;
    if container.networked() {
        gateway.wall.stands()?;
    }
    Ok(limits)
}

/// A start can take minutes, and who gave it up does not expect it afterwards.
fn still_waits(caller: &Weak<()>) -> Result<(), Error> {
    match caller.strong_count() {
        0 => Err(Error::Conflict("the start was given up".into())),
        _ => Ok(()),
    }
}

async fn start_in_turn(
    gateway: &Gateway,
    peer: &Peer,
    container: &Owned,
    caller: &Weak<()>,
) -> Result<StatusCode, Error> {
    let limits = may_start(gateway, peer, container).await?;
    let held = lock_and_turn(gateway, peer, container).await?;
    start_now(gateway, peer, container, limits, held, caller).await
}

/// Admitted again, staged again, then started: never with a stage that is missing.
async fn start_now(
    gateway: &Gateway,
    peer: &Peer,
    container: &Owned,
    limits: Limits,
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
    limits.readmit(&used, &container.used())?;
    still_waits(caller)?;
    let container = &container;
    audit::allowed(Some(peer), "start", container.id().as_str());
    mark::at("start-admitted");
    let _hold = gateway.stager.hold(tokens(container.found()));
    // A network that was made by name is its owner's to keep.
    if container.networked() && container.on_own_network() {
        gateway.engine.ensure_network(peer.uid(), gateway.policy().gateway()).await?;
    }
    stage(gateway, peer, &container.labels().stages).await?;
    mark::at("start-staged");
    still_waits(caller)?;
    let asker = Asker { uid: peer.uid(), login: peer.account()?.login() };
    gateway.gpus.lease(asker, container, &limits, Timestamp::now())?;
    mark::at("start-leased");
    let started = gateway.engine.call(Method::POST, container.target("/start").of_nobody()).await;
    if started.is_err() {
        gateway.gpus.not_started(container.id());
    }
    mark::at("start-started");
    let started = started?;
    gateway.reasons.forget(container.id());
    Ok(started.status())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::gateway) struct StopQuery {
    t: Option<i64>,
    signal: String,
}

/// Seconds between the polite signal and the other one; Docker's -1, for ever, is not served.
fn grace(t: Option<i64>) -> Result<Option<i64>, Error> {
    match t {
        Some(seconds) if !(0..=600).contains(&seconds) => {
            Err(Error::Bad(format!("a container has 0 to 600 seconds to stop, not {seconds}")))
        }
        t => Ok(t),
    }
}

pub(in crate::gateway) async fn stop(
    peer: Peer,
    State(gateway): Shared,
    Word(word): Word,
    Query(query): Query<StopQuery>,
) -> Result<StatusCode, Error> {
    let seconds = grace(query.t)?;
    let container = gateway.engine.owned(&peer, &word).await?;
    if !query.signal.is_empty() {
        signal("signal", &query.signal)?;
        audit::allowed(Some(&peer), "kill", container.id().as_str());
        let target = container.target("/kill").with("signal", &query.signal);
        match gateway.engine.call(Method::POST, target).await {
            Err(error) if !error.is_conflict() => return Err(error.into()),
            _ => {}
        }
    }
    stop_now(gateway, Some(peer), container, seconds).await
}

pub(in crate::gateway) async fn stop_now(
    gateway: Arc<Gateway>,
    peer: Option<Peer>,
    container: Owned,
    seconds: Option<i64>,
) -> Result<StatusCode, Error> {
    audit::allowed(peer.as_ref(), "stop", container.id().as_str());
    to_the_end(async move {
        let status = stop_in_engine(&gateway, peer.as_ref(), &container, seconds).await?;
        drop(peer);
        Ok(status)
    })
    .await
}

async fn stop_in_engine(
    gateway: &Gateway,
    peer: Option<&Peer>,
    container: &Owned,
    seconds: Option<i64>,
) -> Result<StatusCode, crate::gateway::engine::EngineError> {
    let mut target = container.target("/stop");
    // An admin does not wait for places that the owner has filled.
    if peer.is_none() {
        target = target.of_nobody();
    }
    if let Some(seconds) = seconds {
        target = target.with("t", &seconds.to_string());
    }
    let status = gateway.engine.call(Method::POST, target).await?.status();
    gateway.engine.until_listed_as_ended(container).await;
    Ok(status)
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
    to_the_end(async move {
        // Asked before the stop: a caller who could not start again keeps a running container.
        may_start(&gateway, &peer, &container).await?;
        audit::allowed(Some(&peer), "restart", container.id().as_str());
        let _hold = gateway.stager.hold(tokens(container.found()));
        stop_in_engine(&gateway, Some(&peer), &container, seconds).await?;
        // Half of it is done: nobody gives it up.
        let waiting = Arc::new(());
        let limits = may_start(&gateway, &peer, &container).await?;
        let held = lock_and_turn_however_long(&gateway, &peer, &container).await?;
        start_now(&gateway, &peer, &container, limits, held, &Arc::downgrade(&waiting)).await?;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::gateway) struct KillQuery {
    signal: String,
}

pub(in crate::gateway) async fn kill(
    peer: Peer,
    State(gateway): Shared,
    Word(word): Word,
    Query(query): Query<KillQuery>,
) -> Result<StatusCode, Error> {
    let container = gateway.engine.owned(&peer, &word).await?;
    let name = if query.signal.is_empty() { "KILL" } else { &query.signal };
    signal("signal", name)?;
    container.must_run()?;
    audit::allowed(Some(&peer), "kill", container.id().as_str());
    Ok(gateway.engine.call(Method::POST, container.target("/kill").with("signal", name)).await?.status())
}

#[derive(Debug, Deserialize)]
pub(in crate::gateway) struct RenameQuery {
    name: String,
}

pub(in crate::gateway) async fn rename(
    peer: Peer,
    State(gateway): Shared,
    Word(word): Word,
    Query(query): Query<RenameQuery>,
) -> Result<StatusCode, Error> {
    let name = container_name(&query.name)?;
    let container = gateway.engine.owned(&peer, &word).await?;
    to_the_end(async move {
        let (_lock, turn) = lock_and_turn(&gateway, &peer, &container).await?;
        if gateway.engine.own(&peer, false).await?.iter().any(|owned| *owned.name() == name) {
            return Err(Error::Conflict(format!("the name {name} is in use by one of your containers")));
        }
        audit::allowed(Some(&peer), "rename", container.id().as_str());
        turn.rename(&container, &name).await?;
        mark::at("rename-renamed");
        gateway.gpus.renamed(container.id(), &name);
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::gateway) struct RemoveQuery {
    force: Flag,
    /// Anonymous volumes go with their container, asked or not.
    #[serde(rename = "v")]
    _v: Flag,
    link: Flag,
}

pub(in crate::gateway) async fn remove(
    peer: Peer,
    State(gateway): Shared,
    Word(word): Word,
    Query(query): Query<RemoveQuery>,
) -> Result<StatusCode, Error> {
    if query.link.0 {
        return Err(Error::not_allowed("link", "containers have no links here"));
    }
    let container = gateway.engine.owned(&peer, &word).await?;
    if container.running() && !query.force.0 && gateway.engine.runs(&container).await? {
        let name = container.name();
        return Err(Error::Conflict(format!(
            "{name} is running; stop it first (ie-container stop {name}) or use rm -f"
        )));
    }
    remove_now(gateway, Some(peer), container, query.force.0).await
}

pub(in crate::gateway) async fn remove_now(
    gateway: Arc<Gateway>,
    peer: Option<Peer>,
    container: Owned,
    force: bool,
) -> Result<StatusCode, Error> {
    audit::allowed(peer.as_ref(), "rm", container.id().as_str());
    to_the_end(async move {
        let _lock = match force {
            true => lock_to_remove(&gateway, &container).await?,
            false => lock(&gateway, &container).await?,
        };
        let force = if force { "1" } else { "0" };
        let target = container.target("").of_nobody().with("v", "1").with("force", force);
        let status = gateway.engine.call(Method::DELETE, target).await?.status();
        mark::at("rm-removed");
        unstage(&gateway, &tokens(container.found())).await;
        mark::at("rm-unstaged");
        drop(peer);
        Ok(status)
    })
    .await
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::gateway) struct PruneQuery {
    filters: String,
}

/// Removes the caller's containers that do not run.
pub(in crate::gateway) async fn prune(
    peer: Peer,
    State(gateway): Shared,
    Query(query): Query<PruneQuery>,
) -> Result<Json<Value>, Error> {
    let words = filters::parse(&query.filters, &["label"])?;
    let (asker, of) = (peer.clone(), gateway.clone());
    let sized = async move {
        match of.engine.own(&asker, true).await {
            // One that cannot be measured is no reason to keep the others, or itself.
            Err(EngineError::Said { .. }) => of.engine.own(&asker, false).await,
            own => own,
        }
    };
    let own = one_by_one(&gateway.walks, peer.uid(), sized).await??;
    let (mut gone, mut bytes) = (Vec::new(), 0);
    for container in
        own.into_iter().filter(|owned| matches!(owned.found().state(), "created" | "exited" | "dead"))
    {
        let summary = container.found().summary().clone();
        if !filters::all_match(&words, |_, value| filters::has_label(summary.get("Labels"), value)) {
            continue;
        }
        let id = container.id().to_string();
        // One that is started meanwhile, or busy, is left.
        if remove_now(gateway.clone(), Some(peer.clone()), container, false).await.is_ok() {
            bytes += summary.get("SizeRw").and_then(Value::as_u64).unwrap_or(0);
            gone.push(id);
        }
    }
    Ok(Json(json!({ "ContainersDeleted": gone, "SpaceReclaimed": bytes })))
}
