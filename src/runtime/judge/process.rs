//! Who a process is, and that nothing makes it more than that.

use super::super::refused::Refused;
use super::super::rootfs::RootFs;
use super::super::site::Site;
use crate::policy::HostGroups;
use oci_spec::runtime::Process;
use std::path::{Component, Path};

/// What the kernel shows of itself: nobody begins to work there.
pub(super) const KERNELS: [&str; 3] = ["/proc", "/sys", "/dev"];

pub(super) fn judge(process: &Process, site: &Site, groups: &HostGroups) -> Result<(), Refused> {
    let user = process.user();
    let (uid, gid) = (user.uid(), user.gid());
    if !site.uids().contains(uid) {
        return Err(Refused::new(format!("a process of uid {uid} is none of the users of this engine")));
    }
    let mut gids = user.additional_gids().iter().flatten().copied().chain([gid]);
    if let Some(gid) = gids.find(|gid| groups.contains(*gid)) {
        return Err(Refused::new(format!("a process in group {gid}, which is the host's own")));
    }
    capabilities(process)?;
    if process.no_new_privileges() != Some(true) {
        return Err(Refused::new("a process without no-new-privileges"));
    }
    confined(process, site)?;
    if process.oom_score_adj().is_some_and(|score| score < 0) {
        return Err(Refused::new("a process that the kernel spares when memory is short"));
    }
    let cwd = process.cwd();
    let upwards = cwd.components().any(|part| part == Component::ParentDir);
    if !cwd.is_absolute() || upwards || kernels(cwd) {
        return Err(Refused::new(format!("a process cannot begin in {}", cwd.display())));
    }
    Ok(())
}

/// Where it begins is where its words say: runc makes what is missing there as root.
pub(super) fn place(process: &Process, root: &RootFs) -> Result<(), Refused> {
    let cwd = process.cwd();
    let landing = root.landing(cwd)?;
    match &landing.link {
        Some((link, target)) => Err(Refused::new(format!(
            "the working directory {} leads through the image's link {} to {}: name {} itself",
            cwd.display(),
            link.display(),
            target.display(),
            landing.path.display()
        ))),
        None if kernels(&landing.path) => {
            Err(Refused::new(format!("a process cannot begin in {}", landing.path.display())))
        }
        None => Ok(()),
    }
}

/// In one of the profiles and with one of the types that root has named, where the host has such walls at all.
fn confined(process: &Process, site: &Site) -> Result<(), Refused> {
    match process.apparmor_profile().as_deref().filter(|profile| !profile.is_empty()) {
        Some(profile) if !site.apparmor().iter().any(|known| known == profile) => {
            return Err(Refused::new(format!(
                "a process with the AppArmor profile {profile:?}, which `apparmor` in ie-runc's runtime.toml does not name"
            )));
        }
        _ => {}
    }
    labelled(process.selinux_label().as_deref(), site)
}

/// A label is `user:role:type:level`; its type is what decides.
pub(super) fn labelled(label: Option<&str>, site: &Site) -> Result<(), Refused> {
    let Some(label) = label.filter(|label| !label.is_empty()) else { return Ok(()) };
    match label.split(':').nth(2) {
        Some(kind) if site.selinux().iter().any(|known| known == kind) => Ok(()),
        _ => Err(Refused::new(format!(
            "the SELinux label {label:?}, whose type `selinux` in ie-runc's runtime.toml does not name"
        ))),
    }
}

fn kernels(path: &Path) -> bool {
    KERNELS.iter().any(|kernels| path.starts_with(kernels))
}

fn capabilities(process: &Process) -> Result<(), Refused> {
    let Some(sets) = process.capabilities() else { return Ok(()) };
    let sets = [sets.bounding(), sets.effective(), sets.inheritable(), sets.permitted(), sets.ambient()];
    match sets.into_iter().flatten().flatten().next() {
        Some(capability) => Err(Refused::new(format!("a process with the capability {capability:?}"))),
        None => Ok(()),
    }
}
