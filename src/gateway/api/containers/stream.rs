//! What flows from a container: logs, wait, stats; authorised, then passed through.

use super::removed::or_remove;
use crate::gateway::api::answer::{self, Flag};
use crate::gateway::api::words::{TerminalSize, Word};
use crate::gateway::caller::Caller;
use crate::gateway::engine::{Engine, Owned, read_lines};
use crate::gateway::error::Error;
use crate::gateway::locks::lock::Locks;
use crate::protocol::told::told;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::TryStreamExt;
use hyper::Method;
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

type Shared = State<Arc<Engine>>;

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
    caller: Caller,
    State(engine): Shared,
    Word(word): Word,
    Query(query): Query<LogsQuery>,
) -> Result<Response, Error> {
    if !is_time(&query.since) || !is_time(&query.until) {
        return Err(Error::Bad(told!("since and until are seconds since 1970, or RFC 3339 dates")));
    }
    // What is no number of lines is all of them, as in Docker: clients say -1.
    let tail = query.tail.parse::<u64>().map_or_else(|_| "all".to_owned(), |lines| lines.to_string());
    let container = engine.owned(&caller, &word).await?;
    let mut target = container.target("/logs");
    for (name, flag) in [
        ("follow", query.follow),
        ("stdout", query.stdout),
        ("stderr", query.stderr),
        ("timestamps", query.timestamps),
        ("details", query.details),
    ] {
        target = target.with(name, flag.word());
    }
    for (name, word) in [("since", &query.since), ("until", &query.until), ("tail", &tail)] {
        if !word.is_empty() {
            target = target.with(name, word);
        }
    }
    Ok(answer::pass(engine.call(Method::GET, target).await?))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::gateway) struct WaitQuery {
    condition: String,
}

pub(in crate::gateway) async fn wait(
    caller: Caller,
    State(engine): Shared,
    State(locks): State<Arc<Locks>>,
    Word(word): Word,
    Query(query): Query<WaitQuery>,
) -> Result<Response, Error> {
    let condition = match query.condition.as_str() {
        "" => "not-running",
        known @ ("not-running" | "next-exit" | "removed") => known,
        _ => return Err(Error::Bad(told!("condition is not-running, next-exit or removed"))),
    };
    let container = engine.owned(&caller, &word).await?;
    let target = container.target("/wait").with("condition", condition);
    let answer = answer::pass(engine.call(Method::POST, target).await?);
    Ok(match condition == "removed" && container.labels().auto_remove {
        true => answer.map(|body| or_remove(body, locks, container)),
        false => answer,
    })
}

pub(in crate::gateway) async fn resize(
    caller: Caller,
    State(engine): Shared,
    Word(word): Word,
    Query(size): Query<TerminalSize>,
) -> Result<StatusCode, Error> {
    let container = engine.owned(&caller, &word).await?;
    Ok(engine.resize(&container, size.lines_and_columns()).await?)
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
    caller: Caller,
    State(engine): Shared,
    Word(word): Word,
    Query(query): Query<StatsQuery>,
) -> Result<Response, Error> {
    let container = engine.owned(&caller, &word).await?;
    let mut target = container.target("/stats").with("stream", query.stream.word());
    if query.one_shot.0 {
        target = target.with("one-shot", "1");
    }
    let answer = engine.call(Method::GET, target).await?;
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let lines = read_lines(answer.into_body()).map_ok(move |line| short_name(line, &container));
    Ok((headers, Body::from_stream(lines)).into_response())
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
