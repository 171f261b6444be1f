//! The one place that writes bodies for the engine, out of what was granted.
//!
//! Each line of a body has its reason beside it. Every container gets a numeric `uid:gid`, no capabilities,
//! no-new-privileges and private namespaces. Memory, CPUs, processes and shared memory are limited, and there is no
//! swap. The log has at most 30 MiB, there is no restart policy, and the runtime is `runc` by name.
//!
//! `NVIDIA_VISIBLE_DEVICES` is always the gateway's, and `void` without a grant. The image's own health check does not
//! run, and the working directory is fixed. Each container has a network of its user's own and the home at its own
//! path. `/etc/passwd` and `/etc/group` are generated and read-only.
//!
//! To the kernel a user namespace is its maker's, and the maker is root. So what the kernel counts by namespace is
//! shared by all containers, and with root's services: watchers of files, waiting signals, message queues. Message
//! queues and waiting signals have a limit in each container. Watchers, and pools of the whole machine, are raised
//! until memory bounds them (`sysctl.d/ie-container.conf`).
//!
//! Pages of pipes, epoll's watches and locked memory are counted by the id on the host, which differs from user to
//! user.

use super::label::{GIVEN, LOGIN, Labels, StageLabel, UID};
use super::{EngineError, ImageId, Owned, PREFIX, Space, short_volume};
use crate::gateway::caller::peer::Peer;
use crate::gateway::engine::ports::PortClaim;
use crate::gateway::host::staging::Staged;
use crate::gateway::wish::{DRIVER_CAPABILITIES, ExecWish, Log, Settings, VISIBLE_DEVICES};
use crate::policy::{Allowance, Driver};
use crate::protocol::amount::Span;
use crate::protocol::card::CardId;
use crate::protocol::name::ContainerName;
use crate::protocol::stage::{Access, Token};
use crate::tarball::entry::Owner;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What the policy allowed and ie-mountd staged: everything a container is made of.
#[derive(Debug)]
pub(in crate::gateway) struct Grant {
    pub(in crate::gateway) name: ContainerName,
    /// The allowed image, in the words Docker shows.
    pub(in crate::gateway) image: String,
    /// The same image by its id, as it was looked at.
    pub(in crate::gateway) image_id: ImageId,
    /// Names the container's own directory of the copy helper's channel.
    pub(in crate::gateway) channel: Token,
    /// The image's own labels: those under our prefix are blanked.
    pub(in crate::gateway) image_labels: Vec<String>,
    /// The names of the image's own variables.
    pub(in crate::gateway) image_env: Vec<String>,
    pub(in crate::gateway) uid: u32,
    pub(in crate::gateway) gids: Vec<u32>,
    pub(in crate::gateway) login: String,
    /// The home inside the container, where one is mounted.
    pub(in crate::gateway) home: Option<String>,
    pub(in crate::gateway) allowance: Allowance,
    /// The allowance's ports, which nobody else is given meanwhile.
    pub(in crate::gateway) ports: PortClaim,
    pub(in crate::gateway) gpus: GpuGrant,
    /// The engine's name of the network, or none.
    pub(in crate::gateway) network: Option<String>,
    pub(in crate::gateway) volumes: Vec<VolumeGrant>,
    /// `ENGINE-NAME:ALIAS`, of the owner's containers.
    pub(in crate::gateway) links: Vec<String>,
    pub(in crate::gateway) staged: Vec<Staged>,
    pub(in crate::gateway) stages: Vec<StageLabel>,
    pub(in crate::gateway) settings: Settings,
    pub(in crate::gateway) files: Files,
    pub(in crate::gateway) space: Space,
}

/// A volume of the owner's, by its engine's name; without one it is the container's alone, and goes with it.
#[derive(Debug, Clone)]
pub(in crate::gateway) struct VolumeGrant {
    pub(in crate::gateway) engine_name: Option<String>,
    pub(in crate::gateway) target: String,
    pub(in crate::gateway) access: Access,
}

/// The cards of one container; none for most.
#[derive(Debug, Clone, Default)]
pub(in crate::gateway) struct GpuGrant {
    pub(in crate::gateway) cards: Vec<CardId>,
    pub(in crate::gateway) time: Span,
    pub(in crate::gateway) driver: Driver,
}

/// Whether NVIDIA's hook may do as this variable of an image's says. What it asks for, of which version, what it can do and
/// what it needs is no order.
fn gives_orders(name: &str) -> bool {
    let harmless = name.ends_with("_VERSION")
        || name.starts_with("NVIDIA_REQUIRE_")
        || [DRIVER_CAPABILITIES, "NVIDIA_BUILD_ID", "NVIDIA_PRODUCT_NAME", VISIBLE_DEVICES].contains(&name);
    name.starts_with("NVIDIA_") && !harmless
}

