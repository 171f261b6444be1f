//! Processes in a running container: always as its owner.

use super::body::{BufferedBody, json_body};
use super::containers;
use super::words::{TerminalSize, Word};
use crate::gateway::audit;
use crate::gateway::bounds::permits::Permits;
use crate::gateway::caller::Caller;
use crate::gateway::engine::terminals::Terminals;
use crate::gateway::engine::{ContainerId, Engine, ExecId, Owned, exec_body};
use crate::gateway::error::Error;
use crate::gateway::sessions::cleanup::{ExecCleanup, ExecCleanups};
use crate::gateway::task::to_the_end;
use crate::gateway::wish::parse_exec;
use crate::protocol::told::told;
use axum::Json;
use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, Limited};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// Exec instances that one user may have in the making at once: another waits for its permit.
const AT_ONCE: usize = 16;

/// A permit for each exec instance in the making, per uid: what is made is counted then.
#[derive(Debug)]
pub(in crate::gateway) struct ExecPermits(Permits);

impl Default for ExecPermits {
    fn default() -> Self {
        Self(Permits::new(AT_ONCE))
    }
}

type Shared = State<Arc<Engine>>;

pub(in crate::gateway) async fn create(
    caller: Caller,
    State(engine): Shared,
    State(cleanups): State<Arc<ExecCleanups>>,
    State(permits): State<Arc<ExecPermits>>,
    Word(word): Word,
    body: BufferedBody,
) -> Result<(StatusCode, Json<Value>), Error> {
    // While the name service is away nothing is executed.
    caller.account()?;
    let mut wish = parse_exec(word.as_str(), json_body(&body)?, &caller)?;
    let container = engine.owned(&caller, &word).await?;
    container.must_run()?;
    audit::allowed(&caller, "exec", container.id().as_str());
    let permit = permits.0.of(caller.uid()).acquire_owned().await;
    // What an engine has made is counted, though its caller has gone.
    let exec = to_the_end(async move {
        let _permit = permit;
        let nonce = cleanups.nonce(caller.uid())?;
        wish.env.push(nonce.variable());
        let exec = engine.exec_create(&container, &exec_body(&caller, &container, &wish)).await?;
        cleanups.keep(exec.clone(), &container, nonce);
        Ok(exec)
    });
    Ok((StatusCode::CREATED, Json(json!({ "Id": exec.await?.as_str() }))))
}

/// The caller's exec instance, and what the engine says of it.
async fn own(engine: &Engine, caller: &Caller, word: &str) -> Result<(ExecId, Owned, Value), Error> {
    let missing = || Error::NoExec(crate::protocol::escape::escape_line(word).chars().take(200).collect());
    let id = ExecId::parse(word).ok_or_else(missing)?;
    let details = match engine.exec_inspect(caller.uid(), &id).await {
        Err(error) if error.is_not_found() => return Err(missing()),
        details => details?,
    };
    let container = details.get("ContainerID").and_then(Value::as_str).and_then(ContainerId::parse);
    let container = container.ok_or_else(missing)?;
    match engine.owned_by_id(caller, &container).await? {
        Some(owned) => Ok((id, owned, details)),
        None => Err(missing()),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct StartBody {
    detach: bool,
    tty: bool,
}

pub(in crate::gateway) async fn start(
    caller: Caller,
    State(engine): Shared,
    State(cleanups): State<Arc<ExecCleanups>>,
    State(terminals): State<Arc<Terminals>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Error> {
    caller.account()?;
    let (head, body) = request.into_parts();
    let bytes =
        Limited::new(body, 4096).collect().await.map_err(|error| Error::Bad(told!("{error}")))?.to_bytes();
    let body: StartBody = if bytes.is_empty() {
        StartBody::default()
    } else {
        serde_json::from_slice(&bytes).map_err(|error| Error::Bad(told!("{error}")))?
    };
    let (exec, container, _) = own(&engine, &caller, &id).await?;
    let notices = (body.tty && !body.detach).then(|| terminals.attach(container.id()));
    let (of, name) = (caller.clone(), cleanups.gateway());
    let content_type = engine.stream_type(body.tty).await?;
    let started = to_the_end(async move {
        // Before: one that cannot be started does not wait for it any more.
        let waited = cleanups.take(&exec);
        let started = match body.detach {
            true => engine.exec_detached(of.uid(), &exec, body.tty).await.map(|()| None),
            false => engine.exec_attached(&container, &exec, body.tty).await.map(Some),
        };
        let raw = match started {
            Err(error) if error.is_unasked() => {
                cleanups.put_back(&exec, waited);
                return Err(error.into());
            }
            started => started?,
        };
        let cleanup = |nonce| ExecCleanup::new(cleanups.clone(), of, container, (exec, nonce), body.tty);
        Ok(raw.map(|raw| (raw, waited.map(|waited| cleanup(waited.nonce)))))
    });
    let Some((raw, cleanup)) = started.await? else { return Ok(StatusCode::OK.into_response()) };
    let request = Request::from_parts(head, axum::body::Body::empty());
    let tied = containers::Tied { cleanup, notices };
    let joined = containers::join(&caller, request, containers::Side::There(raw), content_type, tied);
    Ok(([name], joined).into_response())
}

/// The caller goes, and the process stays: what closing the connection alone would end.
pub(in crate::gateway) async fn detach(
    caller: Caller,
    State(engine): Shared,
    State(cleanups): State<Arc<ExecCleanups>>,
    Path(id): Path<String>,
) -> Result<StatusCode, Error> {
    let (exec, _, _) = own(&engine, &caller, &id).await?;
    cleanups.untie(&exec);
    Ok(StatusCode::NO_CONTENT)
}

pub(in crate::gateway) async fn resize(
    caller: Caller,
    State(engine): Shared,
    Path(id): Path<String>,
    Query(size): Query<TerminalSize>,
) -> Result<StatusCode, Error> {
    let (exec, _, _) = own(&engine, &caller, &id).await?;
    Ok(engine.exec_resize(caller.uid(), &exec, size.lines_and_columns()).await?)
}

pub(in crate::gateway) async fn inspect(
    caller: Caller,
    State(engine): Shared,
    State(cleanups): State<Arc<ExecCleanups>>,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let (_, _, details) = own(&engine, &caller, &id).await?;
    Ok(([cleanups.gateway()], Json(details)).into_response())
}
