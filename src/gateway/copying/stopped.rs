//! Copying with a container that does not run: the engine packs and unpacks, and both ways the tar is rewritten.

use super::Place;
use crate::gateway::archive::rewrite::{ArchiveError, Limits, Rewriter};
use crate::gateway::containers::tokens;
use crate::gateway::engine::{EngineError, short_volume};
use crate::gateway::error::Error;
use crate::gateway::keep;
use crate::gateway::peer::Peer;
use crate::gateway::staging::Hold;
use crate::gateway::state::Gateway;
use crate::protocol::copying::{Ended, PathStat};
use crate::protocol::name::ContainerRef;
use crate::protocol::report::Refusal;
use crate::tarball::entry::Owner;
use axum::body::{Body, BodyDataStream};
use axum::http::HeaderValue;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use hyper::{Method, Response};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::OwnedMutexGuard;

/// A copy with a stopped container: while it is held the container is not started, and its stages stay.
pub(super) struct Copy {
    gateway: Arc<Gateway>,
    place: Place,
    held: Held,
}

/// Given back when the last byte has gone, in this order: the lock, the stages, and then they are taken away.
struct Held {
    lock: Option<OwnedMutexGuard<()>>,
    hold: Option<Hold>,
    gateway: Arc<Gateway>,
    place: (crate::gateway::engine::ContainerId, Vec<crate::protocol::stage::Token>),
}

impl Drop for Held {
    fn drop(&mut self) {
        self.lock = None;
        self.hold = None;
        let (gateway, (id, tokens)) = (self.gateway.clone(), self.place.clone());
        tokio::spawn(async move { keep::ended(&gateway, &id, tokens).await });
    }
}

/// A volume may be another running container's too, where processes can race the engine's own packing as root.
fn refuse_volumes(place: &Place) -> Result<(), Error> {
    let (found, text) = (place.container.found(), serde_json::Value::as_str);
    let mounts = found.summary().get("Mounts").and_then(serde_json::Value::as_array);
    let mut names = mounts.into_iter().flatten().filter_map(|mount| mount.get("Name").and_then(text));
    if !names.any(|name| short_volume(found.owner(), name).is_some()) {
        return Ok(());
    }
    let name = place.container.name();
    Err(Refusal::new("conflict", format!("{name} has volumes, and is only copied to and from while it runs"))
        .hint(format!("ie-container start {name}"))
        .into())
}

impl Copy {
    /// Locks the container and puts empty directories in the place of what it mounts: the engine mounts all of it, as
    /// root and in the host's own namespace, by names that a link in a live directory could lead elsewhere between two
    /// looks at it. A running one is given back.
    pub(super) async fn begin(
        gateway: &Arc<Gateway>,
        peer: &Peer,
        place: Place,
    ) -> Result<Result<Self, Place>, Error> {
        if place.container.running() {
            return Ok(Err(place));
        }
        // The engine may be at a start that a gateway before this one asked for, with the stages as they are.
        while gateway.is_young() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let id = place.container.id().clone();
        let lock = gateway.engine.lock(&id).await;
        // It may have been started, renamed or removed while we waited.
        let word = ContainerRef::try_from(id.as_str().to_owned())
            .map_err(|error| Error::Internal(error.to_string()))?;
        let container = gateway.engine.owned(peer, &word).await?;
        let place = Place { container, ..place };
        if place.container.running() {
            return Ok(Err(place));
        }
        refuse_volumes(&place)?;
        let tokens = tokens(place.container.found());
        let held = Held {
            lock: Some(lock),
            hold: Some(gateway.stager.hold(tokens.clone())),
            gateway: gateway.clone(),
            place: (id, tokens),
        };
        for token in &held.place.1 {
            gateway.stager.hollow(token).await?;
        }
        Ok(Ok(Self { gateway: gateway.clone(), place, held }))
    }

    pub(super) async fn stat(self) -> Result<HeaderValue, Error> {
        let target = self.place.container.target("/archive").with("path", &self.place.path);
        let answer =
            self.gateway.engine.call(Method::HEAD, target).await.map_err(|error| self.missing(error))?;
        header(&answer)
    }

    pub(super) async fn get(self, peer: &Peer) -> Result<(Body, HeaderValue), Error> {
        let target = self.place.container.target("/archive").with("path", &self.place.path);
        let answer =
            self.gateway.engine.call(Method::GET, target).await.map_err(|error| self.missing(error))?;
        let stat = header(&answer)?;
        let rewriter = Rewriter::outward(owner(peer), Limits::default());
        let tar = rewritten(
            Body::new(answer.into_body()).into_data_stream(),
            rewriter,
            Arc::default(),
            Some(self.held),
        );
        Ok((Body::from_stream(pumped(tar)), stat))
    }

