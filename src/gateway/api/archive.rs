//! `/containers/{word}/archive`, what `docker cp` asks for, and `/containers/{word}/export`.

use super::answer::Flag;
use super::words::Word;
use crate::gateway::caller::Caller;
use crate::gateway::copying::{Copier, STAT};
use crate::gateway::error::Error;
use crate::protocol::copying::UNREAD;
use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::http::{HeaderMap, HeaderName};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::sync::Arc;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ArchiveQuery {
    path: String,
    #[serde(rename = "noOverwriteDirNonDir")]
    keep_kinds: Flag,
    /// Whatever is asked, files become the caller's.
    #[serde(rename = "copyUIDGID")]
    _owners: Flag,
}

/// `HEAD`: what is there.
pub(super) async fn stat(
    caller: Caller,
    State(copier): State<Arc<Copier>>,
    Word(word): Word,
    Query(query): Query<ArchiveQuery>,
) -> Result<Response, Error> {
    let stat = copier.stat(caller, &word, &query.path).await?;
    Ok(with_stat(Body::empty(), "application/json", stat))
}

/// `GET`: a tar of what is there.
pub(super) async fn get(
    caller: Caller,
    State(copier): State<Arc<Copier>>,
    Word(word): Word,
    Query(query): Query<ArchiveQuery>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let (tar, stat) = copier.get(caller, &word, &query.path, headers.contains_key(UNREAD)).await?;
    Ok(with_stat(tar, "application/x-tar", stat))
}

/// `PUT`: unpacks a tar there.
pub(super) async fn put(
    caller: Caller,
    State(copier): State<Arc<Copier>>,
    Word(word): Word,
    Query(query): Query<ArchiveQuery>,
    request: Request,
) -> Result<Response, Error> {
    copier.put(caller, &word, &query.path, query.keep_kinds.0, request).await
}

/// `export`: all of its own files.
pub(super) async fn export(
    caller: Caller,
    State(copier): State<Arc<Copier>>,
    Word(word): Word,
) -> Result<Response, Error> {
    let tar = copier.export(&caller, &word).await?;
    let kind = HeaderValue::from_static("application/x-tar");
    Ok(([(CONTENT_TYPE, kind)], tar).into_response())
}

fn with_stat(body: Body, kind: &'static str, stat: HeaderValue) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(HeaderName::from_static(STAT), stat);
    response
}
