//! A raw connection: what an engine leaves of a request for a container's streams.
//!
//! An engine does not notice that an attached caller has gone. It keeps the connection until the container stops. So a
//! `Raw` that is dropped, wherever that happens, takes what still comes to the engine's end of it. It counts for its
//! user until then (`abandoned.rs`).

use super::abandoned::{Abandoned, Left};
use super::forward::{self, Source};
use super::readers::{Reader, Readers};
use super::{ContainerId, EngineError};
use bytes::Bytes;
use hyper::Response;
use hyper::body::Incoming;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;
use std::io;
use std::ops::Deref;
use std::sync::Arc;
use tokio::net::UnixStream;
use tokio::runtime::Handle;

/// The engine's end of it. Dropped before the engine has ended it, it counts for its user until the engine does: an engine
/// does not notice that nobody listens any more.
#[derive(Debug)]
pub(in crate::gateway) struct Raw {
    socket: Arc<UnixStream>,
    first: Bytes,
    /// Nobody's where the gateway asks for itself.
    of: Option<(u32, Abandoned)>,
    reader: Option<Arc<Reader>>,
}

impl Raw {
    pub(super) async fn new(
        mut answer: Response<Incoming>,
        of: Option<(u32, Abandoned)>,
    ) -> Result<Self, EngineError> {
        let odd = |error: io::Error| EngineError::Odd(error.to_string());
        let (socket, first) = forward::raw(hyper::upgrade::on(&mut answer)).await.map_err(odd)?;
        Ok(Self { socket: Arc::new(socket), first, of, reader: None })
    }

    /// What the engine said together with its agreement.
    pub(in crate::gateway) fn take_first(&mut self) -> Bytes {
        std::mem::take(&mut self.first)
    }

    /// Whoever holds it reads what comes of this container.
    pub(super) fn read_by(mut self, readers: &Readers, id: &ContainerId) -> Self {
        self.reader = Some(readers.add(id, self.socket.clone()));
        self
    }

    /// Both halves of the socket, and what has come of it already. They are the caller's to end.
    pub(super) fn into_parts(mut self) -> Result<(UnixStream, Bytes), EngineError> {
        let (socket, first) = (self.socket.clone(), self.take_first());
        self.of = None;
        drop(self);
        let socket = Arc::into_inner(socket);
        socket.map(|socket| (socket, first)).ok_or_else(|| EngineError::Odd("a connection is gone".into()))
    }
}

impl Source for Raw {
    fn socket(&self) -> &UnixStream {
        &self.socket
    }

    fn took(&self) {
        if let Some(reader) = &self.reader {
            reader.took();
        }
    }
}

impl Deref for Raw {
    type Target = UnixStream;

    fn deref(&self) -> &UnixStream {
        &self.socket
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let Some((uid, all)) = self.of.take() else { return };
        // Without a runtime the gateway is at its own end.
        let (false, Ok(runtime)) = (has_ended(&self.socket), Handle::try_current()) else { return };
        runtime.spawn(drain(self.socket.clone(), all.leave(uid)));
    }
}

/// Takes what comes until the engine ends: what nobody took would hold the container up.
async fn drain(socket: Arc<UnixStream>, left: Left) {
    // The container's stdin ends, as if the connection was closed.
    let _gone_already = rustix::net::shutdown(&socket, rustix::net::Shutdown::Write);
    let mut nobodys = Vec::new();
    while socket.readable().await.is_ok() {
        // One that is silent holds no buffer.
        nobodys.resize(16 << 10, 0);
        match socket.try_read(&mut nobodys) {
            Ok(1..) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => nobodys = Vec::new(),
            Ok(0) | Err(_) => break,
        }
    }
    drop(left);
}

/// Whether the other end sends no more.
fn has_ended(socket: &UnixStream) -> bool {
    let mut asked = [PollFd::new(socket, PollFlags::RDHUP)];
    let told = retry_on_intr(|| poll(&mut asked, Some(&Timespec::default())));
    let [asked] = asked;
    told.is_ok() && asked.revents().intersects(PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR)
}
