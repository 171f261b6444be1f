//! How large one container is: what was asked for, or `each`, and never more than `max`.

use super::ask::Ask;
use super::cap::{Amount, Cap};
use super::limits::Limits;
use super::refuse::{QUOTA, refusal};
use super::source::{Source, Sourced};
use crate::protocol::amount::{Bytes, Cpus};
use crate::protocol::report::Refusal;
use crate::protocol::told::told;

/// The amounts of one container, each above zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) cpus: Cpus,
    pub(super) memory: Bytes,
    pub(super) pids: u64,
    pub(super) shm: Bytes,
    pub(super) nofile: Option<u64>,
}

/// Engines count bytes and billionths of processors in signed 64-bit numbers; a greater amount would arrive there as a
/// negative one. No amount in the file is greater.
pub(super) const COUNTABLE: u64 = i64::MAX.unsigned_abs();

/// The least a container may have. The start itself runs in the container's control group: on one idle processor it
/// takes two seconds with this and eighteen with half of it, and on a busy one it never ends, while the engine lets
/// nobody remove what it is starting.
pub(super) const LEAST_CPUS: Cpus = Cpus(Cpus::ONE / 50);

impl Limits {
    pub(super) fn size(&self, ask: &Ask) -> Result<Size, Refusal> {
        let (each, max) = (&self.each, &self.max);
        Ok(Size {
            cpus: startable(pick("max.cpus", "--cpus", ask.cpus, &each.cpus, &max.cpus)?)?,
            memory: pick("max.memory", "--memory", ask.memory, &each.memory, &max.memory)?,
            pids: pick("max.pids", "--pids-limit", ask.pids, &each.pids, &max.pids)?,
            shm: pick("max.shm", "--shm-size", ask.shm, &each.shm, &max.shm)?,
            // What is asked for instead is a ulimit like the others, which the policy does not count.
            nofile: each.nofile.value,
        })
    }
}

fn startable(asked: Cpus) -> Result<Cpus, Refusal> {
    if asked >= LEAST_CPUS {
        return Ok(asked);
    }
    let what = told!("asked {asked}, one container has {LEAST_CPUS} at least");
    let mut no = refusal(QUOTA, "cpus", &Source::BuiltIn, what);
    no.asked = Some(asked.to_string());
    Err(no.hint(told!("with less it may never come to start")))
}

/// A default above the maximum is cut to it, nobody asked for it; an ask above the maximum is refused, not trimmed.
fn pick<T: Amount>(
    rule: &str,
    flag: &str,
    asked: Option<T>,
    each: &Sourced<T>,
    max: &Sourced<Cap<T>>,
) -> Result<T, Refusal> {
    let most = match max.value {
        Cap::Unlimited => T::of(COUNTABLE),
        Cap::Most(most) => most,
    };
    // Docker's clients send 0 for a flag that was not given, and engines read 0 as no limit.
    let Some(asked) = asked.filter(|asked| asked.raw() != 0) else {
        return Ok(each.value.min(most));
    };
    if asked <= most {
        return Ok(asked);
    }
    let what = told!("asked {asked}, one container may have {most}");
    let mut no = refusal(QUOTA, rule, &max.source, what);
    no.asked = Some(asked.to_string());
    no.limit = Some(most.to_string());
    Err(no.hint(told!("ask for at most `{flag} {most}`")))
}
