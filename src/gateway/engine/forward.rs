//! Raw streams: both sides upgraded, then bytes copied both ways without a look at them.
//!
//! Attach and exec are joined socket to socket and never decoded.

use super::raw::Raw;
use super::splice_pipe::{Left, SplicePipe};
use super::terminals::Notices;
use hyper::upgrade::{OnUpgrade, Parts, Upgraded};
use hyper_util::rt::TokioIo;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::io::Interest;
use tokio::net::UnixStream;

/// How many bytes one direction has in hand; a page is only taken when it is used.
const BUFFER: usize = 256 << 10;

/// How many bytes are read at once when there is much to come: a lane is worth it then.
const BULK: usize = 64 << 10;

/// What a caller had done when the engine ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gateway) enum CallerSide {
    /// Could still send.
    Open,
    /// Had ended its sending side.
    Silent,
}

/// Where bytes come from.
pub(in crate::gateway) trait Source: Sync {
    fn socket(&self) -> &UnixStream;
    /// Some of them were taken.
    fn took(&self) {}
}

impl Source for UnixStream {
    fn socket(&self) -> &UnixStream {
        self
    }
}

/// Copies between a caller and the engine until the engine ends; that the caller went before is an error.
///
/// A caller that closes its sending side only (end of stdin) still gets everything the engine has to say.
pub(in crate::gateway) async fn splice(
    caller: OnUpgrade,
    printed: Option<Raw>,
    engine: impl Future<Output = Option<Raw>>,
    mut notices: Option<Notices>,
) -> io::Result<CallerSide> {
    let (caller, from_caller) = raw(caller).await?;
    let mut engine = tokio::select! {
        engine = come(printed, engine, &caller) => engine?,
        said = say(&mut notices, &caller) => return Err(said),
        looked = gone(&caller) => return Err(looked.err().unwrap_or(io::ErrorKind::NotConnected.into())),
    };
    let from_engine = engine.take_first();
    let (caller, engine) = (&caller, &engine);
    write_all(engine, &from_caller).await?;
    write_all(caller, &from_engine).await?;
    let is_silent = AtomicBool::new(false);
    let up = async {
        match pump(caller, engine.socket()).await {
            Ok(()) => {
                is_silent.store(true, Ordering::Relaxed);
                rustix::net::shutdown(engine.socket(), rustix::net::Shutdown::Write)?;
            }
            // The engine takes no more; what it has still to say is the other direction's.
            Err(Broken::Writing(_)) => {}
            Err(Broken::Reading(error)) => return Err(error),
        }
        std::future::pending().await
    };
    let down = async {
        deliver(engine, caller, &mut notices).await.map_err(Broken::into_inner)?;
        // An engine closes a terminal's stream at once when nobody sends any more: that the caller has gone came first.
        if is_gone(caller)? {
            return Err(io::ErrorKind::NotConnected.into());
        }
        rustix::net::shutdown(caller, rustix::net::Shutdown::Write)?;
        Ok(if is_silent.load(Ordering::Relaxed) { CallerSide::Silent } else { CallerSide::Open })
    };
    tokio::select! {
        ended = down => ended,
        ended = up => ended,
        // Also while a process does not take what was sent to it.
        looked = gone(caller) => looked.and(Err(io::ErrorKind::NotConnected.into())),
    }
}

