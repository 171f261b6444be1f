//! The gateway's state directory on a file system of its own, so small that it can be filled.

use super::World;
use super::tools::step;
use std::fs::{self, File};
use std::io::Write;
use std::process::Command;

/// While it is there; the gateway is started anew for it, and ended with it.
pub(crate) struct SmallState<'w>(&'w World);

impl World {
    pub(crate) fn small_state(&self) -> SmallState<'_> {
        self.gateway.kill();
        let owner = format!("size=1m,mode=0700,uid={0},gid={0}", self.gateway_uid);
        step(Command::new("mount").args(["-t", "tmpfs", "-o", &owner, "state"]).arg(self.state_dir()))
            .unwrap();
        let small = SmallState(self);
        self.start_gateway().unwrap();
        small
    }
}

impl SmallState<'_> {
    /// Until nothing more goes in.
    pub(crate) fn fill(&self) {
        let mut file = File::create(self.0.state_dir().join("filling")).unwrap();
        while file.write_all(&[0; 512]).is_ok() {}
    }

    pub(crate) fn make_room(&self) {
        fs::remove_file(self.0.state_dir().join("filling")).unwrap();
    }
}

impl Drop for SmallState<'_> {
    fn drop(&mut self) {
        self.0.gateway.kill();
        // Containers that are still there have files of it.
        step(Command::new("umount").arg("--lazy").arg(self.0.state_dir())).unwrap();
    }
}
