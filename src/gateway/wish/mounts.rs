//! Mounts as Docker writes them, in `Binds`, `Mounts` and `Tmpfs`.

use super::fields::Fields;
use super::refused::WishError;
use super::tmpfs::Tmpfs;
use super::words::{at_most, inner_path};
use super::zero::is_zero;
use crate::policy::MountAsk;
use crate::protocol::name::ThingName;
use crate::protocol::stage::Access;
use crate::protocol::told::told;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// A volume of the caller's, at a path of the container's; one without a name goes with its container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::gateway) struct VolumeAsk {
    pub(in crate::gateway) name: Option<ThingName>,
    pub(in crate::gateway) target: String,
    pub(in crate::gateway) access: Access,
}

/// Everything that is to be mounted.
#[derive(Debug, Default)]
pub(super) struct All {
    pub(super) directories: Vec<MountAsk>,
    pub(super) volumes: Vec<VolumeAsk>,
    pub(super) memory: Vec<Tmpfs>,
}

/// What is asked for with a source and a target.
enum Asked {
    Directory(MountAsk),
    Volume(VolumeAsk),
}

impl All {
    /// The targets of `Volumes`: each is a volume without a name, but for those that something else is mounted at, which
    /// Compose writes there too.
    pub(super) fn add_unnamed(&mut self, targets: BTreeMap<String, Value>) -> Result<(), WishError> {
        at_most("Volumes", targets.len(), MOST)?;
        for (target, options) in targets {
            if !is_zero(&options) {
                return Err(WishError::not_allowed("Volumes", told!("a volume has no options")));
            }
            let volume = at(None, &target, Access::ReadWrite)?;
            if !self.is_taken(&volume.target) {
                self.volumes.push(volume);
            }
        }
        Ok(())
    }

    fn is_taken(&self, target: &str) -> bool {
        self.volumes.iter().any(|volume| volume.target == target)
            || self.memory.iter().any(|tmpfs| tmpfs.target == target)
            || self.directories.iter().any(|mount| mount.target == Path::new(target))
    }

    fn add(&mut self, asked: Asked) {
        match asked {
            Asked::Directory(mount) => self.directories.push(mount),
            Asked::Volume(volume) => self.volumes.push(volume),
        }
    }
}

/// More mounts than the policy lets through; what is longer is not even looked at.
const MOST: usize = 64;

const SERVED: &[&str] =
    &["Type", "Source", "Target", "ReadOnly", "Consistency", "BindOptions", "TmpfsOptions", "VolumeOptions"];
const VOLUME_SERVED: &[&str] = &["DriverConfig", "NoCopy"];
const DRIVER_SERVED: &[&str] = &["Name"];
const BIND_SERVED: &[&str] =
    &["Propagation", "CreateMountpoint", "NonRecursive", "ReadOnlyNonRecursive", "ReadOnlyForceRecursive"];
const TMPFS_SERVED: &[&str] = &["SizeBytes", "Mode", "Options"];

/// Everything that is mounted: directories of the host's, volumes, and file systems in memory.
pub(super) fn all(
    binds: Vec<String>,
    mounts: Vec<Value>,
    tmpfs: BTreeMap<String, String>,
    warnings: &mut Vec<String>,
) -> Result<All, WishError> {
    at_most("HostConfig.Binds", binds.len(), MOST)?;
    at_most("HostConfig.Mounts", mounts.len(), MOST)?;
    at_most("HostConfig.Tmpfs", tmpfs.len(), MOST)?;
    let mut all = All::default();
    for bind in &binds {
        let asked = from_bind(bind, warnings)?;
        all.add(asked);
    }
    for (target, options) in &tmpfs {
        all.memory.push(from_options(target, options, warnings)?);
    }
    for mount in mounts {
        let mut fields = Fields::of("HostConfig.Mounts[]", mount, SERVED)?;
        let target: String = fields.take("Target")?;
        let kind: String = fields.take("Type")?;
        match kind.as_str() {
            "bind" => all.directories.push(bind(&mut fields, &target)?),
            "tmpfs" => all.memory.push(in_memory(&mut fields, &target, warnings)?),
            "volume" => all.volumes.push(volume(&mut fields, &target)?),
            _ => {
                return Err(WishError::Bad(told!(
                    "HostConfig.Mounts[].Type {kind:?} is neither bind, volume nor tmpfs"
                )));
            }
        }
        fields.rest_is_zero()?;
    }
    Ok(all)
}

/// `SOURCE:TARGET[:OPTION,…]`.
fn from_bind(bind: &str, warnings: &mut Vec<String>) -> Result<Asked, WishError> {
    let parts: Vec<&str> = bind.split(':').collect();
    let (source, target, options) = match parts.as_slice() {
        [source, target] => (source, target, ""),
        [source, target, options] => (source, target, *options),
        _ => return Err(WishError::Bad(told!("HostConfig.Binds: {bind:?} is not SOURCE:TARGET[:ro]"))),
    };
    let (mut access, mut relabelled) = (Access::ReadWrite, None);
    for option in options.split(',').filter(|option| !option.is_empty()) {
        match option {
            "ro" => access = Access::ReadOnly,
            // The consistency words are for desktops; the rest is what a stage is anyhow.
            // Nothing is copied into a volume, asked or not.
            "rw" | "rprivate" | "private" | "cached" | "delegated" | "consistent" | "default" | "nocopy" => {}
            "z" | "Z" => relabelled = Some(option),
            _ => {
                return Err(WishError::not_allowed(
                    &format!("HostConfig.Binds option {option}"),
                    told!("only ro and rw are served"),
                ));
            }
        }
    }
    if let Some(option) = relabelled {
        // Once, however often it is said.
        warnings.push(format!("{source}:{target}: {option} has no effect: no SELinux label is changed"));
    }
    if source.starts_with('/') {
        return ask(source, target, access).map(Asked::Directory);
    }
    named(source, target, access).map(Asked::Volume)
}

