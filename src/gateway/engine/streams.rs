//! A container's streams, and archives into it.

use super::wire::{self, Asked};
use super::{Body, ContainerId, Engine, EngineError, Found, Owned, Raw, Target, parse_version};
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::{Method, Response};
use tokio::net::UnixStream;

/// The first version in which frames have a name of their own.
const FRAMES_NAMED: (u32, u32) = (1, 42);

impl Engine {
    /// Asks for the raw streams of a container of this user's.
    pub(in crate::gateway) async fn attach(
        &self,
        uid: u32,
        id: &ContainerId,
        target: Target,
    ) -> Result<Raw, EngineError> {
        let raw = self.wire.hijack(&self.prefix().await?, target, None, Some(uid)).await?;
        Ok(raw.read_by(&self.readers, id))
    }

    /// Whether there is room for one more, should it be left behind.
    pub(in crate::gateway) fn may_attach(&self, uid: u32) -> Result<(), EngineError> {
        self.wire.has_room(uid)
    }

    /// What the engine calls the streams on a raw connection.
    pub(in crate::gateway) async fn stream_type(&self, tty: bool) -> Result<HeaderValue, EngineError> {
        let version = parse_version(&self.api_version().await?);
        Ok(HeaderValue::from_static(match tty || version < Some(FRAMES_NAMED) {
            true => "application/vnd.docker.raw-stream",
            false => "application/vnd.docker.multiplexed-stream",
        }))
    }

    /// As [`Self::attach`] for the gateway itself, which listens to one stream: that alone an engine notices when it is gone.
    /// An engine may answer late or never, and then there is no use in asking again: what was asked for stays.
    pub(super) async fn listen(&self, found: &Found, stream: &str) -> Result<Asked<UnixStream>, EngineError> {
        // Of nobody: its owner could fill the permits.
        let target = Target::new(format!("/containers/{}/attach", found.id())).of_nobody();
        let target = target.with("stream", "1").with(stream, "1");
        self.wire.listen(&self.prefix().await?, target)
    }

    /// Sends a tar into a container that does not run.
    pub(in crate::gateway) async fn put_archive(
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
}
