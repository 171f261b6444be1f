//! Processes in a running container: always as its owner.

use super::body::{Whole, json_body};
use super::containers;
use super::routes::Word;
use crate::gateway::audit;
use crate::gateway::caller::peer::Peer;
use crate::gateway::engine::{ContainerId, ExecId, Owned, exec_body};
use crate::gateway::error::Error;
use crate::gateway::sessions::cleanup::Leash;
use crate::gateway::state::Gateway;
use crate::gateway::task::to_the_end;
use crate::gateway::wish::parse_exec;
use axum::Json;
use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, Limited};
use hyper::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

type Shared = State<Arc<Gateway>>;

pub(in crate::gateway) async fn create(
    peer: Peer,
    State(gateway): Shared,
    Word(word): Word,
    body: Whole,
) -> Result<(StatusCode, Json<Value>), Error> {
    // While the name service is away nothing is executed.
    peer.account()?;
    let mut wish = parse_exec(word.as_str(), json_body(&body)?, &peer)?;
    let container = gateway.engine.owned(&peer, &word).await?;
    container.must_run()?;
    audit::allowed(Some(&peer), "exec", container.id().as_str());
    let place = gateway.execs.of(peer.uid()).acquire_owned().await;
    // What an engine has made is counted, though its caller has gone.
    let exec = to_the_end(async move {
        let _place = place;
        let mark = gateway.leashes.mark(peer.uid())?;
        wish.env.push(mark.variable());
        let exec = gateway.engine.exec_create(&container, &exec_body(&peer, &container, &wish)).await?;
        gateway.leashes.keep(exec.clone(), &container, mark);
        Ok(exec)
    });
    Ok((StatusCode::CREATED, Json(json!({ "Id": exec.await?.as_str() }))))
}

/// The caller's exec instance, and what the engine says of it.
async fn own(gateway: &Gateway, peer: &Peer, word: &str) -> Result<(ExecId, Owned, Value), Error> {
    let missing = || Error::NoExec(crate::protocol::escape::escape_line(word).chars().take(200).collect());
    let id = ExecId::parse(word).ok_or_else(missing)?;
    let details = match gateway.engine.exec_inspect(peer.uid(), &id).await {
        Err(error) if error.is_not_found() => return Err(missing()),
        details => details?,
    };
    let container = details.get("ContainerID").and_then(Value::as_str).and_then(ContainerId::parse);
    let container = container.ok_or_else(missing)?;
    match gateway.engine.owned_by_id(peer, &container).await? {
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
    peer: Peer,
    State(gateway): Shared,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Error> {
    peer.account()?;
    let (head, body) = request.into_parts();
    let bytes =
        Limited::new(body, 4096).collect().await.map_err(|error| Error::Bad(error.to_string()))?.to_bytes();
    let body: StartBody = if bytes.is_empty() {
        StartBody::default()
    } else {
        serde_json::from_slice(&bytes).map_err(|error| Error::Bad(error.to_string()))?
    };
    let (exec, container, _) = own(&gateway, &peer, &id).await?;
    let notices = (body.tty && !body.detach).then(|| gateway.gpus.terminals.attach(container.id()));
    let (of, name) = (peer.clone(), gateway.leashes.gateway());
    let content_type = gateway.engine.stream_type(body.tty).await?;
    let started = to_the_end(async move {
        // Before: one that cannot be started does not wait for it any more.
        let waited = gateway.leashes.take(&exec);
        let started = match body.detach {
            true => gateway.engine.exec_detached(of.uid(), &exec, body.tty).await.map(|()| None),
            false => gateway.engine.exec_attached(&container, &exec, body.tty).await.map(Some),
        };
        let raw = match started {
            Err(error) if error.is_unasked() => {
                gateway.leashes.put_back(&exec, waited);
                return Err(error.into());
            }
            started => started?,
        };
        let leash = |mark| Leash::new(gateway.clone(), of, container, (exec, mark), body.tty);
        Ok(raw.map(|raw| (raw, waited.map(|waited| leash(waited.mark)))))
    });
    let Some((raw, leash)) = started.await? else { return Ok(StatusCode::OK.into_response()) };
    let request = Request::from_parts(head, axum::body::Body::empty());
    let tied = containers::Tied { leash, notices };
    let joined = containers::join(&peer, request, containers::Side::There(raw), content_type, tied);
    Ok(([name], joined).into_response())
}

/// The caller goes, and the process stays: what closing the connection alone would end.
pub(in crate::gateway) async fn detach(
    peer: Peer,
    State(gateway): Shared,
    Path(id): Path<String>,
) -> Result<StatusCode, Error> {
    let (exec, _, _) = own(&gateway, &peer, &id).await?;
    gateway.leashes.untie(&exec);
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::gateway) struct SizeQuery {
    h: u16,
    w: u16,
}

pub(in crate::gateway) async fn resize(
    peer: Peer,
    State(gateway): Shared,
    Path(id): Path<String>,
    Query(size): Query<SizeQuery>,
) -> Result<StatusCode, Error> {
    let (exec, _, _) = own(&gateway, &peer, &id).await?;
    let target =
        exec.target("/resize").of(peer.uid()).with("h", &size.h.to_string()).with("w", &size.w.to_string());
    Ok(gateway.engine.call(Method::POST, target).await?.status())
}

pub(in crate::gateway) async fn inspect(
    peer: Peer,
    State(gateway): Shared,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let (_, _, details) = own(&gateway, &peer, &id).await?;
    Ok(([gateway.leashes.gateway()], Json(details)).into_response())
}
