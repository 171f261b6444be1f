//! The decision: an ask and what is in use, against the limits.

use super::allowance::Allowance;
use super::ask::Ask;
use super::left::left_ones;
use super::limits::Limits;
use super::refuse::{FORBIDDEN, refusal};
use super::source::Sourced;
use super::total::{Share, Total};
use super::usage::{Usage, Used};
use crate::protocol::cpu_set::CpuSet;
use crate::protocol::report::Refusal;
use crate::protocol::told::{Told, told};

impl Limits {
    /// Whether one more container may be made, and on which terms.
    ///
    /// `used` must be counted, and the container made, under one lock.
    ///
    /// # Errors
    /// The first rule that says no: its name, where it is set, what was asked and what is in use.
    pub fn admit(&self, used: &Usage, ask: &Ask) -> Result<Allowance, Refusal> {
        self.admit_image(&ask.image)?;
        if ask.restart {
            self.lets_restart()?;
        }
        self.one_more(used)?;
        let size = self.size(ask)?;
        self.admit_cpuset(ask.cpuset.as_ref())?;
        self.room_for(used, &size, ask.gpus)?;
        self.lets_write(used)?;
        let ports = self.grant_ports(used, &ask.ports)?;
        let mounts = self.grant_mounts(&ask.mounts, &ask.memory_mounts, &ask.image_volumes)?;
        Ok(Allowance::new((size, ask.cpuset.clone()), ask.gpus, ports, mounts))
    }

    /// Whether a container that exists and does not run may be started: only what running ones share is asked, and
    /// whether it may write and print.
    ///
    /// # Errors
    /// The first rule that says no, as in [`Limits::admit`].
    pub fn readmit(&self, used: &Usage, container: &Used) -> Result<(), Refusal> {
        self.room_for_existing(&used.without(&container.name), container)?;
        self.lets_write(used)
    }

    /// The size that a container of the caller's has after an update: what is asked anew by the rules of a create, and, while
    /// it runs, only as much more as is free.
    ///
    /// # Errors
    /// The first rule that says no, as in [`Limits::admit`].
    pub fn resize(&self, used: &Usage, container: &Used, ask: &Ask) -> Result<Used, Refusal> {
        let size = self.size(ask)?;
        let mut resized = container.clone();
        if ask.cpus.is_some() {
            resized.cpus = size.cpus;
        }
        if ask.memory.is_some() {
            resized.memory = size.memory;
        }
        if ask.pids.is_some() {
            resized.pids = size.pids;
        }
        if container.running {
            if resized.pids < container.pids {
                let name = &container.name;
                // The kernel ends none of those that are there, and they would count for nobody.
                let what = told!("{name} runs, and may have more processes than that by now: stop it first");
                return Err(Refusal::new("conflict", what).rule("--pids-limit"));
            }
            let others = used.without(&container.name);
            // Whoever takes less need not fit: the policy may have become smaller since.
            if resized.cpus > container.cpus {
                self.cpus(&others).take(resized.cpus, Some("--cpus"))?;
            }
            if resized.memory > container.memory {
                self.memory(&others).take(resized.memory, Some("--memory"))?;
            }
            if resized.pids > container.pids {
                self.pids(&others).take(resized.pids, Some("--pids-limit"))?;
            }
        }
        Ok(resized)
    }

    /// Whether what has ended may start again by itself.
    ///
    /// # Errors
    /// `restart`, and where it is set.
    pub fn lets_restart(&self) -> Result<(), Refusal> {
        if self.restart.value {
            return Ok(());
        }
        let what = told!(
            "what has ended stays ended here: leave --restart out, or ask the admin for `restart = true`"
        );
        Err(refusal(FORBIDDEN, "restart", &self.restart.source, what))
    }

    /// Whether a container may be bound to these processors.
    pub(super) fn admit_cpuset(&self, asked: Option<&CpuSet>) -> Result<(), Refusal> {
        let Some(asked) = asked else { return Ok(()) };
        let Sourced { value, source } = &self.cpuset;
        let (message, limit) = match value {
            None => (told!("no processors may be named here"), None),
            Some(allowed) if allowed.contains(asked) => return Ok(()),
            Some(allowed) => {
                (told!("asked {asked}, you may be bound to {allowed}"), Some(allowed.to_string()))
            }
        };
        let mut no = refusal(FORBIDDEN, "cpuset", source, message);
        (no.asked, no.limit) = (Some(asked.to_string()), limit);
        Err(no.hint(told!("ask for a number of cpus with --cpus")))
    }

    /// Whether anything may write to the disk, and print.
    ///
    /// # Errors
    /// `total.disk` or `total.output`, with what is in use.
    pub fn lets_write(&self, used: &Usage) -> Result<(), Refusal> {
        self.disk_left(used)?;
        self.output_left(used)
    }

    /// `containers`, counted over all that exist, stopped ones included.
    pub(super) fn existing<'a>(&'a self, used: &'a Usage) -> Total<'a, u64> {
        let used = used.containers.iter().map(|container| Share::of(container, 1)).collect();
        Total { rule: "containers", limit: &self.containers, used, frees: "rm" }
    }

    fn one_more(&self, used: &Usage) -> Result<(), Refusal> {
        let existing = self.existing(used);
        existing.take(1, None).map_err(|no| {
            let own = || used.containers.iter().filter(|container| container.left_by.is_none());
            let left = left_ones(used.containers.iter().filter_map(|container| container.left_by.as_deref()));
            let holders: Vec<_> = own().map(|container| container.name.clone()).chain(left).collect();
            let stopped = own().find(|container| !container.running);
            let hint = match (stopped, own().next()) {
                (Some(stopped), _) => Some(Told::Text(format!("`ie-container rm {}`", stopped.name))),
                (None, Some(_)) => Some(told!("`ie-container ps -a` shows yours, stop and remove one")),
                (None, None) => None,
            };
            let used = format!("{} by {}", used.containers.len(), holders.join(", "));
            Refusal { used: Some(used), ..no }.hint(existing.with_left(hint))
        })
    }
}
