//! What flows from a container: attach, logs, wait, stats, top; authorised, then passed through.

use super::removed::or_remove;
use crate::gateway::answer::{self, Flag};
use crate::gateway::audit;
use crate::gateway::create::detach_keys;
use crate::gateway::engine::{Owned, raw_socket, read_lines, splice};
use crate::gateway::error::Error;
use crate::gateway::gpu::terminals::Notices;
use crate::gateway::leash::Leash;
use crate::gateway::peer::Peer;
use crate::gateway::routes::Word;
use crate::gateway::state::Gateway;
use axum::extract::{Query, Request, State};
use axum::http::header::{CONNECTION, CONTENT_TYPE, HeaderValue, UPGRADE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, TryStreamExt, stream};
use hyper::Method;
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;
use tokio::io::AsyncReadExt;

type Shared = State<Arc<Gateway>>;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::gateway) struct AttachQuery {
    logs: Flag,
    stream: Flag,
    stdin: Flag,
    stdout: Flag,
    stderr: Flag,
    #[serde(rename = "detachKeys")]
    detach_keys: String,
}

pub(in crate::gateway) async fn attach(
    peer: Peer,
    State(gateway): Shared,
    Word(word): Word,
    Query(query): Query<AttachQuery>,
    request: Request,
) -> Result<Response, Error> {
    // An attach can type: it is as much as an exec.
    peer.account()?;
    let keys = detach_keys(query.detach_keys)?;
    let container = gateway.engine.owned(&peer, &word).await?;
    audit::allowed(Some(&peer), "attach", container.id().as_str());
    let mut target = container.target("/attach");
    for (name, flag) in [
        ("logs", query.logs),
        ("stream", query.stream),
        ("stdin", query.stdin),
        ("stdout", query.stdout),
        ("stderr", query.stderr),
    ] {
        target = target.with(name, flag.word());
    }
    if let Some(keys) = keys {
        target = target.with("detachKeys", &keys);
    }
    let answer = gateway.engine.attach(target).await?;
    let notices = container.labels().tty.then(|| gateway.gpus.terminals.attach(container.id()));
    Ok(join(&peer, request, answer, Tied { notices, ..Tied::default() }))
}

/// What goes with a raw connection.
#[derive(Default)]
pub(in crate::gateway) struct Tied {
    pub(in crate::gateway) leash: Option<Leash>,
    pub(in crate::gateway) notices: Option<Notices>,
}

/// Joins a caller's raw connection to the engine's; one that asks for no upgrade gets the output as a body. A leash is
/// let go when the engine ends the stream by itself, and pulled when the caller does.
pub(in crate::gateway) fn join(
    peer: &Peer,
    mut request: Request,
    mut answer: hyper::Response<Incoming>,
    tied: Tied,
) -> Response {
    let Tied { leash, notices } = tied;
    let content_type = answer.headers().get(CONTENT_TYPE).cloned();
    let upgrades =
        request.headers().contains_key(UPGRADE) && answer.status() == StatusCode::SWITCHING_PROTOCOLS;
    if !upgrades {
        let response = match answer.status() {
            StatusCode::SWITCHING_PROTOCOLS => bare(answer),
            _ => answer::pass(answer),
        };
        return match leash {
            Some(leash) => response.map(|body| leash.around(body)),
            None => response,
        };
    }
    let caller = hyper::upgrade::on(&mut request);
    let engine = hyper::upgrade::on(&mut answer);
    let place = peer.place();
    tokio::spawn(async move {
        match splice(caller, engine, notices).await {
            Ok(caller) => leash.into_iter().for_each(|leash| leash.ended(caller)),
            Err(error) => tracing::debug!("a raw stream broke off: {error}"),
        }
        drop(place);
    });
    let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("tcp"));
    headers.insert(CONTENT_TYPE, content_type.unwrap_or_else(|| HeaderValue::from_static(RAW)));
    response
}

/// What comes over a connection that the engine has upgraded and the caller has not, as a body.
fn bare(answer: hyper::Response<Incoming>) -> Response {
    let content_type = answer.headers().get(CONTENT_TYPE).cloned();
    let output = stream::once(raw_socket(answer)).map_ok(|(socket, first)| {
        let rest = stream::try_unfold(socket, |mut socket| async move {
            let mut piece = BytesMut::with_capacity(64 << 10);
            let count = socket.read_buf(&mut piece).await?;
            Ok((count > 0).then(|| (piece.freeze(), socket)))
        });
        stream::once(std::future::ready(Ok::<_, std::io::Error>(first))).chain(rest)
    });
    let mut response = axum::body::Body::from_stream(output.try_flatten()).into_response();
    let content_type = content_type.unwrap_or_else(|| HeaderValue::from_static(RAW));
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

const RAW: &str = "application/vnd.docker.raw-stream";

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::gateway) struct LogsQuery {
    follow: Flag,
    stdout: Flag,
    stderr: Flag,
    timestamps: Flag,
    details: Flag,
    since: String,
    until: String,
    tail: String,
}

