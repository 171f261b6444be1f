//! `cp`: into and out of a container, by its own helper while it runs, by the engine while it does not.
//!
//! The engine packs and unpacks as root and follows what a process in the container changes meanwhile; so in a running
//! container a helper does it as the user, and in a stopped one, where no process could race, the engine gets a tar
//! that the gateway has rewritten.
//!
//! Docker's clients take what a tar says for what they asked for. So a tar for them out of a running container is
//! rewritten on its way: names, modes and owners. Our own client looks for itself, and gets the tar unread. It follows
//! no link of the user's own where a copy arrives, as a container may have chosen where the link leads.
//!
//! What the helper skips, or finds changed under it, stands in the tar as comments (`tarball/note.rs`).

mod clock;
mod export;
pub mod rewrite;
mod room;
mod running;
mod stopped;
mod stream;
mod tar;

use super::audit;
use super::bounds::permits::Permits;
use super::bounds::rate::RateLimit;
use super::bounds::youth::Youth;
use super::caller::Caller;
use super::engine::{Engine, Owned};
use super::error::Error;
use super::host::channel::Channel;
use super::host::staging::Stager;
use super::locks::lock::Locks;
use super::upkeep::release::Release;
use crate::protocol::escape::escape_line;
use crate::protocol::name::ContainerRef;
use crate::protocol::path::AskedPath;
use crate::protocol::report::Refusal;
use crate::protocol::told::{Tell, told};
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::HeaderValue;
use axum::response::{IntoResponse, Response};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use tar::Tar;

/// Copies, with whatever they take.
#[derive(Debug)]
pub(super) struct Copier {
    pub(super) engine: Arc<Engine>,
    pub(super) locks: Arc<Locks>,
    pub(super) stager: Arc<Stager>,
    pub(super) channel: Arc<Channel>,
    pub(super) release: Arc<Release>,
    pub(super) rate_limit: Arc<RateLimit>,
    pub(super) youth: Youth,
    /// Copies out that are rewritten, per uid: each remembers the links that it has seen.
    pub(super) rewrites: Permits,
    /// Exports, per uid: for each the engine packs all of a container's files.
    pub(super) exports: Permits,
}

/// Copies out of one user's that may be rewritten at once, a few MiB each: another waits for its permit.
pub(super) const REWRITES: usize = 4;

/// Exports of one user's that may be under way at once, of as many containers: another waits for its permit.
pub(super) const EXPORTS: usize = 1;

/// A container's path that may be copied to or from: absolute, and not a directory of the host's.
struct CopyPath {
    container: Owned,
    path: String,
}

impl CopyPath {
    async fn find(copier: &Copier, caller: &Caller, word: &ContainerRef, path: &str) -> Result<Self, Error> {
        let container = copier.engine.owned(caller, word).await?;
        if path.is_empty() || path.len() > 4096 || path.contains('\0') {
            return Err(Error::Bad(told!(
                "path is missing, longer than 4096 bytes, or holds a NUL character"
            )));
        }
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        refuse_host_paths(&container, &path)?;
        Ok(Self { container, path })
    }

    /// The path as the engine reads it.
    fn asked(&self) -> Result<AskedPath, Error> {
        AskedPath::new(self.path.as_bytes()).map_err(|error| Error::Bad(error.told()))
    }
}

