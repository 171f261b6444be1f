//! What one caller may have: every value, and where it was set.

use super::cap::Cap;
use super::gateway::{Gateway, HomeRoot};
use super::images::Pattern;
use super::mounts::Offer;
use super::ports::PortRange;
use super::setting::Setting;
use super::source::{Source, Sourced};
use crate::protocol::amount::{Bytes, Cpus, Span};
use crate::protocol::cpu_set::CpuSet;
use crate::protocol::stage::Access;
use jiff::civil::Date;
use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

/// Whom limits are wanted for, as the gateway looked the caller up.
#[derive(Debug, Clone, Copy)]
pub struct Who<'a> {
    pub login: &'a str,
    /// The names of the groups the caller is in.
    pub groups: &'a [String],
    pub home: &'a Path,
    pub today: Date,
}

/// The limits of one caller on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    pub(super) containers: Sourced<Cap<u64>>,
    pub(super) each: Each,
    pub(super) max: Max,
    pub(super) total: Totals,
    /// The processors that a container may be bound to, if any may be named.
    pub(super) cpuset: Sourced<Option<CpuSet>>,
    /// Networks and volumes made by name, whether used or not.
    pub(super) networks: Sourced<Cap<u64>>,
    pub(super) volumes: Sourced<Cap<u64>>,
    /// The longest lease of a GPU, in seconds.
    pub(super) gpu_time: Sourced<Cap<Span>>,
    /// Hours on one GPU from Monday to Sunday; an hour on two counts twice.
    pub(super) gpu_hours: Sourced<Cap<u64>>,
    /// How long a container stays that does not run.
    pub(super) stopped_for: Sourced<Cap<Span>>,
    pub(super) restart: Sourced<bool>,
    pub(super) images: Sourced<Vec<Pattern>>,
    pub(super) ports: Ports,
    /// How the home is mounted, if at all.
    pub(super) home: Sourced<Option<Access>>,
    pub(super) mounts: Sourced<Vec<Offer>>,
    pub(super) homes: Sourced<Vec<HomeRoot>>,
    pub(super) home_path: PathBuf,
}

/// What one container gets if it does not ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Each {
    pub(super) cpus: Sourced<Cpus>,
    pub(super) memory: Sourced<Bytes>,
    pub(super) pids: Sourced<u64>,
    pub(super) shm: Sourced<Bytes>,
    /// Open files of one process; the engine's own limit where there is none.
    pub(super) nofile: Sourced<Option<u64>>,
}

/// What one container may ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Max {
    pub(super) cpus: Sourced<Cap<Cpus>>,
    pub(super) memory: Sourced<Cap<Bytes>>,
    pub(super) pids: Sourced<Cap<u64>>,
    pub(super) shm: Sourced<Cap<Bytes>>,
}

/// What all running containers may have together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) cpus: Sourced<Cap<Cpus>>,
    pub(super) memory: Sourced<Cap<Bytes>>,
    pub(super) pids: Sourced<Cap<u64>>,
    pub(super) gpus: Sourced<Cap<u64>>,
    /// Of stopped ones too, and of volumes.
    pub(super) disk: Sourced<Cap<Bytes>>,
    /// Of the engine's own processors, for what they print.
    pub(super) output: Sourced<Cap<Cpus>>,
}

/// What may be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ports {
    pub(super) range: Sourced<Option<PortRange>>,
    pub(super) max: Sourced<Cap<u64>>,
    pub(super) address: Sourced<IpAddr>,
}

/// One value for showing: `explain` prints all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value<'a> {
    /// The rule's name: `each.cpus`, `images`.
    pub rule: &'static str,
    pub value: String,
    pub source: &'a Source,
}

/// In bytes.
const GIB: u64 = 1 << 30;

fn most<T>(most: T) -> Sourced<Cap<T>> {
    Sourced::built_in(Cap::Most(most))
}