/// The engine's connection, once it is there, after what was printed before.
async fn come(
    printed: Option<Raw>,
    engine: impl Future<Output = Option<Raw>>,
    caller: &UnixStream,
) -> io::Result<Raw> {
    if let Some(mut printed) = printed {
        write_all(caller, &printed.take_first()).await?;
        pump(&printed, caller).await.map_err(Broken::into_inner)?;
    }
    // There is no start any more: the caller hears the end, as of a container that has ended.
    engine.await.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// What is said to the caller's terminal meanwhile; it ends when the caller takes no more.
async fn say(notices: &mut Option<Notices>, caller: &UnixStream) -> io::Error {
    while let Some(waiting) = notices {
        match waiting.recv().await {
            Some(notice) => {
                if let Err(error) = write_all(caller, &notice).await {
                    return error;
                }
            }
            None => *notices = None,
        }
    }
    std::future::pending().await
}

/// The socket that an upgrade leaves, and what was read of it already.
pub(in crate::gateway) async fn raw(upgrade: OnUpgrade) -> io::Result<(UnixStream, bytes::Bytes)> {
    plain(upgrade.await.map_err(io::Error::other)?)
}

/// The socket below an upgraded connection, and what was read of it already.
fn plain(upgraded: Upgraded) -> io::Result<(UnixStream, bytes::Bytes)> {
    let Parts { io, read_buf, .. } = upgraded
        .downcast::<TokioIo<UnixStream>>()
        .map_err(|_| io::Error::other("an upgraded connection is no Unix socket"))?;
    Ok((io.into_inner(), read_buf))
}

/// Which side of a copy is gone.
#[derive(Debug)]
pub(in crate::gateway) enum Broken {
    Reading(io::Error),
    Writing(io::Error),
}

impl Broken {
    fn into_inner(self) -> io::Error {
        match self {
            Self::Reading(error) | Self::Writing(error) => error,
        }
    }
}

/// Copies until the engine ends, with what is said to the caller's terminal in between.
async fn deliver(engine: &Raw, caller: &UnixStream, notices: &mut Option<Notices>) -> Result<(), Broken> {
    while let Some(waiting) = notices {
        // Waiting alone is given up for a notice: nothing has been read that could be lost.
        tokio::select! {
            ready = engine.readable() => ready.map_err(Broken::Reading)?,
            notice = waiting.recv() => {
                match notice {
                    Some(notice) => write_all(caller, &notice).await.map_err(Broken::Writing)?,
                    None => *notices = None,
                }
                continue;
            }
        }
        let mut buffer = vec![0; BUFFER];
        match engine.try_read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => {
                engine.took();
                let bytes = buffer.get(..count).unwrap_or_default();
                write_all(caller, bytes).await.map_err(Broken::Writing)?;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(Broken::Reading(error)),
        }
    }
    pump(engine, caller).await
}

/// Copies until `from` ends. Back pressure is the sockets' own: nothing is read that was not yet written.
pub(in crate::gateway) async fn pump(from: &impl Source, to: &UnixStream) -> Result<(), Broken> {
    let mut buffer = Vec::new();
    loop {
        from.socket().readable().await.map_err(Broken::Reading)?;
        // Idle connections hold no buffer.
        if buffer.is_empty() {
            buffer = vec![0; BUFFER];
        }
        let count = match from.socket().try_read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(Broken::Reading(error)),
        };
        from.took();
        write_all(to, buffer.get(..count).unwrap_or_default()).await.map_err(Broken::Writing)?;
        if count < BUFFER / 64 {
            buffer = Vec::new();
        }
        if count >= BULK
            && let Ok(lane) = SplicePipe::open()
        {
            buffer = Vec::new();
            if lane.carry(from, to).await? == Left::End {
                return Ok(());
            }
        }
    }
}

async fn write_all(to: &UnixStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        to.writable().await?;
        match to.try_write(bytes) {
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether the other end is closed both ways, just now.
fn is_gone(stream: &UnixStream) -> io::Result<bool> {
    let mut asked = [PollFd::new(stream, PollFlags::empty())];
    retry_on_intr(|| poll(&mut asked, Some(&Timespec::default())))?;
    let [told] = asked;
    Ok(told.revents().intersects(PollFlags::HUP | PollFlags::ERR))
}

/// Completes when the other end is closed both ways.
async fn gone(stream: &UnixStream) -> io::Result<()> {
    loop {
        let ready = stream.ready(Interest::ERROR.add(Interest::WRITABLE)).await?;
        if ready.is_write_closed() || ready.is_error() {
            return Ok(());
        }
        // Writable is no news here: look again when something may have changed.
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
}
