//! The trial: what ie-mountd lives by is done once before it serves, on ground of its own. A sandbox that has taken any of
//! it is told then, in one sentence, and not by each user's container.

use super::error::Error;
use super::idmap::{Maps, NO_SHIFT, Others};
use super::open::{become_user, look_at_root};
use super::stage::{Stages, make_wrapper};
use crate::mountinfo::{Mount, mounts_of};
use crate::protocol::stage::Token;
use crate::sandbox::{Lacking, Need};
use crate::sys::mount_setattr;
use anyhow::{Context, bail};
use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::mount::{MountAttrFlags, OpenTreeFlags, open_tree};
use rustix::rand::{GetRandomFlags, getrandom};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::thread;

/// Nobody's ids, to take on and to map.
const NOBODY: u32 = 65534;

/// What needs no ground.
pub(super) fn of_calls() -> anyhow::Result<()> {
    Need::Openat2.tried("openat2", look_at_root())?;
    let took_on = thread::spawn(|| become_user(NOBODY, &[NOBODY])).join();
    let took_on = took_on.unwrap_or_else(|_| Err(Error::system("a thread")(Errno::INVAL)));
    Need::Identity.tried("taking on a user's ids", took_on.map_err(Error::cause))?;
    let map = Maps::default().of(NOBODY, &[NOBODY], NO_SHIFT, Others::Nobody).map_err(Error::cause);
    let map = Need::UserNamespace.tried("a user namespace", map)?;
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    Need::Mounts.tried("open_tree", open_tree(CWD, "/", flags))?;
    let memory = Need::Mounts.tried("mounting a file system of memory", make_wrapper("", &[], &[]))?;
    Ok(idmapped(&memory, &map)?)
}

/// Memory that cannot be idmapped, as before Linux 6.3, says so, and is no fault of the sandbox's.
fn idmapped(memory: &OwnedFd, map: &Arc<OwnedFd>) -> Result<(), Lacking> {
    let cannot = [libc::EINVAL, libc::EOPNOTSUPP];
    match mount_setattr(memory, MountAttrFlags::empty(), Some(map.as_fd())) {
        Err(error) if error.raw_os_error().is_some_and(|errno| cannot.contains(&errno)) => Ok(()),
        mapped => Need::Mounts.tried("an idmapped mount", mapped),
    }
}

/// A stage that is made, seen from outside and taken away.
pub(super) fn of_a_stage(stages: &Stages) -> anyhow::Result<()> {
    let mut random = [0; 16];
    getrandom(&mut random, GetRandomFlags::empty()).context("drawing a name for a trial")?;
    let token = Token::from_bytes(random);
    let made = stages.hollow(&token, &[]).map(drop).map_err(Error::cause);
    let made = Need::Mounts.tried("making a stage", made);
    let seen = made.as_ref().map(|()| is_seen_outside(&token)).unwrap_or(Ok(true));
    let gone = stages.unstage(&token).map_err(Error::cause);
    made?;
    Need::Mounts.tried("taking a stage away", gone)?;
    if !seen.context("reading the host's table of mounts")? {
        bail!(
            "what is mounted here is not seen by the rest of the host: its unit gives it a mount namespace of its own, \
             by PrivateMounts=, ProtectSystem=, ProtectHome=, PrivateTmp=, PrivateDevices=, ReadWritePaths= or the like, \
             none of which may be there"
        );
    }
    Ok(())
}

/// Whether the first process of the host sees it. By its name, which nothing else has: in another namespace the same mount
/// has another number, and behind another root another path. Where /proc hides that process there is no telling.
fn is_seen_outside(token: &Token) -> io::Result<bool> {
    let is_it = |mount: &Mount| mount.at.file_name().is_some_and(|name| name == token.as_str());
    match mounts_of("1") {
        Ok(table) => Ok(table.iter().any(is_it)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => {
            Ok(true)
        }
        Err(error) => Err(error),
    }
}