/// What NVIDIA's hook is told of the cards a process may see: exactly these, whatever image and caller say.
fn visible(cards: &[CardId]) -> String {
    let cards = cards.iter().map(CardId::as_str).collect::<Vec<_>>().join(",");
    format!("{VISIBLE_DEVICES}={}", if cards.is_empty() { "void" } else { &cards })
}

/// Files of the gateway's that every container gets, read-only.
#[derive(Debug, Clone)]
pub(in crate::gateway) struct Files {
    pub(in crate::gateway) passwd: PathBuf,
    pub(in crate::gateway) group: PathBuf,
    pub(in crate::gateway) copy_helper: PathBuf,
    pub(in crate::gateway) channel: PathBuf,
}

impl Grant {
    pub(in crate::gateway) fn name(&self) -> &ContainerName {
        &self.name
    }

    /// Its user as labels say it.
    pub(super) fn user_and_login(&self) -> (u32, &str) {
        (self.uid, &self.login)
    }

    /// The image that was admitted.
    pub(super) fn image_id(&self) -> &ImageId {
        &self.image_id
    }

    pub(super) fn owner(&self) -> Owner {
        Owner { uid: self.uid, gid: self.gids.first().copied().unwrap_or(self.uid) }
    }

    pub(in crate::gateway) fn labels(&self) -> Labels {
        Labels {
            uid: self.uid,
            login: self.login.clone(),
            cpus: self.allowance.cpus(),
            memory: self.allowance.memory(),
            pids: self.allowance.pids(),
            cards: self.gpus.cards.clone(),
            time: self.gpus.time,
            ports: self.ports.grants().iter().map(|port| port.host).collect(),
            stages: self.stages.clone(),
            auto_remove: self.settings.auto_remove,
            restart: self.settings.restart,
            tty: self.settings.tty,
            channel: Some(self.channel.clone()),
            image: Some(self.image_id.clone()),
            space: self.space,
        }
    }

    /// The body of the engine's create.
    pub(super) fn body(&self) -> Result<Value, EngineError> {
        let settings = &self.settings;
        let [stdin, stdout, stderr] = settings.attach;
        let mut body = json!({
            "Image": self.image,
            // Numeric: an image's passwd could make a name mean root.
            "User": self.user(),
            "Hostname": settings.hostname.clone().unwrap_or_default(),
            "Env": self.env(),
            "Labels": self.all_labels()?,
            // Said in any case: an image's WORKDIR could point through /proc, and is judged before it is in the settings.
            "WorkingDir": self.working_dir(),
            "Tty": settings.tty,
            "OpenStdin": settings.open_stdin,
            "StdinOnce": settings.stdin_once,
            "AttachStdin": stdin,
            "AttachStdout": stdout,
            "AttachStderr": stderr,
            "ExposedPorts": self.exposed(),
            "HostConfig": self.host_config(),
            "NetworkingConfig": self.networking(),
        });
        let optional = [
            ("Cmd", settings.command.as_ref().map(|words| json!(words))),
            ("Entrypoint", settings.entrypoint.as_ref().map(|words| json!(words))),
            // Laid over the image's already: an engine would run one each nanosecond.
            ("Healthcheck", settings.health.body()),
            ("StopSignal", settings.stop_signal.as_ref().map(|word| json!(word))),
            // Once more beside the network, as engines before 25 look there alone.
            ("MacAddress", settings.networks.endpoint.mac.map(|mac| json!(mac.to_string()))),
            ("StopTimeout", settings.stop_timeout.map(|seconds| json!(seconds))),
        ];
        for (key, value) in optional {
            if let (Some(value), Some(body)) = (value, body.as_object_mut()) {
                body.insert(key.to_owned(), value);
            }
        }
        Ok(body)
    }

    fn user(&self) -> String {
        let gid = self.gids.first().copied().unwrap_or(self.uid);
        format!("{}:{gid}", self.uid)
    }

    fn working_dir(&self) -> String {
        let settings = &self.settings;
        let home = || self.home.as_deref();
        let rather = || match settings.start_dir.as_deref() {
            Some("") => home(),
            other => other,
        };
        settings.working_dir.as_deref().or_else(rather).unwrap_or("/").to_owned()
    }

