//! `--log-driver` and `--log-opt`: a container's log is a file of the engine's, with an end.

use super::refused::WishError;
use super::zero::reason;
use crate::protocol::told::told;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Bytes of one file of a container's log: with [`FILES`] of them, the most that its log holds on disk.
const SIZE: u64 = 10_000_000;
/// The files of a container's log: the one that is written, and two before it.
const FILES: u64 = 3;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct Asked {
    r#type: String,
    config: Option<BTreeMap<String, String>>,
}

/// As large as everybody's, or smaller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in crate::gateway) struct Log {
    #[serde(rename = "max-size")]
    size: String,
    #[serde(rename = "max-file")]
    files: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { size: "10m".to_owned(), files: FILES.to_string() }
    }
}

pub(super) fn log(asked: Asked) -> Result<Log, WishError> {
    const FIELD: &str = "HostConfig.LogConfig";
    if !matches!(asked.r#type.as_str(), "" | "json-file") {
        return Err(WishError::not_allowed(FIELD, reason(FIELD)));
    }
    let mut log = Log::default();
    for (key, value) in asked.config.unwrap_or_default() {
        match key.as_str() {
            "max-size" if bytes(&value).is_some_and(|bytes| (1..=SIZE).contains(&bytes)) => log.size = value,
            "max-file" if value.parse::<u64>().is_ok_and(|files| (1..=FILES).contains(&files)) => {
                log.files = value
            }
            "max-size" | "max-file" => {
                let most = told!("logs go up to max-size=10m and max-file=3 here");
                return Err(WishError::not_allowed(FIELD, most));
            }
            _ => return Err(WishError::not_allowed(FIELD, told!("only max-size and max-file are set"))),
        }
    }
    Ok(log)
}

/// As the engine's driver reads a size: decimal, with a unit of one letter or none.
fn bytes(word: &str) -> Option<u64> {
    let digits = word.len() - word.bytes().rev().take_while(u8::is_ascii_alphabetic).count();
    let (number, unit) = word.split_at_checked(digits)?;
    let factor = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1000,
        "m" | "mb" => 1_000_000,
        "g" | "gb" => 1_000_000_000,
        _ => return None,
    };
    number
        .bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| number.parse::<u64>().ok()?.checked_mul(factor))
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn of(asked: Value) -> Result<Value, String> {
        log(serde_json::from_value(asked).unwrap()).map(|log| json!(log)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_log_is_as_large_as_everybodys_or_smaller() {
        let all = json!({ "max-size": "10m", "max-file": "3" });
        assert_eq!(of(json!({})), Ok(all.clone()));
        assert_eq!(of(json!({ "Type": "json-file", "Config": {} })), Ok(all.clone()));
        assert_eq!(of(json!({ "Type": "", "Config": null })), Ok(all.clone()));
        assert_eq!(of(json!({ "Type": "json-file", "Config": all.clone() })), Ok(all));
        let small = json!({ "max-size": "200k", "max-file": "1" });
        assert_eq!(of(json!({ "Config": small.clone() })), Ok(small));
        for bad in [
            json!({ "Type": "syslog" }),
            json!({ "Type": "json-file", "Config": { "max-size": "11m" } }),
            json!({ "Config": { "max-size": "1g" } }),
            json!({ "Config": { "max-size": "0" } }),
            json!({ "Config": { "max-size": "-1" } }),
            json!({ "Config": { "max-size": "" } }),
            json!({ "Config": { "max-size": "10mib" } }),
            json!({ "Config": { "max-file": "4" } }),
            json!({ "Config": { "max-file": "0" } }),
            json!({ "Config": { "tag": "{{.ID}}" } }),
        ] {
            assert!(of(bad.clone()).unwrap_err().contains("HostConfig.LogConfig"), "{bad}");
        }
    }
}
