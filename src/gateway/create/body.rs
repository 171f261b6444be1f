//! The body of `POST /containers/create`, as far as it is served.

use super::env::variables;
use super::fields::Fields;
use super::host::{self, Link};
use super::mounts::{Tmpfs, VolumeAsk};
use super::things::endpoint_aliases;
use super::words::{Words, at_most, command, hostname, inner_path, signal};
use super::{ports, zero};
use crate::gateway::engine::PREFIX;
use crate::gateway::error::Error;
use crate::gateway::peer::Peer;
use crate::policy::{MountAsk, PortAsk};
use crate::protocol::amount::{Bytes, Cpus};
use crate::protocol::name::{ContainerName, ThingName};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The fields of the body's top level (Docker's `Config`) that are read.
pub(super) const SERVED: &[&str] = &[
    "AttachStderr",
    "AttachStdin",
    "AttachStdout",
    "Cmd",
    "Entrypoint",
    "Env",
    "ExposedPorts",
    "Healthcheck",
    "HostConfig",
    "Hostname",
    "Image",
    "Labels",
    "NetworkingConfig",
    "OpenStdin",
    "StdinOnce",
    "StopSignal",
    "StopTimeout",
    "Tty",
    "User",
    "Volumes",
    "WorkingDir",
];
pub(super) const NETWORKING_SERVED: &[&str] = &["EndpointsConfig"];

/// What a caller wishes for, every word of it checked; the policy has not seen it yet.
#[derive(Debug)]
pub(in crate::gateway) struct Wish {
    pub(in crate::gateway) name: Option<ContainerName>,
    pub(in crate::gateway) image: String,
    pub(in crate::gateway) cpus: Option<Cpus>,
    pub(in crate::gateway) memory: Option<Bytes>,
    pub(in crate::gateway) pids: Option<u64>,
    pub(in crate::gateway) shm: Option<Bytes>,
    pub(in crate::gateway) ports: Vec<PortAsk>,
    pub(in crate::gateway) mounts: Vec<MountAsk>,
    pub(in crate::gateway) gpus: Option<crate::gateway::gpu::service::Wish>,
    pub(in crate::gateway) settings: Settings,
}

/// What a container is told and the policy has no say in.
#[derive(Debug, Clone, Default)]
pub(in crate::gateway) struct Settings {
    pub(in crate::gateway) command: Option<Vec<String>>,
    pub(in crate::gateway) entrypoint: Option<Vec<String>>,
    pub(in crate::gateway) env: Vec<String>,
    pub(in crate::gateway) labels: BTreeMap<String, String>,
    pub(in crate::gateway) working_dir: Option<String>,
    pub(in crate::gateway) hostname: Option<String>,
    pub(in crate::gateway) aliases: Vec<String>,
    pub(in crate::gateway) tty: bool,
    pub(in crate::gateway) open_stdin: bool,
    pub(in crate::gateway) stdin_once: bool,
    pub(in crate::gateway) attach: [bool; 3],
    pub(in crate::gateway) exposed: Vec<String>,
    pub(in crate::gateway) stop_signal: Option<String>,
    pub(in crate::gateway) stop_timeout: Option<i64>,
    pub(in crate::gateway) health: Option<Health>,
    pub(in crate::gateway) tmpfs: Vec<Tmpfs>,
    pub(in crate::gateway) ulimits: Vec<Ulimit>,
    pub(in crate::gateway) network: NetworkWord,
    pub(in crate::gateway) volumes: Vec<VolumeAsk>,
    pub(in crate::gateway) links: Vec<Link>,
    pub(in crate::gateway) auto_remove: bool,
    pub(in crate::gateway) init: bool,
    pub(in crate::gateway) read_only: bool,
}

/// One of a process's limits.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(in crate::gateway) struct Ulimit {
    pub(in crate::gateway) name: String,
    pub(in crate::gateway) soft: i64,
    pub(in crate::gateway) hard: i64,
}

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