fn named(name: &str, target: &str, access: Access) -> Result<VolumeAsk, WishError> {
    let name = name.parse().map_err(|error| {
        WishError::Bad(told!("{error}; name a volume of yours, or a directory by its full path"))
    })?;
    at(Some(name), target, access)
}

fn at(name: Option<ThingName>, target: &str, access: Access) -> Result<VolumeAsk, WishError> {
    inner_path("the volume's target", target)?;
    Ok(VolumeAsk { name, target: plain(target)?, access })
}

/// A volume of the caller's by name, empty at first whatever the image holds there.
fn volume(fields: &mut Fields, target: &str) -> Result<VolumeAsk, WishError> {
    let source: String = fields.take("Source")?;
    let read_only: bool = fields.take("ReadOnly")?;
    fields.raw("Consistency");
    let mut options =
        Fields::of("HostConfig.Mounts[].VolumeOptions", fields.raw("VolumeOptions"), VOLUME_SERVED)?;
    options.raw("NoCopy");
    let driver = options.raw("DriverConfig");
    let mut driver = Fields::of("HostConfig.Mounts[].VolumeOptions.DriverConfig", driver, DRIVER_SERVED)?;
    if !matches!(driver.take::<String>("Name")?.as_str(), "" | "local") {
        return Err(WishError::not_allowed(
            "HostConfig.Mounts[].VolumeOptions.DriverConfig",
            told!("volumes are on the engine's own disk"),
        ));
    }
    driver.rest_is_zero()?;
    options.rest_is_zero()?;
    let access = if read_only { Access::ReadOnly } else { Access::ReadWrite };
    if source.is_empty() { at(None, target, access) } else { named(&source, target, access) }
}

fn bind(fields: &mut Fields, target: &str) -> Result<MountAsk, WishError> {
    let source: String = fields.take("Source")?;
    let read_only: bool = fields.take("ReadOnly")?;
    fields.raw("Consistency");
    let mut options = Fields::of("HostConfig.Mounts[].BindOptions", fields.raw("BindOptions"), BIND_SERVED)?;
    let propagation: String = options.take("Propagation")?;
    if !matches!(propagation.as_str(), "" | "rprivate" | "private") {
        return Err(WishError::not_allowed(
            "HostConfig.Mounts[].BindOptions.Propagation",
            told!("mounts stay inside the container"),
        ));
    }
    // A missing source is an error here, and a stage never carries inner mounts along, so that all of it is read-only.
    let _: (bool, bool) = (options.take("CreateMountpoint")?, options.take("NonRecursive")?);
    let _: (bool, bool) = (options.take("ReadOnlyNonRecursive")?, options.take("ReadOnlyForceRecursive")?);
    options.rest_is_zero()?;
    ask(&source, target, if read_only { Access::ReadOnly } else { Access::ReadWrite })
}

fn ask(source: &str, target: &str, access: Access) -> Result<MountAsk, WishError> {
    Ok(MountAsk { source: plain_path(source)?, target: plain_path(target)?, access })
}

fn plain(word: &str) -> Result<String, WishError> {
    plain_path(word).map(|path| path.to_string_lossy().into_owned())
}

/// An absolute path without `..`; `.` and doubled or trailing slashes are left out.
fn plain_path(word: &str) -> Result<PathBuf, WishError> {
    let path = Path::new(word);
    let odd = !path.is_absolute()
        || word.contains('\0')
        || path.components().any(|part| part == Component::ParentDir);
    if odd {
        return Err(WishError::Bad(told!("{word:?} is not an absolute path without '..'")));
    }
    Ok(path.components().collect())
}

fn in_memory(fields: &mut Fields, target: &str, warnings: &mut Vec<String>) -> Result<Tmpfs, WishError> {
    let tmpfs = Tmpfs::at(target)?;
    fields.raw("Consistency");
    if !fields.take::<String>("Source")?.is_empty() {
        return Err(WishError::Bad(told!("a tmpfs has no source")));
    }
    let read_only = fields.take("ReadOnly")?;
    let mut options =
        Fields::of("HostConfig.Mounts[].TmpfsOptions", fields.raw("TmpfsOptions"), TMPFS_SERVED)?;
    let mut tmpfs = tmpfs.sized(options.take("SizeBytes")?, options.take("Mode")?, read_only);
    // Of newer clients: a word each, or a name and its value.
    for words in options.take::<Vec<Vec<String>>>("Options")? {
        tmpfs.with(&words.join("="), warnings)?;
    }
    options.rest_is_zero()?;
    Ok(tmpfs)
}

/// `--tmpfs TARGET[:size=…,mode=…,exec,…]`.
fn from_options(target: &str, options: &str, warnings: &mut Vec<String>) -> Result<Tmpfs, WishError> {
    let mut tmpfs = Tmpfs::at(target)?;
    let mut options = options.split(',').filter(|option| !option.is_empty());
    options.try_for_each(|option| tmpfs.with(option, warnings))?;
    Ok(tmpfs)
}

#[cfg(test)]
mod tests;