    /// The account's variables first, then the caller's, then what nobody may change.
    fn env(&self) -> Vec<String> {
        let home = self.home.as_deref().unwrap_or("/");
        let own = [
            format!("HOME={home}"),
            format!("USER={}", self.login),
            format!("LOGNAME={}", self.login),
            "SHELL=/bin/sh".to_owned(),
        ];
        let asked = |variable: &String| self.settings.env.iter().any(|env| key(env) == key(variable));
        let mut env: Vec<String> = own.into_iter().filter(|variable| !asked(variable)).collect();
        // NVIDIA's hook takes orders from an image's variables as from a caller's: those are blank.
        env.extend(self.image_env.iter().filter(|name| gives_orders(name)).map(|name| format!("{name}=")));
        env.extend(self.capabilities().filter(|variable| !asked(variable)));
        env.extend(self.settings.env.iter().cloned());
        env.push(visible(&self.gpus.cards));
        env
    }

    /// What the driver is to do, where a request for cards says so: the variable is what every toolkit knows.
    fn capabilities(&self) -> Option<String> {
        let words = &self.settings.capabilities;
        let told = !words.is_empty() && !self.gpus.cards.is_empty();
        told.then(|| format!("{DRIVER_CAPABILITIES}={}", words.join(",")))
    }

    /// The caller's labels, blanks over whatever the image says under our prefix, and ours.
    fn all_labels(&self) -> Result<BTreeMap<String, String>, EngineError> {
        let mut labels = self.settings.labels.clone();
        let spoofed = self.image_labels.iter().filter(|key| key.to_ascii_lowercase().starts_with(PREFIX));
        labels.extend(spoofed.map(|key| (key.clone(), String::new())));
        labels.extend(self.labels().write().map_err(|error| EngineError::Odd(error.to_string()))?);
        Ok(labels)
    }

    fn exposed(&self) -> Map<String, Value> {
        let published =
            self.ports.grants().iter().map(|port| format!("{}/{}", port.container, port.protocol));
        published.chain(self.settings.exposed.iter().cloned()).map(|port| (port, json!({}))).collect()
    }

    fn networking(&self) -> Value {
        let Some(network) = &self.network else { return json!({}) };
        let asked = &self.settings.networks.endpoint;
        let mut aliases = vec![self.name.to_string()];
        aliases.extend(asked.aliases.iter().cloned());
        let mut endpoint = json!({ "Aliases": aliases, "Links": self.links });
        if let Some(endpoint) = endpoint.as_object_mut() {
            let address = asked.address.map(|address| json!({ "IPv4Address": address.to_string() }));
            endpoint.extend(address.map(|address| ("IPAMConfig".to_owned(), address)));
            endpoint.extend(asked.mac.map(|mac| ("MacAddress".to_owned(), json!(mac.to_string()))));
        }
        json!({ "EndpointsConfig": { network: endpoint } })
    }
}

fn key(variable: &str) -> &str {
    variable.split('=').next().unwrap_or_default()
}

/// The body of the engine's exec create: as the owner, whatever was asked.
pub(in crate::gateway) fn exec_body(peer: &Peer, container: &Owned, wish: &ExecWish) -> Value {
    let [stdin, stdout, stderr] = wish.attach;
    let mut env = wish.env.clone();
    env.push(visible(&container.labels().cards));
    json!({
        "User": format!("{}:{}", peer.uid(), peer.gid()),
        "Privileged": false,
        "Tty": wish.tty,
        "ConsoleSize": wish.console,
        "AttachStdin": stdin,
        "AttachStdout": stdout,
        "AttachStderr": stderr,
        "DetachKeys": wish.detach_keys.clone().unwrap_or_default(),
        "Env": env,
        "WorkingDir": wish.working_dir.clone().unwrap_or_default(),
        "Cmd": wish.command,
    })
}

/// The labels of what belongs to a user.
fn whose(uid: u32, login: &str) -> Value {
    json!({ UID: uid.to_string(), LOGIN: login })
}

/// The body of a container that is never started, with these volumes of a user's, each at a place of its own. One that is
/// missing would be made: it would bear a label by which it is known and goes again.
pub(super) fn still_body(image: &str, (uid, login): (u32, &str), volumes: &[(String, String)]) -> Value {
    let labels = |volume: &str| match short_volume(uid, volume) {
        Some(_) => whose(uid, login),
        None => json!({ GIVEN: "" }),
    };
    let mount = |(volume, target): &(String, String)| {
        let options = json!({ "NoCopy": true, "Labels": labels(volume) });
        json!({ "Type": "volume", "Source": volume, "Target": target, "VolumeOptions": options })
    };
    json!({
        "Image": image,
        "User": "65534:65534",
        "Cmd": ["/never-started"],
        "Healthcheck": { "Test": ["NONE"] },
        "HostConfig": {
            "NetworkMode": "none",
            "RestartPolicy": { "Name": "no" },
            "Runtime": "runc",
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
            "Privileged": false,
            "LogConfig": Log::default(),
            "Mounts": volumes.iter().map(mount).collect::<Vec<_>>(),
        },
    })
}

mod host;
mod mounts;
mod update;

#[cfg(test)]
mod tests;
