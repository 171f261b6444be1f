//! Docker's JSON as its owner sees it: short names, no labels of ours, host paths instead of stages.

use crate::gateway::engine::{Found, Labels, OWN, Owned, PREFIX, short_network, short_volume};
use crate::gateway::error::Error;
use crate::gateway::records::clock::clock;
use crate::gateway::records::restarts::Shown;
use crate::protocol::restart::Restart;
use crate::protocol::told::told;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serializer};
use serde_json::{Value, json};
use std::collections::HashMap;

/// A yes or no in a query, as Docker reads it: absent, "", "0", "no", "false" and "none" are no.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::gateway) struct Flag(pub(in crate::gateway) bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        let no = matches!(word.trim().to_ascii_lowercase().as_str(), "" | "0" | "no" | "false" | "none");
        Ok(Self(!no))
    }
}

impl Flag {
    pub(in crate::gateway) fn word(self) -> &'static str {
        if self.0 { "1" } else { "0" }
    }
}

/// One line of `ps`.
pub(in crate::gateway) fn summary(found: &Found) -> Value {
    let mut summary = found.summary();
    let labels = found.labels();
    if let Some(fields) = summary.as_object_mut() {
        fields.insert("Names".into(), json!([format!("/{}", found.name())]));
        fields.insert("IeContainer".into(), ours(labels));
        strip_labels(fields.get_mut("Labels"));
        show_mounts(fields.get_mut("Mounts"), labels);
    }
    show_networks(&mut summary, labels.uid);
    summary
}

/// A list, each thing of which is made when its line is written: all of them together would take ten times as much memory.
pub(in crate::gateway) fn list(things: impl Iterator<Item = Value>) -> Result<Response, Error> {
    let mut text = Vec::new();
    let written = serde_json::Serializer::new(&mut text).collect_seq(things);
    written.map_err(|error| Error::Internal(told!("{error}")))?;
    Ok(([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], text).into_response())
}

/// A line of `ps` whose container the gateway has stopped.
pub(in crate::gateway) fn was_stopped(summary: &mut Value, why: &str) {
    if let Some(Value::String(status)) = summary.get_mut("Status") {
        status.push_str(&format!(", stopped: {why}"));
    }
}

/// A line of `ps` whose container starts again in a moment, in Docker's words.
pub(in crate::gateway) fn restarts(summary: &mut Value) {
    if let Some(fields) = summary.as_object_mut() {
        fields.insert("State".into(), json!("restarting"));
    }
    if let Some(Value::String(status)) = summary.get_mut("Status") {
        *status = status.replacen("Exited", "Restarting", 1);
    }
}

/// A line of `ps` whose container cannot be started again just now.
pub(in crate::gateway) fn does_not_restart(summary: &mut Value, why: &str) {
    if let Some(Value::String(status)) = summary.get_mut("Status") {
        status.push_str(&format!(", does not start again: {why}"));
    }
}

/// In the answer of `inspect`: what the engine does not know of, as it starts nothing again.
pub(in crate::gateway) fn show_restarts(
    details: &mut Value,
    policy: Restart,
    times: u32,
    shown: Option<&Shown>,
) {
    if let Some(asked) = details.pointer_mut("/HostConfig/RestartPolicy") {
        *asked = json!({ "Name": policy.name(), "MaximumRetryCount": policy.most() });
    }
    if let Some(fields) = details.as_object_mut() {
        fields.insert("RestartCount".into(), json!(times));
    }
    let Some(state) = details.get_mut("State").and_then(Value::as_object_mut) else { return };
    match shown {
        Some(Shown::Waits) => {
            state.insert("Status".into(), json!("restarting"));
            state.insert("Running".into(), json!(true));
            state.insert("Restarting".into(), json!(true));
        }
        Some(Shown::Refused(why)) => {
            state.insert("Error".into(), json!(format!("does not start again: {why}")));
        }
        None => {}
    }
}

/// A line of `ps` whose container will be removed then.
pub(in crate::gateway) fn goes(summary: &mut Value, at: Timestamp) {
    if let Some(Value::String(status)) = summary.get_mut("Status") {
        status.push_str(&format!(", removed on {}", clock(at)));
    }
    if let Some(ours) = summary.pointer_mut("/IeContainer").and_then(Value::as_object_mut) {
        ours.insert("RemovedAt".into(), at.to_string().into());
    }
}

/// What Docker has no words for.
fn ours(labels: &Labels) -> Value {
    json!({
        "Cpus": labels.cpus.to_string(),
        "Memory": labels.memory.to_string(),
        "Pids": labels.pids,
        "Gpus": labels.cards.len(),
        "Cards": labels.cards,
    })
}

/// The answer of `inspect`.
pub(in crate::gateway) fn details(mut details: Value, container: &Owned) -> Value {
    let labels = container.labels();
    if let Some(fields) = details.as_object_mut() {
        fields.insert("Name".into(), json!(format!("/{}", container.name())));
        fields.insert("IeContainer".into(), ours(labels));
        show_mounts(fields.get_mut("Mounts"), labels);
    }
    strip_labels(details.pointer_mut("/Config/Labels"));
    show_mounts(details.pointer_mut("/HostConfig/Mounts"), labels);
    show_networks(&mut details, labels.uid);
    show_address(details.get_mut("NetworkSettings"));
    hide_paths(&mut details);
    details
}

