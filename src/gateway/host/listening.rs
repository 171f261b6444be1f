//! A Unix socket of the gateway's own, from its path to where it listens.

use anyhow::Context;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener as StdListener;
use std::path::Path;
use tokio::net::UnixListener;

/// A socket left by a gateway that was killed is replaced; one that still answers is another gateway's.
pub(in crate::gateway) fn bind(path: &Path, mode: u32) -> anyhow::Result<StdListener> {
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        anyhow::bail!("another gateway serves {}", path.display());
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot replace {}", path.display()));
        }
        _ => {}
    }
    let listener = StdListener::bind(path).with_context(|| format!("cannot bind {}", path.display()))?;
    fs::set_permissions(path, Permissions::from_mode(mode))
        .with_context(|| format!("cannot set the mode of {}", path.display()))?;
    Ok(listener)
}

pub(in crate::gateway) fn listening(listener: StdListener, backlog: i32) -> anyhow::Result<UnixListener> {
    rustix::net::listen(&listener, backlog).context("cannot listen")?;
    listener.set_nonblocking(true).context("cannot make a socket non-blocking")?;
    UnixListener::from_std(listener).context("cannot watch a socket")
}
