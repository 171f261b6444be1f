//! The system calls that no library offers; the only file with `unsafe`, each block with its reason.
#![allow(unsafe_code, reason = "the one file for it: see each block")]

use rustix::mount::MountAttrFlags;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

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

/// Adds attributes to a mount, makes it private, and idmaps it if a user namespace is given. Takes none away.
pub(crate) fn mount_setattr(
    mount: impl AsFd,
    add: MountAttrFlags,
    map: Option<BorrowedFd>,
) -> io::Result<()> {
    let idmap = if map.is_some() { MountAttrFlags::MOUNT_ATTR_IDMAP } else { MountAttrFlags::empty() };
    let attributes = libc::mount_attr {
        attr_set: u64::from((add | idmap).bits()),
        attr_clr: 0,
        propagation: libc::MS_PRIVATE,
        userns_fd: map.map_or(Ok(0), |fd| fd.as_raw_fd().try_into()).map_err(io::Error::other)?,
    };
    // SAFETY: the kernel reads the empty C string and `size_of::<mount_attr>()` bytes of `attributes`, both alive
    // until the call returns, and keeps neither pointer; a descriptor that is no mount is an error, not a hazard.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_fd().as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, StatVfsMountFlags, fstatvfs};
    use rustix::mount::{OpenTreeFlags, open_tree};
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

    #[test]
    fn attributes_are_added_and_none_taken_away() {
        let clone = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        let mount = open_tree(CWD, "/", clone).expect("cloning a mount needs root: run the tests as root");
        mount_setattr(&mount, MountAttrFlags::MOUNT_ATTR_NOSUID, None).unwrap();
        mount_setattr(&mount, MountAttrFlags::MOUNT_ATTR_RDONLY, None).unwrap();
        let flags = fstatvfs(&mount).unwrap().f_flag;
        assert!(flags.contains(StatVfsMountFlags::NOSUID | StatVfsMountFlags::RDONLY), "{flags:?}");
    }

    #[test]
    fn what_is_no_user_namespace_is_refused() {
        let clone = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        let mount = open_tree(CWD, "/", clone).expect("cloning a mount needs root: run the tests as root");
        let file = std::fs::File::open("/proc/self/status").unwrap();
        let error = mount_setattr(&mount, MountAttrFlags::empty(), Some(file.as_fd())).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
    }
}
