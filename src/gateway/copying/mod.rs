//! `cp`: into and out of a container, by its own helper while it runs, by the engine while it does not.
//!
//! The engine packs and unpacks as root and follows what a process in the container changes meanwhile; so in a running
//! container a helper does it as the user, and in a stopped one, where no process could race, the engine gets a tar
//! that the gateway has rewritten.

mod clock;
pub mod rewrite;
mod room;
mod running;
mod stopped;
mod tar;

use crate::gateway::api::answer::Flag;
use crate::gateway::api::routes::Word;
use crate::gateway::audit;
use crate::gateway::caller::peer::Peer;
use crate::gateway::engine::Owned;
use crate::gateway::error::Error;
use crate::gateway::state::Gateway;
use crate::protocol::copying::UNREAD;
use crate::protocol::escape::escape_line;
use crate::protocol::report::Refusal;
use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use tar::Tar;

type Shared = State<Arc<Gateway>>;

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

/// A container's path that may be copied to or from: absolute, and not a directory of the host's.
struct Place {
    container: Owned,
    path: String,
}

impl Place {
    async fn find(gateway: &Gateway, peer: &Peer, word: &Word, path: &str) -> Result<Self, Error> {
        let container = gateway.engine.owned(peer, &word.0).await?;
        if path.is_empty() || path.len() > 4096 || path.contains('\0') {
            return Err(Error::Bad(
                "path is missing, longer than 4096 bytes, or holds a NUL character".into(),
            ));
        }
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        refuse_host_paths(&container, &path)?;
        Ok(Self { container, path })
    }
}

/// What is bound from the host is copied on the host: as the user, at full speed, without the engine.
fn refuse_host_paths(container: &Owned, path: &str) -> Result<(), Error> {
    let plain = lexical(Path::new(path));
    for stage in &container.labels().stages {
        let Ok(rest) = plain.strip_prefix(&stage.target) else { continue };
        let host = stage.host_path().join(rest);
        let (name, host) = (container.name(), escape_line(&host.to_string_lossy()));
        return Err(Refusal::new("host-path", format!("{name}:{} is {host} on the host", escape_line(path)))
            .hint(format!("copy to or from {host} directly, it is the same directory"))
            .into());
    }
    Ok(())
}

/// The path without `.` and `..`, as far as words alone can tell.
fn lexical(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::from("/"), |mut plain, part| {
        match part {
            Component::Normal(part) => plain.push(part),
            Component::ParentDir => drop(plain.pop()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
        plain
    })
}

/// `HEAD`: what is there.
pub(super) async fn stat(
    peer: Peer,
    State(gateway): Shared,
    word: Word,
    Query(query): Query<ArchiveQuery>,
) -> Result<Response, Error> {
    let mut place = Place::find(&gateway, &peer, &word, &query.path).await?;
    let mut tries = 0..TRIES;
    let stat = loop {
        match stopped::Copy::begin(&gateway, &peer, place).await? {
            Ok(copy) => break copy.stat(peer.clone()).await?,
            Err(runs) => match running::stat(&gateway, &peer, &runs).await {
                Err(error) if tries.next().is_some() && has_ended(&gateway, &runs, &error).await => {
                    place = Place::find(&gateway, &peer, &word, &query.path).await?;
                }
                stat => break stat?,
            },
        }
    };
    Ok(with_stat(Body::empty(), "application/json", stat))
}

/// `GET`: a tar of what is there.
pub(super) async fn get(
    peer: Peer,
    State(gateway): Shared,
    word: Word,
    Query(query): Query<ArchiveQuery>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let mut place = Place::find(&gateway, &peer, &word, &query.path).await?;
    // It only looks, and is a line in the log nevertheless.
    gateway.pace.keep(peer.uid()).await;
    audit::allowed(Some(&peer), "cp-out", place.container.id().as_str());
    let unread = headers.contains_key(UNREAD);
    let mut tries = 0..TRIES;
    let (tar, stat) = loop {
        // Before its lock: who waits for a place keeps no container from anybody.
        let rewrites = match place.container.running() {
            true => None,
            false => gateway.rewrites.of(peer.uid()).acquire_owned().await.ok(),
        };
        match stopped::Copy::begin(&gateway, &peer, place).await? {
            Ok(copy) => break copy.get(peer.clone(), rewrites).await?,
            Err(runs) => {
                // It takes a place of its own: some that each had one and waited for another would wait for ever.
                drop(rewrites);
                match running::get(gateway.clone(), &peer, &runs, unread).await {
                    Err(error) if tries.next().is_some() && has_ended(&gateway, &runs, &error).await => {
                        place = Place::find(&gateway, &peer, &word, &query.path).await?;
                    }
                    copied => break copied?,
                }
            }
        }
    };
    Ok(with_stat(tar, "application/x-tar", stat))
}

/// `PUT`: unpacks a tar there.
pub(super) async fn put(
    peer: Peer,
    State(gateway): Shared,
    word: Word,
    Query(query): Query<ArchiveQuery>,
    request: Request,
) -> Result<Response, Error> {
    // What comes with the request itself would be waited for, with the container locked.
    if tar::is_raw(&request) && !hyper::body::Body::is_end_stream(request.body()) {
        return Err(Error::Bad("a raw tar follows the agreement, the request has no body".into()));
    }
    let place = Place::find(&gateway, &peer, &word, &query.path).await?;
    audit::allowed(Some(&peer), "cp-in", place.container.id().as_str());
    let copy = stopped::Copy::begin(&gateway, &peer, place).await?;
    let take = move |tar: Tar| async move {
        match copy {
            Ok(copy) => copy.put(peer, tar.into_body()).await,
            Err(place) => running::put(&gateway, &peer, &place, tar, query.keep_kinds).await,
        }
    };
    if tar::is_raw(&request) {
        return Ok(tar::upgrade(request, take));
    }
    take(Tar::Body(request.into_body())).await.map(IntoResponse::into_response)
}

/// How often a copy begins anew, some milliseconds apart.
const TRIES: u32 = 50;

/// Whether a copy failed because the container had ended, which the engine's lists say a moment later.
async fn has_ended(gateway: &Gateway, place: &Place, error: &Error) -> bool {
    let conflict = matches!(error, Error::Engine(error) if error.is_conflict());
    if !conflict || gateway.engine.runs(&place.container).await.unwrap_or(true) {
        return false;
    }
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    true
}

fn with_stat(body: Body, kind: &'static str, stat: HeaderValue) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(axum::http::HeaderName::from_static(STAT), stat);
    response
}

/// The header of a path's stat, as HTTP's tables hold it.
const STAT: &str = "x-docker-container-path-stat";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_taken_apart() {
        assert_eq!(lexical(Path::new("/tmp/../home/ann/./x")), Path::new("/home/ann/x"));
        assert_eq!(lexical(Path::new("/../..")), Path::new("/"));
        assert!(STAT.eq_ignore_ascii_case(crate::protocol::copying::PATH_STAT_HEADER));
    }
}
