//! The body of `POST /containers/create`, as far as it is served.
//!
//! What stands in the engine's lists has an end, counted in JSON: everybody's lists carry it.

use super::console::{Console, console};
use super::dns::Dns;
use super::env::variables;
use super::fields::Fields;
use super::gpus::Capabilities;
use super::health::{HealthWish, health};
use super::host::{self, Link};
use super::log::Log;
use super::mounts::VolumeAsk;
use super::network::{Networks, networks};
use super::refused::WishError;
use super::scheduling::Scheduling;
use super::tmpfs::Tmpfs;
use super::volumes_from::VolumesFrom;
use super::words::{Words, at_most, command, hostname, inner_path, signal};
use super::{PREFIX, builder, ports, zero};
use crate::gateway::caller::peer::Peer;
use crate::policy::{MountAsk, PortAsk};
use crate::protocol::amount::{Bytes, Cpus};
use crate::protocol::cpu_set::CpuSet;
use crate::protocol::name::ContainerName;
use crate::protocol::restart::Restart;
use crate::protocol::told::told;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

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
    "MacAddress",
    "NetworkingConfig",
    "OpenStdin",
    "StdinOnce",
    "StopSignal",
    "StopTimeout",
    "Tty",
    "User",
    "Volumes",
    "WorkingDir",
    // Of clients that put the query's name here, too.
    "name",
];

/// What a caller wishes for, every word of it checked; the policy has not seen it yet.
#[derive(Debug)]
pub(in crate::gateway) struct Wish {
    pub(in crate::gateway) name: Option<ContainerName>,
    pub(in crate::gateway) image: String,
    pub(in crate::gateway) cpus: Option<Cpus>,
    pub(in crate::gateway) memory: Option<Bytes>,
    pub(in crate::gateway) pids: Option<u64>,
    pub(in crate::gateway) shm: Option<Bytes>,
    pub(in crate::gateway) cpuset: Option<CpuSet>,
    pub(in crate::gateway) ports: Vec<PortAsk>,
    /// Whatever the image exposes, too.
    publish_all: bool,
    pub(in crate::gateway) mounts: Vec<MountAsk>,
    pub(in crate::gateway) gpus: Option<super::gpus::CardWish>,
    pub(in crate::gateway) settings: Settings,
    /// What was asked and has no effect, or another one.
    pub(in crate::gateway) warnings: Vec<String>,
}

impl Wish {
    /// Starts where the client would like to, if neither the caller nor the image says otherwise.
    pub(in crate::gateway) fn rather_in(mut self, dir: Option<String>) -> Result<Self, WishError> {
        if let Some(dir) = dir.as_deref().filter(|dir| !dir.is_empty()) {
            inner_path("start", dir)?;
        }
        self.settings.start_dir = dir;
        Ok(self)
    }

    /// Says so where ports are wanted on every address, and published on this one.
    pub(in crate::gateway) fn warn_of_address(&mut self, address: IpAddr) {
        let anywhere = self.ports.iter().any(|port| port.address.is_some_and(|asked| asked.is_unspecified()));
        if anywhere && !address.is_unspecified() {
            self.warnings.push(format!("HostIp 0.0.0.0 is {address} here: ports are published there alone"));
        }
    }

    /// With what the image says and the caller does not: its WORKDIR, which is judged like one that a caller names, its
    /// HEALTHCHECK, and where all ports are to be published those that it exposes.
    pub(in crate::gateway) fn of_image(
        mut self,
        dir: Option<&str>,
        health: Option<&Value>,
        exposed: &[String],
    ) -> Result<Self, WishError> {
        if self.publish_all {
            let all = self.settings.exposed.iter().chain(exposed);
            let all: BTreeSet<_> = all.map(|port| ports::container_port(port)).collect::<Result<_, _>>()?;
            ports::publish(all, &mut self.ports);
        }
        self.settings.health = self.settings.health.of_image(health, &mut self.warnings);
        // What an image has that says nothing of it.
        let Some(dir) = dir.filter(|dir| !matches!(*dir, "" | "/")) else { return Ok(self) };
        if self.settings.working_dir.is_none() {
            let dir = if dir.starts_with('/') { dir.to_owned() } else { format!("/{dir}") };
            inner_path("the image's WORKDIR", &dir)?;
            self.settings.working_dir = Some(dir);
        }
        Ok(self)
    }
}

