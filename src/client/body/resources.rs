//! Limits.

use crate::client::error::Error;
use crate::protocol::amount::{Bytes, Cpus};
use crate::protocol::restart::Restart;
use crate::protocol::told::told;
use bollard_stubs::models::{ResourcesUlimits, RestartPolicy};

pub(super) fn bytes(amount: Option<Bytes>) -> Result<Option<i64>, Error> {
    amount.map(|Bytes(bytes)| number(bytes)).transpose()
}

pub(super) fn cpus(amount: Option<Cpus>) -> Result<Option<i64>, Error> {
    amount.map(|Cpus(billionths)| number(billionths)).transpose()
}

fn number(amount: u64) -> Result<i64, Error> {
    i64::try_from(amount).map_err(|_| Error::usage(told!("this amount is more than there can be")))
}

/// Every `--ulimit NAME=SOFT[:HARD]`.
pub(super) fn ulimits(words: &[String]) -> Result<Vec<ResourcesUlimits>, Error> {
    let wrong = |word: &str| Error::usage(told!("--ulimit {word} is not understood, say NAME=SOFT[:HARD]"));
    words.iter().map(|word| ulimit(word).ok_or_else(|| wrong(word))).collect()
}

fn ulimit(word: &str) -> Option<ResourcesUlimits> {
    let (name, values) = word.split_once('=')?;
    let (soft, hard) = values.split_once(':').unwrap_or((values, values));
    let (soft, hard) = (soft.parse().ok()?, hard.parse().ok()?);
    Some(ResourcesUlimits { name: Some(name.to_owned()), soft: Some(soft), hard: Some(hard) })
}

/// `no`, `always`, `unless-stopped` or `on-failure[:N]`.
pub(crate) fn restart(word: &str) -> Result<RestartPolicy, Error> {
    let policy = Restart::typed(word).map_err(Error::usage)?;
    Ok(RestartPolicy {
        name: serde_json::from_value(policy.name().into()).ok(),
        maximum_retry_count: Some(policy.most().into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ulimit_has_a_soft_and_a_hard_side() {
        let asked = ulimits(&["nofile=1024:2048".to_owned(), "core=0".to_owned()]).unwrap();
        assert_eq!(
            asked.iter().map(|u| (u.soft, u.hard)).collect::<Vec<_>>(),
            [(Some(1024), Some(2048)), (Some(0), Some(0))]
        );
        assert!(ulimits(&["nofile".to_owned()]).is_err());
    }
}
