//! A specification held against the list of what a container of this engine may be made of.
//!
//! It is a list of what is allowed, never of what is not: what no rule here names is refused. What a container does
//! without is taken away: system calls that are not on the list, device nodes and setuid programs in its mounts.
//!
//! All namespaces are there and new, and ids are mapped as the engine's are. Uid, groups and capabilities are a user's.
//! No-new-privileges, limits and a seccomp profile are there. Devices are on root's list, under their own names.
//!
//! Mounts come from stages, plain volumes, this container's own files of the engine's, and files of the gateway's. Each
//! has the options of its kind alone.
//!
//! Taken away and not refused are system calls outside Docker's own profile and paths that Docker masks. So are device
//! nodes and setuid in every mount, and what a hook's environment would tell root's program of its code.

mod hooks;
mod linux;
pub(crate) mod mounts;
mod process;

use super::call::Id;
use super::refused::Refused;
use super::rootfs::RootFs;
use super::site::Site;
use crate::policy::HostGroups;
use mounts::Planned;
use oci_spec::runtime::{LinuxResources, Process, Spec};

/// The specification of a new container, with what it does without taken away, and its mounts apart.
pub(crate) struct Judged {
    pub(crate) spec: Spec,
    pub(crate) mounts: Vec<Planned>,
}

/// Holds all of it against the list.
pub(crate) fn create(
    mut spec: Spec,
    site: &Site,
    id: &Id,
    root: &RootFs,
    groups: &HostGroups,
) -> Result<Judged, Refused> {
    if spec.annotations().as_ref().is_some_and(|annotations| !annotations.is_empty()) {
        return Err(Refused::new("its specification has annotations, which can be orders to runc"));
    }
    let asked = spec.process().as_ref().ok_or_else(|| Refused::new("its specification names no process"))?;
    process::judge(asked, site, groups)?;
    process::place(asked, root)?;
    let owner = asked.user().uid();
    let hooks = spec.hooks().clone().map(|hooks| hooks::judge(hooks, site, id)).transpose()?;
    spec.set_hooks(hooks);
    let linux =
        spec.linux().clone().ok_or_else(|| Refused::new("its specification has no part for Linux"))?;
    spec.set_linux(Some(linux::judge(linux, site, id)?));
    let mounts = mounts::judge(spec.mounts().clone().unwrap_or_default(), site, (id, owner), root)?;
    Ok(Judged { spec, mounts })
}

/// Other limits for a container: each that is said is one.
pub(crate) fn update(resources: &LinuxResources) -> Result<(), Refused> {
    linux::limits_that_are_said(resources)
}

/// A process that joins a container which runs.
pub(crate) fn exec(process: &Process, site: &Site, groups: &HostGroups) -> Result<(), Refused> {
    process::judge(process, site, groups)
}

#[cfg(test)]
mod tests;
