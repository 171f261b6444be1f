//! `GET /events`: what happens to the caller's own containers, networks and volumes, and to nothing else.

use super::filters::{self, Words, all_match};
use crate::gateway::bounds::backpressure::read_or_cut;
use crate::gateway::caller::Caller;
use crate::gateway::caller::peer::Peer;
use crate::gateway::engine::{
    Engine, Owned, PREFIX, Target, read_lines, short_network, short_volume, split_engine_name,
};
use crate::gateway::error::Error;
use crate::protocol::layout::COPY_IN_CONTAINER;
use crate::protocol::told::told;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::HeaderValue;
use axum::response::Response;
use bytes::Bytes;
use futures_util::StreamExt;
use hyper::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// How long a reader may let an event lie. An engine that has filled a listener's queue waits 100 ms for it at each event,
/// and so would everybody whose event it is.
const LIE: Duration = Duration::from_secs(5);

const KEYS: [&str; 8] = ["container", "event", "image", "label", "network", "scope", "type", "volume"];

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::gateway) struct EventsQuery {
    since: String,
    until: String,
    filters: String,
}

/// The engine's events as they come, those of others left out.
pub(in crate::gateway) async fn stream(
    caller: Caller,
    State(engine): State<Arc<Engine>>,
    Query(query): Query<EventsQuery>,
) -> Result<Response, Error> {
    let words = filters::parse(&query.filters, &KEYS)?;
    let mut target = Target::new("/events").with("filters", r#"{"type":["container","network","volume"]}"#);
    for (key, value) in [("since", &query.since), ("until", &query.until)] {
        if !super::containers::is_time(value) {
            return Err(Error::Bad(told!("{key} is seconds since 1970, or an RFC 3339 date")));
        }
        if !value.is_empty() {
            target = target.with(key, value);
        }
    }
    let answer = engine.call(Method::GET, target).await?;
    let mut helpers = Helpers::default();
    let lines = read_lines(answer.into_body()).filter_map(move |line| {
        let shown = match line {
            Ok(line) => own(&caller, &line)
                .filter(|event| !helpers.are_told_of(event) && wanted(event, &words))
                .map(|event| Ok(written(&event))),
            Err(error) => Some(Err(error)),
        };
        std::future::ready(shown)
    });
    let mut response = Response::new(Body::from_stream(read_or_cut(Box::pin(lines), LIE)));
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    Ok(response)
}

/// What the gateway executes in a container, to copy and to end what was left: nothing that its owner did.
#[derive(Debug, Default)]
struct Helpers {
    /// Those that run, oldest first.
    execs: VecDeque<String>,
}

/// Helpers that run in one user's containers at once and are known again at their end.
const MOST_HELPERS: usize = 256;

impl Helpers {
    fn are_told_of(&mut self, event: &Value) -> bool {
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
        let (Some(action), Some(exec)) = (text("/Action"), text("/Actor/Attributes/execID")) else {
            return false;
        };
        let command = action.split_once(": ").map(|(_, command)| command);
        let known = self.execs.iter().position(|known| known == exec);
        if command.and_then(|command| command.split(' ').next()) == Some(COPY_IN_CONTAINER) {
            if known.is_none() {
                self.execs.push_back(exec.to_owned());
                let more = self.execs.len().saturating_sub(MOST_HELPERS);
                self.execs.drain(..more);
            }
            return true;
        }
        known.is_some_and(|at| action == "exec_die" && self.execs.remove(at).is_some())
    }
}

fn written(event: &Value) -> Bytes {
    Bytes::from(format!("{event}\n"))
}

/// The event as the caller sees it, if it is about something of the caller's.
fn own(caller: &Peer, line: &[u8]) -> Option<Value> {
    let mut event: Value = serde_json::from_slice(line).ok()?;
    let uid = caller.uid();
    let kind = event.get("Type")?.as_str()?.to_owned();
    // The gateway attaches, too: whoever knew when could be silent for that moment.
    if kind == "container" && event.get("Action").and_then(Value::as_str) == Some("attach") {
        return None;
    }
    let attributes = event.pointer("/Actor/Attributes");
    let text = |key: &str| attributes?.get(key)?.as_str();
    let short = match kind.as_str() {
        "container" => Owned::named_in_event(caller, text("name")?, attributes?)?,
        "network" => short_network(uid, text("name")?)?.to_owned(),
        "volume" => short_volume(uid, event.pointer("/Actor/ID")?.as_str()?)?.to_owned(),
        _ => return None,
    };
    if kind == "volume" {
        let actor = event.get_mut("Actor").and_then(Value::as_object_mut)?;
        actor.insert("ID".into(), json!(short));
    }
    let attributes = event.pointer_mut("/Actor/Attributes").and_then(Value::as_object_mut)?;
    attributes.retain(|key, _| !key.to_ascii_lowercase().starts_with(PREFIX));
    if kind != "volume" {
        attributes.insert("name".into(), json!(short));
    }
    if let Some(old) = attributes.get_mut("oldName") {
        let name = old.as_str().and_then(split_engine_name).filter(|(of, _)| *of == uid);
        *old = json!(name.map_or_else(String::new, |(_, name)| format!("/{name}")));
    }
    if kind == "container" {
        as_before(&mut event);
    }
    Some(event)
}

/// What engines leave out from API 1.52 on, and what clients of an older one than that read of it.
fn as_before(event: &mut Value) {
    let told = [("status", "/Action"), ("id", "/Actor/ID"), ("from", "/Actor/Attributes/image")]
        .map(|(key, pointer)| (key, event.pointer(pointer).cloned()));
    let Some(fields) = event.as_object_mut() else { return };
    for (key, value) in told {
        if let Some(value) = value {
            fields.entry(key).or_insert(value);
        }
    }
}

fn wanted(event: &Value, words: &Words) -> bool {
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let attribute = |key: &str| event.pointer("/Actor/Attributes").and_then(|all| all.get(key)?.as_str());
    let is = |kind: &str, value: &str| {
        let id = text("/Actor/ID");
        text("/Type") == kind
            && (attribute("name") == Some(value) || (value.len() >= 4 && id.starts_with(value)))
    };
    all_match(words, |key, value| match key {
        "type" => text("/Type") == value,
        // `exec_start: true` is an exec_start.
        "event" => text("/Action").split(':').next() == Some(value) || text("/Action") == value,
        "container" => {
            is("container", value) || attribute("container").is_some_and(|id| id.starts_with(value))
        }
        "network" => is("network", value),
        "volume" => text("/Type") == "volume" && text("/Actor/ID") == value,
        "image" => attribute("image") == Some(value),
        "label" => filters::has_label(event.pointer("/Actor/Attributes"), value),
        _ => value == "local",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: &str, name: &str, uid: &str) -> Vec<u8> {
        let attributes = json!({"name": name, "image": "busybox", "io.ie-container.uid": uid,
            "io.ie-container.login": "ann", "own": "label"});
        json!({"Type": kind, "Action": "start", "Actor": {"ID": name, "Attributes": attributes}})
            .to_string()
            .into()
    }

    #[test]
    fn only_the_callers_things_are_told_of() {
        let ann = Peer::fake(1000, "ann");
        let name = |line: Vec<u8>| own(&ann, &line).map(|event| event["Actor"]["Attributes"]["name"].clone());
        assert_eq!(name(event("container", "ie-1000-web", "1000")), Some(json!("web")));
        assert_eq!(name(event("network", "ie-1000-db", "1000")), Some(json!("db")));
        assert_eq!(name(event("network", "ie-1000", "1000")), Some(json!("bridge")));
        for other in [
            event("container", "ie-1001-web", "1000"),
            event("container", "ie-1000-web", "1001"),
            event("container", "web", "1000"),
            event("network", "ie-10001", "1000"),
            event("network", "bridge", "1000"),
            event("volume", "ie-1001-data", "1000"),
            event("image", "ie-1000-x", "1000"),
            event("daemon", "ie-1000-x", "1000"),
            b"{".to_vec(),
        ] {
            assert_eq!(own(&ann, &other), None, "{}", String::from_utf8_lossy(&other));
        }
        let volume = own(&ann, &event("volume", "ie-1000-data", "1000")).unwrap();
        assert_eq!(volume["Actor"]["ID"], "data");
        let seen = own(&ann, &event("container", "ie-1000-web", "1000")).unwrap().to_string();
        assert!(!seen.contains("io.ie-container") && seen.contains("label"));
    }

    #[test]
    fn a_helper_of_ours_is_not_told_of() {
        let exec =
            |action: &str, id: &str| json!({"Action": action, "Actor": {"Attributes": {"execID": id}}});
        let mut helpers = Helpers::default();
        let mut told = |action: &str, id: &str| !helpers.are_told_of(&exec(action, id));
        assert!(!told("exec_create: /.ie-copy out /x", "a") && told("exec_create: ls /.ie-copy", "b"));
        assert!(!told("exec_start: /.ie-copy out /x", "a") && told("exec_start: ls /.ie-copy", "b"));
        assert!(!told("exec_die", "a") && told("exec_die", "b"));
        // One that has ended is forgotten.
        assert!(told("exec_die", "a"));
        assert!(!Helpers::default().are_told_of(&json!({"Action": "die", "Actor": {"Attributes": {}}})));
    }

    #[test]
    fn a_rename_tells_short_names() {
        let ann = Peer::fake(1000, "ann");
        let mut renamed: Value = serde_json::from_slice(&event("container", "ie-1000-new", "1000")).unwrap();
        for (old, shown) in [("/ie-1000-old", "/old"), ("/ie-1001-old", ""), ("/x", "")] {
            renamed["Actor"]["Attributes"]["oldName"] = json!(old);
            let seen = own(&ann, renamed.to_string().as_bytes()).unwrap();
            assert_eq!(seen["Actor"]["Attributes"]["oldName"], shown, "{old}");
        }
    }

    /// As an engine sends it that is spoken to as 1.51, and as 1.52: the caller sees one and the same.
    #[test]
    fn each_shape_of_an_event_is_one() {
        let ann = Peer::fake(1000, "ann");
        let new: Value = serde_json::from_slice(&event("container", "ie-1000-web", "1000")).unwrap();
        let mut old = new.clone();
        let more = json!({"status": "start", "id": "ie-1000-web", "from": "busybox"});
        old.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let seen = |event: &Value| own(&ann, event.to_string().as_bytes()).unwrap();
        assert_eq!(seen(&old), seen(&new));
        assert_eq!(seen(&new)["status"], "start");
        assert_eq!(seen(&new)["from"], "busybox");
        // What never was there is not made up.
        assert!(
            seen(&serde_json::from_slice(&event("network", "ie-1000-db", "1000")).unwrap())
                .get("status")
                .is_none()
        );
    }

    #[test]
    fn filters_are_applied_here() {
        let ann = Peer::fake(1000, "ann");
        let web = own(&ann, &event("container", "ie-1000-web", "1000")).unwrap();
        let is = |text: &str| wanted(&web, &filters::parse(text, &KEYS).unwrap());
        assert!(is(r#"{"type":["container"],"event":["start","die"],"container":["web"]}"#));
        assert!(is(r#"{"label":["own=label"]}"#) && is(r#"{"image":{"busybox":true}}"#));
        assert!(
            !is(r#"{"event":["die"]}"#) && !is(r#"{"container":["other"]}"#) && !is(r#"{"label":["own=x"]}"#)
        );
        assert!(filters::parse(r#"{"daemon":["x"]}"#, &KEYS).is_err());
    }
}
