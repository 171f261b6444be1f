//! Copying with a container that does not run: the engine packs and unpacks, and both ways the tar is rewritten.
//!
//! The engine mounts everything that the container has, as root, in the host's own namespace and by names. The
//! container has no process then, but its owner's shell on the host can change what is in the home. An image's link
//! leads any mount there, and a name swapped between two looks puts a mount anywhere on the host. So ie-mountd first
//! puts empty, read-only directories and files in the stages' places (`hollow`), in which the places of what the engine
//! mounts inside them are there already. A container with volumes by name is not copied with while it is stopped.
//!
//! An engine goes on with a copy whose caller has hung up, and mounts what it finds when its turn comes. So the lock
//! and the stages are held until the engine has answered. A tar that breaks off is ended for the engine and not cut
//! off. Otherwise nobody could tell when the copy is done.
//!
//! The copy begins when the engine has said that the container does not run. An engine cannot say so while it starts
//! the container for a gateway that has gone.

use super::clock::Pace;
use super::rewrite::{Limits, Rewriter};
use super::room::Room;
use super::stream::{Rewritten, pumped, rewritten};
use super::{Copier, CopyPath};
use crate::gateway::audit;
use crate::gateway::caller::Caller;
use crate::gateway::engine::{EngineError, Space, StageLabel, in_time, short_volume};
use crate::gateway::error::Error;
use crate::gateway::host::staging::Hold;
use crate::gateway::images::look::mount_points;
use crate::gateway::locks::removals::being_removed;
use crate::gateway::task::to_the_end;
use crate::protocol::copying::{Ended, PathStat};
use crate::protocol::name::ContainerRef;
use crate::protocol::report::Refusal;
use crate::protocol::stage::{Place, Shape};
use crate::protocol::told::{Told, told};
use crate::tarball::entry::Owner;
use axum::body::Body;
use axum::http::HeaderValue;
use futures_util::StreamExt;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::{Method, Response};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, OwnedMutexGuard, OwnedSemaphorePermit};

/// A copy with a stopped container: while it is held the container is not started, and its stages stay.
///
/// What the engine is asked for is waited for to its end, whoever hangs up: it goes on, and mounts what is in the stages'
/// place by then.
pub(super) struct Copy {
    copier: Arc<Copier>,
    at: CopyPath,
    held: Held,
}

/// Given back when the last byte has gone, in this order: the lock, the stages, and then they are taken away.
struct Held {
    /// Notified when the container is to be removed.
    cut: Arc<Notify>,
    lock: Option<OwnedMutexGuard<()>>,
    hold: Option<Hold>,
    copier: Arc<Copier>,
    owed: (crate::gateway::engine::ContainerId, Vec<crate::protocol::stage::Token>),
}

impl Drop for Held {
    fn drop(&mut self) {
        self.lock = None;
        self.hold = None;
        let (copier, (id, tokens)) = (self.copier.clone(), self.owed.clone());
        tokio::spawn(async move { copier.release.ended(&id, tokens).await });
    }
}

/// A volume may be another running container's too, where processes can race the engine's own packing as root.
fn refuse_volumes(at: &CopyPath) -> Result<(), Error> {
    let found = at.container.found();
    if !found.volumes().iter().any(|name| short_volume(found.owner(), name).is_some()) {
        return Ok(());
    }
    let name = at.container.name();
    Err(Refusal::new("conflict", told!("{name} has volumes, and is only copied to and from while it runs"))
        .hint(Told::Text(format!("ie-container start {name}")))
        .into())
}

/// A remapped engine gives whatever it unpacks to one of its own ids, which are nobody's in the host's user namespace.
fn refuse_hosts(caller: &Caller, at: &CopyPath) -> Result<(), Error> {
    if caller.policy().remap().is_none() || at.container.labels().space != Space::Host {
        return Ok(());
    }
    let name = at.container.name();
    let message = told!("{name} mounts what is not idmapped, and is only copied to and from while it runs");
    Err(Refusal::new("conflict", message).hint(Told::Text(format!("ie-container start {name}"))).into())
}

/// Newer engines open the place of a file for writing before they mount it: a hollow stage is read-only, and a pipe that lies in
/// the place would keep the engine, and the container, for ever.
fn refuse_files(at: &CopyPath) -> Result<(), Error> {
    if at.container.labels().stages.iter().all(|stage| stage.shape != Shape::File) {
        return Ok(());
    }
    let name = at.container.name();
    let message = told!("{name} mounts a file, and is only copied to and from while it runs");
    Err(Refusal::new("conflict", message).hint(Told::Text(format!("ie-container start {name}"))).into())
}

