//! What the policy grants: the proof that an ask was admitted, and its terms.

use super::mounts::MountGrant;
use super::ports::PortGrant;
use super::size::Size;
use crate::protocol::amount::{Bytes, Cpus};
use crate::protocol::cpu_set::CpuSet;

/// The terms of one container, made by [`admit`](super::Limits::admit) alone.
///
/// Every amount is above zero (an engine reads zero as "no limit") and fits a signed 64-bit number.
///
/// ```
/// use ie_container::policy::Allowance;
/// ```
/// ```compile_fail,E0451
/// let made_up = ie_container::policy::Allowance { gpus: 8, ..todo!() };
/// ```
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowance {
    size: Size,
    cpuset: Option<CpuSet>,
    gpus: u32,
    ports: Vec<PortGrant>,
    mounts: Vec<MountGrant>,
}

impl Allowance {
    pub(super) fn new(
        (size, cpuset): (Size, Option<CpuSet>),
        gpus: u32,
        ports: Vec<PortGrant>,
        mounts: Vec<MountGrant>,
    ) -> Self {
        Self { size, cpuset, gpus, ports, mounts }
    }

    pub fn cpus(&self) -> Cpus {
        self.size.cpus
    }

    pub fn memory(&self) -> Bytes {
        self.size.memory
    }

    pub fn pids(&self) -> u64 {
        self.size.pids
    }

    pub fn shm(&self) -> Bytes {
        self.size.shm
    }

    /// Open files of one process, unless it was asked for others; nothing where they are the engine's to limit.
    pub fn nofile(&self) -> Option<u64> {
        self.size.nofile
    }

    /// The processors that it is bound to, if it asked for some.
    pub fn cpuset(&self) -> Option<&CpuSet> {
        self.cpuset.as_ref()
    }

    pub fn gpus(&self) -> u32 {
        self.gpus
    }

    /// In the order they were asked for.
    pub fn ports(&self) -> &[PortGrant] {
        &self.ports
    }

    /// The home first, unless the policy gives none; then what is always mounted, then what was asked for.
    pub fn mounts(&self) -> &[MountGrant] {
        &self.mounts
    }
}
