//! What root has written down about the engine that this program serves, in a file beside the program or in `/etc`.

use super::refused::Refused;
use crate::policy::{Remap, UidRange, open_trusted};
use crate::protocol::layout;
use serde::Deserialize;
use std::path::{Component, Path, PathBuf};

/// The file's name in the program's own directory, which is root's alone as every one above.
const FILE: &str = "runtime.toml";

/// The file as it is written. Paths are absolute and without links.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    /// The real runc.
    runc: PathBuf,
    /// The engine's program: its own hook sets up a container's network.
    engine: PathBuf,
    /// The engine's socket: no container has the group that may speak to it, whatever it is called.
    #[serde(default)]
    socket: Option<PathBuf>,
    /// The engine's data root, as in its configuration.
    data: PathBuf,
    /// The control group of the engine's containers: `/group`, or `name.slice` under systemd.
    cgroup: String,
    /// Where ie-mountd keeps its stages.
    stages: PathBuf,
    /// Files and directories of the gateway's that it gives to containers, and all below them.
    files: Vec<PathBuf>,
    /// What the engine puts into a container as its first process.
    init: PathBuf,
    /// The uids that a process may have inside, as `gateway.uids` in the policy.
    uids: String,
    /// Whose subordinate ids the engine's containers have, as in its `userns-remap`; none with the host's.
    #[serde(default)]
    remap_user: Option<String>,
    /// Whether a container may stay in the host's user namespace although others are mapped: the policy has a root with
    /// `idmap = "off"`, which no mapped container could use.
    #[serde(default)]
    unmapped: bool,
    /// Programs that the GPU toolkit has the engine run at a start.
    #[serde(default)]
    hooks: Vec<PathBuf>,
    /// The host's device nodes that may be granted.
    #[serde(default)]
    devices: Vec<PathBuf>,
    /// Files and directories of a GPU's driver, which the toolkit gives to containers, and all below them.
    #[serde(default)]
    drivers: Vec<PathBuf>,
    /// The AppArmor profiles in which a process may run where the host has AppArmor.
    #[serde(default = "dockers_profile")]
    apparmor: Vec<String>,
    /// The SELinux types that a process and its files may have where the host has SELinux.
    #[serde(default = "dockers_types")]
    selinux: Vec<String>,
}

fn dockers_profile() -> Vec<String> {
    vec!["docker-default".to_owned()]
}

fn dockers_types() -> Vec<String> {
    ["container_t", "container_file_t", "svirt_lxc_net_t", "svirt_sandbox_file_t"].map(str::to_owned).into()
}

/// Below `/dev`, where a container has its own.
const OWN_DEV: [&str; 3] = ["/dev/pts", "/dev/shm", "/dev/mqueue"];

/// One engine and what its containers may be made of.
#[derive(Debug)]
pub(crate) struct Site {
    written: Written,
    uids: UidRange,
    remap: Option<Remap>,
    /// With a user namespace the directory in the data root that bears the first of its ids.
    data: PathBuf,
}

impl Site {
    /// Of the directory that this program really lies in, whatever name it was called by; or the installed one.
    pub(crate) fn beside_this_program() -> Result<Self, Refused> {
        let program = std::env::current_exe().map_err(Refused::system("finding ie-runc's own directory"))?;
        let beside = program.parent().unwrap_or(Path::new("/")).join(FILE);
        let file = if beside.exists() { beside } else { PathBuf::from(layout::RUNTIME) };
        let text = open_trusted(&file).map_err(|error| Refused::new(error.to_string()))?;
        let ranges = |user: &str, uids| Remap::of_user(user, uids).map_err(|error| error.to_string());
        Self::parse(&text, ranges).map_err(|why| Refused::new(format!("{}: {why}", file.display())))
    }

    /// Whoever asks says which ids a user has.
    pub(crate) fn parse(
        text: &str,
        ranges: impl Fn(&str, UidRange) -> Result<Remap, String>,
    ) -> Result<Self, String> {
        let written: Written = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        if let Some(path) = written.paths().find(|path| !is_plain(path)) {
            return Err(format!("{} is not a plain absolute path", path.display()));
        }
        if let Some(path) = written.devices.iter().find(|path| !is_place_of_a_node(path)) {
            return Err(format!("{} is no place of a device node of the host's", path.display()));
        }
        let uids: UidRange = written.uids.parse()?;
        let remap = written.remap_user.as_ref().map(|user| ranges(user, uids)).transpose()?;
        let data = match remap {
            Some(Remap { uids, gids }) => written.data.join(format!("{}.{}", uids.first(), gids.first())),
            None => written.data.clone(),
        };
        Ok(Self { written, uids, remap, data })
    }

    pub(crate) fn runc(&self) -> &Path {
        &self.written.runc
    }

    pub(crate) fn engine(&self) -> &Path {
        &self.written.engine
    }

    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    pub(crate) fn cgroup(&self) -> &str {
        &self.written.cgroup
    }

    pub(crate) fn stages(&self) -> &Path {
        &self.written.stages
    }

    pub(crate) fn files(&self) -> &[PathBuf] {
        &self.written.files
    }

    pub(crate) fn init(&self) -> &Path {
        &self.written.init
    }

    pub(crate) fn uids(&self) -> UidRange {
        self.uids
    }

    pub(crate) fn remap(&self) -> Option<Remap> {
        self.remap
    }

    pub(crate) fn unmapped(&self) -> bool {
        self.written.unmapped
    }

    pub(crate) fn hooks(&self) -> &[PathBuf] {
        &self.written.hooks
    }

    pub(crate) fn devices(&self) -> &[PathBuf] {
        &self.written.devices
    }

    pub(crate) fn drivers(&self) -> &[PathBuf] {
        &self.written.drivers
    }

    pub(crate) fn socket(&self) -> Option<&Path> {
        self.written.socket.as_deref()
    }

    pub(crate) fn apparmor(&self) -> &[String] {
        &self.written.apparmor
    }

    pub(crate) fn selinux(&self) -> &[String] {
        &self.written.selinux
    }
}

/// Below `/dev`, and not where a container has its own.
pub(crate) fn is_place_of_a_node(path: &Path) -> bool {
    path.starts_with("/dev") && !OWN_DEV.iter().any(|own| path.starts_with(own))
}

/// Absolute, and no part of it says where to go: neither `.` nor `..`, no slash twice or at the end.
pub(crate) fn is_plain(path: &Path) -> bool {
    path.is_absolute()
        && path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)))
        && path.components().collect::<PathBuf>().as_os_str() == path.as_os_str()
}

impl Written {
    fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        let single = [&self.runc, &self.engine, &self.data, &self.stages, &self.init];
        let several = [&self.files, &self.hooks, &self.devices, &self.drivers];
        single.into_iter().chain(several.into_iter().flatten()).chain(&self.socket)
    }
}
