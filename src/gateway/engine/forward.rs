//! Raw streams: both sides upgraded, then bytes copied both ways without a look at them.

use super::lane::{Lane, Left};
use hyper::upgrade::{OnUpgrade, Parts, Upgraded};
use hyper_util::rt::TokioIo;
use std::io;
use tokio::io::{AsyncWriteExt, Interest};
use tokio::net::UnixStream;

/// How many bytes one direction has in hand; a page is only taken when it is used.
const BUFFER: usize = 256 << 10;

/// What is read at once when there is much to come: a lane is worth it then.
const BULK: usize = 64 << 10;

/// Copies between a caller and the engine until the engine ends, or the caller is gone.
///
/// A caller that closes its sending side only (end of stdin) still gets everything the engine has to say.
pub(in crate::gateway) async fn splice(caller: OnUpgrade, engine: OnUpgrade) -> io::Result<()> {
    let (caller, engine) = tokio::try_join!(caller, engine).map_err(io::Error::other)?;
    let ((mut caller, from_caller), (mut engine, from_engine)) = (plain(caller)?, plain(engine)?);
    engine.write_all(&from_caller).await?;
    caller.write_all(&from_engine).await?;
    let (caller, engine) = (&caller, &engine);
    let up = async {
        pump(caller, engine).await?;
        rustix::net::shutdown(engine, rustix::net::Shutdown::Write)?;
        // Only a caller that has closed both ways, or is dead, raises this.
        gone(caller).await
    };
    let down = async {
        pump(engine, caller).await?;
        rustix::net::shutdown(caller, rustix::net::Shutdown::Write)?;
        Ok(())
    };
    tokio::select! {
        ended = down => ended,
        ended = up => ended,
    }
}

/// The raw connection of an engine's answer, for the gateway's own use.
pub(in crate::gateway) async fn raw_socket(
    mut answer: hyper::Response<hyper::body::Incoming>,
) -> io::Result<(UnixStream, bytes::Bytes)> {
    raw(hyper::upgrade::on(&mut answer)).await
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

/// Copies until `from` ends. Back pressure is the sockets' own: nothing is read that was not yet written.
pub(in crate::gateway) async fn pump(from: &UnixStream, to: &UnixStream) -> io::Result<()> {
    let mut buffer = Vec::new();
    loop {
        from.readable().await?;
        // Idle connections hold no buffer.
        if buffer.is_empty() {
            buffer = vec![0; BUFFER];
        }
        let count = match from.try_read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error),
        };
        write_all(to, buffer.get(..count).unwrap_or_default()).await?;
        if count < BUFFER / 64 {
            buffer = Vec::new();
        }
        if count >= BULK
            && let Ok(lane) = Lane::open()
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
