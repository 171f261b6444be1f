//! `ie-copy pack`: a tar on stdout.

use super::{Stopped, give, say};
use crate::protocol::copying::Ended;
use crate::protocol::path::AskedPath;
use crate::tarball::pack::{PackError, Packer};
use crate::tarball::{CHUNK, write};

pub(super) fn run(asked: &AskedPath) -> Result<(), Stopped> {
    widen(rustix::stdio::stdout());
    let mut piece = Vec::with_capacity(CHUNK);
    let mut packer = match Packer::open(asked.as_path(), asked.base()) {
        Ok(packer) => packer,
        Err(error) => {
            write::failure(&mut piece, &error.to_string());
            give(&piece)?;
            return Err(stopped(&error));
        }
    };
    let mut more = true;
    while more {
        piece.clear();
        let filled = packer.gather(&mut piece);
        packer.notes().iter().for_each(|note| say(note));
        if let Err(error) = &filled {
            // In the stream too: there it reaches the one who unpacks.
            write::failure(&mut piece, &error.to_string());
        }
        if !give(&piece)? {
            return Ok(());
        }
        packer.send(rustix::stdio::stdout());
        more = filled.map_err(|error| stopped(&error))?;
    }
    Ok(())
}

fn stopped(error: &PackError) -> Stopped {
    Stopped::from_kernel(error.errno(), Ended::Failed, error)
}

/// A pipe as wide as a user may have it: fewer turns between us and the engine.
pub(super) fn widen(pipe: std::os::fd::BorrowedFd<'_>) {
    let _ = rustix::pipe::fcntl_setpipe_size(pipe, 1 << 20);
}
