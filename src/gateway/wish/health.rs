//! `Healthcheck`: the command that an engine runs in a container again and again.

use super::refused::WishError;
use super::words::{Words, command};
use crate::protocol::told::told;
use serde::{Deserialize, Deserializer, Serialize};

/// A health check the caller asks for; an image's own is off. Times are nanoseconds, as in Docker's API.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "PascalCase")]
pub(in crate::gateway) struct Health {
    #[serde(deserialize_with = "or_default")]
    test: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    interval: i64,
    #[serde(deserialize_with = "or_default")]
    timeout: i64,
    #[serde(deserialize_with = "or_default")]
    start_period: i64,
    #[serde(deserialize_with = "or_default")]
    retries: i64,
}

/// Null is as good as absent: the SDK for Python sends it.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(field: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(field)?.unwrap_or_default())
}

/// A check each second for ever is a load on the host: five seconds apart at the least, in nanoseconds.
const SHORTEST_INTERVAL: i64 = 5_000_000_000;

pub(super) fn health(mut health: Health, warnings: &mut Vec<String>) -> Result<Option<Health>, WishError> {
    if health.test.is_empty() || health.test.first().is_some_and(|word| word == "NONE") {
        return Ok(None);
    }
    let numbers = [health.interval, health.timeout, health.start_period, health.retries];
    let sane = numbers.into_iter().all(|number| number >= 0);
    if (1..SHORTEST_INTERVAL).contains(&health.interval) {
        health.interval = SHORTEST_INTERVAL;
        warnings.push("Healthcheck.Interval was raised to 5s, the least here".to_owned());
    }
    let words = match health.test.split_first() {
        Some((kind, words)) if kind == "CMD" => words,
        Some((kind, line @ [_])) if kind == "CMD-SHELL" => line,
        _ => &[],
    };
    // Docker 20.10 itself falls over a CMD without a word after it.
    if !sane || words.first().is_none_or(String::is_empty) {
        return Err(WishError::Bad(told!(
            "Healthcheck: Test is CMD and a command, or CMD-SHELL and one line, and no number is negative"
        )));
    }
    command("Healthcheck.Test", Some(Words::List(health.test.clone())))?;
    Ok(Some(health))
}