/// Reads a body and the `name` beside it.
pub(in crate::gateway) fn parse(name: Option<&str>, body: Value, peer: &Peer) -> Result<Wish, Error> {
    let mut fields = Fields::of("", body, SERVED)?;
    let mut host = host::parse(fields.raw("HostConfig"))?;
    host.mounted.add_unnamed(fields.take("Volumes")?)?;
    let aliases = aliases(fields.raw("NetworkingConfig"), &host.network)?;
    user(fields.take("User")?, peer)?;
    let image: String = fields.take("Image")?;
    if image.is_empty() {
        return Err(Error::Bad("Image is missing".into()));
    }
    let settings = Settings {
        command: command("Cmd", fields.take("Cmd")?)?,
        entrypoint: command("Entrypoint", fields.take::<Option<Words>>("Entrypoint")?)?,
        env: variables(fields.take("Env")?)?,
        labels: labels(fields.take("Labels")?)?,
        working_dir: working_dir(fields.take("WorkingDir")?)?,
        hostname: host_name(fields.take("Hostname")?)?,
        aliases,
        tty: fields.take("Tty")?,
        open_stdin: fields.take("OpenStdin")?,
        stdin_once: fields.take("StdinOnce")?,
        attach: [fields.take("AttachStdin")?, fields.take("AttachStdout")?, fields.take("AttachStderr")?],
        exposed: exposed(fields.take("ExposedPorts")?)?,
        stop_signal: stop_signal(fields.take("StopSignal")?)?,
        stop_timeout: stop_timeout(fields.take("StopTimeout")?)?,
        health: health(fields.take("Healthcheck")?)?,
        tmpfs: host.mounted.memory,
        ulimits: host.ulimits,
        network: network(&host.network, peer)?,
        volumes: host.mounted.volumes,
        links: host.links,
        auto_remove: host.auto_remove,
        init: host.init,
        read_only: host.read_only,
    };
    fields.rest_is_zero()?;
    Ok(Wish {
        name: name.filter(|name| !name.is_empty()).map(container_name).transpose()?,
        image,
        cpus: host.cpus,
        memory: host.memory,
        pids: host.pids,
        shm: host.shm,
        ports: host.ports,
        mounts: host.mounted.directories,
        gpus: host.gpus,
        settings,
    })
}

pub(in crate::gateway) fn container_name(word: &str) -> Result<ContainerName, Error> {
    let bare = word.strip_prefix('/').unwrap_or(word);
    bare.parse().map_err(|error| Error::Bad(format!("{word:?}: {error}")))
}

/// Every process is its owner's, whatever the word; another user's is refused rather than ignored.
pub(super) fn user(word: String, peer: &Peer) -> Result<(), Error> {
    let own = [peer.uid().to_string(), format!("{}:{}", peer.uid(), peer.gid())];
    if word.is_empty() || own.contains(&word) || peer.login() == Some(word.as_str()) {
        return Ok(());
    }
    Err(Error::not_allowed("User", "every process in a container runs as its owner"))
}

/// The network a container is made in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::gateway) enum NetworkWord {
    /// Loopback only.
    Nothing,
    /// The one that every user has.
    #[default]
    Own,
    /// One of the caller's, by name or id; whose it is remains to be looked up.
    Named(String),
}

fn network(mode: &str, peer: &Peer) -> Result<NetworkWord, Error> {
    let refused = |why| Err(Error::not_allowed("HostConfig.NetworkMode", why));
    match mode {
        "none" => Ok(NetworkWord::Nothing),
        "host" => refused("the host's network is not a container's"),
        own if is_own_word(own) || own == format!("ie-{}", peer.uid()) => Ok(NetworkWord::Own),
        joined if joined.contains(':') => {
            refused("a container has a network of its own, not another container's")
        }
        name => name
            .parse::<ThingName>()
            .map(|name| NetworkWord::Named(name.to_string()))
            .or_else(|_| is_id(name).then(|| NetworkWord::Named(name.to_owned())).ok_or(()))
            .or_else(|()| refused("that is no name of a network")),
    }
}

