//! A specification as a file: read whole and bounded, nothing in it that is not known, written back as it was judged.
//!
//! A key that is not listed is refused by its name. That also holds where only its letters are larger, as runc does not
//! mind that. The judged specification is written in the place of the other. The process of an exec is handed on in a
//! sealed file. So what runs is what was judged.

use super::refused::Refused;
use oci_spec::runtime::{LinuxResources, Process, Spec};
use rustix::fs::{
    MemfdFlags, Mode, OFlags, SealFlags, fchmod, fchown, fcntl_add_seals, fstat, memfd_create, openat,
    renameat,
};
use rustix::process::{Gid, Uid};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;

/// The longest specification that is read, in bytes: an engine's are of some ten thousand.
const LONGEST: u64 = 4 << 20;
const NAME: &str = "config.json";
const FRESH: &str = "config.json.ie-runc";

/// Every key that a specification may have here, with all above it; `*` is each item of a list or of a map.
///
/// What is not listed is refused and not passed over: the real runc might know it, or know it in other letters.
const KNOWN: &[&str] = &[
    "ociVersion",
    "hostname",
    "domainname",
    "root.path",
    "root.readonly",
    "mounts.*.destination",
    "mounts.*.type",
    "mounts.*.source",
    "mounts.*.options.*",
    "annotations.*",
    "linux.uidMappings.*.containerID",
    "linux.uidMappings.*.hostID",
    "linux.uidMappings.*.size",
    "linux.gidMappings.*.containerID",
    "linux.gidMappings.*.hostID",
    "linux.gidMappings.*.size",
    "linux.sysctl.*",
    "linux.cgroupsPath",
    "linux.namespaces.*.type",
    "linux.namespaces.*.path",
    "linux.devices.*.path",
    "linux.devices.*.type",
    "linux.devices.*.major",
    "linux.devices.*.minor",
    "linux.devices.*.fileMode",
    "linux.devices.*.uid",
    "linux.devices.*.gid",
    "linux.maskedPaths.*",
    "linux.readonlyPaths.*",
    "linux.rootfsPropagation",
    "linux.mountLabel",
    "linux.resources.devices.*.allow",
    "linux.resources.devices.*.type",
    "linux.resources.devices.*.major",
    "linux.resources.devices.*.minor",
    "linux.resources.devices.*.access",
    "linux.resources.memory.limit",
    "linux.resources.memory.reservation",
    "linux.resources.memory.swap",
    "linux.resources.memory.swappiness",
    "linux.resources.memory.disableOOMKiller",
    "linux.resources.cpu.shares",
    "linux.resources.cpu.quota",
    "linux.resources.cpu.period",
    "linux.resources.cpu.cpus",
    "linux.resources.cpu.mems",
    "linux.resources.pids.limit",
    "linux.resources.blockIO.weight",
    "linux.seccomp.defaultAction",
    "linux.seccomp.defaultErrnoRet",
    "linux.seccomp.architectures.*",
    "linux.seccomp.flags.*",
    "linux.seccomp.syscalls.*.names.*",
    "linux.seccomp.syscalls.*.action",
    "linux.seccomp.syscalls.*.errnoRet",
    "linux.seccomp.syscalls.*.args.*.index",
    "linux.seccomp.syscalls.*.args.*.value",
    "linux.seccomp.syscalls.*.args.*.valueTwo",
    "linux.seccomp.syscalls.*.args.*.op",
];

/// The keys of a process, in a specification below `process`.
const KNOWN_OF_A_PROCESS: &[&str] = &[
    "terminal",
    "consoleSize.height",
    "consoleSize.width",
    "user.uid",
    "user.gid",
    "user.umask",
    "user.additionalGids.*",
    "args.*",
    "env.*",
    "cwd",
    "capabilities.bounding.*",
    "capabilities.effective.*",
    "capabilities.inheritable.*",
    "capabilities.permitted.*",
    "capabilities.ambient.*",
    "rlimits.*.type",
    "rlimits.*.hard",
    "rlimits.*.soft",
    "noNewPrivileges",
    "apparmorProfile",
    "oomScoreAdj",
    "selinuxLabel",
];

/// What Docker 20.10 says in an update alone: nought, of memory that the kernel does not count apart any more.
const KNOWN_OF_AN_UPDATE: &[&str] = &["linux.resources.memory.kernel"];

