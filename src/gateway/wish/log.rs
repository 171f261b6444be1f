//! `--log-driver` and `--log-opt`: a container's log is files of the engine's, with an end, or nothing.

use super::refused::WishError;
use super::zero::reason;
use crate::protocol::told::{Tell, Told, told};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The smallest size of a file, in bytes. A log that is begun anew at each line costs an engine far more than the line, and its
/// end, by which output is charged, would hold one line.
const SMALLEST: u64 = 1_000_000;

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

/// How a log is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    #[default]
    JsonFile,
    Local,
    /// Nowhere: what is printed is for whoever is attached.
    None,
}

/// As large as everybody's, or smaller, or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::gateway) struct Log {
    r#type: Kind,
    config: BTreeMap<&'static str, String>,
}

impl Default for Log {
    fn default() -> Self {
        Self::of(Kind::default())
    }
}

impl Log {
    fn of(kind: Kind) -> Self {
        let mut config = BTreeMap::new();
        if kind != Kind::None {
            config.insert("max-size", "10m".to_owned());
            config.insert("max-file", FILES.to_string());
        }
        if kind == Kind::Local {
            // The engine would do it as root with what nobody is charged for, and by default.
            config.insert("compress", "false".to_owned());
        }
        Self { r#type: kind, config }
    }
}

pub(super) fn log(asked: Asked, warnings: &mut Vec<String>) -> Result<Log, WishError> {
    const FIELD: &str = "HostConfig.LogConfig";
    let refused = |why: Told| Err(WishError::not_allowed(FIELD, why));
    let mut log = Log::of(match asked.r#type.as_str() {
        "" | "json-file" => Kind::JsonFile,
        "local" => Kind::Local,
        "none" => Kind::None,
        _ => return refused(reason(FIELD).told()),
    });
    for (key, value) in asked.config.unwrap_or_default() {
        match key.as_str() {
            _ if log.r#type == Kind::None => return refused(told!("a log of none has no options")),
            "max-size" if bytes(&value).is_some_and(|bytes| (1..SMALLEST).contains(&bytes)) => {
                warnings.push(format!("max-size={value} is 1m here: each file is made anew by the engine"));
                log.config.insert("max-size", "1m".to_owned());
            }
            "max-size" if bytes(&value).is_some_and(|bytes| (SMALLEST..=SIZE).contains(&bytes)) => {
                log.config.insert("max-size", value);
            }
            "max-file" if value.parse::<u64>().is_ok_and(|files| (1..=FILES).contains(&files)) => {
                log.config.insert("max-file", value);
            }
            "max-size" | "max-file" => {
                return refused(told!("logs go up to max-size=10m and max-file=3 here"));
            }
            // As it is anyhow.
            "compress" if value == "false" => {}
            "mode" if value == "blocking" => {}
            _ => return refused(told!("only max-size and max-file are set")),
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
        let log = log(serde_json::from_value(asked).unwrap(), &mut Vec::new());
        log.map(|log| json!(log)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_log_is_as_large_as_everybodys_or_smaller() {
        let all = json!({ "max-size": "10m", "max-file": "3" });
        let file = |config: &Value| Ok(json!({ "Type": "json-file", "Config": config }));
        assert_eq!(of(json!({})), file(&all));
        assert_eq!(of(json!({ "Type": "json-file", "Config": {} })), file(&all));
        assert_eq!(of(json!({ "Type": "", "Config": null })), file(&all));
        assert_eq!(of(json!({ "Type": "json-file", "Config": all.clone() })), file(&all));
        let small = json!({ "max-size": "2000k", "max-file": "1" });
        assert_eq!(of(json!({ "Config": small.clone() })), file(&small));
        // A file that is made anew at each line is none.
        for tiny in ["1", "200k", "999999"] {
            let asked = json!({ "Config": { "max-size": tiny, "max-file": "1" } });
            assert_eq!(of(asked), file(&json!({ "max-size": "1m", "max-file": "1" })), "{tiny}");
        }
        assert_eq!(of(json!({ "Config": { "compress": "false", "mode": "blocking" } })), file(&all));
        // Compressed only if it is said.
        let local =
            json!({ "Type": "local", "Config": { "max-size": "1m", "max-file": "3", "compress": "false" } });
        assert_eq!(of(json!({ "Type": "local", "Config": { "max-size": "1m" } })), Ok(local));
        assert_eq!(of(json!({ "Type": "none", "Config": {} })), Ok(json!({ "Type": "none", "Config": {} })));
        for bad in [
            json!({ "Type": "syslog" }),
            json!({ "Type": "None" }),
            json!({ "Type": "none", "Config": { "max-size": "1m" } }),
            json!({ "Type": "local", "Config": { "max-size": "20m" } }),
            json!({ "Type": "local", "Config": { "max-file": "5" } }),
            json!({ "Type": "local", "Config": { "compress": "true" } }),
            json!({ "Config": { "mode": "non-blocking" } }),
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
