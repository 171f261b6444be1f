//! The gateway's channel, in place of the exec's own streams.

use super::Stopped;
use crate::protocol::copying::Ended;
use crate::protocol::layout;
use crate::protocol::nonce::Nonce;
use crate::protocol::told::told;
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use rustix::stdio;
use std::path::Path;

/// Connects, says the nonce, and is on stdin and stdout from then on.
pub(super) fn take(nonce: &Nonce) -> Result<(), Stopped> {
    let away =
        |errno: Errno| Stopped::new(Ended::NoChannel, told!("the gateway's channel is not there: {errno}"));
    let socket = net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
        .map_err(away)?;
    let path = Path::new(layout::CHANNEL_IN_CONTAINER).join(layout::CHANNEL_SOCKET);
    let address = SocketAddrUnix::new(path).map_err(away)?;
    retry_on_intr(|| net::connect(&socket, &address)).map_err(away)?;
    // Into an empty buffer, and the nonce is short: all of it or nothing.
    retry_on_intr(|| rustix::io::write(&socket, nonce.as_str().as_bytes())).map_err(away)?;
    stdio::dup2_stdin(&socket).and_then(|()| stdio::dup2_stdout(&socket)).map_err(away)
}
