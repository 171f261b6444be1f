//! The only code that speaks to the engine: look-ups that prove ownership, and acts that take the proof.

mod abandoned;
mod copied;
pub(in crate::gateway) mod demux;
mod disk;
mod ear;
mod end;
mod failure;
mod find;
mod forward;
#[cfg(any(test, feature = "fuzz"))]
pub(super) mod fuzz;
mod give;
mod id;
mod known;
mod label;
mod lane;
mod lean;
mod line;
mod locked;
mod network;
mod owned;
mod patience;
pub(in crate::gateway) mod ports;
mod printed;
mod raw;
mod readers;
mod runs;
mod space;
mod spec;
mod spent;
mod tally;
pub(in crate::gateway) mod terminals;
mod things;
mod turn;
mod whose;
mod wire;

pub(super) use copied::Copying;
pub(super) use disk::{Holding, Holdings, Thing};
pub(super) use ear::Ears;
pub(super) use failure::{EngineError, explain};
pub(super) use find::FindError;
pub(super) use forward::{CallerSide, Source, pump, raw, splice};
pub(super) use id::{ContainerId, ExecId, ImageId, NetworkId};
pub(super) use label::{Labels, PREFIX, StageLabel, stage_tokens};
pub(super) use lane::can_carry;
pub(super) use line::read_lines;
pub(super) use locked::Locked;
#[cfg(test)]
pub(super) use network::{Block, block, free_subnet};
pub(super) use network::{NetworkError, network_name};
pub(super) use owned::{Containers, Found, Owned, pick, pick_by_id};
pub(super) use patience::{Patience, in_time};
pub(super) use raw::Raw;
pub(super) use readers::Reader;
pub(super) use space::Space;
pub(super) use spec::{Files, GpuGrant, Grant, VolumeGrant, exec_body};
#[cfg(test)]
pub(super) use things::free_bridge;
pub(super) use things::{OwnedNetwork, OwnedVolume, short_network, short_volume, without_ours};
pub(super) use turn::Turn;
use wire::Asked;
pub(super) use wire::{Body, Target, read};

use crate::gateway::bounds::permits::Permits;
use crate::gateway::caller::rules::HostCpus;
use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::{Method, Response};
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use tokio::net::UnixStream;
use tokio::sync::OwnedMutexGuard;

/// The API version this gateway was written for: nothing newer is spoken, whatever the engine offers.
const KNOWN: (u32, u32) = (1, 51);

/// The first version in which frames have a name of their own.
const FRAMES_NAMED: (u32, u32) = (1, 42);

/// The Docker Engine behind the gateway.
#[derive(Debug)]
pub(super) struct Engine {
    wire: wire::Wire,
    /// `/v1.NN`, agreed with the engine at the first call after it came up.
    prefix: RwLock<Option<Arc<str>>>,
    /// The user namespace of its containers, asked for once in its life.
    space: RwLock<Option<Space>>,
    /// Where its word on the host's processors goes.
    cpus: HostCpus,
    /// A lock per uid, held from counting to creating.
    turns: Mutex<HashMap<u32, Arc<turn::Turns>>>,
    /// A lock per container: start, stop, copy and tidying do not overlap.
    locks: Mutex<HashMap<ContainerId, Arc<tokio::sync::Mutex<()>>>>,
    /// Networks are numbered one at a time.
    networks: tokio::sync::Mutex<()>,
    disk: disk::Disk,
    /// What each user's containers have cost it by printing.
    pub(super) spent: spent::Spent,
    /// A user's own lists that are read at once.
    reads: Permits,
    readers: readers::Readers,
    /// Held by whoever gives volumes; alone by who tidies after it.
    giving: tokio::sync::RwLock<()>,
}

/// `GET /version`, as far as it matters here.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Version {
    pub(super) api_version: String,
}

