//! The engine as it is spoken to: one connection's rules, the version, the locks.

use super::holdings::Disk;
use super::index::Index;
use super::readers::Readers;
use super::sizes::Sizes;
use super::spent::Spent;
use super::turns::Turns;
use super::wire::{Target, Wire, read};
use super::{ContainerId, EngineError, Space};
use crate::gateway::bounds::permits::Permits;
use crate::gateway::caller::rules::HostCpus;
use hyper::body::Incoming;
use hyper::{Method, Response};
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use tokio::sync::OwnedMutexGuard;

/// The API version this gateway was written for: nothing newer is spoken, whatever the engine offers.
const KNOWN: (u32, u32) = (1, 51);

/// The Docker Engine behind the gateway.
#[derive(Debug)]
pub(in crate::gateway) struct Engine {
    pub(super) wire: Arc<Wire>,
    /// `/v1.NN`, agreed with the engine at the first call after it came up.
    prefix: RwLock<Option<Arc<str>>>,
    /// The user namespace of its containers, asked for once in its life.
    pub(super) space: RwLock<Option<Space>>,
    /// Where its word on the host's processors goes.
    pub(super) cpus: HostCpus,
    /// A lock per uid, held from counting to creating.
    pub(super) turns: Mutex<HashMap<u32, Arc<Turns>>>,
    /// A lock per container: start, stop, copy and tidying do not overlap.
    locks: Mutex<HashMap<ContainerId, Arc<tokio::sync::Mutex<()>>>>,
    /// Networks are numbered one at a time.
    pub(super) networks: tokio::sync::Mutex<()>,
    pub(super) disk: Disk,
    /// Which containers may be whose.
    pub(super) index: Arc<Index>,
    /// What containers may use that were updated.
    pub(in crate::gateway) sizes: Sizes,
    /// What each user's containers have cost it by printing.
    pub(in crate::gateway) spent: Spent,
    /// A user's own lists that are read at once.
    pub(super) reads: Permits,
    pub(super) readers: Readers,
    /// Held by whoever gives volumes; alone by who tidies after it.
    pub(super) giving: tokio::sync::RwLock<()>,
}

/// `GET /version`, as far as it matters here.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Version {
    pub(super) api_version: String,
}

pub(in crate::gateway) fn parse_version(word: &str) -> Option<(u32, u32)> {
    let (major, minor) = word.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Lists of one user's that may be read at once.
const READS: usize = 4;

impl Engine {
    pub(in crate::gateway) fn new(socket: &Path, cpus: HostCpus) -> Self {
        Self {
            wire: Arc::new(Wire::new(socket)),
            prefix: RwLock::default(),
            space: RwLock::default(),
            cpus,
            turns: Mutex::default(),
            locks: Mutex::default(),
            networks: tokio::sync::Mutex::default(),
            disk: Disk::default(),
            index: Arc::default(),
            sizes: Sizes::default(),
            spent: Spent::default(),
            reads: Permits::new(READS),
            readers: Readers::default(),
            giving: tokio::sync::RwLock::default(),
        }
    }

    /// One that nobody answers for.
    #[cfg(test)]
    pub(in crate::gateway) fn nowhere() -> Arc<Self> {
        Arc::new(Self::new(Path::new("/nonexistent"), HostCpus::default()))
    }

    /// The version spoken with the engine: its own, capped at what this gateway knows.
    pub(in crate::gateway) async fn api_version(&self) -> Result<String, EngineError> {
        Ok(self.prefix().await?.trim_start_matches("/v").to_owned())
    }

    pub(super) async fn prefix(&self) -> Result<Arc<str>, EngineError> {
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
    pub(in crate::gateway) fn forget_version(&self) {
        *self.prefix.write().unwrap_or_else(PoisonError::into_inner) = None;
        *self.space.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// A call without a body, its path built by the gateway.
    pub(in crate::gateway) async fn call(
        &self,
        method: Method,
        target: Target,
    ) -> Result<Response<Incoming>, EngineError> {
        self.wire.call(method, &self.prefix().await?, target).await
    }

    /// A call with a body that [`super::spec`] or [`super::network`] wrote.
    pub(super) async fn call_with(
        &self,
        method: Method,
        target: Target,
        body: &Value,
    ) -> Result<Response<Incoming>, EngineError> {
        self.wire.call_with(method, &self.prefix().await?, target, body).await
    }

    pub(in crate::gateway) async fn get(&self, target: Target) -> Result<Value, EngineError> {
        read(self.call(Method::GET, target).await?).await
    }

    /// The lock of one container: whoever starts, copies or tidies holds it.
    pub(in crate::gateway) async fn lock(&self, id: &ContainerId) -> OwnedMutexGuard<()> {
        self.lock_of(id).lock_owned().await
    }

    /// The lock, if nobody holds it: for work that can wait for another time.
    pub(in crate::gateway) fn try_lock(&self, id: &ContainerId) -> Option<OwnedMutexGuard<()>> {
        self.lock_of(id).try_lock_owned().ok()
    }

    fn lock_of(&self, id: &ContainerId) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        // Locks nobody holds or waits for are only in the map.
        locks.retain(|_, lock| Arc::strong_count(lock) > 1);
        locks.entry(id.clone()).or_default().clone()
    }
}
