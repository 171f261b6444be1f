//! What changes a container and does not start it: stop, kill, rename, rm.

use super::walks::Walks;
use crate::gateway::api::answer::Flag;
use crate::gateway::api::filters;
use crate::gateway::api::words::Word;
use crate::gateway::caller::Caller;
use crate::gateway::engine::{Engine, EngineError};
use crate::gateway::error::Error;
use crate::gateway::gpu::service::Gpus;
use crate::gateway::lifecycle::remover::Remover;
use crate::gateway::locks::lock::Locks;
use crate::gateway::records::restarts::Restarts;
use crate::gateway::task::to_the_end;
use crate::gateway::wish::{container_name, signal};
use crate::gateway::{audit, failpoint};
use crate::protocol::report::Refusal;
use crate::protocol::told::told;
use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

type Shared = State<Arc<Engine>>;

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
        _ => Err(Error::Bad(told!("a container has 0 to 600 seconds to stop, not {t}"))),
    };
    t.map(seconds).transpose()
}

pub(in crate::gateway) async fn stop(
    caller: Caller,
    State(engine): Shared,
    State(remover): State<Arc<Remover>>,
    Word(word): Word,
    Query(query): Query<StopQuery>,
) -> Result<StatusCode, Error> {
    let seconds = grace(query.t)?;
    let container = engine.owned(&caller, &word).await?;
    if !query.signal.is_empty() {
        signal("signal", &query.signal)?;
        audit::allowed(&caller, "kill", container.id().as_str());
        match engine.signal(&container, &query.signal).await {
            Err(error) if !error.is_conflict() => return Err(error.into()),
            _ => {}
        }
    }
    remover.stop(Some(caller), container, seconds).await
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::gateway) struct KillQuery {
    signal: String,
}

pub(in crate::gateway) async fn kill(
    caller: Caller,
    State(engine): Shared,
    State(restarts): State<Arc<Restarts>>,
    Word(word): Word,
    Query(query): Query<KillQuery>,
) -> Result<StatusCode, Error> {
    let container =
        engine.owned(&caller, &word).await.map_err(|error| cannot_kill(word.as_str(), error.into()))?;
    let name = if query.signal.is_empty() { "KILL" } else { &query.signal };
    signal("signal", name)?;
    container.must_run().map_err(|error| cannot_kill(container.name().as_str(), error.into()))?;
    audit::allowed(&caller, "kill", container.id().as_str());
    if ends(name) {
        restarts.stop(container.found());
    }
    Ok(engine.kill(&container, name).await?)
}

/// Signals by which somebody means the end: what they end does not start again. Others are the program's own affair.
fn ends(signal: &str) -> bool {
    let word = signal.to_ascii_uppercase();
    matches!(
        word.strip_prefix("SIG").unwrap_or(&word),
        "KILL" | "9" | "TERM" | "15" | "INT" | "2" | "QUIT" | "3"
    )
}

/// Docker says first what could not be done.
fn cannot_kill(name: &str, error: Error) -> Error {
    let (refusal, why) = match error {
        Error::NoContainer(word) => {
            let refusal = Refusal::new("no-such-container", told!("No such container: {word}"));
            (refusal.hint(told!("ie-container ps -a lists yours")), format!("No such container: {word}"))
        }
        Error::Refused(refusal) if refusal.dockers.is_some() => {
            let why = refusal.dockers.clone().unwrap_or_default();
            (*refusal, why)
        }
        other => return other,
    };
    refusal.dockers(format!("cannot kill container: {name}: {why}")).into()
}

#[derive(Debug, Deserialize)]
pub(in crate::gateway) struct RenameQuery {
    name: String,
}

pub(in crate::gateway) async fn rename(
    caller: Caller,
    State(engine): Shared,
    State(locks): State<Arc<Locks>>,
    State(gpus): State<Arc<Gpus>>,
    Word(word): Word,
    Query(query): Query<RenameQuery>,
) -> Result<StatusCode, Error> {
    let name = container_name(&query.name)?;
    let container = engine.owned(&caller, &word).await?;
    to_the_end(async move {
        let (turn, _lock) = locks.turn_and_lock(caller.uid(), &container).await?;
        let all = engine.containers_of(&caller).await?;
        if all.left.iter().any(|left| left.used().name == name.as_str()) {
            return Err(Error::left_name(name.as_str()));
        }
        if let Some(other) = all.own.iter().find(|owned| *owned.name() == name) {
            let ours = told!("the name {name} is in use by one of your containers");
            return Err(Error::name_taken("Error when allocating new name: ", &name, other.id(), ours));
        }
        audit::allowed(&caller, "rename", container.id().as_str());
        turn.rename(&container, &name).await?;
        failpoint::at("rename-renamed");
        gpus.renamed(container.id(), &name);
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
    caller: Caller,
    State(engine): Shared,
    State(remover): State<Arc<Remover>>,
    State(restarts): State<Arc<Restarts>>,
    Word(word): Word,
    Query(query): Query<RemoveQuery>,
) -> Result<StatusCode, Error> {
    if query.link.0 {
        return Err(Error::not_allowed("link", told!("containers have no links here")));
    }
    let container = engine.owned(&caller, &word).await?;
    if container.running() && !query.force.0 && engine.runs(&container).await? {
        let name = container.name();
        let dockers = format!(
            "cannot remove container \"/{name}\": container is running: stop the container before removing or force remove"
        );
        let ours = told!("{name} is running; stop it first (ie-container stop {name}) or use rm -f");
        return Err(Refusal::new("conflict", ours).dockers(dockers).into());
    }
    if !query.force.0 && restarts.waits(container.found()).await {
        let name = container.name();
        let dockers = format!(
            "cannot remove container \"/{name}\": container is restarting: stop the container before removing or force remove"
        );
        let ours =
            told!("{name} starts again in a moment; stop it first (ie-container stop {name}) or use rm -f");
        return Err(Refusal::new("conflict", ours).dockers(dockers).into());
    }
    remover.remove(Some(caller), container, query.force.0).await
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::gateway) struct PruneQuery {
    filters: String,
}

/// Removes the caller's containers that do not run.
pub(in crate::gateway) async fn prune(
    caller: Caller,
    State(engine): Shared,
    State(remover): State<Arc<Remover>>,
    State(walks): State<Arc<Walks>>,
    Query(query): Query<PruneQuery>,
) -> Result<Json<Value>, Error> {
    let words = filters::parse(&query.filters, &["label"])?;
    let asker = caller.clone();
    let sized = async move {
        match engine.own(&asker, true).await {
            // One that cannot be measured is no reason to keep the others, or itself.
            Err(EngineError::Said { .. }) => engine.own(&asker, false).await,
            own => own,
        }
    };
    let own = walks.one_by_one(caller.uid(), sized).await??;
    let (mut gone, mut bytes) = (Vec::new(), 0);
    for container in
        own.into_iter().filter(|owned| matches!(owned.found().state(), "created" | "exited" | "dead"))
    {
        let summary = container.found().summary();
        if !filters::all_match(&words, |_, value| filters::has_label(summary.get("Labels"), value)) {
            continue;
        }
        let id = container.id().to_string();
        // One that is started meanwhile, or busy, is left.
        if remover.clone().remove(Some(caller.clone()), container, false).await.is_ok() {
            bytes += summary.get("SizeRw").and_then(Value::as_u64).unwrap_or(0);
            gone.push(id);
        }
    }
    Ok(Json(json!({ "ContainersDeleted": gone, "SpaceReclaimed": bytes })))
}
