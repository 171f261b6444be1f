//! A specification held against the list of what a container of this engine may be made of.
//!
//! It is a list of what is allowed, never of what is not: what no rule here names is refused. What a container does
//! without is taken away: system calls that are not on the list, device nodes and setuid programs in its mounts.

mod hooks;
mod linux;
mod mounts;
mod process;

use super::call::Id;
use super::refused::Refused;
use super::rootfs::RootFs;
use super::site::Site;
use crate::policy::HostGroups;
use oci_spec::runtime::{Process, Spec};

/// The specification of a new container, with what it does without taken away.
pub(crate) fn create(
    mut spec: Spec,
    site: &Site,
    id: &Id,
    root: &RootFs,
    groups: &HostGroups,
) -> Result<Spec, Refused> {
    if spec.annotations().as_ref().is_some_and(|annotations| !annotations.is_empty()) {
        return Err(Refused::new("its specification has annotations, which can be orders to runc"));
    }
    let asked = spec.process().as_ref().ok_or_else(|| Refused::new("its specification names no process"))?;
    process::judge(asked, site, groups)?;
    process::place(asked, root)?;
    hooks::judge(spec.hooks().as_ref(), site, id)?;
    let linux =
        spec.linux().clone().ok_or_else(|| Refused::new("its specification has no part for Linux"))?;
    spec.set_linux(Some(linux::judge(linux, site, id)?));
    let mounts = spec.mounts().clone().unwrap_or_default();
    spec.set_mounts(Some(mounts::judge(mounts, site, id, root)?));
    Ok(spec)
}

/// A process that joins a container which runs.
pub(crate) fn exec(process: &Process, site: &Site, groups: &HostGroups) -> Result<(), Refused> {
    process::judge(process, site, groups)
}

#[cfg(test)]
mod tests;
