//! `HostConfig`: what is read of it, and what it says about limits, mounts and ports.

use super::body::Ulimit;
use super::dns::Dns;
use super::fields::Fields;
use super::refused::WishError;
use super::scheduling::{self, Scheduling};
use super::volumes_from::{VolumesFrom, volumes_from};
use super::words::{alias, at_most};
use super::zero::reason;
use super::{gpus, log, mounts, names, ports, sysctls};
use crate::policy::PortAsk;
use crate::protocol::amount::{Bytes, Cpus};
use crate::protocol::cpu_set::{CpuSet, CpuSetError};
use crate::protocol::name::ContainerRef;
use crate::protocol::restart::Restart;
use crate::protocol::told::told;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// The fields of `HostConfig` that are read; every other one must be at its zero value.
pub(super) const SERVED: &[&str] = &[
    "Annotations",
    "AutoRemove",
    "Binds",
    "BlkioWeight",
    "CapDrop",
    "ConsoleSize",
    "ContainerIDFile",
    "CpuPeriod",
    "CpuQuota",
    "CpuShares",
    "CpusetCpus",
    "DeviceRequests",
    "Dns",
    "DnsOptions",
    "DnsSearch",
    "ExtraHosts",
    "GroupAdd",
    "Init",
    "Links",
    "LogConfig",
    "Memory",
    "MemoryReservation",
    "MemorySwap",
    "MemorySwappiness",
    "Mounts",
    "NanoCpus",
    "NetworkMode",
    "OomScoreAdj",
    "PidsLimit",
    "PortBindings",
    "PublishAllPorts",
    "ReadonlyRootfs",
    "RestartPolicy",
    "SecurityOpt",
    "ShmSize",
    "Sysctls",
    "Tmpfs",
    "Ulimits",
    "VolumesFrom",
];

