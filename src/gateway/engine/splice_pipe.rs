//! A lane between two sockets: pages go from one to the other without being copied, or seen.

use super::forward::{Broken, Source};
use crate::sandbox::{Lacking, Need};
use rustix::io::retry_on_intr;
use rustix::pipe::{PipeFlags, SpliceFlags, pipe_with, splice};
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::UnixStream;

/// How many bytes pass at once: what a pipe holds unasked, and two whole reads of the engine's.
const PASS: usize = 64 << 10;
/// Of fewer bytes than these, a page that changes hands costs more than one that is copied.
const TRICKLE: usize = 16 << 10;
/// How many small passes in a row are a trickle, and how long a silence is one.
const PATIENCE: (u32, Duration) = (8, Duration::from_secs(1));

/// A pipe: the kernel moves pages only through one. It is empty whenever a pass is over.
pub(super) struct SplicePipe {
    entry: OwnedFd,
    exit: OwnedFd,
}

/// Why a lane is left.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// The sender has ended.
    End,
    /// What comes is not worth a lane's two descriptors any more.
    Trickle,
}

impl SplicePipe {
    pub(super) fn open() -> io::Result<Self> {
        let (exit, entry) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        Ok(Self { entry, exit })
    }

    /// Carries on while there is much. Back pressure is the sockets' own: nothing is taken before all was given.
    pub(super) async fn carry(&self, from: &impl Source, to: &UnixStream) -> Result<Left, Broken> {
        let (most_small, silence) = PATIENCE;
        let mut small = 0;
        while small < most_small {
            match tokio::time::timeout(silence, from.socket().readable()).await {
                Ok(ready) => ready.map_err(Broken::Reading)?,
                Err(_) => break,
            }
            match from.socket().try_io(Interest::READABLE, || pass(from.socket(), &self.entry, PASS)) {
                Ok(0) => return Ok(Left::End),
                Ok(taken) => {
                    from.took();
                    small = if taken < TRICKLE { small + 1 } else { 0 };
                    self.give(taken, to).await.map_err(Broken::Writing)?;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(Broken::Reading(error)),
            }
        }
        Ok(Left::Trickle)
    }

    async fn give(&self, mut held: usize, to: &UnixStream) -> io::Result<()> {
        while held > 0 {
            to.writable().await?;
            match to.try_io(Interest::WRITABLE, || pass(&self.exit, to, held)) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(given) => held = held.saturating_sub(given),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn pass(from: impl std::os::fd::AsFd, to: impl std::os::fd::AsFd, most: usize) -> io::Result<usize> {
    let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
    Ok(retry_on_intr(|| splice(&from, None, &to, None, most, flags))?)
}

/// Whether a lane carries here: a byte goes through one, from a socket to its other end.
pub(in crate::gateway) fn can_carry() -> Result<(), Lacking> {
    let need = Need::Splice;
    let (near, far) = need.tried("a socket", std::os::unix::net::UnixStream::pair())?;
    let lane = need.tried("a pipe", SplicePipe::open())?;
    need.tried("writing to a socket", rustix::io::write(&near, b"x"))?;
    need.tried("splice", pass(&far, &lane.entry, 1))?;
    need.tried("splice", pass(&lane.exit, &far, 1)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// Lets `send` write to a lane and gives what came out, with how it was left.
    async fn carried<F: Future<Output = UnixStream>>(send: impl FnOnce(UnixStream) -> F) -> (Vec<u8>, Left) {
        let ((near, from), (to, mut far)) = (UnixStream::pair().unwrap(), UnixStream::pair().unwrap());
        let carry = async move { SplicePipe::open().unwrap().carry(&from, &to).await.unwrap() };
        let mut came = Vec::new();
        let (sender, left, _) = tokio::join!(send(near), carry, far.read_to_end(&mut came));
        drop(sender);
        (came, left)
    }

    #[tokio::test]
    async fn what_goes_in_comes_out() {
        let bytes: Vec<u8> =
            (0..3_000_001_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
        let (came, left) = carried(async |mut to| {
            for piece in bytes.chunks(100_003) {
                to.write_all(piece).await.unwrap();
            }
            to.shutdown().await.unwrap();
            to
        })
        .await;
        assert!(came == bytes, "{} of {} bytes, or others", came.len(), bytes.len());
        assert_eq!(left, Left::End);
    }

    #[tokio::test]
    async fn a_trickle_and_a_silence_leave_it() {
        let (came, left) = carried(async |mut to| {
            for _ in 0..8 {
                to.write_all(b"x").await.unwrap();
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            to
        })
        .await;
        assert_eq!((came.as_slice(), left), (&b"xxxxxxxx"[..], Left::Trickle));
        let (came, left) = carried(async |to| to).await;
        assert_eq!((came.as_slice(), left), (&b""[..], Left::Trickle));
    }

    #[tokio::test]
    async fn a_receiver_that_is_gone_is_an_error() {
        let ((mut near, from), (to, far)) = (UnixStream::pair().unwrap(), UnixStream::pair().unwrap());
        drop(far);
        near.write_all(b"x").await.unwrap();
        let error = SplicePipe::open().unwrap().carry(&from, &to).await.unwrap_err();
        assert!(matches!(error, Broken::Writing(error) if error.kind() == io::ErrorKind::BrokenPipe));
    }
}