/// What is bound from the host is copied on the host: as the user, at full speed, without the engine.
fn refuse_host_paths(container: &Owned, path: &str) -> Result<(), Error> {
    let plain = lexical(Path::new(path));
    for stage in &container.labels().stages {
        let Ok(rest) = plain.strip_prefix(&stage.target) else { continue };
        let host = stage.host_path().join(rest);
        let (name, host) = (container.name(), escape_line(&host.to_string_lossy()));
        return Err(Refusal::new("host-path", told!("{name}:{} is {host} on the host", escape_line(path)))
            .hint(told!("copy to or from {host} directly, it is the same directory"))
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

impl Copier {
    /// What is there, as a header.
    pub(super) async fn stat(
        self: &Arc<Self>,
        caller: Caller,
        word: &ContainerRef,
        path: &str,
    ) -> Result<HeaderValue, Error> {
        let mut at = CopyPath::find(self, &caller, word, path).await?;
        let mut tries = 0..TRIES;
        loop {
            match stopped::Copy::begin(self, &caller, at).await? {
                Ok(copy) => return copy.stat(caller.clone()).await,
                Err(runs) => match running::stat(self, &caller, &runs).await {
                    Err(error) if tries.next().is_some() && has_ended(self, &runs, &error).await => {
                        at = CopyPath::find(self, &caller, word, path).await?;
                    }
                    stat => return stat,
                },
            }
        }
    }

    /// A tar of what is there, and its stat. One that is wanted unread comes as the helper wrote it.
    pub(super) async fn get(
        self: &Arc<Self>,
        caller: Caller,
        word: &ContainerRef,
        path: &str,
        unread: bool,
    ) -> Result<(Body, HeaderValue), Error> {
        let mut at = CopyPath::find(self, &caller, word, path).await?;
        // It only looks, and is a line in the log nevertheless.
        self.rate_limit.wait(caller.uid()).await;
        audit::allowed(&caller, "cp-out", at.container.id().as_str());
        let mut tries = 0..TRIES;
        loop {
            // Before its lock: who waits for a permit keeps no container from anybody.
            let rewrites = match at.container.running() {
                true => None,
                false => self.rewrites.of(caller.uid()).acquire_owned().await.ok(),
            };
            match stopped::Copy::begin(self, &caller, at).await? {
                Ok(copy) => return copy.get(caller.clone(), rewrites).await,
                Err(runs) => {
                    // It takes a permit of its own: some that each had one and waited for another would wait for ever.
                    drop(rewrites);
                    match running::get(self.clone(), &caller, &runs, unread).await {
                        Err(error) if tries.next().is_some() && has_ended(self, &runs, &error).await => {
                            at = CopyPath::find(self, &caller, word, path).await?;
                        }
                        copied => return copied,
                    }
                }
            }
        }
    }

    /// Unpacks a tar there: the request's body, or what follows the agreement to upgrade.
    pub(super) async fn put(
        self: &Arc<Self>,
        caller: Caller,
        word: &ContainerRef,
        path: &str,
        keep_kinds: bool,
        request: Request,
    ) -> Result<Response, Error> {
        // What comes with the request itself would be waited for, with the container locked.
        if tar::is_raw(&request) && !hyper::body::Body::is_end_stream(request.body()) {
            return Err(Error::Bad(told!("a raw tar follows the agreement, the request has no body")));
        }
        let at = CopyPath::find(self, &caller, word, path).await?;
        audit::allowed(&caller, "cp-in", at.container.id().as_str());
        let copy = stopped::Copy::begin(self, &caller, at).await?;
        let copier = self.clone();
        let take = move |tar: Tar| async move {
            match copy {
                Ok(copy) => copy.put(caller, tar.into_body()).await,
                Err(at) => running::put(&copier, &caller, &at, tar, keep_kinds).await,
            }
        };
        if tar::is_raw(&request) {
            return Ok(tar::upgrade(request, take));
        }
        take(Tar::Body(request.into_body())).await.map(IntoResponse::into_response)
    }
}

/// The header of a path's stat, as HTTP's tables hold it.
pub(super) const STAT: &str = "x-docker-container-path-stat";

/// How often a copy begins anew, some milliseconds apart.
const TRIES: u32 = 50;

/// Whether a copy failed because the container had ended, which the engine's lists say a moment later.
async fn has_ended(copier: &Copier, at: &CopyPath, error: &Error) -> bool {
    let conflict = matches!(error, Error::Engine(error) if error.is_conflict());
    if !conflict || copier.engine.runs(&at.container).await.unwrap_or(true) {
        return false;
    }
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    true
}

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