/// What a container is told and the policy has no say in.
#[derive(Debug, Clone, Default)]
pub(in crate::gateway) struct Settings {
    pub(in crate::gateway) command: Option<Vec<String>>,
    pub(in crate::gateway) entrypoint: Option<Vec<String>>,
    pub(in crate::gateway) env: Vec<String>,
    pub(in crate::gateway) labels: BTreeMap<String, String>,
    pub(in crate::gateway) working_dir: Option<String>,
    /// Ours: where to start if neither the caller nor the image says. Empty for the home.
    pub(in crate::gateway) start_dir: Option<String>,
    pub(in crate::gateway) hostname: Option<String>,
    pub(in crate::gateway) tty: bool,
    pub(in crate::gateway) console: Option<Console>,
    pub(in crate::gateway) open_stdin: bool,
    pub(in crate::gateway) stdin_once: bool,
    pub(in crate::gateway) attach: [bool; 3],
    pub(in crate::gateway) exposed: Vec<String>,
    pub(in crate::gateway) stop_signal: Option<String>,
    pub(in crate::gateway) stop_timeout: Option<i64>,
    pub(in crate::gateway) health: HealthWish,
    pub(in crate::gateway) tmpfs: Vec<Tmpfs>,
    pub(in crate::gateway) ulimits: Vec<Ulimit>,
    pub(in crate::gateway) networks: Networks,
    pub(in crate::gateway) volumes: Vec<VolumeAsk>,
    /// Containers whose volumes and directories it has as well.
    pub(in crate::gateway) volumes_from: Vec<VolumesFrom>,
    pub(in crate::gateway) links: Vec<Link>,
    pub(in crate::gateway) auto_remove: bool,
    pub(in crate::gateway) restart: Restart,
    pub(in crate::gateway) init: bool,
    pub(in crate::gateway) read_only: bool,
    pub(in crate::gateway) scheduling: Scheduling,
    pub(in crate::gateway) dns: Dns,
    pub(in crate::gateway) extra_hosts: Vec<String>,
    pub(in crate::gateway) sysctls: BTreeMap<String, String>,
    /// Groups that the container has anyhow, if they are the caller's.
    pub(in crate::gateway) groups: Vec<String>,
    pub(in crate::gateway) log: Log,
    /// What a GPU's driver is to do; nothing for what the image says.
    pub(in crate::gateway) capabilities: Capabilities,
}

/// One of a process's limits.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(in crate::gateway) struct Ulimit {
    pub(in crate::gateway) name: String,
    pub(in crate::gateway) soft: i64,
    pub(in crate::gateway) hard: i64,
}

/// Reads a body and the `name` beside it.
pub(in crate::gateway) fn parse(name: Option<&str>, body: Value, peer: &Peer) -> Result<Wish, WishError> {
    builder::refuse(name, &body)?;
    let mut fields = Fields::of("", body, SERVED)?;
    let mut host = host::parse(fields.raw("HostConfig"))?;
    host.mounted.add_unnamed(fields.take("Volumes")?)?;
    let mac: String = fields.take("MacAddress")?;
    let networks = networks(&host.network, fields.raw("NetworkingConfig"), &mac, peer)?;
    user(fields.take("User")?, peer)?;
    let image: String = fields.take("Image")?;
    if image.is_empty() {
        return Err(WishError::Bad(told!("Image is missing")));
    }
    same_name(name, &fields.take::<String>("name")?)?;
    host.mounted.memory.iter().try_for_each(|tmpfs| tmpfs.judge_owner(peer))?;
    let tty = fields.take("Tty")?;
    let mut warnings = host.warnings;
    let health = health(fields.take("Healthcheck")?, &mut warnings)?;
    let (cards, capabilities) = host.gpus.unzip();
    let settings = Settings {
        command: command("Cmd", fields.take("Cmd")?)?,
        entrypoint: command("Entrypoint", fields.take::<Option<Words>>("Entrypoint")?)?,
        env: variables(fields.take("Env")?)?,
        labels: labels(fields.take("Labels")?)?,
        working_dir: working_dir(fields.take("WorkingDir")?)?,
        start_dir: None,
        hostname: host_name(fields.take("Hostname")?)?,
        tty,
        console: console("HostConfig.ConsoleSize", tty, host.console)?,
        open_stdin: fields.take("OpenStdin")?,
        stdin_once: fields.take("StdinOnce")?,
        attach: [fields.take("AttachStdin")?, fields.take("AttachStdout")?, fields.take("AttachStderr")?],
        exposed: exposed(fields.take("ExposedPorts")?)?,
        stop_signal: stop_signal(fields.take("StopSignal")?)?,
        stop_timeout: stop_timeout(fields.take("StopTimeout")?)?,
        health,
        tmpfs: host.mounted.memory,
        ulimits: host.ulimits,
        networks,
        volumes: host.mounted.volumes,
        volumes_from: host.volumes_from,
        links: host.links,
        auto_remove: host.auto_remove,
        restart: host.restart,
        init: host.init,
        read_only: host.read_only,
        scheduling: host.scheduling,
        dns: host.dns,
        extra_hosts: host.extra_hosts,
        sysctls: host.sysctls,
        groups: host.groups,
        log: host.log,
        capabilities: capabilities.unwrap_or_default(),
    };
    fields.rest_is_zero()?;
    told(&settings)?;
    Ok(Wish {
        name: name.filter(|name| !name.is_empty()).map(container_name).transpose()?,
        image,
        cpus: host.cpus,
        memory: host.memory,
        pids: host.pids,
        shm: host.shm,
        cpuset: host.cpuset,
        ports: host.ports,
        publish_all: host.publish_all,
        mounts: host.mounted.directories,
        gpus: cards,
        settings,
        warnings,
    })
}