/// The moments at which a hook may run.
const HOOKS: &[&str] =
    &["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];
const KNOWN_OF_A_HOOK: &[&str] = &["path", "args.*", "env.*", "timeout"];

/// The directory of one container that the engine's shim has prepared for runc.
pub(crate) struct Bundle {
    dir: OwnedFd,
    file: OwnedFd,
}

impl Bundle {
    pub(crate) fn open(path: &Path) -> Result<Self, Refused> {
        let failed = || Refused::system("opening the specification");
        let dir = rustix::fs::open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
        let dir = dir.map_err(failed())?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(&dir, NAME, flags, Mode::empty()).map_err(failed())?;
        Ok(Self { dir, file })
    }

    pub(crate) fn spec(&self) -> Result<Spec, Refused> {
        let value =
            read(File::from(self.file.try_clone().map_err(Refused::system("reading the specification"))?))?;
        parse_spec(value)
    }

    /// Puts this one in its place, whole, with the same owner and mode.
    pub(crate) fn replace(&self, spec: &Spec) -> Result<(), Refused> {
        let failed = || Refused::system("writing the specification");
        let bytes = serde_json::to_vec(spec).map_err(Refused::system("writing the specification"))?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fresh = openat(&self.dir, FRESH, flags, Mode::RUSR | Mode::WUSR).map_err(failed())?;
        let old = fstat(&self.file).map_err(failed())?;
        fchown(&fresh, Some(Uid::from_raw(old.st_uid)), Some(Gid::from_raw(old.st_gid))).map_err(failed())?;
        fchmod(&fresh, Mode::from_raw_mode(old.st_mode)).map_err(failed())?;
        File::from(fresh).write_all(&bytes).map_err(Refused::system("writing the specification"))?;
        renameat(&self.dir, FRESH, &self.dir, NAME).map_err(failed())
    }
}

/// The process of an exec, out of the file that the engine's shim wrote for it.
pub(crate) fn process(path: &Path) -> Result<Process, Refused> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, Mode::empty());
    let file = file.map_err(Refused::system("opening the process of an exec"))?;
    parse_process(read(File::from(file))?)
}

/// The limits of an update, as the engine's shim writes them.
pub(crate) fn resources(from: impl Read) -> Result<LinuxResources, Refused> {
    parse_resources(read(from)?)
}

/// The same in a file without a name that nobody changes any more: runc reads what was judged.
pub(crate) fn sealed(judged: &impl Serialize) -> Result<OwnedFd, Refused> {
    let failed = || Refused::system("handing on what was judged");
    let bytes = serde_json::to_vec(judged).map_err(Refused::system("handing on what was judged"))?;
    // runc inherits it.
    let mut file = File::from(memfd_create("judged", MemfdFlags::ALLOW_SEALING).map_err(failed())?);
    file.write_all(&bytes).map_err(Refused::system("handing on what was judged"))?;
    let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    fcntl_add_seals(&file, seals).map_err(failed())?;
    Ok(file.into())
}

pub(crate) fn parse_process(value: Value) -> Result<Process, Refused> {
    known(&value, "", &|path| KNOWN_OF_A_PROCESS.iter().any(|known| leads_to(path, known)))?;
    typed(value)
}

/// Of a specification's limits those that an update may change, which are no rules for devices.
pub(crate) fn parse_resources(value: Value) -> Result<LinuxResources, Refused> {
    const WHERE: &str = "linux.resources";
    let is_known = |path: &str| {
        let path = format!("{WHERE}.{path}");
        let known = KNOWN.iter().chain(KNOWN_OF_AN_UPDATE);
        !path.starts_with("linux.resources.devices") && known.into_iter().any(|known| leads_to(&path, known))
    };
    known(&value, "", &is_known)?;
    typed(value)
}

pub(crate) fn parse_spec(value: Value) -> Result<Spec, Refused> {
    known(&value, "", &is_known)?;
    typed(value)
}

