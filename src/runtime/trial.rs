//! What ie-runc lives by, tried once something has failed: a sandbox around the engine that has taken any of it is told then,
//! with the setting that does. Tried at each start it would cost each container time.

use crate::sandbox::{Lacking, Need};
use crate::sys::mount_setattr;
use nix::sched::CloneFlags;
use nix::unistd::{Uid, setfsuid};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;
use rustix::mount::{
    MountAttrFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, mount_change, move_mount, open_tree,
};

/// Nobody's id, to take on.
const NOBODY: Uid = Uid::from_raw(65534);

/// The process changes its own mounts and nothing else, and is to end.
pub(super) fn of_calls() -> Result<(), Lacking> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Need::Openat2.tried("openat2", openat2(CWD, "/", flags, Mode::empty(), ResolveFlags::NO_SYMLINKS))?;
    Need::MountNamespace.tried("a mount namespace", nix::sched::unshare(CloneFlags::CLONE_NEWNS))?;
    let alone = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
    Need::Mounts.tried("mount", mount_change("/", alone))?;
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let tree = Need::Mounts.tried("open_tree", open_tree(CWD, "/", flags))?;
    Need::Mounts.tried("mount_setattr", mount_setattr(&tree, MountAttrFlags::MOUNT_ATTR_NOSUID, None))?;
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    Need::Mounts.tried("move_mount", move_mount(&tree, "", CWD, "/", flags))?;
    Need::Identity.tried("taking on a user's ids", take_on())
}

/// The call tells of no failure; asking for what is no id tells what holds.
fn take_on() -> Result<(), Errno> {
    let own = setfsuid(NOBODY);
    let took = setfsuid(Uid::from_raw(u32::MAX)) == NOBODY;
    setfsuid(own);
    if took { Ok(()) } else { Err(Errno::PERM) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So that what failed for another reason is told as that alone.
    #[test]
    fn where_nothing_is_taken_nothing_is_told() {
        // In a mount namespace of the test's own thread.
        let tried = std::thread::spawn(of_calls).join().unwrap();
        assert!(tried.is_ok(), "needs root: run the tests as root: {tried:?}");
    }
}
