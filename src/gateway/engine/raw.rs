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
struct End {
    socket: Arc<UnixStream>,
    first: Bytes,
    /// Nobody's where the gateway asks for itself.
    of: Option<(u32, Abandoned)>,
}

/// One that nobody is noted to read yet: there is no way to its streams but by saying who does.
#[derive(Debug)]
pub(in crate::gateway) struct Hijacked(End);

/// One whose reader is known to whoever waits for its container's end.
#[derive(Debug)]
pub(in crate::gateway) struct Raw {
    end: End,
    reader: Arc<Reader>,
}

impl Hijacked {
    pub(super) async fn new(
        mut answer: Response<Incoming>,
        of: Option<(u32, Abandoned)>,
    ) -> Result<Self, EngineError> {
        let odd = |error: io::Error| EngineError::Odd(error.to_string());
        let (socket, first) = forward::raw(hyper::upgrade::on(&mut answer)).await.map_err(odd)?;
        Ok(Self(End { socket: Arc::new(socket), first, of }))
    }

    /// Whoever holds it reads what comes of this container.
    pub(super) fn read_by(self, readers: &Readers, id: &ContainerId) -> Raw {
        let reader = readers.add(id, self.0.socket.clone());
        Raw { end: self.0, reader }
    }

    /// The socket and what has come of it already, for the gateway itself, which takes all of it and ends it.
    pub(super) fn for_the_gateway(mut self) -> Result<(UnixStream, Bytes), EngineError> {
        let (socket, first) = (self.0.socket.clone(), std::mem::take(&mut self.0.first));
        self.0.of = None;
        drop(self);
        let socket = Arc::into_inner(socket);
        socket.map(|socket| (socket, first)).ok_or_else(|| EngineError::Odd("a connection is gone".into()))
    }
}

impl Raw {
    /// What the engine said together with its agreement.
    pub(in crate::gateway) fn take_first(&mut self) -> Bytes {
        std::mem::take(&mut self.end.first)
    }
}

impl Source for Raw {
    fn socket(&self) -> &UnixStream {
        &self.end.socket
    }

    fn took(&self) {
        self.reader.took();
    }
}

impl Deref for Raw {
    type Target = UnixStream;

    fn deref(&self) -> &UnixStream {
        &self.end.socket
    }
}

impl Drop for End {
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
