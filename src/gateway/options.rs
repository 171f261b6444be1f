//! The gateway's command line.

use crate::protocol::layout;
use std::path::PathBuf;

/// The gateway of ie-container: the Docker Engine API for people who may touch only what is theirs.
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "ie-containerd", version)]
pub(super) struct Options {
    /// The policy file, owned by root and writable by no one else
    #[arg(long, value_name = "FILE", default_value = layout::POLICY)]
    pub(super) policy: PathBuf,
    /// The directory of user.sock and admin/admin.sock
    #[arg(long, value_name = "DIR", default_value = layout::RUNTIME_DIR)]
    pub(super) runtime_dir: PathBuf,
    /// The directory of generated account files
    #[arg(long, value_name = "DIR", default_value = layout::STATE_DIR)]
    pub(super) state_dir: PathBuf,
    /// The directory of ie-mountd's socket and stage
    #[arg(long, value_name = "DIR", default_value = layout::MOUNTD_DIR)]
    pub(super) mountd_dir: PathBuf,
    /// The static helper bound read-only into each container
    #[arg(long, value_name = "FILE", default_value = layout::COPY_HELPER)]
    pub(super) copy_helper: PathBuf,
    /// The pipe that ie-wall holds open while users' networks are kept apart
    #[arg(long, value_name = "FILE", default_value = layout::WALL)]
    pub(super) wall: PathBuf,
    /// The id of this boot of the host, systemd's %b; else the kernel is asked
    #[arg(long, value_name = "ID")]
    pub(super) boot_id: Option<String>,
}

impl Options {
    pub(super) fn user_socket(&self) -> PathBuf {
        self.runtime_dir.join("user.sock")
    }

    pub(super) fn admin_socket(&self) -> PathBuf {
        self.runtime_dir.join("admin/admin.sock")
    }
}