fn is_known(path: &str) -> bool {
    let below = |known: &[&str], rest: &str| known.iter().any(|known| leads_to(rest, known));
    match path.split_once('.') {
        _ if path == "process" || path == "hooks" => true,
        Some(("process", rest)) => below(KNOWN_OF_A_PROCESS, rest),
        Some(("hooks", rest)) => {
            let (moment, rest) = rest.split_once('.').unwrap_or((rest, ""));
            let rest = rest.strip_prefix('*').unwrap_or(rest);
            HOOKS.contains(&moment)
                && (rest.is_empty() || below(KNOWN_OF_A_HOOK, rest.trim_start_matches('.')))
        }
        _ => below(KNOWN, path),
    }
}

/// Whether this is the path or a part of it from its beginning.
fn leads_to(path: &str, known: &str) -> bool {
    known.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Maps whose keys are names and no words of the specification's.
const MAPS: &[&str] = &["annotations", "linux.sysctl"];

/// Walks through everything that is said and not null.
fn known(value: &Value, path: &str, is_known: &dyn Fn(&str) -> bool) -> Result<(), Refused> {
    let join = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    let walk = |key: &str, value: &Value| {
        let at = join(key);
        match is_known(&at) {
            true => known(value, &at, is_known),
            false => Err(Refused::new(format!("its specification has {at:?}, which is not served here"))),
        }
    };
    match value {
        Value::Object(map) => {
            let name = |key| if MAPS.contains(&path) { "*" } else { key };
            map.iter()
                .filter(|(_, value)| !value.is_null())
                .try_for_each(|(key, value)| walk(name(key), value))
        }
        Value::Array(items) => items.iter().try_for_each(|item| walk("*", item)),
        _ => Ok(()),
    }
}

fn typed<T: DeserializeOwned>(value: Value) -> Result<T, Refused> {
    serde_json::from_value(value)
        .map_err(|error| Refused::new(format!("its specification does not parse: {error}")))
}

fn read(from: impl Read) -> Result<Value, Refused> {
    let mut bytes = Vec::new();
    let read = from.take(LONGEST + 1).read_to_end(&mut bytes);
    let read = read.map_err(Refused::system("reading the specification"))?;
    if u64::try_from(read).is_ok_and(|read| read > LONGEST) {
        return Err(Refused::new(format!("its specification is longer than {LONGEST} bytes")));
    }
    serde_json::from_slice(&bytes)
        .map_err(|error| Refused::new(format!("its specification does not parse: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_an_engine_writes_is_known() {
        for text in [include_str!("judge/docker-20.10.json"), include_str!("judge/docker-26.1.json")] {
            let value: Value = serde_json::from_str(text).unwrap();
            let spec = parse_spec(value.clone()).unwrap();
            let again = serde_json::to_value(&spec).unwrap();
            // Nothing is lost on the way through the types.
            let value = without_nulls(value);
            assert_eq!(parse_spec(again.clone()).unwrap(), spec);
            for key in ["process", "root", "mounts", "hooks", "linux"] {
                assert_eq!(again.get(key), value.get(key), "{key}");
            }
        }
    }

    fn without_nulls(value: Value) -> Value {
        match value {
            Value::Object(map) => {
                map.into_iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k, without_nulls(v))).collect()
            }
            Value::Array(items) => items.into_iter().map(without_nulls).collect(),
            other => other,
        }
    }

    #[test]
    fn what_is_not_listed_is_refused_by_name() {
        let base = || serde_json::from_str::<Value>(include_str!("judge/docker-20.10.json")).unwrap();
        for (at, value) in [
            ("/Process", json!({})),
            ("/linux/personality", json!({"domain": "LINUX32"})),
            ("/linux/timeOffsets", json!({})),
            ("/linux/intelRdt", json!({})),
            ("/linux/resources/unified", json!({"memory.max": "1"})),
            ("/linux/resources/Devices", json!([])),
            ("/linux/seccomp/listenerPath", json!("/x")),
            ("/process/user/UID", json!(0)),
            ("/process/scheduler", json!({})),
            ("/mounts/0/uidMappings", json!([])),
            ("/hooks/preStart", json!([])),
            ("/hooks/prestart/0/Path", json!("/x")),
            ("/vm", json!({})),
        ] {
            let mut spec = base();
            let (parent, key) = at.rsplit_once('/').unwrap();
            spec.pointer_mut(parent).unwrap().as_object_mut().unwrap().insert(key.to_owned(), value);
            let refused = parse_spec(spec).unwrap_err().to_string();
            assert!(refused.contains(key), "{at}: {refused}");
        }
    }
}