fn is_id(word: &str) -> bool {
    (12..=64).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The names a container answers to in the network it is made in, beside its own.
fn aliases(value: Value, mode: &str) -> Result<Vec<String>, Error> {
    let mut fields = Fields::of("NetworkingConfig", value, NETWORKING_SERVED)?;
    let endpoints: BTreeMap<String, Value> = fields.take("EndpointsConfig")?;
    fields.rest_is_zero()?;
    let mut all = Vec::new();
    for (network, endpoint) in endpoints {
        if zero::is_zero(&endpoint) {
            continue;
        }
        if network != mode && !(is_own_word(&network) && is_own_word(mode)) {
            return Err(Error::not_allowed(
                "NetworkingConfig.EndpointsConfig",
                "a container begins in the network of its NetworkMode, and is connected to others afterwards",
            ));
        }
        all.extend(endpoint_aliases(endpoint)?);
    }
    Ok(all)
}

/// The words for the network that every container is in unless it says otherwise.
fn is_own_word(word: &str) -> bool {
    matches!(word, "" | "default" | "own" | "bridge")
}

pub(super) fn labels(labels: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, Error> {
    let bytes: usize = labels.iter().map(|(key, value)| key.len() + value.len()).sum();
    if labels.len() > 256 || bytes > 64 << 10 {
        return Err(Error::Bad(format!(
            "Labels: {} labels of {bytes} bytes, the most is 256 of 65536",
            labels.len()
        )));
    }
    if let Some(key) = labels.keys().find(|key| key.to_ascii_lowercase().starts_with(PREFIX)) {
        let field = format!("the label {}", crate::protocol::escape::escape_line(key));
        return Err(Error::not_allowed(&field, "labels under io.ie-container. are the gateway's"));
    }
    Ok(labels)
}

fn working_dir(dir: String) -> Result<Option<String>, Error> {
    if dir.is_empty() {
        return Ok(None);
    }
    inner_path("WorkingDir", &dir)?;
    Ok(Some(dir))
}

fn host_name(name: String) -> Result<Option<String>, Error> {
    hostname("Hostname", &name)?;
    Ok(Some(name).filter(|name| !name.is_empty()))
}

fn exposed(exposed: BTreeMap<String, Value>) -> Result<Vec<String>, Error> {
    at_most("ExposedPorts", exposed.len(), 256)?;
    for (port, detail) in &exposed {
        ports::container_port(port)?;
        if !zero::is_zero(detail) {
            return Err(Error::Bad(format!("ExposedPorts: {port:?} takes no settings")));
        }
    }
    Ok(exposed.into_keys().collect())
}

fn stop_signal(word: String) -> Result<Option<String>, Error> {
    if word.is_empty() {
        return Ok(None);
    }
    signal("StopSignal", &word)?;
    Ok(Some(word))
}

/// How long a container may take to stop by itself, in seconds.
const LONGEST_STOP: i64 = 600;

fn stop_timeout(seconds: Option<i64>) -> Result<Option<i64>, Error> {
    match seconds {
        Some(seconds) if !(0..=LONGEST_STOP).contains(&seconds) => {
            Err(Error::Bad(format!("StopTimeout is 0 to {LONGEST_STOP} seconds")))
        }
        seconds => Ok(seconds),
    }
}

/// A check each second for ever is a load on the host: five seconds apart at the least.
const SHORTEST_INTERVAL: i64 = 5_000_000_000;

fn health(health: Health) -> Result<Option<Health>, Error> {
    if health.test.is_empty() || health.test.first().is_some_and(|word| word == "NONE") {
        return Ok(None);
    }
    if health.interval != 0 && health.interval < SHORTEST_INTERVAL {
        return Err(Error::Bad("Healthcheck.Interval is 5s or more".into()));
    }
    let sane = [health.timeout, health.start_period, health.retries].into_iter().all(|number| number >= 0);
    let words = match health.test.split_first() {
        Some((kind, words)) if kind == "CMD" => words,
        Some((kind, line @ [_])) if kind == "CMD-SHELL" => line,
        _ => &[],
    };
    // Docker 20.10 itself falls over a CMD without a word after it.
    if !sane || words.first().is_none_or(String::is_empty) {
        let shape =
            "Healthcheck: Test is CMD and a command, or CMD-SHELL and one line, and no number is negative";
        return Err(Error::Bad(shape.into()));
    }
    command("Healthcheck.Test", Some(Words::List(health.test.clone())))?;
    Ok(Some(health))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn wish(body: Value) -> Result<Wish, Error> {
        parse(None, body, &Peer::fake(1000, "ann"))
    }

    #[test]
    fn what_docker_sends_for_a_plain_run_is_accepted() {
        let body = serde_json::from_str(include_str!("docker-20.10-run.json")).unwrap();
        let wish = wish(body).unwrap();
        assert_eq!(wish.settings.command, Some(vec!["true".to_owned()]));
        assert!(wish.settings.auto_remove && wish.settings.network == NetworkWord::Own);
    }

    #[test]
    fn nothing_outside_the_served_fields_gets_through() {
        for (body, field) in [
            (json!({"Image": "x", "User": "0"}), "User"),
            (json!({"Image": "x", "User": "1001:1000"}), "User"),
            (json!({"Image": "x", "Volumes": {"/data": {}, "/x": {"a": 1}}}), "Volumes"),
            (json!({"Image": "x", "MacAddress": "02:00:00:00:00:01"}), "MacAddress"),
            (json!({"Image": "x", "Labels": {"io.ie-container.uid": "1001"}}), "io.ie-container.uid"),
            (json!({"Image": "x", "HostConfig": {"NetworkMode": "container:web"}}), "NetworkMode"),
            (json!({"Image": "x", "HostConfig": {"NetworkMode": "a/b"}}), "NetworkMode"),
            (
                json!({"Image": "x", "NetworkingConfig": {"EndpointsConfig": {"ie-1001": {"Aliases": ["x"]}}}}),
                "Endpoints",
            ),
            (
                json!({"Image": "x", "NetworkingConfig": {"EndpointsConfig": {"own": {"IPAMConfig": {"IPv4Address": "10.0.0.1"}}}}}),
                "IPAMConfig",
            ),
            (json!({"Image": "x", "WorkingDir": "/proc/self/fd/7"}), "WorkingDir"),
            (json!({"Image": "x", "WorkingDir": "/a/../proc"}), "WorkingDir"),
            (json!({"Image": "x", "Uid": 0, "uid": 1001}), "uid"),
            (json!({"Image": "x", "Healthcheck": {"Test": ["CMD"]}}), "Healthcheck"),
            (json!({"Image": "x", "Healthcheck": {"Test": ["CMD", ""]}}), "Healthcheck"),
            (json!({"Image": "x", "Healthcheck": {"Test": ["CMD-SHELL"]}}), "Healthcheck"),
            (json!({"Image": "x", "Healthcheck": {"Test": ["CMD-SHELL", "a", "b"]}}), "Healthcheck"),
            (json!({"Image": "x", "HostConfig": {"Binds": vec!["/a:/b"; 65]}}), "Binds"),
            (
                json!({"Image": "x", "HostConfig": {"PortBindings": {"80/tcp": vec![json!({}); 65]}}}),
                "PortBindings",
            ),
            (json!({"Image": "x", "ExposedPorts": {"+80/tcp": {}}}), "+80"),
        ] {
            let error = wish(body).unwrap_err();
            assert!(error.to_string().contains(field), "{field}: {error}");
        }
    }
}