/// A point in time: seconds since 1970 with a fraction, or an RFC 3339 date.
pub(in crate::gateway) fn is_time(word: &str) -> bool {
    word.len() <= 64 && word.bytes().all(|b| b.is_ascii_digit() || b"-+.:TZ".contains(&b))
}

pub(in crate::gateway) async fn logs(
    peer: Peer,
    State(gateway): Shared,
    Word(word): Word,
    Query(query): Query<LogsQuery>,
) -> Result<Response, Error> {
    if !is_time(&query.since) || !is_time(&query.until) {
        return Err(Error::Bad("since and until are seconds since 1970, or RFC 3339 dates".into()));
    }
    if !matches!(query.tail.as_str(), "" | "all") && query.tail.parse::<u64>().is_err() {
        return Err(Error::Bad(format!("tail is a number of lines or all, not {:?}", query.tail)));
    }
    if query.details.0 {
        return Err(Error::not_allowed("details", "logs carry no labels"));
    }
    let container = gateway.engine.owned(&peer, &word).await?;
    let mut target = container.target("/logs");
    for (name, flag) in [
        ("follow", query.follow),
        ("stdout", query.stdout),
        ("stderr", query.stderr),
        ("timestamps", query.timestamps),
    ] {
        target = target.with(name, flag.word());
    }
    for (name, word) in [("since", &query.since), ("until", &query.until), ("tail", &query.tail)] {
        if !word.is_empty() {
            target = target.with(name, word);
        }
    }
    Ok(answer::pass(gateway.engine.call(Method::GET, target).await?))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::gateway) struct WaitQuery {
    condition: String,
}

pub(in crate::gateway) async fn wait(
    peer: Peer,
    State(gateway): Shared,
    Word(word): Word,
    Query(query): Query<WaitQuery>,
) -> Result<Response, Error> {
    let condition = match query.condition.as_str() {
        "" => "not-running",
        known @ ("not-running" | "next-exit" | "removed") => known,
        _ => return Err(Error::Bad("condition is not-running, next-exit or removed".into())),
    };
    let container = gateway.engine.owned(&peer, &word).await?;
    let target = container.target("/wait").with("condition", condition);
    let answer = answer::pass(gateway.engine.call(Method::POST, target).await?);
    Ok(match condition == "removed" && container.labels().auto_remove {
        true => answer.map(|body| or_remove(body, gateway, container)),
        false => answer,
    })
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
    Word(word): Word,
    Query(size): Query<SizeQuery>,
) -> Result<StatusCode, Error> {
    let container = gateway.engine.owned(&peer, &word).await?;
    let target = container.target("/resize").with("h", &size.h.to_string()).with("w", &size.w.to_string());
    Ok(gateway.engine.call(Method::POST, target).await?.status())
}

#[derive(Debug, Deserialize)]
#[serde(default)]
pub(in crate::gateway) struct StatsQuery {
    stream: Flag,
    #[serde(rename = "one-shot")]
    one_shot: Flag,
}

impl Default for StatsQuery {
    fn default() -> Self {
        // Docker streams unless told otherwise.
        Self { stream: Flag(true), one_shot: Flag(false) }
    }
}

/// One JSON object a line, each with the container's short name.
pub(in crate::gateway) async fn stats(
    peer: Peer,
    State(gateway): Shared,
    Word(word): Word,
    Query(query): Query<StatsQuery>,
) -> Result<Response, Error> {
    let container = gateway.engine.owned(&peer, &word).await?;
    let mut target = container.target("/stats").with("stream", query.stream.word());
    if query.one_shot.0 {
        target = target.with("one-shot", "1");
    }
    let answer = gateway.engine.call(Method::GET, target).await?;
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let lines = read_lines(answer.into_body()).map_ok(move |line| short_name(line, &container));
    Ok((headers, axum::body::Body::from_stream(lines)).into_response())
}

fn short_name(line: Bytes, container: &Owned) -> Bytes {
    let Ok(mut stats) = serde_json::from_slice::<Value>(&line) else { return line };
    if let Some(name) = stats.get_mut("name") {
        *name = Value::String(format!("/{}", container.name()));
    }
    let mut text = stats.to_string();
    text.push('\n');
    Bytes::from(text)
}
