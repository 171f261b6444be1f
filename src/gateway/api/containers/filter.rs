//! `--filter`: the same key again is OR, different keys are AND; a caller's text never reaches an engine filter.

use crate::gateway::api::filters::{self, Names};
use crate::gateway::engine::{OWN, Owned, pick, pick_by_id, short_network, short_volume};
use crate::gateway::error::Error;
use crate::gateway::images;
use crate::protocol::name::ContainerRef;
use crate::protocol::told::told;
use serde_json::Value;
use std::cell::LazyCell;
use std::collections::BTreeMap;

/// What the engine told of a container, once it is asked for.
type Told<F> = LazyCell<Value, F>;

const KEYS: [&str; 13] = [
    "ancestor", "before", "exited", "expose", "health", "id", "label", "name", "network", "publish", "since",
    "status", "volume",
];

/// The filters of one request.
#[derive(Debug, Default)]
pub(in crate::gateway) struct Filters {
    /// By key, but for those below.
    words: BTreeMap<String, Vec<String>>,
    names: Option<Names>,
    /// Logins, in the list of everybody's.
    owners: Option<Vec<String>>,
    of_everyones: bool,
}

impl Filters {
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        Self::of(filters::parse(text, &KEYS)?)
    }

    /// The filters of the admin's list: whose it is, too.
    pub(in crate::gateway) fn of_everyones(text: &str) -> Result<Self, Error> {
        let filters = Self::of(filters::parse(text, &[&KEYS[..], &["owner"]].concat())?)?;
        Ok(Self { of_everyones: true, ..filters })
    }

    fn of(mut words: BTreeMap<String, Vec<String>>) -> Result<Self, Error> {
        words.iter().try_for_each(|(key, values)| check(key, values))?;
        Ok(Self {
            names: Names::take(&mut words)?,
            owners: words.remove("owner"),
            words,
            of_everyones: false,
        })
    }

    /// `status=` and `exited=` speak of containers that do not run.
    pub(in crate::gateway) fn wants_stopped(&self) -> bool {
        ["status", "exited"].iter().any(|key| self.words.contains_key(*key))
    }

    /// What is left of the caller's containers, in the engine's order: newest first.
    pub(in crate::gateway) fn keep(&self, own: Vec<Owned>) -> Result<Vec<Owned>, Error> {
        let (since, before) = (self.place("since", &own)?, self.place("before", &own)?);
        let kept = own.into_iter().enumerate().filter(|(at, owned)| {
            since.is_none_or(|place| *at < place)
                && before.is_none_or(|place| *at > place)
                && self.matches(owned)
                && self.is_called(owned)
        });
        Ok(kept.map(|(_, owned)| owned).collect())
    }

    /// By what is asked beside names: the container is parsed once, and only where something asks for it.
    fn matches(&self, owned: &Owned) -> bool {
        let told = LazyCell::new(|| owned.found().summary());
        self.words.iter().all(|(key, values)| any_matches(owned, &told, key, values))
    }

    /// By name, with a slash before it and without one as in Docker; and by owner.
    fn is_called(&self, owned: &Owned) -> bool {
        let name = owned.name().as_str();
        let by_name = |names: &Names| names.match_any(name) || names.match_any(&format!("/{name}"));
        let login = &owned.found().labels().login;
        self.names.as_ref().is_none_or(by_name)
            && self.owners.as_ref().is_none_or(|owners| owners.contains(login))
    }

    /// Where in that order the container stands that `since` or `before` names: their times are whole seconds only.
    fn place(&self, key: &str, own: &[Owned]) -> Result<Option<usize>, Error> {
        let Some(word) = self.words.get(key).and_then(|words| words.first()) else { return Ok(None) };
        let word = ContainerRef::try_from(word.clone()).map_err(|_| Error::NoContainer(word.clone()))?;
        // Of everybody's, short names are many people's.
        let named = match self.of_everyones {
            true => pick_by_id(own.to_vec(), word.as_str())?,
            false => pick(own.to_vec(), &word)?,
        };
        Ok(own.iter().position(|owned| owned.id() == named.id()))
    }
}

fn check(key: &str, values: &[String]) -> Result<(), Error> {
    let known: &[&str] = match key {
        "status" => &["created", "restarting", "running", "removing", "paused", "exited", "dead"],
        "health" => &["starting", "healthy", "unhealthy", "none"],
        "exited" if values.iter().any(|value| value.parse::<i32>().is_err()) => {
            return Err(Error::Bad(told!("the filter exited takes an exit code")));
        }
        _ => return Ok(()),
    };
    match values.iter().find(|value| !known.contains(&value.as_str())) {
        None => Ok(()),
        Some(value) => {
            Err(Error::Bad(told!("invalid filter {key}={value:?}, it is one of {}", known.join(" "))))
        }
    }
}

/// Labels are the one key whose repetition is AND, in Docker too.
fn any_matches(owned: &Owned, told: &Told<impl FnOnce() -> Value>, key: &str, values: &[String]) -> bool {
    if key == "label" {
        return values.iter().all(|value| has_label(told, value));
    }
    values.iter().any(|value| matches(owned, told, key, value))
}

