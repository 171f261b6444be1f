//! What a caller asks of the kernel's schedulers: processors, memory and disks, below what a container gets anyhow.
//!
//! A container may stand behind others, never before them: more than everybody has by default is refused.

use super::refused::WishError;
use crate::protocol::amount::Cpus;
use crate::protocol::told::{Told, told};
use serde::Serialize;

/// Microseconds of a period where none is said, as the kernel has it.
const PERIOD: i64 = 100_000;
/// The kernel's limits for a period, in microseconds.
const PERIODS: std::ops::RangeInclusive<i64> = 1000..=1_000_000;
/// Microseconds of the least quota that the kernel takes.
const LEAST_QUOTA: i64 = 1000;
/// Everybody's share of busy processors, and the least of one.
const SHARES: std::ops::RangeInclusive<i64> = 2..=1024;
/// Everybody's weight at a busy disk, and the least of one, as Docker counts them.
const WEIGHTS: std::ops::RangeInclusive<i64> = 10..=500;
const OOM_SCORES: std::ops::RangeInclusive<i64> = 0..=1000;

/// What goes into an engine's body beside the limits; what was not asked is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::gateway) struct Scheduling {
    #[serde(skip_serializing_if = "is_zero")]
    cpu_shares: i64,
    #[serde(skip_serializing_if = "is_zero")]
    blkio_weight: i64,
    #[serde(skip_serializing_if = "is_zero")]
    oom_score_adj: i64,
    /// Bytes; below the container's memory, which is not known yet.
    #[serde(skip)]
    memory_reservation: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// The words of a body, as they stand there.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) cpu_shares: i64,
    pub(super) blkio_weight: i64,
    pub(super) oom_score_adj: i64,
    pub(super) memory_reservation: i64,
}

impl Scheduling {
    pub(super) fn of(asked: &Asked) -> Result<Self, WishError> {
        let within = |field: &str, number: i64, range: &std::ops::RangeInclusive<i64>| {
            if number == 0 || range.contains(&number) {
                return Ok(number);
            }
            let (least, most) = (range.start(), range.end());
            let reason = told!("it goes from {least} to {most} here, so that nobody stands before others");
            Err(WishError::not_allowed(&format!("HostConfig.{field}"), reason))
        };
        if asked.memory_reservation < 0 {
            return Err(WishError::not_allowed(
                "HostConfig.MemoryReservation",
                told!("it is a positive number"),
            ));
        }
        Ok(Self {
            cpu_shares: within("CpuShares", asked.cpu_shares, &SHARES)?,
            blkio_weight: within("BlkioWeight", asked.blkio_weight, &WEIGHTS)?,
            oom_score_adj: within("OomScoreAdj", asked.oom_score_adj, &OOM_SCORES)?,
            memory_reservation: asked.memory_reservation,
        })
    }

    /// The memory that is left to the container when the host has none, in bytes; the engine wants it below the limit.
    pub(in crate::gateway) fn reservation(&self, memory: u64) -> Option<u64> {
        u64::try_from(self.memory_reservation).ok().filter(|kept| *kept > 0).map(|kept| kept.min(memory))
    }
}

/// `--cpus`, in whichever of Docker's two forms it was asked for.
pub(super) fn cpus(nano: i64, quota: i64, period: i64) -> Result<Option<Cpus>, WishError> {
    let bad = |why: Told| Err(WishError::Bad(why));
    if period != 0 && !PERIODS.contains(&period) {
        return bad(told!(
            "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)"
        ));
    }
    // -1 is no quota, as 0 is.
    let quota = quota.max(0);
    match (nano, quota) {
        (0, 0) => Ok(None),
        (nano, 0) => match u64::try_from(nano) {
            Ok(nano) => Ok(Some(Cpus(nano))),
            Err(_) => {
                Err(WishError::not_allowed("HostConfig.NanoCpus", told!("a limit is a positive number")))
            }
        },
        (0, quota) if quota < LEAST_QUOTA => bad(told!("CPU cfs quota can not be less than 1ms (i.e. 1000)")),
        (0, quota) => {
            let period = if period == 0 { PERIOD } else { period };
            let nano = i128::from(quota) * 1_000_000_000 / i128::from(period);
            u64::try_from(nano).map(|nano| Some(Cpus(nano))).or_else(|_| bad(told!("CpuQuota is too large")))
        }
        _ => bad(told!("Conflicting options: Nano CPUs and CPU Quota cannot both be set")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_quota_is_so_many_processors() {
        for (nano, quota, period, got) in [
            (0, 0, 0, None),
            (0, -1, 0, None),
            (0, 0, 100_000, None),
            (1_500_000_000, 0, 0, Some(1_500_000_000)),
            (0, 150_000, 0, Some(1_500_000_000)),
            (0, 150_000, 100_000, Some(1_500_000_000)),
            (0, 50_000, 200_000, Some(250_000_000)),
        ] {
            assert_eq!(cpus(nano, quota, period).unwrap(), got.map(Cpus), "{nano} {quota} {period}");
        }
        for (nano, quota, period) in
            [(1, 1000, 0), (-1, 0, 0), (0, 999, 0), (0, 1000, 999), (0, 1000, 1_000_001)]
        {
            assert!(cpus(nano, quota, period).is_err(), "{nano} {quota} {period}");
        }
    }

    #[test]
    fn nobody_stands_before_others() {
        let of = |cpu_shares, blkio_weight, oom_score_adj| {
            Scheduling::of(&Asked { cpu_shares, blkio_weight, oom_score_adj, memory_reservation: 0 })
        };
        assert_eq!(json!(of(0, 0, 0).unwrap()), json!({}));
        let asked = json!({ "CpuShares": 512, "BlkioWeight": 100, "OomScoreAdj": 500 });
        assert_eq!(json!(of(512, 100, 500).unwrap()), asked);
        assert!(of(1024, 500, 1000).is_ok());
        for (shares, weight, score) in
            [(1025, 0, 0), (1, 0, 0), (-1, 0, 0), (0, 501, 0), (0, 9, 0), (0, 0, -1), (0, 0, 1001)]
        {
            assert!(of(shares, weight, score).is_err(), "{shares} {weight} {score}");
        }
    }

    #[test]
    fn a_reservation_is_no_more_than_the_limit() {
        let of = |memory_reservation| Scheduling::of(&Asked { memory_reservation, ..Asked::default() });
        assert_eq!(of(0).unwrap().reservation(10), None);
        assert_eq!(of(5).unwrap().reservation(10), Some(5));
        assert_eq!(of(15).unwrap().reservation(10), Some(10));
        assert!(of(-1).is_err());
    }
}
