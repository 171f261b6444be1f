//! What the kernel is to keep apart, and how much of it a container gets.

use super::super::call::Id;
use super::super::refused::Refused;
use super::super::site::{Site, is_place_of_a_node, is_plain};
use super::super::sources::Source;
use crate::policy::IdRange;
use crate::protocol::sysctl::{is_number, is_own};
use oci_spec::runtime::{
    Linux, LinuxDevice, LinuxDeviceBuilder, LinuxDeviceCgroup, LinuxDeviceType, LinuxIdMapping,
    LinuxNamespace, LinuxNamespaceType, LinuxResources, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg,
    LinuxSeccompOperator, LinuxSyscall,
};
use rustix::fs::FileType;
use rustix::io::Errno;
use std::path::Path;

/// Every container has these of its own.
const NAMESPACES: [LinuxNamespaceType; 6] = [
    LinuxNamespaceType::Mount,
    LinuxNamespaceType::Network,
    LinuxNamespaceType::Uts,
    LinuxNamespaceType::Pid,
    LinuxNamespaceType::Ipc,
    LinuxNamespaceType::Cgroup,
];
/// What the engine sets in a network namespace of its own.
const SYSCTLS: [(&str, &str); 2] =
    [("net.ipv4.ip_unprivileged_port_start", "0"), ("net.ipv4.ping_group_range", "0 2147483647")];
/// The character devices of every container, as its control group has them: null, zero, full, random, urandom, tty,
/// console and the terminals.
const DEVICES: [(i64, Option<i64>); 9] = [
    (1, Some(3)),
    (1, Some(5)),
    (1, Some(7)),
    (1, Some(8)),
    (1, Some(9)),
    (5, Some(0)),
    (5, Some(1)),
    (5, Some(2)),
    (136, None),
];
/// The names in Docker's own profile for a process without capabilities, on any architecture.
const SYSCALLS: &str = include_str!("syscalls.txt");
/// The bits that no process may ask of `clone`: a namespace of any kind.
const NEW_NAMESPACES: u64 = 0x7e02_0000;
/// What a process may ask of `personality`, in its bits: Linux, 32 bits, the plain one, and which it has.
const PERSONALITIES: [u64; 5] = [0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];
const MASKED: [&str; 11] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];
const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

pub(super) fn judge(mut linux: Linux, site: &Site, id: &Id) -> Result<Linux, Refused> {
    namespaces(linux.namespaces().as_deref().unwrap_or_default())?;
    ids(&linux, site)?;
    for (name, value) in linux.sysctl().iter().flatten() {
        let asked = is_own(name) && is_number(value);
        if !asked && !SYSCTLS.contains(&(name.as_str(), value.as_str())) {
            return Err(Refused::new(format!("the kernel's setting {name} is not a container's to change")));
        }
    }
    control_group(linux.cgroups_path().as_deref(), site, id)?;
    propagation(linux.rootfs_propagation().as_deref())?;
    super::process::labelled(linux.mount_label().as_deref(), site)?;
    let devices =
        linux.devices().iter().flatten().map(|device| node(device, site)).collect::<Result<_, _>>()?;
    linux.set_devices(Some(devices));
    resources(linux.resources().as_ref(), site)?;
    let seccomp =
        linux.seccomp().clone().ok_or_else(|| Refused::new("a process without a seccomp profile"))?;
    linux.set_seccomp(Some(profile(seccomp)?));
    linux.set_masked_paths(Some(with(linux.masked_paths().clone(), &MASKED)));
    linux.set_readonly_paths(Some(with(linux.readonly_paths().clone(), &READ_ONLY)));
    Ok(linux)
}

/// All of them, each new.
fn namespaces(asked: &[LinuxNamespace]) -> Result<(), Refused> {
    if let Some(joined) = asked.iter().find(|namespace| namespace.path().is_some()) {
        return Err(Refused::new(format!("it would join another's {} namespace", joined.typ())));
    }
    let given: Vec<_> = asked.iter().map(LinuxNamespace::typ).collect();
    if let Some(missing) = NAMESPACES.iter().find(|kind| !given.contains(kind)) {
        return Err(Refused::new(format!("it would be in the host's {missing} namespace")));
    }
    let known = |kind: &&LinuxNamespaceType| NAMESPACES.contains(kind) || **kind == LinuxNamespaceType::User;
    match given.iter().find(|kind| !known(kind)) {
        Some(other) => Err(Refused::new(format!("a {other} namespace is not served here"))),
        None => Ok(()),
    }
}