    pub(super) async fn put(self, peer: &Peer, tar: Body) -> Result<(), Error> {
        let fault = Arc::new(Mutex::new(None));
        let rewriter = Rewriter::inward(owner(peer), Limits::default());
        // Kept until the engine has answered: it may have read all of a small tar before it mounts anything.
        let held = self.held;
        let tar = rewritten(tar.into_data_stream(), rewriter, fault.clone(), None);
        let tar = BodyExt::boxed(StreamBody::new(tar.map(|chunk| Ok(Frame::data(chunk?)))));
        let Place { container, path } = &self.place;
        let put = self.gateway.engine.put_archive(container, path, tar).await;
        drop(held);
        // What was wrong with the tar says more than how the engine saw it break off.
        if let Some(fault) = fault.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Err(Error::Copy(Ended::Archive, fault.to_string()));
        }
        match put {
            Ok(_) => Ok(()),
            Err(error) if error.is_not_found() => Err(missing(&self.place)),
            Err(error) => Err(error.into()),
        }
    }

    fn missing(&self, error: EngineError) -> Error {
        if error.is_not_found() { missing(&self.place) } else { error.into() }
    }
}

fn missing(place: &Place) -> Error {
    let path = crate::protocol::escape::escape_line(&place.path);
    Error::Copy(Ended::Missing, format!("no such file or directory: {}:{path}", place.container.name()))
}

fn owner(peer: &Peer) -> Owner {
    Owner { uid: peer.uid(), gid: peer.gid() }
}

/// The engine's stat of a path, read and written anew.
fn header<T>(answer: &Response<T>) -> Result<HeaderValue, Error> {
    let stat = answer.headers().get(super::STAT).and_then(|value| PathStat::from_header(value.as_bytes()));
    let header =
        stat.and_then(|stat| stat.to_header()).and_then(|header| HeaderValue::from_str(&header).ok());
    header.ok_or_else(|| Error::Internal("the engine says nothing of the path".into()))
}

type Fault = Arc<Mutex<Option<ArchiveError>>>;
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A copy that stands still this long is cut off: it keeps its container from being started or removed.
const IDLE: Duration = Duration::from_secs(20);

/// Carries a stream on at its own pace, so that a caller who stops reading ends it instead of holding it.
fn pumped(
    tar: impl Stream<Item = Result<Bytes, Failure>> + Send + 'static,
) -> impl Stream<Item = Result<Bytes, Failure>> + Send {
    let (sender, receiver) = tokio::sync::mpsc::channel(4);
    tokio::spawn(async move {
        let mut tar = Box::pin(tar);
        loop {
            let next = tar.next().await;
            let ended = !matches!(next, Some(Ok(_)));
            // `None` is sent too: a stream that just stops was cut off.
            if sender.send_timeout(next, IDLE).await.is_err() || ended {
                return;
            }
        }
    });
    futures_util::stream::unfold(Some(receiver), |receiver| async move {
        let mut receiver = receiver?;
        match receiver.recv().await {
            Some(Some(Ok(chunk))) => Some((Ok(chunk), Some(receiver))),
            Some(Some(Err(error))) => Some((Err(error), None)),
            Some(None) => None,
            None => Some((Err("the copy stood still for too long".into()), None)),
        }
    })
}

/// A tar as it streams through the rewriter; one that is refused, or breaks off, is cut off and not ended.
fn rewritten(
    tar: BodyDataStream,
    rewriter: Rewriter,
    fault: Fault,
    held: Option<Held>,
) -> impl Stream<Item = Result<Bytes, Failure>> + Send + Sync {
    let chunks = futures_util::stream::unfold(Some((tar, rewriter, held)), move |state| {
        let fault = fault.clone();
        async move {
            let (mut tar, mut rewriter, held) = state?;
            let mut out = Vec::new();
            let Ok(next) = tokio::time::timeout(IDLE, tar.next()).await else {
                return Some((Err("the copy stood still for too long".into()), None));
            };
            let (done, ended) = match next {
                Some(Ok(chunk)) => (rewriter.push(&chunk, &mut out), false),
                None => (rewriter.finish(&mut out), true),
                Some(Err(error)) => return Some((Err(Failure::from(io::Error::other(error))), None)),
            };
            if let Err(error) = done {
                *fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.clone());
                return Some((Err(error.into()), None));
            }
            Some((Ok(Bytes::from(out)), (!ended).then_some((tar, rewriter, held))))
        }
    });
    sync_wrapper::SyncStream::new(chunks)
}