pub(super) fn parse_version(word: &str) -> Option<(u32, u32)> {
    let (major, minor) = word.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Lists of one user's that may be read at once.
const READS: usize = 4;

impl Engine {
    pub(super) fn new(socket: &Path, cpus: HostCpus) -> Self {
        Self {
            wire: wire::Wire::new(socket),
            prefix: RwLock::default(),
            space: RwLock::default(),
            cpus,
            turns: Mutex::default(),
            locks: Mutex::default(),
            networks: tokio::sync::Mutex::default(),
            disk: disk::Disk::default(),
            spent: spent::Spent::default(),
            reads: Permits::new(READS),
            readers: readers::Readers::default(),
            giving: tokio::sync::RwLock::default(),
        }
    }

    /// One that nobody answers for.
    #[cfg(test)]
    pub(super) fn nowhere() -> Arc<Self> {
        Arc::new(Self::new(Path::new("/nonexistent"), HostCpus::default()))
    }

    /// The version spoken with the engine: its own, capped at what this gateway knows.
    pub(super) async fn api_version(&self) -> Result<String, EngineError> {
        Ok(self.prefix().await?.trim_start_matches("/v").to_owned())
    }

    async fn prefix(&self) -> Result<Arc<str>, EngineError> {
        if let Some(agreed) = self.prefix.read().unwrap_or_else(PoisonError::into_inner).clone() {
            return Ok(agreed);
        }
        let version: Version = read(self.wire.call(Method::GET, "", Target::new("/version")).await?).await?;
        let theirs = parse_version(&version.api_version)
            .ok_or_else(|| EngineError::Odd(format!("API version {:?}", version.api_version)))?;
        let (major, minor) = theirs.min(KNOWN);
        let agreed: Arc<str> = format!("/v{major}.{minor}").into();
        *self.prefix.write().unwrap_or_else(PoisonError::into_inner) = Some(agreed.clone());
        Ok(agreed)
    }

    /// The engine may be another one, or a newer one, when it comes up again.
    pub(super) fn forget_version(&self) {
        *self.prefix.write().unwrap_or_else(PoisonError::into_inner) = None;
        *self.space.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// A call without a body, its path built by the gateway.
    pub(super) async fn call(
        &self,
        method: Method,
        target: Target,
    ) -> Result<Response<Incoming>, EngineError> {
        self.wire.call(method, &self.prefix().await?, target).await
    }

    /// A call with a body that [`spec`] or [`network`] wrote.
    async fn call_with(
        &self,
        method: Method,
        target: Target,
        body: &Value,
    ) -> Result<Response<Incoming>, EngineError> {
        self.wire.call_with(method, &self.prefix().await?, target, body).await
    }

    /// Every image the engine has, without what is long in them.
    pub(super) async fn images(&self, all: bool) -> Result<Vec<Value>, EngineError> {
        let target = Target::new("/images/json").with("all", if all { "1" } else { "0" });
        let lean::Things::<false>(images) = lean::read_lean(self.call(Method::GET, target).await?).await?;
        Ok(images)
    }

    pub(super) async fn get(&self, target: Target) -> Result<Value, EngineError> {
        read(self.call(Method::GET, target).await?).await
    }

    /// Inspects an image by a reference the policy has allowed.
    pub(super) async fn image(&self, reference: &str) -> Result<Value, EngineError> {
        self.get(Target::new(format!("/images/{}/json", encode_reference(reference)))).await
    }

    /// The digests of an image's layers, as its own record names them.
    pub(super) async fn layers(&self, image: &ImageId) -> Result<Vec<String>, EngineError> {
        let image = self.image(image.as_str()).await?;
        let layers = match image.pointer("/RootFS/Layers") {
            None | Some(Value::Null) => return Ok(Vec::new()),
            Some(layers) => layers.as_array(),
        };
        let digest = |layer: &Value| layer.as_str().map(str::to_owned);
        let layers = layers.and_then(|layers| layers.iter().map(digest).collect());
        layers.ok_or_else(|| EngineError::Odd("an image whose layers have no digests".to_owned()))
    }

    /// All of an image, as an archive of its layers and of words about them.
    pub(super) async fn saved(&self, image: &ImageId) -> Result<Response<Incoming>, EngineError> {
        self.call(Method::GET, Target::new(format!("/images/{}/get", image.as_str()))).await
    }

    /// Makes an exec instance of a body that [`exec_body`] wrote.
    pub(super) async fn exec_create(&self, container: &Owned, body: &Value) -> Result<ExecId, EngineError> {
        #[derive(Deserialize)]
        struct Made {
            #[serde(rename = "Id")]
            id: String,
        }
        let target = container.target("/exec");
        let made: Made = read(self.call_with(Method::POST, target, body).await?).await?;
        ExecId::parse(&made.id).ok_or_else(|| EngineError::Odd(format!("exec id {:?}", made.id)))
    }

    /// Starts an exec instance that nobody is attached to.
    pub(super) async fn exec_detached(&self, uid: u32, exec: &ExecId, tty: bool) -> Result<(), EngineError> {
        let body = serde_json::json!({ "Detach": true, "Tty": tty });
        self.call_with(Method::POST, exec.target("/start").of(uid), &body).await.map(drop)
    }

    /// Starts an exec instance with its streams on the raw connection.
    pub(super) async fn exec_attached(
        &self,
        container: &Owned,
        exec: &ExecId,
        tty: bool,
    ) -> Result<Raw, EngineError> {
        let body = serde_json::json!({ "Detach": false, "Tty": tty });
        let (uid, id) = (container.found().owner(), container.id());
        let target = exec.target("/start").of(uid);
        let raw = self.wire.hijack(&self.prefix().await?, target, Some(&body), Some(uid)).await?;
        Ok(raw.read_by(&self.readers, id))
    }

    /// The same for a helper of ours, which ends when its streams do: the socket, and what has come of it already.
    pub(super) async fn exec_helper(
        &self,
        container: &Owned,
        exec: &ExecId,
    ) -> Result<(UnixStream, Bytes, Arc<Reader>), EngineError> {
        let body = serde_json::json!({ "Detach": false, "Tty": false });
        let target = exec.target("/start").of(container.found().owner());
        let raw = self.wire.hijack(&self.prefix().await?, target, Some(&body), None).await?;
        let (socket, first) = raw.into_parts()?;
        let odd = |error: std::io::Error| EngineError::Odd(error.to_string());
        let reader = self.readers.add(container.id(), socket.as_fd().try_clone_to_owned().map_err(odd)?);
        Ok((socket, first, reader))
    }

    pub(super) async fn exec_inspect(&self, uid: u32, exec: &ExecId) -> Result<Value, EngineError> {
        self.get(exec.target("/json").of(uid)).await
    }

    /// Asks for the raw streams of a container of this user's.
    pub(super) async fn attach(
        &self,
        uid: u32,
        id: &ContainerId,
        target: Target,
    ) -> Result<Raw, EngineError> {
        let raw = self.wire.hijack(&self.prefix().await?, target, None, Some(uid)).await?;
        Ok(raw.read_by(&self.readers, id))
    }

    /// Whether there is room for one more, should it be left behind.
    pub(super) fn may_attach(&self, uid: u32) -> Result<(), EngineError> {
        self.wire.has_room(uid)
    }

    /// What the engine calls the streams on a raw connection.
    pub(super) async fn stream_type(&self, tty: bool) -> Result<HeaderValue, EngineError> {
        let version = parse_version(&self.api_version().await?);
        Ok(HeaderValue::from_static(match tty || version < Some(FRAMES_NAMED) {
            true => "application/vnd.docker.raw-stream",
            false => "application/vnd.docker.multiplexed-stream",
        }))
    }

    /// As [`Self::attach`] for the gateway itself, which listens to one stream: that alone an engine notices when it is gone.
    /// An engine may answer late or never, and then there is no use in asking again: what was asked for stays.
    async fn listen(&self, found: &Found, stream: &str) -> Result<Asked<UnixStream>, EngineError> {
        // Of nobody: its owner could fill the places.
        let target = Target::new(format!("/containers/{}/attach", found.id())).of_nobody();
        let target = target.with("stream", "1").with(stream, "1");
        self.wire.listen(&self.prefix().await?, target)
    }

    /// Sends a tar into a container that does not run.
    pub(super) async fn put_archive(
        &self,
        container: &Owned,
        path: &str,
        tar: Body,
    ) -> Result<Response<Incoming>, EngineError> {
        // Always: otherwise the engine would clear away a directory that a file replaces, and what is mounted in it.
        let target = container.target("/archive").of_nobody();
        let target = target.with("path", path).with("noOverwriteDirNonDir", "true");
        let request = wire::Wire::request(Method::PUT, &self.prefix().await?, target, tar)?;
        wire::good(self.wire.send(request).await?).await
    }

    /// The lock of one container: whoever starts, copies or tidies holds it.
    pub(super) async fn lock(&self, id: &ContainerId) -> OwnedMutexGuard<()> {
        self.lock_of(id).lock_owned().await
    }

    /// The lock, if nobody holds it: for work that can wait for another time.
    pub(super) fn try_lock(&self, id: &ContainerId) -> Option<OwnedMutexGuard<()>> {
        self.lock_of(id).try_lock_owned().ok()
    }

    fn lock_of(&self, id: &ContainerId) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        // Locks nobody holds or waits for are only in the map.
        locks.retain(|_, lock| Arc::strong_count(lock) > 1);
        locks.entry(id.clone()).or_default().clone()
    }
}

/// A reference for an engine's path: everything but unreserved characters, `/` and `:` is escaped.
fn encode_reference(reference: &str) -> String {
    let mut out = String::new();
    for byte in reference.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._/:@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