/// What a caller asks of the host.
#[derive(Debug, Default)]
pub(super) struct Host {
    pub(super) memory: Option<Bytes>,
    pub(super) cpus: Option<Cpus>,
    pub(super) pids: Option<u64>,
    pub(super) shm: Option<Bytes>,
    pub(super) cpuset: Option<CpuSet>,
    pub(super) ports: Vec<PortAsk>,
    pub(super) publish_all: bool,
    pub(super) mounted: mounts::All,
    pub(super) volumes_from: Vec<VolumesFrom>,
    pub(super) ulimits: Vec<Ulimit>,
    pub(super) network: String,
    pub(super) links: Vec<Link>,
    pub(super) auto_remove: bool,
    pub(super) restart: Restart,
    pub(super) init: bool,
    pub(super) read_only: bool,
    /// Rows and columns of a terminal, should the container have one.
    pub(super) console: Option<(u64, u64)>,
    pub(super) gpus: Option<(gpus::CardWish, gpus::Capabilities)>,
    pub(super) scheduling: Scheduling,
    pub(super) dns: Dns,
    pub(super) extra_hosts: Vec<String>,
    pub(super) sysctls: BTreeMap<String, String>,
    pub(super) groups: Vec<String>,
    pub(super) log: log::Log,
    /// What was asked and has no effect.
    pub(super) warnings: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct RestartPolicy {
    name: Option<String>,
    maximum_retry_count: Option<i64>,
}

pub(super) fn parse(value: Value) -> Result<Host, WishError> {
    let mut fields = Fields::of("HostConfig", value, SERVED)?;
    let memory: i64 = fields.take("Memory")?;
    let mut warnings = Vec::new();
    swap(memory, fields.take("MemorySwap")?, &mut warnings)?;
    swappiness(fields.take::<Option<i64>>("MemorySwappiness")?, &mut warnings);
    annotations(&fields.take::<BTreeMap<String, String>>("Annotations")?, &mut warnings);
    let scheduling = Scheduling::of(&scheduling::Asked {
        cpu_shares: fields.take("CpuShares")?,
        blkio_weight: fields.take("BlkioWeight")?,
        oom_score_adj: fields.take("OomScoreAdj")?,
        memory_reservation: fields.take("MemoryReservation")?,
    })?;
    security(fields.take("SecurityOpt")?)?;
    // All capabilities are dropped anyhow; the id file is the client's.
    let _: (Option<Vec<String>>, String) = (fields.take("CapDrop")?, fields.take("ContainerIDFile")?);
    let mounted =
        mounts::all(fields.take("Binds")?, fields.take("Mounts")?, fields.take("Tmpfs")?, &mut warnings)?;
    let host = Host {
        memory: positive("HostConfig.Memory", memory)?.map(Bytes),
        cpus: scheduling::cpus(
            fields.take("NanoCpus")?,
            fields.take("CpuQuota")?,
            fields.take("CpuPeriod")?,
        )?,
        pids: pids(fields.take("PidsLimit")?)?,
        shm: positive("HostConfig.ShmSize", fields.take("ShmSize")?)?.map(Bytes),
        cpuset: cpuset(&fields.take::<String>("CpusetCpus")?)?,
        ports: ports::asks(fields.take("PortBindings")?)?,
        publish_all: fields.take("PublishAllPorts")?,
        mounted,
        volumes_from: volumes_from(fields.take("VolumesFrom")?)?,
        ulimits: ulimits(fields.take("Ulimits")?)?,
        network: fields.take("NetworkMode")?,
        links: links(fields.take("Links")?)?,
        auto_remove: fields.take("AutoRemove")?,
        restart: restart(fields.take("RestartPolicy")?)?.unwrap_or_default(),
        init: fields.take::<Option<bool>>("Init")?.unwrap_or(true),
        read_only: fields.take("ReadonlyRootfs")?,
        console: fields.take("ConsoleSize")?,
        gpus: gpus::wish(fields.take("DeviceRequests")?)?,
        scheduling,
        dns: Dns::of(&mut fields)?,
        extra_hosts: names::extra_hosts(fields.take("ExtraHosts")?)?,
        sysctls: sysctls::sysctls(fields.take("Sysctls")?)?,
        groups: groups(fields.take("GroupAdd")?)?,
        log: log::log(fields.take("LogConfig")?, &mut warnings)?,
        warnings,
    };
    fields.rest_is_zero()?;
    if host.auto_remove && host.restart != Restart::No {
        return Err(WishError::Bad(told!("can't create 'AutoRemove' container with restart policy")));
    }
    Ok(host)
}

/// Which of them may be named the policy says.
fn cpuset(word: &str) -> Result<Option<CpuSet>, WishError> {
    let wrong = |error: CpuSetError| WishError::Bad(told!("{}: {error}", "HostConfig.CpusetCpus"));
    (!word.is_empty()).then(|| word.parse()).transpose().map_err(wrong)
}

/// A container of the caller's, under one more name for this container alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::gateway) struct Link {
    pub(in crate::gateway) container: ContainerRef,
    pub(in crate::gateway) alias: String,
}

/// `CONTAINER[:ALIAS]` each; whose the container is remains to be looked up.
fn links(words: Vec<String>) -> Result<Vec<Link>, WishError> {
    at_most("HostConfig.Links", words.len(), 64)?;
    let link = |word: &String| {
        let (container, name) = word.split_once(':').unwrap_or((word, word));
        alias("HostConfig.Links", name)?;
        let wrong = || WishError::Bad(told!("HostConfig.Links: {word:?} is not CONTAINER:ALIAS"));
        let bare = container.strip_prefix('/').unwrap_or(container);
        Ok(Link {
            container: ContainerRef::try_from(bare.to_owned()).map_err(|_| wrong())?,
            alias: name.to_owned(),
        })
    };
    words.iter().map(link).collect()
}

pub(super) fn positive(field: &str, number: i64) -> Result<Option<u64>, WishError> {
    match u64::try_from(number) {
        Ok(0) => Ok(None),
        Ok(number) => Ok(Some(number)),
        Err(_) => Err(WishError::not_allowed(field, told!("a limit is a positive number"))),
    }
}

