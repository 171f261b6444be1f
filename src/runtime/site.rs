//! What root has written down about the engine that this program serves, in a file beside the program.

use super::refused::Refused;
use crate::policy::open_trusted;
use serde::Deserialize;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

/// The file's name; its directory is the program's own, and root's alone as every one above.
const FILE: &str = "runtime.toml";

/// One engine and what its containers may be made of. Paths are absolute and without links.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Site {
    /// The real runc.
    runc: PathBuf,
    /// The engine's program: its own hook sets up a container's network.
    engine: PathBuf,
    /// The engine's data root; with a user namespace the directory in it that bears the range's number.
    data: PathBuf,
    /// The control group of the engine's containers: `/group`, or `name.slice` under systemd.
    cgroup: String,
    /// Where ie-mountd keeps its stages.
    stages: PathBuf,
    /// Files and directories of the gateway's that it gives to containers, and all below them.
    files: Vec<PathBuf>,
    /// What the engine puts into a container as its first process.
    init: PathBuf,
    /// The uids that a process may have inside.
    uids: Range,
    /// The host ids that stand for those inside from 0 on, where the engine maps them.
    #[serde(default)]
    remap: Option<Range>,
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
}

/// Numbers from the first to the last, as `1000-59999`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Range(RangeInclusive<u32>);

impl Range {
    pub(crate) fn contains(&self, number: u32) -> bool {
        self.0.contains(&number)
    }

    pub(crate) fn first(&self) -> u32 {
        *self.0.start()
    }

    /// How many there are.
    pub(crate) fn size(&self) -> u32 {
        self.0.end().saturating_sub(*self.0.start()).saturating_add(1)
    }
}

impl TryFrom<String> for Range {
    type Error = String;

    fn try_from(word: String) -> Result<Self, String> {
        let parsed =
            word.split_once('-').and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)));
        match parsed {
            // Nothing that begins with root's, or ends with nobody's.
            Some((first, last)) if first > 0 && first <= last && last < u32::MAX => Ok(Self(first..=last)),
            _ => Err(format!("{word:?} is not a range of numbers above 0, as 1000-59999")),
        }
    }
}

impl Site {
    /// Of the directory that this program really lies in, whatever name it was called by.
    pub(crate) fn beside_this_program() -> Result<Self, Refused> {
        let program = std::env::current_exe().map_err(Refused::system("finding ie-runc's own directory"))?;
        let file = program.parent().unwrap_or(Path::new("/")).join(FILE);
        let text = open_trusted(&file).map_err(|error| Refused::new(error.to_string()))?;
        Self::parse(&text).map_err(|why| Refused::new(format!("{}: {why}", file.display())))
    }

    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let site: Self = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        if let Some(path) = site.paths().find(|path| !path.is_absolute()) {
            return Err(format!("{} is not an absolute path", path.display()));
        }
        Ok(site)
    }

    fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        let single = [&self.runc, &self.engine, &self.data, &self.stages, &self.init];
        single.into_iter().chain(&self.files).chain(&self.hooks).chain(&self.devices)
    }

    pub(crate) fn runc(&self) -> &Path {
        &self.runc
    }

    pub(crate) fn engine(&self) -> &Path {
        &self.engine
    }

    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    pub(crate) fn cgroup(&self) -> &str {
        &self.cgroup
    }

    pub(crate) fn stages(&self) -> &Path {
        &self.stages
    }

    pub(crate) fn files(&self) -> &[PathBuf] {
        &self.files
    }

    pub(crate) fn init(&self) -> &Path {
        &self.init
    }

    pub(crate) fn uids(&self) -> &Range {
        &self.uids
    }

    pub(crate) fn remap(&self) -> Option<&Range> {
        self.remap.as_ref()
    }

    pub(crate) fn unmapped(&self) -> bool {
        self.unmapped
    }

    pub(crate) fn hooks(&self) -> &[PathBuf] {
        &self.hooks
    }

    pub(crate) fn devices(&self) -> &[PathBuf] {
        &self.devices
    }
}
