//! An archive on its way to the gateway, on a connection that carries nothing else.

use super::super::connect::Api;
use super::super::error::Error;
use super::calls::agreed;
use super::remote::Remote;
use crate::protocol::copying::Outcome;
use crate::protocol::told::told;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use tokio::sync::oneshot;

/// The most bytes that are read of an outcome: a refusal is a few sentences.
const LONGEST: u64 = 64 * 1024;

/// An unpacking that waits for its archive.
pub struct Upload {
    stream: UnixStream,
}

impl Upload {
    /// Begins an unpacking into a directory.
    pub(crate) async fn begin(api: &Api, remote: &Remote) -> Result<Self, Error> {
        Ok(Self { stream: agreed(api, remote).await?.stream })
    }

    /// Where the archive goes. What is written there blocks: it is for a thread of its own.
    pub(crate) fn sink(&self) -> Result<Sink, Error> {
        let stream = self.stream.try_clone().map_err(|why| Error::io(told!("use the connection"), why))?;
        Ok(Sink { stream, ended: false })
    }

    /// What became of it. It may be known before all is sent; then the sink takes no more.
    pub(crate) async fn outcome(self) -> Result<(), Error> {
        let (said, heard) = oneshot::channel();
        // A thread, not a task: an interrupted program does not wait for it.
        std::thread::spawn(move || said.send(read(&self.stream)));
        let text = heard.await.map_err(|_| Error::Unreadable)?;
        if text.is_empty() {
            return Err(Error::Lost);
        }
        match serde_json::from_slice(&text).map_err(|_| Error::Unreadable)? {
            Outcome::Unpacked => Ok(()),
            // The answer that agreed to the upload had no status of its own for this.
            Outcome::Refused(refusal) => Err(Error::Refused { status: 0, refusal: Box::new(refusal) }),
        }
    }
}

/// What came before the end, or before it broke off.
fn read(stream: &UnixStream) -> Vec<u8> {
    let mut text = Vec::new();
    // Half an outcome is none, so an error needs no word of its own.
    let _ = stream.take(LONGEST).read_to_end(&mut text);
    text
}

/// The sending side of an upload. Dropped without [`Sink::end`], it cuts the upload off.
pub struct Sink {
    stream: UnixStream,
    ended: bool,
}

impl Sink {
    /// Says whether anybody still reads: if not, the outcome has the reason.
    pub fn take(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// There is no more to send, or nobody to send it to; the outcome is still to come.
    pub fn end(mut self) {
        self.ended = true;
    }
}

impl AsFd for Sink {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let how = if self.ended { Shutdown::Write } else { Shutdown::Both };
        // Fails only when the other side has already gone.
        let _ = self.stream.shutdown(how);
    }
}
