//! What a container was granted, held against today's lists at each start: they may have become shorter since.

use super::ask::{Ask, ImageAsk, MountAsk};
use super::limits::Limits;
use super::usage::Used;
use crate::protocol::amount::Bytes;
use crate::protocol::cpu_set::CpuSet;
use crate::protocol::report::Refusal;
use crate::protocol::told::told;
use std::net::IpAddr;

/// What a container that exists was granted, besides what running containers share.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    pub image: ImageAsk,
    /// Its shared memory, where the engine says how much.
    pub shm: Option<Bytes>,
    /// The processors that it is bound to.
    pub cpuset: Option<CpuSet>,
    /// Host ports, and the address each is published on.
    pub ports: Vec<(u16, IpAddr)>,
    /// The directories of the host.
    pub mounts: Vec<MountAsk>,
}

impl Limits {
    /// Whether all of it would still be granted today.
    ///
    /// # Errors
    /// The first rule of today's that says no.
    pub fn still_allows(&self, container: &Used, standing: &Standing) -> Result<(), Refusal> {
        let size = Ask {
            cpus: Some(container.cpus),
            memory: Some(container.memory),
            pids: Some(container.pids),
            shm: standing.shm,
            ..Ask::default()
        };
        self.admit_image(&standing.image)
            .and_then(|()| self.size(&size).map(drop))
            .and_then(|()| self.admit_cpuset(standing.cpuset.as_ref()))
            .and_then(|()| standing.ports.iter().try_for_each(|(port, at)| self.still_published(*port, *at)))
            .and_then(|()| standing.mounts.iter().try_for_each(|mount| self.offered_today(mount)))
            .map_err(|no| {
                no.hint(told!(
                    "the policy has changed since {0} was made: `ie-container rm {0}` and run it anew",
                    container.name
                ))
            })
    }
}