/// Where the engine puts the container's volumes, none of which has a name.
async fn places_of_volumes(copier: &Copier, at: &CopyPath) -> Result<Vec<PathBuf>, Error> {
    if at.container.found().volumes().is_empty() {
        return Ok(Vec::new());
    }
    let details = copier.engine.get(at.container.target("/json")).await?;
    Ok(mount_points::volumes_of(&details).map(Path::to_owned).collect())
}

/// What the engine would make in a stage, to mount something there.
fn places_inside(outer: &StageLabel, stages: &[StageLabel], volumes: &[PathBuf]) -> Vec<Place> {
    let stages = stages.iter().map(|stage| (stage.target.as_path(), stage.shape));
    let volumes = volumes.iter().map(|place| (place.as_path(), Shape::Directory));
    let inside = |(place, shape): (&Path, Shape)| {
        let path = place.strip_prefix(&outer.target).ok().filter(|path| !path.as_os_str().is_empty())?;
        Some(Place { path: path.to_owned(), shape })
    };
    stages.chain(volumes).filter_map(inside).collect()
}

fn being_started(at: &CopyPath) -> Error {
    Error::Conflict(told!("{} is being started; try again when it runs", at.container.name()))
}

impl Copy {
    /// Locks the container and puts empty directories in the place of what it mounts: the engine mounts all of it, as
    /// root and in the host's own namespace, by names that a link in a live directory could lead elsewhere between two
    /// looks at it. A running one is given back.
    pub(super) async fn begin(
        copier: &Arc<Copier>,
        caller: &Caller,
        at: CopyPath,
    ) -> Result<Result<Self, CopyPath>, Error> {
        if at.container.running() {
            return Ok(Err(at));
        }
        // The engine may be at a start that a gateway before this one asked for, with the stages as they are.
        while copier.youth.lasts() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let id = at.container.id().clone();
        let lock = copier.engine.lock(&id).await;
        let (copier, caller) = (copier.clone(), caller.clone());
        to_the_end(async move { Self::hollowed(copier, &caller, at, lock).await }).await
    }

    async fn hollowed(
        copier: Arc<Copier>,
        caller: &Caller,
        at: CopyPath,
        lock: OwnedMutexGuard<()>,
    ) -> Result<Result<Self, CopyPath>, Error> {
        let cut = copier.locks.removals.watch(&at.container)?;
        let id = at.container.id().clone();
        // It may have been started, renamed or removed while we waited.
        let word = ContainerRef::try_from(id.as_str().to_owned())
            .map_err(|error| Error::Internal(told!("{error}")))?;
        let container = copier.engine.owned(caller, &word).await?;
        let at = CopyPath { container, ..at };
        if at.container.running() {
            return Ok(Err(at));
        }
        // Nor is a slow start over when the gateway is not young any more: while it lasts the engine does not answer.
        let runs = tokio::select! {
            biased;
            () = cut.notified() => return Err(being_removed(at.container.id())),
            runs = in_time(copier.engine.runs(&at.container)) => runs,
        };
        match runs {
            Ok(false) => {}
            Ok(true) | Err(EngineError::Late) => return Err(being_started(&at)),
            Err(error) => return Err(error.into()),
        }
        refuse_volumes(&at)?;
        refuse_hosts(caller, &at)?;
        refuse_files(&at)?;
        let tokens = at.container.found().stage_tokens();
        let held = Held {
            cut,
            lock: Some(lock),
            hold: Some(copier.stager.hold(tokens.clone())),
            copier: copier.clone(),
            owed: (id, tokens),
        };
        let volumes = places_of_volumes(&copier, &at).await?;
        let stages = &at.container.labels().stages;
        for stage in stages {
            copier.stager.hollow(&stage.token, places_inside(stage, stages, &volumes)).await?;
        }
        Ok(Ok(Self { copier, at, held }))
    }

    pub(super) async fn stat(self, caller: Caller) -> Result<HeaderValue, Error> {
        to_the_end(async move {
            let answer = self.ask(Method::HEAD).await;
            drop((self.held, caller));
            header(&answer?)
        })
        .await
    }