/// In a user namespace exactly where this engine maps ids, and mapped as it does.
fn ids(linux: &Linux, site: &Site) -> Result<(), Refused> {
    let spaces = linux.namespaces().as_deref().unwrap_or_default();
    let is_mapped = spaces.iter().any(|space| space.typ() == LinuxNamespaceType::User);
    let uids = linux.uid_mappings().as_deref().unwrap_or_default();
    let gids = linux.gid_mappings().as_deref().unwrap_or_default();
    let right = match (is_mapped, site.remap()) {
        (true, Some(remap)) => is_the_range(uids, remap.uids) && is_the_range(gids, remap.gids),
        (true, None) => return Err(Refused::new("a user namespace is not served here")),
        (false, Some(_)) if !site.unmapped() => {
            return Err(Refused::new(
                "it would be in the host's user namespace, which `unmapped` in ie-runc's runtime.toml does not allow",
            ));
        }
        (false, _) => uids.is_empty() && gids.is_empty(),
    };
    match right {
        true => Ok(()),
        false => Err(Refused::new("its ids are not mapped as this engine's are")),
    }
}

fn is_the_range(ids: &[LinuxIdMapping], range: IdRange) -> bool {
    let is = |one: &LinuxIdMapping| {
        one.container_id() == 0 && one.host_id() == range.first() && one.size() == range.count()
    };
    matches!(ids, [one] if is(one))
}

/// `/group/ID`, or `name.slice:docker:ID` under systemd.
fn control_group(asked: Option<&Path>, site: &Site, id: &Id) -> Result<(), Refused> {
    let group = site.cgroup();
    let wanted = match group.starts_with('/') {
        true => format!("{}/{}", group.trim_end_matches('/'), id.as_str()),
        false => format!("{group}:docker:{}", id.as_str()),
    };
    match asked == Some(Path::new(&wanted)) {
        true => Ok(()),
        false => Err(Refused::new(format!("its control group is not its own one below {group}"))),
    }
}

fn propagation(asked: Option<&str>) -> Result<(), Refused> {
    match asked.unwrap_or_default() {
        "" | "private" | "rprivate" | "slave" | "rslave" => Ok(()),
        other => Err(Refused::new(format!("its mounts would be {other}, and reach the host"))),
    }
}

/// A limit that is no limit is refused, and so is what would keep one from being held.
pub(super) fn limits_that_are_said(asked: &LinuxResources) -> Result<(), Refused> {
    let memory = asked.memory().as_ref();
    let is_none = |limit: Option<i64>| limit.is_some_and(|limit| limit <= 0);
    if is_none(memory.and_then(|memory| memory.limit())) {
        return Err(Refused::new("it would have no limit on memory"));
    }
    if memory.and_then(|memory| memory.disable_oom_killer()) == Some(true) {
        return Err(Refused::new("the kernel could not end it when its memory is full"));
    }
    if memory.and_then(|memory| memory.kernel()).is_some_and(|kernel| kernel != 0) {
        return Err(Refused::new("its limit on the kernel's memory is not served here"));
    }
    if asked.cpu().as_ref().is_some_and(|cpu| cpu.mems().as_ref().is_some_and(|nodes| !nodes.is_empty())) {
        return Err(Refused::new("the nodes of its memory are not served here"));
    }
    if is_none(asked.pids().as_ref().map(|pids| pids.limit())) {
        return Err(Refused::new("it would have no limit on processes"));
    }
    Ok(())
}

fn resources(asked: Option<&LinuxResources>, site: &Site) -> Result<(), Refused> {
    let limit = |limit: Option<i64>| limit.is_some_and(|limit| limit > 0);
    let asked = asked.ok_or_else(|| Refused::new("it has no limits"))?;
    if !limit(asked.memory().as_ref().and_then(|memory| memory.limit())) {
        return Err(Refused::new("it has no limit on memory"));
    }
    limits_that_are_said(asked)?;
    if !limit(asked.pids().as_ref().map(|pids| pids.limit())) {
        return Err(Refused::new("it has no limit on processes"));
    }
    let rules = asked.devices().as_deref().unwrap_or_default();
    let everything = |rule: &LinuxDeviceCgroup| {
        let kind = rule.typ().unwrap_or_default();
        !rule.allow() && kind == LinuxDeviceType::A && rule.major().is_none() && rule.minor().is_none()
    };
    if !rules.first().is_some_and(everything) {
        return Err(Refused::new("its control group would let it open every device"));
    }
    let known = |rule: &&LinuxDeviceCgroup| {
        let kind = rule.typ().unwrap_or_default();
        !rule.allow() || rule.major().is_some_and(|major| is_allowed(kind, major, rule.minor(), site))
    };
    match rules.iter().find(|rule| !known(rule)) {
        Some(rule) => Err(Refused::new(format!("the devices {rule} are not granted here"))),
        None => Ok(()),
    }
}

