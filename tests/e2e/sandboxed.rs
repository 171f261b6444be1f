//! A sandbox around the engine that takes what ie-runc lives by: whoever starts a container reads which setting does.

use crate::suite::{tests, world_alone};

tests![alone what_the_engines_sandbox_has_taken_is_told];

fn what_the_engines_sandbox_has_taken_is_told() {
    let world = world_alone();
    let ann = world.newcomer("ann");
    for (taken, step, setting) in [
        ("openat2=ENOSYS", "openat2", "RestrictSUIDSGID="),
        ("openat2=EPERM", "openat2", "SystemCallFilter="),
        ("unshare=EPERM", "a mount namespace", "RestrictNamespaces="),
        ("open_tree=EPERM", "open_tree", "SystemCallFilter= in its unit must have @mount"),
        ("mount_setattr=ENOSYS", "mount_setattr", "SystemCallErrorNumber=ENOSYS"),
        ("move_mount=EPERM", "move_mount", "@mount"),
        ("setfsuid=EPERM", "taking on a user's ids", "CAP_SETUID"),
    ] {
        let _filtered = world.ie_runc_without(taken);
        let told = format!("in the engine's sandbox {step} does not work here");
        let refused = ann.run("run --rm busybox:test true");
        refused.says(&["ie-runc refuses this container", &told, setting]).fails(125);
    }
    ann.run("run --rm busybox:test true").ok();
}
