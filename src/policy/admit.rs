//! The decision: an ask and what is in use, against the limits.

use super::allowance::Allowance;
use super::ask::Ask;
use super::limits::Limits;
use super::total::Total;
use super::usage::{Usage, Used};
use crate::protocol::report::Refusal;

impl Limits {
    /// Whether one more container may be made, and on which terms.
    ///
    /// `used` must be counted, and the container made, under one lock.
    pub fn admit(&self, used: &Usage, ask: &Ask) -> Result<Allowance, Refusal> {
        self.admit_image(&ask.image)?;
        self.one_more(used)?;
        let size = self.size(ask)?;
        self.room_for(used, &size, ask.gpus)?;
        self.disk_left(used)?;
        let ports = self.grant_ports(used, &ask.ports)?;
        let mounts = self.grant_mounts(&ask.mounts, &ask.memory_mounts, &ask.image_volumes)?;
        Ok(Allowance::new(size, ask.gpus, ports, mounts))
    }

    /// Whether a container that exists and does not run may be started: only what running ones share is asked, and
    /// whether the disk has room for what it will write.
    pub fn readmit(&self, used: &Usage, container: &Used) -> Result<(), Refusal> {
        self.room_for_existing(&used.without(&container.name), container)?;
        self.disk_left(used)
    }

    /// `containers`, counted over all that exist, stopped ones included.
    pub(super) fn existing<'a>(&'a self, used: &'a Usage) -> Total<'a, u64> {
        let used = used.containers.iter().map(|container| (container.name.as_str(), 1)).collect();
        Total { rule: "containers", limit: &self.containers, used, frees: "rm" }
    }

    fn one_more(&self, used: &Usage) -> Result<(), Refusal> {
        self.existing(used).take(1, None).map_err(|no| {
            let names: Vec<_> = used.containers.iter().map(|container| container.name.as_str()).collect();
            let stopped = used.containers.iter().find(|container| !container.running);
            let hint = match stopped {
                Some(stopped) => format!("`ie-container rm {}`", stopped.name),
                None => "`ie-container ps -a` shows yours, stop and remove one".to_owned(),
            };
            Refusal { used: Some(format!("{} by {}", names.len(), names.join(", "))), ..no }.hint(hint)
        })
    }
}
