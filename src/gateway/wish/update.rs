//! The body of an update: other limits for a container that is there.

use super::fields::Fields;
use super::host::{pids, positive, restart, swap};
use super::refused::WishError;
use super::scheduling::{self, Scheduling};
use crate::protocol::amount::{Bytes, Cpus};
use crate::protocol::restart::Restart;
use serde_json::Value;

/// The fields that are read; every other one must be at its zero value.
pub(super) const SERVED: &[&str] = &[
    "BlkioWeight",
    "CpuPeriod",
    "CpuQuota",
    "CpuShares",
    "Memory",
    "MemoryReservation",
    "MemorySwap",
    "NanoCpus",
    "PidsLimit",
    "RestartPolicy",
];

/// What is asked for; what is not stays as it is.
#[derive(Debug, Default)]
pub(in crate::gateway) struct UpdateWish {
    pub(in crate::gateway) cpus: Option<Cpus>,
    pub(in crate::gateway) memory: Option<Bytes>,
    pub(in crate::gateway) pids: Option<u64>,
    pub(in crate::gateway) restart: Option<Restart>,
    pub(in crate::gateway) scheduling: Scheduling,
    /// What was asked and has no effect.
    pub(in crate::gateway) warnings: Vec<String>,
}

pub(in crate::gateway) fn update_wish(body: Value) -> Result<UpdateWish, WishError> {
    let mut fields = Fields::of("", body, SERVED)?;
    let mut warnings = Vec::new();
    let memory: i64 = fields.take("Memory")?;
    let asked_pids: i64 = fields.take("PidsLimit")?;
    if asked_pids == -1 {
        warnings.push("PidsLimit -1 changes nothing: a container has a limit on its processes".to_owned());
    }
    let (nano, quota, period) =
        (fields.take("NanoCpus")?, fields.take("CpuQuota")?, fields.take("CpuPeriod")?);
    if period != 0 && quota == 0 {
        warnings.push("CpuPeriod changes nothing without CpuQuota".to_owned());
    }
    swap(memory, fields.take("MemorySwap")?, &mut warnings)?;
    let wish = UpdateWish {
        cpus: scheduling::cpus(nano, quota, period)?,
        memory: positive("Memory", memory)?.map(Bytes),
        pids: pids(asked_pids)?,
        restart: restart(fields.take("RestartPolicy")?)?,
        scheduling: Scheduling::of(&scheduling::Asked {
            cpu_shares: fields.take("CpuShares")?,
            blkio_weight: fields.take("BlkioWeight")?,
            oom_score_adj: 0,
            memory_reservation: fields.take("MemoryReservation")?,
        })?,
        warnings,
    };
    fields.rest_is_zero()?;
    Ok(wish)
}