fn matches(owned: &Owned, told: &Told<impl FnOnce() -> Value>, key: &str, value: &str) -> bool {
    let text = |key: &str| told.get(key).and_then(Value::as_str).unwrap_or_default();
    match key {
        "id" => owned.id().as_str().starts_with(&value.to_ascii_lowercase()),
        "status" => owned.found().state() == value,
        "exited" => exit_code(text("Status")) == Some(value),
        "ancestor" => is_ancestor(text("Image"), text("ImageID"), value),
        "volume" => mounts(told).any(|(source, target)| {
            source == value || target == value || short_volume(owned.found().owner(), source) == Some(value)
        }),
        "network" if matches!(value, "own" | "default") => matches(owned, told, key, OWN),
        "network" => networks(told)
            .any(|network| network == value || short_network(owned.found().owner(), network) == Some(value)),
        "publish" => ports(told).any(|port| port_matches(port, "PublicPort", value)),
        "expose" => ports(told).any(|port| port_matches(port, "PrivatePort", value)),
        "health" => health(text("Status")) == value,
        // since and before were looked at already.
        _ => true,
    }
}

fn has_label(summary: &Value, value: &str) -> bool {
    let (key, wanted) = value.split_once('=').map_or((value, None), |(key, wanted)| (key, Some(wanted)));
    let ours = key.starts_with(crate::gateway::engine::PREFIX);
    let found = summary.get("Labels").and_then(|labels| labels.get(key)).and_then(Value::as_str);
    !ours && found.is_some_and(|found| wanted.is_none_or(|wanted| wanted == found))
}

/// `Exited (137) 2 minutes ago` → `137`.
fn exit_code(status: &str) -> Option<&str> {
    status.strip_prefix("Exited (")?.split(')').next()
}

fn health(status: &str) -> &'static str {
    match status {
        status if status.contains("(healthy)") => "healthy",
        status if status.contains("(unhealthy)") => "unhealthy",
        status if status.contains("(health: starting)") => "starting",
        _ => "none",
    }
}

fn is_ancestor(image: &str, id: &str, value: &str) -> bool {
    let bare = id.strip_prefix("sha256:").unwrap_or(id);
    let by_id = value.len() >= 6 && (bare.starts_with(value) || id == value);
    by_id
        || image == value
        || images::full(image).is_ok_and(|image| images::full(value).is_ok_and(|value| value == image))
}

fn mounts(summary: &Value) -> impl Iterator<Item = (&str, &str)> {
    let mounts = summary.get("Mounts").and_then(Value::as_array).into_iter().flatten();
    mounts.map(|mount| {
        let text = |key: &str| mount.get(key).and_then(Value::as_str).unwrap_or_default();
        (text("Name"), text("Destination"))
    })
}

fn networks(summary: &Value) -> impl Iterator<Item = &str> {
    let networks = summary.pointer("/NetworkSettings/Networks").and_then(Value::as_object);
    networks.into_iter().flat_map(|networks| networks.keys().map(String::as_str))
}

fn ports(summary: &Value) -> impl Iterator<Item = &Value> {
    summary.get("Ports").and_then(Value::as_array).into_iter().flatten()
}

/// `80`, `80/tcp` or `80-90/tcp`.
fn port_matches(port: &Value, field: &str, wanted: &str) -> bool {
    let (range, protocol) = wanted.split_once('/').unwrap_or((wanted, "tcp"));
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let number = port.get(field).and_then(Value::as_u64);
    let within = |number: u64| {
        first.parse::<u64>().is_ok_and(|first| first <= number)
            && last.parse::<u64>().is_ok_and(|last| number <= last)
    };
    port.get("Type").and_then(Value::as_str) == Some(protocol) && number.is_some_and(within)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_shapes_parse_and_unknown_keys_are_errors() {
        assert_eq!(Filters::parse(r#"{"status":["exited"]}"#).unwrap().words["status"], ["exited"]);
        assert_eq!(Filters::parse(r#"{"status":{"exited":true}}"#).unwrap().words["status"], ["exited"]);
        for bad in [
            r#"{"uid":["0"]}"#,
            r#"{"owner":["ann"]}"#,
            r#"{"status":["odd"]}"#,
            r#"{"exited":["x"]}"#,
            "[]",
            r#"{"id":1}"#,
        ] {
            assert!(Filters::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn words_of_docker_are_read() {
        assert_eq!(exit_code("Exited (137) 2 minutes ago"), Some("137"));
        assert_eq!(exit_code("Up 2 minutes"), None);
        assert!(is_ancestor("busybox:demo", "sha256:abcdef0123", "docker.io/library/busybox:demo"));
        assert!(is_ancestor("busybox:demo", "sha256:abcdef0123", "abcdef"));
        assert!(!is_ancestor("busybox:demo", "sha256:abcdef0123", "busybox:other"));
        let port = serde_json::json!({"PublicPort": 40080, "PrivatePort": 80, "Type": "tcp"});
        assert!(port_matches(&port, "PublicPort", "40000-40100/tcp"));
        assert!(!port_matches(&port, "PrivatePort", "80/udp"));
    }
}