/// Docker's -1, no limit, asks for nothing: the policy's is everybody's.
pub(super) fn pids(limit: i64) -> Result<Option<u64>, WishError> {
    positive("HostConfig.PidsLimit", if limit == -1 { 0 } else { limit })
}

/// Memory and swap together are always as much as memory alone.
pub(super) fn swap(memory: i64, swap: i64, warnings: &mut Vec<String>) -> Result<(), WishError> {
    match swap {
        0 => Ok(()),
        swap if swap == memory => Ok(()),
        -1 => {
            warnings.push("HostConfig.MemorySwap has no effect: containers get no swap".to_owned());
            Ok(())
        }
        _ => Err(WishError::not_allowed("HostConfig.MemorySwap", told!("containers get no swap"))),
    }
}

fn swappiness(asked: Option<i64>, warnings: &mut Vec<String>) {
    if asked.is_some_and(|asked| asked != -1) {
        warnings.push("HostConfig.MemorySwappiness has no effect: containers get no swap".to_owned());
    }
}

/// They would be orders to the runtime.
fn annotations(asked: &BTreeMap<String, String>, warnings: &mut Vec<String>) {
    if !asked.is_empty() {
        warnings.push("HostConfig.Annotations has no effect here: use labels".to_owned());
    }
}

/// Groups by name or number; whether they are the caller's remains to be looked up.
fn groups(words: Vec<String>) -> Result<Vec<String>, WishError> {
    at_most("HostConfig.GroupAdd", words.len(), 64)?;
    Ok(words)
}

/// Nothing where nothing is asked for: an update changes nothing then.
pub(super) fn restart(policy: RestartPolicy) -> Result<Option<Restart>, WishError> {
    let (name, most) = (policy.name.unwrap_or_default(), policy.maximum_retry_count.unwrap_or_default());
    let restart = Restart::of(&name, most).map_err(WishError::Bad)?;
    Ok((!name.is_empty()).then_some(restart))
}

/// Only what every container has anyhow may be asked for.
fn security(options: Vec<String>) -> Result<(), WishError> {
    let harmless = ["no-new-privileges", "no-new-privileges:true", "no-new-privileges=true"];
    match options.iter().find(|option| !harmless.contains(&option.as_str())) {
        None => Ok(()),
        Some(_) => Err(WishError::not_allowed("HostConfig.SecurityOpt", reason("HostConfig.SecurityOpt"))),
    }
}

/// The largest file that a process may make, in bytes: 1 TiB. An engine adds up what files say they hold, and two that say
/// the most a file system can would make the sum anything.
pub(in crate::gateway) const LARGEST_FILE: i64 = 1 << 40;

/// The limits a process may have raised or lowered, with the most each may be.
const ULIMITS: [(&str, i64); 8] = [
    ("core", i64::MAX),
    ("cpu", i64::MAX),
    ("data", i64::MAX),
    ("fsize", LARGEST_FILE),
    ("nofile", 1 << 20),
    ("nproc", 1 << 22),
    ("stack", i64::MAX),
    ("memlock", i64::MAX),
];

