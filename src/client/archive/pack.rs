//! What is sent: a local path as an archive, or an archive from stdin.

use super::cases::Source;
use super::http::{Outgoing, Piece};
use crate::protocol::path::AskedPath;
use crate::tarball::pack::{Note, PackError, Packer};
use crate::tarball::{CHUNK, wide};
use bytes::Bytes;
use indicatif::ProgressBar;
use std::io::{self, Read};
use tokio::sync::mpsc::{self, Sender};
use tokio::sync::oneshot;

/// How an archive was made: bytes of contents, and what was passed over.
#[derive(Debug, Default)]
pub struct Sent {
    pub contents: u64,
    pub notes: Vec<Note>,
}

/// Pieces that wait to be sent: one being read, one being sent.
const WAITING: usize = 2;

/// Looks at a local source; with `follow`, at what its last link leads to, under the link's name.
pub fn source(path: AskedPath, follow: bool) -> io::Result<Source> {
    let metadata = std::fs::symlink_metadata(path.as_path())?;
    let is_link = metadata.is_symlink() && follow;
    let metadata = if is_link { std::fs::metadata(path.as_path())? } else { metadata };
    Ok(Source { path, is_directory: metadata.is_dir() })
}

/// A thread's result, when it has one. Threads, not tasks: one that waits for stdin must not keep the program.
pub type Made<E> = oneshot::Receiver<Result<Sent, E>>;

/// Packs a source, its root called `root`, on a thread of its own: reading and sending overlap.
pub fn local(
    source: &Source,
    follow: bool,
    root: &[u8],
    bar: ProgressBar,
) -> Result<(Outgoing, Made<PackError>), PackError> {
    let target = if follow { std::fs::canonicalize(source.path.as_path()).ok() } else { None };
    let mut packer = Packer::open(target.as_deref().unwrap_or(source.path.as_path()), root)?;
    Ok(spawn(move |pieces| {
        let mut notes = Vec::new();
        let mut more = true;
        while more {
            let mut piece = Vec::with_capacity(CHUNK);
            more = packer.fill(&mut piece)?;
            notes.extend(packer.notes());
            bar.set_position(packer.contents());
            if pieces.blocking_send(Ok(Bytes::from(piece))).is_err() {
                break;
            }
        }
        Ok(Sent { contents: packer.contents(), notes })
    }))
}

/// Sends stdin as it is, on a thread of its own.
pub fn stdin(bar: ProgressBar) -> (Outgoing, Made<io::Error>) {
    spawn(move |pieces| {
        let mut stdin = io::stdin().lock();
        let mut total = 0;
        loop {
            let mut piece = Vec::with_capacity(CHUNK);
            let got = stdin.by_ref().take(wide(CHUNK)).read_to_end(&mut piece)?;
            total += wide(got);
            bar.set_position(total);
            if got == 0 || pieces.blocking_send(Ok(Bytes::from(piece))).is_err() {
                return Ok(Sent { contents: total, notes: Vec::new() });
            }
        }
    })
}

/// Runs `make` on a thread. It stops when nobody takes its pieces any more: then the gateway's answer says why.
fn spawn<E: Send + 'static>(
    make: impl FnOnce(&Sender<Piece>) -> Result<Sent, E> + Send + 'static,
) -> (Outgoing, Made<E>) {
    let (pieces, receiver) = mpsc::channel(WAITING);
    let (done, made) = oneshot::channel();
    std::thread::spawn(move || {
        let result = make(&pieces);
        if result.is_err() {
            // Cuts the request off: an ended one would pass for whole.
            let _ = pieces.blocking_send(Err(io::Error::other("the archive could not be made")));
        }
        let _ = done.send(result);
    });
    (Outgoing::new(receiver), made)
}
