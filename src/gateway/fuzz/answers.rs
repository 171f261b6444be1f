//! Answers of the engine's, whatever they hold: what callers get to see of them.

use super::ann;
use crate::gateway::api::answer;
use crate::gateway::engine::{self, EngineError, Found, Owned, PREFIX};
use crate::protocol::told::Tell;
use hyper::StatusCode;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A list of containers.
pub(crate) fn engine_list(data: &[u8]) {
    let Ok(Value::Array(list)) = serde_json::from_slice::<Value>(data) else { return };
    for summary in list {
        let labels = summary.get("Labels").cloned().unwrap_or_default();
        if let Ok(labels) = serde_json::from_value::<BTreeMap<String, String>>(labels) {
            engine::fuzz::check_reading(&labels);
        }
        let first = |found: &Found| format!("/ie-{}-{}", found.owner(), found.name());
        let Some(found) = engine::fuzz::found(summary.clone()) else { continue };
        let names = summary.get("Names").and_then(Value::as_array).cloned().unwrap_or_default();
        assert!(names.contains(&json!(first(&found))), "{} is no name of {names:?}", first(&found));
        check_shown(&answer::summary(&found), "/Labels", &found);
        if let Some(owned) = engine::fuzz::claimed(summary, &ann()) {
            check_owned(&owned);
        }
    }
}

fn check_owned(owned: &Owned) {
    assert_eq!((owned.found().owner(), owned.labels().uid), (1000, 1000), "another uid's");
    assert_eq!(owned.labels().login, "ann", "another login's");
    let id = owned.id().as_str();
    let hexadecimal = id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    assert!(id.len() == 64 && hexadecimal, "the id is {id:?}");
    assert_eq!(owned.used().name, owned.name().as_str());
}

/// No label of ours, no stage, one name.
fn check_shown(shown: &Value, labels: &str, found: &Found) {
    let labels = shown.pointer(labels).and_then(Value::as_object);
    for key in labels.into_iter().flat_map(serde_json::Map::keys) {
        assert!(!key.to_ascii_lowercase().starts_with(PREFIX), "{key} is shown");
    }
    let binds = shown.get("Mounts").and_then(Value::as_array).into_iter().flatten();
    let paths: Vec<String> =
        found.labels().stages.iter().map(|stage| stage.host_path().to_string_lossy().into_owned()).collect();
    for bind in binds.filter(|mount| mount.get("Type").and_then(Value::as_str) == Some("bind")) {
        let source = bind.get("Source").and_then(Value::as_str).unwrap_or_default();
        assert!(paths.iter().any(|path| path == source), "a bind of {source:?} is shown");
    }
}

/// What an engine says of one container of ann's.
pub(crate) fn engine_inspect(data: &[u8]) {
    let Ok(details) = serde_json::from_slice::<Value>(data) else { return };
    let stages = json!([{ "token": "0".repeat(32), "root": "/home", "relative": "ann",
        "target": "/home/ann", "access": "rw" }]);
    let label = |key: &str, value: &str| (format!("{PREFIX}{key}"), json!(value));
    let labels: serde_json::Map<String, Value> = [
        label("uid", "1000"),
        label("login", "ann"),
        label("version", "1"),
        label("cpus", "1"),
        label("memory", "1"),
        label("pids", "1"),
        label("cards", ""),
        label("time", "0"),
        label("ports", ""),
        label("stages", &stages.to_string()),
        label("rm", "false"),
        label("tty", "false"),
    ]
    .into_iter()
    .collect();
    let summary = json!({ "Id": "a".repeat(64), "Names": ["/ie-1000-web"], "Labels": labels });
    let owned = engine::fuzz::claimed(summary, &ann()).unwrap();
    let shown = answer::details(details, &owned);
    check_shown(&shown, "/Config/Labels", owned.found());
    if let Some(fields) = shown.as_object() {
        assert_eq!(fields.get("Name"), Some(&json!("/web")));
    }
}

/// A sentence of the engine's.
pub(crate) fn engine_error(data: &[u8]) {
    let message = String::from_utf8_lossy(data).into_owned();
    let error = EngineError::Said { status: StatusCode::INTERNAL_SERVER_ERROR, message: message.clone() };
    let told = error.to_string();
    // Lower case may take more bytes than upper case, and one of the known sentences more than its cause.
    assert!(told.len() <= message.len() + 200, "{told:?} is longer than {message:?}");
    let refusal = error.refusal(error.told());
    assert_eq!(refusal.message.to_string(), told);
}