    async fn ask(&self, method: Method) -> Result<Response<Incoming>, Error> {
        let target = self.at.container.target("/archive").of_nobody().with("path", &self.at.path);
        let missing =
            |error: EngineError| if error.is_not_found() { missing(&self.at) } else { error.into() };
        self.copier.engine.call(method, target).await.map_err(missing)
    }

    /// `rewrites` is the caller's permit among those whose copies are rewritten.
    pub(super) async fn get(
        self,
        caller: Caller,
        rewrites: Option<OwnedSemaphorePermit>,
    ) -> Result<(Body, HeaderValue), Error> {
        let asked = self.at.asked()?;
        to_the_end(async move {
            let answer = self.ask(Method::GET).await?;
            let stat = header(&answer)?;
            let rewriter = Some(Rewriter::outward(&asked, owner(&caller), Limits::default()));
            let tar = Body::new(answer.into_body()).into_data_stream();
            let cut = self.held.cut.clone();
            // By now it has mounted what is in the stages' place.
            let tar = Rewritten { tar, rewriter, room: None, pace: Pace::begin(), cut, _held: self.held };
            Ok((Body::from_stream(pumped(tar, rewrites)), stat))
        })
        .await
    }

    pub(super) async fn put(self, caller: Caller, tar: Body) -> Result<(), Error> {
        to_the_end(async move {
            let put = self.unpack(&caller, tar).await;
            if let Err(error @ Error::Refused(_)) = &put {
                audit::refused(&caller, "cp-in", self.at.container.id().as_str(), error);
            }
            drop((self.held, caller));
            put
        })
        .await
    }

    async fn unpack(&self, caller: &Caller, tar: Body) -> Result<(), Error> {
        let room = Some(Room::find(&self.copier, caller, &self.at.container).await?);
        let fault = Arc::new(Mutex::new(None));
        let rewriter = Some(Rewriter::inward(owner(caller), Limits::default()));
        let (tar, cut) = (tar.into_data_stream(), self.held.cut.clone());
        let tar = Rewritten { tar, rewriter, room, pace: Pace::begin(), cut, _held: () };
        let tar = rewritten(tar, fault.clone());
        let tar = BodyExt::boxed(StreamBody::new(tar.map(|chunk| Ok(Frame::data(chunk)))));
        let CopyPath { container, path } = &self.at;
        let put = self.copier.engine.put_archive(container, path, tar).await;
        // What was wrong with the tar says more than how the engine saw it break off.
        if let Some(error) = fault.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Err(error);
        }
        match put {
            Ok(_) => Ok(()),
            Err(error) if error.is_not_found() => Err(missing(&self.at)),
            Err(error) => Err(error.into()),
        }
    }
}

fn missing(at: &CopyPath) -> Error {
    let path = crate::protocol::escape::escape_line(&at.path);
    Error::Copy(Ended::Missing, told!("no such file or directory: {}:{path}", at.container.name()))
}

fn owner(caller: &Caller) -> Owner {
    Owner { uid: caller.uid(), gid: caller.gid() }
}

/// The engine's stat of a path, read and written anew.
fn header<T>(answer: &Response<T>) -> Result<HeaderValue, Error> {
    let stat = answer.headers().get(super::STAT).and_then(|value| PathStat::from_header(value.as_bytes()));
    let header =
        stat.and_then(|stat| stat.to_header()).and_then(|header| HeaderValue::from_str(&header).ok());
    header.ok_or_else(|| Error::Internal(told!("the engine says nothing of the path")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::stage::{Access, Token};

    #[test]
    fn what_lies_inside_a_stage_has_its_place_there() {
        let stage = |target: &str, shape| StageLabel {
            token: Token::from_bytes([1; 16]),
            root: "/home".into(),
            relative: "ann".into(),
            target: target.into(),
            access: Access::ReadWrite,
            shape,
        };
        let stages = [
            stage("/home/ann", Shape::Directory),
            stage("/home/ann/a/config", Shape::File),
            stage("/home/anna", Shape::Directory),
        ];
        let volumes = ["/home/ann/cache".into(), "/v".into()];
        let place = |path: &str, shape| Place { path: path.into(), shape };
        assert_eq!(
            places_inside(&stages[0], &stages, &volumes),
            [place("a/config", Shape::File), place("cache", Shape::Directory)]
        );
        assert_eq!(places_inside(&stages[2], &stages, &volumes), []);
    }
}
