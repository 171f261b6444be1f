//! A pipe of our own between a socket and a file: contents go from one to the other without being copied through our memory.

use super::destination::Unnamed;
use rustix::io::{Errno, retry_on_intr};
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

pub(super) struct Pass {
    read: OwnedFd,
    write: OwnedFd,
}

/// What one turn came to: bytes that are in the file, and bytes that the file did not take.
pub(super) struct Turn {
    pub(super) moved: usize,
    pub(super) rest: Vec<u8>,
}

impl Pass {
    pub(super) fn open(width: usize) -> Result<Self, Errno> {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
        // As wide as the user may have it.
        let _ = fcntl_setpipe_size(&write, width);
        Ok(Self { read, write })
    }

    /// Moves what is there, `most` bytes at most; nothing at the socket's end.
    pub(super) fn turn(&self, from: BorrowedFd<'_>, to: &Unnamed, most: usize) -> Result<Turn, Errno> {
        let came = retry_on_intr(|| splice(from, None, &self.write, None, most, SpliceFlags::MOVE))?;
        let mut moved = 0;
        while moved < came {
            match to.draw(self.read.as_fd(), came - moved) {
                Ok(some) if some > 0 => moved += some,
                // A full disk: whoever writes these bytes hears the reason.
                Ok(_) | Err(_) => return Ok(Turn { moved, rest: self.rest(came - moved)? }),
            }
        }
        Ok(Turn { moved, rest: Vec::new() })
    }

    fn rest(&self, left: usize) -> Result<Vec<u8>, Errno> {
        let mut rest = Vec::with_capacity(left);
        while rest.len() < left {
            let got =
                retry_on_intr(|| rustix::io::read(&self.read, rustix::buffer::spare_capacity(&mut rest)))?;
            if got == 0 {
                break;
            }
        }
        Ok(rest)
    }
}
