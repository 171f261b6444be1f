//! What changes a container and does not start it: stop, kill, rename, rm.

use super::create::unstage;
use super::list::one_by_one;
use crate::gateway::api::answer::Flag;
use crate::gateway::api::filters;
use crate::gateway::api::routes::Word;
use crate::gateway::caller::peer::Peer;
use crate::gateway::engine::{EngineError, Found, Owned};
use crate::gateway::error::Error;
use crate::gateway::locks::lock::{lock, lock_to_remove, turn_and_lock};
use crate::gateway::state::Gateway;
use crate::gateway::task::to_the_end;
use crate::gateway::wish::{container_name, signal};
use crate::gateway::{audit, mark};
use crate::protocol::stage::Token;
use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use hyper::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

type Shared = State<Arc<Gateway>>;

pub(in crate::gateway) fn tokens(found: &Found) -> Vec<Token> {
    found.labels().stages.iter().map(|stage| stage.token.clone()).collect()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::gateway) struct StopQuery {
    pub(super) t: Option<i64>,
    signal: String,
}

/// Seconds between the polite signal and the other one; Docker's -1, for ever, is not served.
pub(super) fn grace(t: Option<i64>) -> Result<Option<u32>, Error> {
    let seconds = |t: i64| match u32::try_from(t) {
        Ok(seconds @ 0..=600) => Ok(seconds),
        _ => Err(Error::Bad(format!("a container has 0 to 600 seconds to stop, not {t}"))),
    };
    t.map(seconds).transpose()
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
    seconds: Option<u32>,
) -> Result<StatusCode, Error> {
    audit::allowed(peer.as_ref(), "stop", container.id().as_str());
    to_the_end(async move {
        let status = stop_in_engine(&gateway, peer.as_ref(), &container, seconds).await?;
        drop(peer);
        Ok(status)
    })
    .await
}

pub(super) async fn stop_in_engine(
    gateway: &Gateway,
    peer: Option<&Peer>,
    container: &Owned,
    seconds: Option<u32>,
) -> Result<StatusCode, crate::gateway::engine::EngineError> {
    // An admin does not wait for places that the owner has filled.
    let status = gateway.engine.stop(container.id(), peer.map(Peer::uid), seconds).await?;
    gateway.engine.until_listed_as_ended(container).await;
    Ok(status)
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
    let target = container.target("/kill").with("signal", name);
    Ok(gateway.engine.end_now(container.id(), Method::POST, target).await?)
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
        let (turn, _lock) = turn_and_lock(&gateway, &peer, &container).await?;
        let all = gateway.engine.containers_of(&peer).await?;
        if all.left.iter().any(|left| left.used().name == name.as_str()) {
            return Err(Error::left_name(name.as_str()));
        }
        if all.own.iter().any(|owned| *owned.name() == name) {
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
        let status = gateway.engine.end_now(container.id(), Method::DELETE, target).await?;
        gateway.attaches.forget(container.id());
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
