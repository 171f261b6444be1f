//! `--try-idmap DIR`: whether a directory can be staged for one user's ids, found out by trying. Nothing stays mounted.

use super::idmap::{Maps, NO_SHIFT, Others};
use crate::sys::mount_setattr;
use anyhow::Context;
use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::mount::{MountAttrFlags, OpenTreeFlags, open_tree};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::ExitCode;

/// The exit code for a file system that cannot be idmapped; whatever else goes wrong is 1.
const CANNOT: u8 = 3;
/// Any user's id: nothing is done with it.
const ANY_ID: u32 = 1000;

pub(super) fn try_idmap(dir: &Path) -> anyhow::Result<ExitCode> {
    let shown = dir.display();
    let map = Maps::default().of(ANY_ID, &[ANY_ID], NO_SHIFT, Others::Nobody)?;
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let tree = open_tree(CWD, dir, flags).with_context(|| format!("cloning {shown}"))?;
    match mount_setattr(&tree, MountAttrFlags::empty(), Some(map.as_fd())) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::INVAL | Errno::OPNOTSUPP | Errno::PERM) => Ok(ExitCode::from(CANNOT)),
            _ => Err(error).with_context(|| format!("idmapping {shown}")),
        },
    }
}
