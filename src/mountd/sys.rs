//! `mount_setattr`, the one system call for which no crate has a safe word.
#![allow(unsafe_code, reason = "the call takes a pointer and its size; this is the only file that may")]

use rustix::mount::MountAttrFlags;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// Adds attributes to a mount, makes it private, and idmaps it if a user namespace is given. Takes none away.
pub(super) fn mount_setattr(
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