pub(in crate::gateway) fn container_name(word: &str) -> Result<ContainerName, WishError> {
    let bare = word.strip_prefix('/').unwrap_or(word);
    bare.parse().map_err(|error| WishError::Bad(told!("{word:?}: {error}")))
}

/// The query has the name; a body that says another one is not understood.
fn same_name(query: Option<&str>, body: &str) -> Result<(), WishError> {
    let bare = |name: &str| name.trim_start_matches('/').to_owned();
    if body.is_empty() || query.is_some_and(|query| bare(query) == bare(body)) {
        return Ok(());
    }
    Err(WishError::not_allowed(
        "name",
        told!("a container's name is the query's: POST /containers/create?name=NAME"),
    ))
}

/// Every process is its owner's, whatever the word; another user's is refused rather than ignored.
pub(super) fn user(word: String, peer: &Peer) -> Result<(), WishError> {
    let own = [peer.uid().to_string(), format!("{}:{}", peer.uid(), peer.gid())];
    if word.is_empty() || own.contains(&word) || peer.login() == Some(word.as_str()) {
        return Ok(());
    }
    Err(WishError::not_allowed("User", told!("every process in a container runs as its owner")))
}

/// What the engine tells of a container in every list, to everybody who asks for theirs: in bytes of JSON, where a
/// control character is six.
const MOST_TOLD: usize = 64 << 10;

fn in_json(value: &impl Serialize) -> usize {
    serde_json::to_vec(value).map_or(usize::MAX, |json| json.len())
}

/// The command line of a container, which stands in every list.
fn told(settings: &Settings) -> Result<(), WishError> {
    let bytes = in_json(&settings.entrypoint) + in_json(&settings.command);
    if bytes > MOST_TOLD {
        return Err(WishError::Bad(told!(
            "Entrypoint and Cmd take {bytes} bytes in JSON, the most is {MOST_TOLD}; a longer script is better read from a file"
        )));
    }
    Ok(())
}

pub(super) fn labels(labels: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, WishError> {
    let bytes = in_json(&labels);
    if labels.len() > 256 || bytes > MOST_TOLD {
        return Err(WishError::Bad(told!(
            "Labels: {} labels of {bytes} bytes, the most is 256 of {MOST_TOLD}",
            labels.len()
        )));
    }
    if let Some(key) = labels.keys().find(|key| key.to_ascii_lowercase().starts_with(PREFIX)) {
        let field = format!("the label {}", crate::protocol::escape::escape_line(key));
        return Err(WishError::not_allowed(&field, told!("labels under io.ie-container. are the gateway's")));
    }
    Ok(labels)
}

fn working_dir(dir: String) -> Result<Option<String>, WishError> {
    if dir.is_empty() {
        return Ok(None);
    }
    inner_path("WorkingDir", &dir)?;
    Ok(Some(dir))
}

fn host_name(name: String) -> Result<Option<String>, WishError> {
    hostname("Hostname", &name)?;
    Ok(Some(name).filter(|name| !name.is_empty()))
}

fn exposed(exposed: BTreeMap<String, Value>) -> Result<Vec<String>, WishError> {
    at_most("ExposedPorts", exposed.len(), 256)?;
    for (port, detail) in &exposed {
        ports::container_port(port)?;
        if !zero::is_zero(detail) {
            return Err(WishError::Bad(told!("ExposedPorts: {port:?} takes no settings")));
        }
    }
    Ok(exposed.into_keys().collect())
}

fn stop_signal(word: String) -> Result<Option<String>, WishError> {
    if word.is_empty() {
        return Ok(None);
    }
    signal("StopSignal", &word)?;
    Ok(Some(word))
}

/// How long a container may take to stop by itself, in seconds.
const LONGEST_STOP: i64 = 600;

fn stop_timeout(seconds: Option<i64>) -> Result<Option<i64>, WishError> {
    match seconds {
        Some(seconds) if !(0..=LONGEST_STOP).contains(&seconds) => {
            Err(WishError::Bad(told!("StopTimeout is 0 to {LONGEST_STOP} seconds")))
        }
        seconds => Ok(seconds),
    }
}

#[cfg(test)]
mod tests;