/// Engines tell the address in the bridge of all twice, and from 29 on once; tools look in either place.
fn show_address(settings: Option<&mut Value>) {
    let Some(settings) = settings.and_then(Value::as_object_mut) else { return };
    let own = settings.get("Networks").and_then(|networks| networks.get(OWN)).cloned();
    for key in [
        "EndpointID",
        "Gateway",
        "GlobalIPv6Address",
        "GlobalIPv6PrefixLen",
        "IPAddress",
        "IPPrefixLen",
        "IPv6Gateway",
        "MacAddress",
    ] {
        if let Some(value) = own.as_ref().and_then(|own| own.get(key)) {
            settings.insert(key.to_owned(), value.clone());
        }
    }
}

/// Where the engine keeps things on the host.
fn hide_paths(details: &mut Value) {
    for pointer in
        ["/LogPath", "/ResolvConfPath", "/HostnamePath", "/HostsPath", "/NetworkSettings/SandboxKey"]
    {
        if let Some(path) = details.pointer_mut(pointer) {
            *path = json!("");
        }
    }
    if let Some(data) = details.pointer_mut("/GraphDriver/Data") {
        *data = Value::Null;
    }
}

/// An image. Engines since 26 leave out `ContainerConfig`, without which docker-compose 1 makes no container anew.
pub(in crate::gateway) fn image(mut image: Value) -> Value {
    if let Some(fields) = image.as_object_mut() {
        fields.entry("ContainerConfig").or_insert_with(|| json!({}));
    }
    image
}

fn strip_labels(labels: Option<&mut Value>) {
    if let Some(labels) = labels.and_then(Value::as_object_mut) {
        labels.retain(|key, _| !key.to_ascii_lowercase().starts_with(PREFIX));
    }
}

/// Networks by their short names.
fn show_networks(shown: &mut Value, uid: u32) {
    if let Some(mode) = shown.pointer_mut("/HostConfig/NetworkMode") {
        let short = mode.as_str().and_then(|mode| short_network(uid, mode)).map(|short| json!(short));
        if let Some(short) = short {
            *mode = short;
        }
    }
    if let Some(networks) = shown.pointer_mut("/NetworkSettings/Networks").and_then(Value::as_object_mut) {
        let all = std::mem::take(networks);
        let engines = format!("ie-{uid}-");
        let short = |(name, mut endpoint): (String, Value)| {
            // Engines since 25 list what a container is found by, the name among it that only the engine uses.
            if let Some(names) = endpoint.get_mut("DNSNames").and_then(Value::as_array_mut) {
                names.retain(|name| !name.as_str().is_some_and(|name| name.starts_with(&engines)));
            }
            (short_network(uid, &name).map_or_else(|| name.clone(), str::to_owned), endpoint)
        };
        networks.extend(all.into_iter().map(short));
    }
}

/// Leaves out the gateway's own files, and names a stage by the directory that is behind it.
fn show_mounts(mounts: Option<&mut Value>, labels: &Labels) {
    let Some(mounts) = mounts.and_then(Value::as_array_mut) else { return };
    let paths: HashMap<&str, String> = labels
        .stages
        .iter()
        .filter_map(|stage| Some((stage.target.to_str()?, stage.host_path().to_string_lossy().into_owned())))
        .collect();
    mounts.retain_mut(|mount| {
        let bind = mount.get("Type").and_then(Value::as_str) == Some("bind");
        let volume = ["Name", "Source"]
            .into_iter()
            .find_map(|key| short_volume(labels.uid, mount.get(key)?.as_str()?));
        if let Some(short) = volume.map(str::to_owned)
            && let Some(fields) = mount.as_object_mut()
        {
            // In `Mounts` its name and where it lies; in `HostConfig.Mounts` its source is its name.
            if fields.contains_key("Name") {
                fields.insert("Name".into(), json!(short));
                fields.insert("Source".into(), json!(""));
            } else {
                fields.insert("Source".into(), json!(short));
            }
            return true;
        }
        let target = mount.get("Destination").or_else(|| mount.get("Target")).and_then(Value::as_str);
        match target.and_then(|target| paths.get(target)) {
            Some(path) => {
                if let Some(fields) = mount.as_object_mut() {
                    fields.insert("Source".into(), json!(path));
                }
                true
            }
            // A bind that is no stage is a file of the gateway's.
            None => !bind,
        }
    });
}

/// Passes an engine's answer on: status, content type and body, without decoding.
pub(in crate::gateway) fn pass(answer: hyper::Response<Incoming>) -> Response {
    let (head, body) = answer.into_parts();
    let mut response = axum::body::Body::new(body).into_response();
    *response.status_mut() = head.status;
    for name in ["content-type", "x-docker-container-path-stat"] {
        if let Some(value) = head.headers.get(name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_has_what_old_clients_look_for() {
        assert_eq!(image(json!({"Size": 7})), json!({"Size": 7, "ContainerConfig": {}}));
        let full = json!({"ContainerConfig": {"Volumes": {}}});
        assert_eq!(image(full.clone()), full);
    }

    #[test]
    fn endpoints_are_found_by_short_names() {
        let endpoint = json!({"DNSNames": ["ie-1000-web", "web", "ie-1001-x"]});
        let mut shown = json!({"NetworkSettings": {"Networks": {"none": endpoint, "x": {}}}});
        show_networks(&mut shown, 1000);
        assert_eq!(
            shown.pointer("/NetworkSettings/Networks/none/DNSNames"),
            Some(&json!(["web", "ie-1001-x"]))
        );
    }

    #[test]
    fn a_flag_reads_as_dockers() {
        let flag = |word: &str| serde_json::from_value::<Flag>(json!(word)).unwrap().0;
        assert!(flag("1") && flag("true") && flag("True"));
        assert!(!flag("0") && !flag("") && !flag("false"));
    }
}
