//! What is sent: a local path as an archive, or an archive from stdin.

use super::cases::Source;
use super::upload::Sink;
use crate::protocol::path::AskedPath;
use crate::tarball::note::Notes;
use crate::tarball::pack::{PackError, Packer};
use crate::tarball::{CHUNK, wide};
use indicatif::ProgressBar;
use std::io::{self, Read};
use std::os::fd::AsFd;
use tokio::sync::oneshot;

/// How an archive was made: bytes of contents, and what was passed over.
#[derive(Debug, Default)]
pub struct Sent {
    pub contents: u64,
    pub notes: Notes,
}

/// Looks at a local source; with `follow`, at what its last link leads to, under the link's name.
///
/// # Errors
/// The source cannot be looked at, or with `follow` what its link leads to.
pub fn source(path: AskedPath, follow: bool) -> io::Result<Source> {
    let metadata = std::fs::symlink_metadata(path.as_path())?;
    let is_link = metadata.is_symlink() && follow;
    let metadata = if is_link { std::fs::metadata(path.as_path())? } else { metadata };
    Ok(Source { path, is_directory: metadata.is_dir() })
}

/// A thread's result, when it has one. Threads, not tasks: one that waits for stdin must not keep the program.
pub type Made<E> = oneshot::Receiver<Result<Sent, E>>;

/// Opens a source to be packed, its root called `root`.
///
/// # Errors
/// As [`Packer::open`].
pub fn open(source: &Source, follow: bool, root: &[u8]) -> Result<Packer, PackError> {
    let target = if follow { std::fs::canonicalize(source.path.as_path()).ok() } else { None };
    Packer::open(target.as_deref().unwrap_or(source.path.as_path()), root)
}

/// Sends what is packed, on a thread of its own.
pub fn local(mut packer: Packer, bar: ProgressBar, to: Sink) -> Made<PackError> {
    spawn(to, move |to| {
        let mut notes = Notes::default();
        let mut piece = Vec::with_capacity(CHUNK);
        let mut more = true;
        while more {
            piece.clear();
            more = packer.gather(&mut piece)?;
            packer.notes().iter().for_each(|note| notes.add(note.is_fault(), note.to_string()));
            if !to.take(&piece) {
                break;
            }
            packer.send(to.as_fd());
            bar.set_position(packer.contents());
        }
        Ok(Sent { contents: packer.contents(), notes })
    })
}

/// Sends stdin as it is, on a thread of its own.
pub fn stdin(bar: ProgressBar, to: Sink) -> Made<io::Error> {
    spawn(to, move |to| {
        let mut stdin = io::stdin().lock();
        let mut piece = vec![0; CHUNK];
        let mut total = 0;
        loop {
            let got = match stdin.read(&mut piece) {
                Ok(got) => got,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            total += wide(got);
            bar.set_position(total);
            if got == 0 || !to.take(piece.get(..got).unwrap_or_default()) {
                return Ok(Sent { contents: total, notes: Notes::default() });
            }
        }
    })
}

/// Runs `make` on a thread. It stops when nobody takes its pieces any more: then the gateway's answer says why. One that
/// fails cuts the upload off: an ended one would pass for whole.
fn spawn<E: Send + 'static>(
    mut to: Sink,
    make: impl FnOnce(&mut Sink) -> Result<Sent, E> + Send + 'static,
) -> Made<E> {
    let (done, made) = oneshot::channel();
    std::thread::spawn(move || {
        let result = make(&mut to);
        // Known before the other side can answer.
        let whole = result.is_ok();
        let _ = done.send(result);
        if whole {
            to.end();
        }
    });
    made
}
