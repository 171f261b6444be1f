//! The two sockets: inherited from systemd, or bound here; and the signals that end or reload the gateway.

use crate::gateway::host::listening::{bind, listening};
use crate::gateway::options::Options;
use anyhow::Context;
use listenfd::ListenFd;
use std::fs::{self, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::UnixListener as StdListener;
use std::path::Path;
use tokio::net::UnixListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// 128 waiting connections, the default, were filled by one uid; more are taken in and judged.
const BACKLOG: i32 = 4096;

/// The user socket, open to everyone, and the admin socket, behind a directory that only root can pass.
pub(in crate::gateway) struct Sockets {
    pub(in crate::gateway) user: UnixListener,
    pub(in crate::gateway) admin: UnixListener,
}

impl Sockets {
    /// systemd hands over both, in whatever order; without systemd both are bound here.
    pub(in crate::gateway) fn bind(options: &Options) -> anyhow::Result<Self> {
        let (mut user, mut admin) = (None, None);
        for listener in inherited()? {
            let path = listener.local_addr()?.as_pathname().map(Path::to_owned).unwrap_or_default();
            // By its path: the wrong way round, users would be refused and root would have no admin socket.
            let place = if path.ends_with("admin.sock") { &mut admin } else { &mut user };
            anyhow::ensure!(
                place.is_none(),
                "two inherited sockets for one purpose, {} is one",
                path.display()
            );
            *place = Some(listener);
        }
        let user = user.map_or_else(|| bind(&options.user_socket(), 0o666), Ok)?;
        let admin = match admin {
            Some(listener) => listener,
            None => {
                make_admin_dir(options)?;
                bind(&options.admin_socket(), 0o600)?
            }
        };
        Ok(Self { user: listening(user, BACKLOG)?, admin: listening(admin, BACKLOG)? })
    }
}

fn inherited() -> anyhow::Result<Vec<StdListener>> {
    let mut fds = ListenFd::from_env();
    let count = fds.len();
    let take = |index| fds.take_unix_listener(index).context("an inherited descriptor is no Unix socket");
    Ok((0..count).map(take).collect::<anyhow::Result<Vec<_>>>()?.into_iter().flatten().collect())
}

fn make_admin_dir(options: &Options) -> anyhow::Result<()> {
    let dir = options.runtime_dir.join("admin");
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&dir)
        .and_then(|()| fs::set_permissions(&dir, Permissions::from_mode(0o700)))
        .with_context(|| format!("cannot make {}", dir.display()))
}

/// Tells systemd, where there is one.
pub(in crate::gateway) fn say_ready() {
    if let Err(error) = sd_notify::notify(&[sd_notify::NotifyState::Ready]) {
        tracing::warn!("cannot tell systemd that the gateway is ready: {error}");
    }
}

/// SIGHUPs from now on.
pub(in crate::gateway) fn hangups() -> anyhow::Result<Signal> {
    signal(SignalKind::hangup()).context("cannot watch SIGHUP")
}

/// Completes on SIGTERM or SIGINT, from now on.
pub(in crate::gateway) fn shutdown() -> anyhow::Result<impl Future<Output = ()>> {
    let watch = |kind| signal(kind).context("cannot watch SIGTERM and SIGINT");
    let (mut term, mut int) = (watch(SignalKind::terminate())?, watch(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
    })
}
