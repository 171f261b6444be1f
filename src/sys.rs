//! The system calls that no library offers; the only file with `unsafe`, each block with its reason.
#![allow(unsafe_code, reason = "the one file for it: see each block")]

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// The most groups a peer is asked for; the kernel allows 65536, no account here has more than a few.
const MOST_GROUPS: usize = 1024;

/// The supplementary gids of a Unix socket's peer, as they were when it connected (`SO_PEERGROUPS`).
///
/// # Errors
/// Whatever `getsockopt` answers; `ERANGE` where the peer has more than 1024 groups.
pub(crate) fn peer_groups(socket: impl AsFd) -> io::Result<Vec<u32>> {
    let mut gids = vec![libc::gid_t::MIN; MOST_GROUPS];
    let mut length =
        libc::socklen_t::try_from(std::mem::size_of_val(gids.as_slice())).map_err(io::Error::other)?;
    // SAFETY: `gids` is valid for writes of `length` bytes, `length` is its size and outlives the call, and the
    // kernel writes whole gids and sets `length` to how many bytes it wrote.
    let status = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERGROUPS,
            gids.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if status != 0 {
        return Err(io::Error::last_os_error());
    }
    let written = usize::try_from(length).map_err(io::Error::other)? / std::mem::size_of::<libc::gid_t>();
    gids.truncate(written);
    Ok(gids)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_peer_has_the_groups_of_its_process() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let mut seen = peer_groups(&ours).unwrap();
        let mut own: Vec<u32> =
            nix::unistd::getgroups().unwrap().into_iter().map(nix::unistd::Gid::as_raw).collect();
        seen.sort_unstable();
        own.sort_unstable();
        assert_eq!(seen, own);
    }
}