/// A node that may be granted, by its numbers and by a plain name, with owner and mode of runc's: everybody's in there,
/// who is one user.
///
/// runc makes a node of that name as root, or binds what the host has there, and for either it follows the name.
fn node(asked: &LinuxDevice, site: &Site) -> Result<LinuxDevice, Refused> {
    let (path, kind) = (asked.path(), asked.typ());
    let (major, minor) = (asked.major(), asked.minor());
    let is_place = is_plain(path) && is_place_of_a_node(path);
    // Another name inside is fine where the host has nothing of that name, which runc could bind.
    let is_that = is_node(path, kind, major, Some(minor)) || Source::open(path).err() == Some(Errno::NOENT);
    let is_terminal = major == 136 || (major, minor) == (5, 2);
    if !(is_place && is_that && !is_terminal && is_allowed(kind, major, Some(minor), site)) {
        let shown = path.display();
        return Err(Refused::new(format!("the device {shown} ({major}:{minor}) is not granted here")));
    }
    let node =
        LinuxDeviceBuilder::default().path(path).typ(kind).major(major).minor(minor).file_mode(0o666_u32);
    node.build().map_err(Refused::system("writing a device down"))
}

/// One of every container's, or one of the host's nodes that may be granted, by its numbers.
fn is_allowed(kind: LinuxDeviceType, major: i64, minor: Option<i64>, site: &Site) -> bool {
    let is_character = matches!(kind, LinuxDeviceType::C | LinuxDeviceType::U);
    let standard = DEVICES.iter().any(|(known, one)| *known == major && (one.is_none() || *one == minor));
    (is_character && standard) || site.devices().iter().any(|node| is_node(node, kind, major, minor))
}

fn is_node(node: &Path, kind: LinuxDeviceType, major: i64, minor: Option<i64>) -> bool {
    let Some(stat) = Source::open(node).ok().and_then(|node| node.stat().ok()) else { return false };
    let wanted = match kind {
        LinuxDeviceType::C | LinuxDeviceType::U => FileType::CharacterDevice,
        LinuxDeviceType::B => FileType::BlockDevice,
        _ => return false,
    };
    FileType::from_raw_mode(stat.st_mode) == wanted
        && i64::from(rustix::fs::major(stat.st_rdev)) == major
        && Some(i64::from(rustix::fs::minor(stat.st_rdev))) == minor
}

/// A profile that forbids by default, and of what it allows what is on the list.
fn profile(mut asked: LinuxSeccomp) -> Result<LinuxSeccomp, Refused> {
    let forbids = |action| {
        matches!(
            action,
            LinuxSeccompAction::ScmpActErrno
                | LinuxSeccompAction::ScmpActKill
                | LinuxSeccompAction::ScmpActKillThread
                | LinuxSeccompAction::ScmpActKillProcess
        )
    };
    if !forbids(asked.default_action()) {
        return Err(Refused::new("its seccomp profile allows what it does not name"));
    }
    let mut rules = Vec::new();
    for mut rule in asked.syscalls().clone().unwrap_or_default() {
        match rule.action() {
            LinuxSeccompAction::ScmpActAllow => {
                let names = rule.names().iter().filter(|name| may_be_allowed(name, &rule)).cloned().collect();
                rule.set_names(names);
            }
            action if forbids(action) => {}
            other => return Err(Refused::new(format!("its seccomp profile asks somebody else ({other})"))),
        }
        if !rule.names().is_empty() {
            rules.push(rule);
        }
    }
    asked.set_syscalls(Some(rules));
    Ok(asked)
}

/// On the list; and of two calls in the forms alone in which Docker's own profile allows them.
fn may_be_allowed(name: &str, rule: &LinuxSyscall) -> bool {
    let args = rule.args().as_deref().unwrap_or_default();
    match name {
        "clone" => matches!(args, [arg] if forbids_namespaces(arg)),
        "personality" => matches!(args, [arg] if is_a_personality(arg)),
        name => SYSCALLS.split_whitespace().any(|known| known == name),
    }
}

/// The flags are the first argument, on s390 the second.
fn forbids_namespaces(arg: &LinuxSeccompArg) -> bool {
    let place = if cfg!(target_arch = "s390x") { 1 } else { 0 };
    arg.index() == place
        && arg.op() == LinuxSeccompOperator::ScmpCmpMaskedEq
        && arg.value() & NEW_NAMESPACES == NEW_NAMESPACES
        && arg.value_two().unwrap_or_default() == 0
}

fn is_a_personality(arg: &LinuxSeccompArg) -> bool {
    arg.index() == 0 && arg.op() == LinuxSeccompOperator::ScmpCmpEq && PERSONALITIES.contains(&arg.value())
}

fn with(asked: Option<Vec<String>>, wanted: &[&str]) -> Vec<String> {
    let mut paths = asked.unwrap_or_default();
    let missing: Vec<String> = wanted
        .iter()
        .filter(|path| !paths.iter().any(|asked| asked == *path))
        .map(|path| (*path).to_owned())
        .collect();
    paths.extend(missing);
    paths
}
