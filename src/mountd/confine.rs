//! What ie-mountd insists on before it starts, and what it gives up.

use crate::sandbox::Need;
use anyhow::{Context, ensure};
use rustix::process::{chdir, umask};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capability_is_in_bounding_set, remove_capability_from_bounding_set,
    set_capabilities, set_no_new_privs,
};

/// SYS_ADMIN: to clone, idmap and attach mounts. SETUID and SETGID: to open a directory as its user, and to write the
/// user's ids into the maps of a user namespace. Nothing here reads past a file's mode, so DAC_* is not among them.
const NEEDED: CapabilitySet =
    CapabilitySet::SYS_ADMIN.union(CapabilitySet::SETUID).union(CapabilitySet::SETGID);

/// Root, and in the initial user namespace: in another one every peer is 65534 and no file system can be idmapped.
pub(super) fn insist_on_root() -> anyhow::Result<()> {
    ensure!(
        rustix::process::geteuid().is_root(),
        "this program mounts directories and must be started as root"
    );
    let map = std::fs::read_to_string("/proc/self/uid_map").context("reading /proc/self/uid_map")?;
    ensure!(
        map.split_whitespace().eq(["0", "0", "4294967295"]),
        "this program was started in a user namespace; start it in the initial one, PrivateUsers= must not be in its unit"
    );
    Ok(())
}

/// Gives up what is not needed, for this thread and all it starts: to be called before there is a second one.
pub(super) fn give_up_the_rest() -> anyhow::Result<()> {
    umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    chdir("/").context("changing to /")?;
    set_no_new_privs(true).context("setting no-new-privileges")?;
    for capability in CapabilitySet::all().difference(NEEDED).iter() {
        // An error says that this kernel does not know the capability.
        if capability_is_in_bounding_set(capability).unwrap_or(false) {
            remove_capability_from_bounding_set(capability).context("giving up a capability")?;
        }
    }
    let sets = CapabilitySets { effective: NEEDED, permitted: NEEDED, inheritable: CapabilitySet::empty() };
    let kept = set_capabilities(None, sets);
    Ok(Need::Capabilities.tried("keeping CAP_SYS_ADMIN, CAP_SETUID and CAP_SETGID", kept)?)
}