fn ulimits(asked: Vec<Ulimit>) -> Result<Vec<Ulimit>, WishError> {
    at_most("HostConfig.Ulimits", asked.len(), 16)?;
    for ulimit in &asked {
        let most = ULIMITS.iter().find(|(name, _)| *name == ulimit.name).map(|(_, most)| *most);
        let Some(most) = most else {
            return Err(WishError::Bad(told!(
                "HostConfig.Ulimits: {:?} is not a limit that can be set",
                ulimit.name
            )));
        };
        if ulimit.soft > ulimit.hard && ulimit.hard >= 0
            || ulimit.hard > most
            || ulimit.hard < 0 && most < i64::MAX
        {
            return Err(WishError::Bad(told!(
                "HostConfig.Ulimits: {} goes up to {most}, soft up to hard",
                ulimit.name
            )));
        }
    }
    Ok(asked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn limits_are_read() {
        let host =
            parse(json!({"Memory": 1 << 30, "NanoCpus": 500_000_000, "PidsLimit": 10, "AutoRemove": true,
            "LogConfig": {"Type": "json-file", "Config": {}}}))
            .unwrap();
        assert_eq!(
            (host.memory, host.cpus, host.pids),
            (Some(Bytes(1 << 30)), Some(Cpus(500_000_000)), Some(10))
        );
        assert!(host.auto_remove && host.init);
    }

    #[test]
    fn what_escapes_a_container_is_refused_by_name() {
        for (field, value) in [
            ("Privileged", json!(true)),
            ("CapAdd", json!(["SYS_ADMIN"])),
            ("Devices", json!([{"PathOnHost": "/dev/sda"}])),
            ("PidMode", json!("host")),
            ("IpcMode", json!("container:abc")),
            ("UsernsMode", json!("host")),
            ("CgroupParent", json!("/x")),
            ("Runtime", json!("nvidia")),
            ("SecurityOpt", json!(["seccomp=unconfined"])),
            ("MaskedPaths", json!(["/x"])),
            ("DeviceRequests", json!([{"Count": -1, "Capabilities": [["tpu"]]}])),
            ("MemorySwap", json!(1)),
            ("PidsLimit", json!(-2)),
            ("CpuShares", json!(2048)),
            ("OomScoreAdj", json!(-1)),
            ("LogConfig", json!({"Type": "syslog"})),
            ("LogConfig", json!({"Type": "json-file", "Config": {"max-size": "1t"}})),
            ("NoSuchField", json!(1)),
            ("privileged", json!(true)),
        ] {
            let error = parse(json!({ field: value })).unwrap_err();
            assert!(
                error.to_string().contains(&format!("HostConfig.{field} is not allowed here")),
                "{error}"
            );
        }
    }

    #[test]
    fn what_asks_for_nothing_is_taken() {
        let host = parse(json!({"CpuPeriod": 100_000, "CpuQuota": -1, "CpuShares": 0, "PidsLimit": -1,
            "MemorySwappiness": -1, "RestartPolicy": {"Name": "no", "MaximumRetryCount": null}}))
        .unwrap();
        assert_eq!((host.cpus, host.pids, host.warnings.len()), (None, None, 0));
        // What was asked and is not done is said.
        let host =
            parse(json!({"MemorySwap": -1, "MemorySwappiness": 10, "Annotations": {"a": "b"}})).unwrap();
        assert!(host.warnings.iter().all(|said| said.contains("has no effect")) && host.warnings.len() == 3);
    }

    #[test]
    fn a_limit_of_a_process_is_within_its_own() {
        let takes = |name: &str, soft: i64, hard: i64| {
            parse(json!({"Ulimits": [{"Name": name, "Soft": soft, "Hard": hard}]})).is_ok()
        };
        for (name, soft, hard) in [
            ("nofile", 0, 0),
            ("nofile", 1 << 20, 1 << 20),
            ("nproc", 1, 1 << 22),
            ("fsize", 1 << 40, 1 << 40),
            ("core", -1, -1),
            ("core", 5, -1),
            ("core", i64::MAX, i64::MAX),
        ] {
            assert!(takes(name, soft, hard), "{name} {soft} {hard}");
        }
        for (name, soft, hard) in [
            ("nofile", 1, (1 << 20) + 1),
            ("nproc", 1, (1 << 22) + 1),
            ("fsize", 1, (1 << 40) + 1),
            ("fsize", -1, -1),
            ("nofile", 5, -1),
            ("core", 6, 5),
            ("nofile", 1, 0),
            ("rtprio", 1, 1),
        ] {
            assert!(!takes(name, soft, hard), "{name} {soft} {hard}");
        }
    }
}