impl Limits {
    /// What holds when no table says anything: finite numbers, and nothing granted.
    pub(super) fn built_in(gateway: &Gateway, who: &Who<'_>) -> Self {
        Self {
            containers: most(4),
            each: Each {
                cpus: Sourced::built_in(Cpus(2 * Cpus::ONE)),
                memory: Sourced::built_in(Bytes(4 * GIB)),
                pids: Sourced::built_in(512),
                shm: Sourced::built_in(Bytes(GIB)),
                nofile: Sourced::built_in(None),
            },
            max: Max {
                cpus: most(Cpus(8 * Cpus::ONE)),
                memory: most(Bytes(32 * GIB)),
                pids: most(4096),
                shm: most(Bytes(16 * GIB)),
            },
            total: Totals {
                cpus: most(Cpus(8 * Cpus::ONE)),
                memory: most(Bytes(32 * GIB)),
                pids: most(8192),
                gpus: most(0),
                disk: most(Bytes(40 * GIB)),
                output: most(Cpus(Cpus::ONE / 10)),
            },
            cpuset: Sourced::built_in(None),
            networks: most(4),
            volumes: most(8),
            gpu_time: most(Span(24 * 3600)),
            gpu_hours: most(168),
            // Not finite as the others are: what this takes away does not come back.
            stopped_for: Sourced::built_in(Cap::Unlimited),
            restart: Sourced::built_in(false),
            images: Sourced::built_in(Vec::new()),
            ports: Ports {
                range: Sourced::built_in(None),
                max: most(4),
                address: Sourced::built_in(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            },
            home: Sourced::built_in(None),
            mounts: Sourced::built_in(Vec::new()),
            homes: gateway.homes.clone(),
            home_path: who.home.to_owned(),
        }
    }

    /// On a host with so many: a container with more would not start. Totals may be larger, as those of many users are.
    #[must_use]
    pub fn on_a_host_of(mut self, cpus: Cpus) -> Self {
        let (each, max) = (&mut self.each.cpus, &mut self.max.cpus);
        if each.value > cpus {
            *each = Sourced { value: cpus, source: Source::Host };
        }
        if max.value.allows_more_than(cpus) {
            *max = Sourced { value: Cap::Most(cpus), source: Source::Host };
        }
        self
    }

    /// Lays one table over what holds so far: each key it names replaces the value, and nothing else changes.
    pub(super) fn lay(&mut self, settings: &[Setting]) {
        for setting in settings.iter().cloned() {
            match setting {
                Setting::Containers(value) => self.containers = value,
                Setting::EachCpus(value) => self.each.cpus = value,
                Setting::EachMemory(value) => self.each.memory = value,
                Setting::EachPids(value) => self.each.pids = value,
                Setting::EachShm(value) => self.each.shm = value,
                Setting::EachNofile(value) => self.each.nofile = value,
                Setting::MaxCpus(value) => self.max.cpus = value,
                Setting::MaxMemory(value) => self.max.memory = value,
                Setting::MaxPids(value) => self.max.pids = value,
                Setting::MaxShm(value) => self.max.shm = value,
                Setting::TotalCpus(value) => self.total.cpus = value,
                Setting::TotalMemory(value) => self.total.memory = value,
                Setting::TotalPids(value) => self.total.pids = value,
                Setting::TotalGpus(value) => self.total.gpus = value,
                Setting::TotalDisk(value) => self.total.disk = value,
                Setting::TotalOutput(value) => self.total.output = value,
                Setting::CpuSet(value) => self.cpuset = value,
                Setting::Networks(value) => self.networks = value,
                Setting::Volumes(value) => self.volumes = value,
                Setting::GpuTime(value) => self.gpu_time = value,
                Setting::GpuHoursWeek(value) => self.gpu_hours = value,
                Setting::StoppedFor(value) => self.stopped_for = value,
                Setting::Restart(value) => self.restart = value,
                Setting::Images(value) => self.images = value,
                Setting::PortRange(value) => self.ports.range = value,
                Setting::PortMax(value) => self.ports.max = value,
                Setting::PortAddress(value) => self.ports.address = value,
                Setting::Home(value) => self.home = value,
                Setting::Mounts(value) => self.mounts = value,
            }
        }
    }

    /// Every value with its source, in the order of the file's keys.
    pub fn values(&self) -> Vec<Value<'_>> {
        let (each, max, total, ports) = (&self.each, &self.max, &self.total, &self.ports);
        let list = |items: Vec<String>| if items.is_empty() { "none".to_owned() } else { items.join(", ") };
        vec![
            value("containers", &self.containers),
            value("each.cpus", &each.cpus),
            value("each.memory", &each.memory),
            value("each.pids", &each.pids),
            value("each.shm", &each.shm),
            shown("each.nofile", each.nofile_shown(), &each.nofile),
            value("max.cpus", &max.cpus),
            value("max.memory", &max.memory),
            value("max.pids", &max.pids),
            value("max.shm", &max.shm),
            value("total.cpus", &total.cpus),
            value("total.memory", &total.memory),
            value("total.pids", &total.pids),
            value("total.gpus", &total.gpus),
            value("total.disk", &total.disk),
            value("total.output", &total.output),
            shown("cpuset", self.cpuset_shown(), &self.cpuset),
            value("networks", &self.networks),
            value("volumes", &self.volumes),
            value("gpu_time", &self.gpu_time),
            value("gpu_hours.week", &self.gpu_hours),
            shown("stopped_for", self.stopped_for_shown(), &self.stopped_for),
            value("restart", &self.restart),
            shown("images", list(self.image_list()), &self.images),
            shown("ports.range", ports.range_shown(), &ports.range),
            value("ports.max", &ports.max),
            value("ports.address", &ports.address),
            shown("home", self.home_shown().to_owned(), &self.home),
            shown("mounts", list(self.mounts.value.iter().map(Offer::to_string).collect()), &self.mounts),
        ]
    }

    pub(super) fn image_list(&self) -> Vec<String> {
        self.images.value.iter().map(Pattern::to_string).collect()
    }

    fn cpuset_shown(&self) -> String {
        self.cpuset.value.as_ref().map_or_else(|| "none".to_owned(), CpuSet::to_string)
    }

    pub(super) fn home_shown(&self) -> &'static str {
        self.home.value.map_or("none", super::mounts::word)
    }
}

impl Each {
    fn nofile_shown(&self) -> String {
        self.nofile.value.map_or_else(|| "the engine's".to_owned(), |files| files.to_string())
    }
}

impl Ports {
    pub(super) fn range_shown(&self) -> String {
        self.range.value.map_or_else(|| "none".to_owned(), |range| range.to_string())
    }
}

fn value<'a, T: Display>(rule: &'static str, of: &'a Sourced<T>) -> Value<'a> {
    shown(rule, of.value.to_string(), of)
}

fn shown<'a, T>(rule: &'static str, value: String, of: &'a Sourced<T>) -> Value<'a> {
    Value { rule, value, source: &of.source }
}
