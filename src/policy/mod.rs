//! The policy: the admin's one file, read whole or not at all, and every decision taken from it.
//!
//! - `trusted` opens the file; `table`, `node`, `file` and `layer` read it; [`Problems`] is all that is wrong with it.
//! - [`keys`] has a row for each key of the file: the reader asks by it, and its manual page is made of it.
//! - [`Policy::limits`] lays the tables over each other for one caller; each value keeps its [`Source`].
//! - [`Limits::admit`] turns an [`Ask`] and a [`Usage`] into an [`Allowance`] or a refusal that names the rule.
//!
//! Nothing here knows an engine, a name service or a clock: today's date is an argument. [`HostGroups`] alone reads
//! something else of the host, for both programs. A [`LastGood`] text outlives them.
#![deny(clippy::missing_errors_doc)]
#![allow(
    clippy::result_large_err,
    reason = "a request is refused once; its words cross a socket right after"
)]

mod admit;
mod allowance;
mod ask;
mod cap;
mod disk;
mod file;
mod free;
mod gateway;
mod gpus;
mod host_groups;
mod images;
mod key;
pub mod keys;
mod last_good;
mod layer;
mod lease;
mod left;
mod limits;
mod mounts;
mod node;
mod output;
mod paths;
mod ports;
mod problems;
mod quota;
mod reference;
mod refuse;
mod remap;
mod setting;
mod size;
mod source;
mod standing;
mod stopped;
mod subordinate;
mod table;
mod things;
mod total;
mod trusted;
mod usage;

#[cfg(test)]
mod tests;

pub use allowance::Allowance;
pub use ask::{Ask, HostPort, ImageAsk, MountAsk, PortAsk, Protocol, ProtocolError};
pub use cap::{Amount, Cap};
pub use disk::Room;
pub use free::free_ids;
pub use gateway::{Gateway, HomeRoot, Pool, UidRange, Userns};
pub use gpus::{Driver, Gpus, ListedGpu};
pub use host_groups::{HOST_GROUPS, HostGroups};
pub use last_good::{Broken, LastGood, Start};
pub use lease::WeekUsed;
pub use limits::{Limits, Value, Who};
pub use mounts::{KEPT_PLACES, MountGrant, volume_of_image};
pub use output::{BURST, DEBT};
pub use paths::PathFault;
pub use ports::PortGrant;
pub use problems::{Problem, Problems};
pub use remap::{IdRange, Remap, RemapError};
pub use source::{Source, Sourced};
pub use standing::Standing;
pub use stopped::warning_of;
pub use things::Thing;
pub use trusted::{Untrusted, open_trusted, open_trusted_pipe};
pub use usage::{Held, Usage, Used};

use layer::Layer;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A policy file that was read whole: there is no way to hold half of one.
///
/// ```compile_fail,E0451
/// let half = ie_container::policy::Policy { groups: Vec::new(), ..todo!() };
/// ```
#[derive(Debug, Clone)]
pub struct Policy {
    gateway: Gateway,
    gpus: Gpus,
    defaults: Layer,
    groups: Vec<Layer>,
    users: Vec<Layer>,
    remap: Option<Remap>,
}

/// A directory that ie-mountd may stage from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageRoot {
    pub path: PathBuf,
    pub kind: RootKind,
    /// Whether a stage of it is idmapped; false only where the file says `idmap = "off"`.
    pub idmap: bool,
    /// Whether a stage of it shows all owners, so that what a group may write is written: `share = "group"` in the file.
    pub group: bool,
}

/// Whose a directory below a root is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RootKind {
    /// Homes lie below it: only what the user owns is staged.
    Home,
    /// A directory of the site's; `writable` when any table offers it so.
    Shared { writable: bool },
}

impl Policy {
    /// Reads the file at `path`, which root alone must be able to change, and the ranges of ids that it relies on.
    ///
    /// # Errors
    /// Everything that is wrong with the file or with the ranges of ids, or why the file is not believed.
    pub fn load(path: &Path) -> Result<Self, Problems> {
        Self::read(path).map(|(policy, _)| policy)
    }

    /// The same, with its text.
    ///
    /// # Errors
    /// As [`Policy::load`].
    pub fn read(path: &Path) -> Result<(Self, String), Problems> {
        let text = open_trusted(path).map_err(|fault| Problems::of_file(&name(path), &fault))?;
        Self::of_copy(path, &text).map(|policy| (policy, text))
    }

    /// Of a text that was that file's, and was believed when it was read.
    fn of_copy(path: &Path, text: &str) -> Result<Self, Problems> {
        let name = name(path);
        let policy = Self::parse(&name, text)?;
        let remap = Remap::of(&policy.gateway).map_err(|fault| Problems::of_file(&name, &fault))?;
        Ok(Self { remap, ..policy })
    }

    /// Reads the text of a policy file, and nothing else of the host; `file_name` is what sources and problems call it.
    ///
    /// # Errors
    /// Everything that is wrong with the text, each with its line.
    pub fn parse(file_name: &str, text: &str) -> Result<Self, Problems> {
        file::read(file_name, text)
    }

    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// The ids that containers have on the host; nothing where they are in the host's user namespace.
    pub fn remap(&self) -> Option<Remap> {
        self.remap
    }

    #[cfg(test)]
    pub(crate) fn with_remap(self, remap: Option<Remap>) -> Self {
        Self { remap, ..self }
    }

    /// Whether this uid may connect: one of `gateway.uids`, and none that a container's process has on the host.
    pub fn admits(&self, uid: u32) -> bool {
        self.gateway.uids().contains(uid) && self.remap.is_none_or(|remap| remap.uids.inside(uid).is_none())
    }

    /// What it says of the machine's GPUs.
    pub fn gpus(&self) -> &Gpus {
        &self.gpus
    }

    /// The groups the file has tables for, in its order.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        self.groups.iter().map(Layer::name)
    }

    /// The users the file has tables for, in its order.
    pub fn users(&self) -> impl Iterator<Item = &str> {
        self.users.iter().map(Layer::name)
    }

    /// Every directory that may be staged: the homes, then the `mounts` sources of all tables.
    pub fn roots(&self) -> Vec<StageRoot> {
        let home = |home: &HomeRoot| StageRoot {
            path: home.path().to_owned(),
            kind: RootKind::Home,
            idmap: home.idmap(),
            group: false,
        };
        let mut roots: Vec<_> = self.gateway.homes().iter().map(home).collect();
        roots.extend(mounts::roots(self.layers().flat_map(Layer::settings)));
        roots
    }

    /// Those of the roots that somebody's containers have mounted without asking.
    pub fn always_mounted(&self) -> BTreeSet<&Path> {
        mounts::always(self.layers().flat_map(Layer::settings))
    }

    /// The limits of one caller: `defaults`, then the caller's groups as the file orders them, then the user.
    pub fn limits(&self, who: &Who<'_>) -> Limits {
        let mut limits = Limits::built_in(&self.gateway, who);
        let theirs = self.groups.iter().filter(|group| who.groups.iter().any(|name| name == group.name()));
        let own = self.users.iter().filter(|user| user.name() == who.login);
        for layer in std::iter::once(&self.defaults).chain(theirs).chain(own) {
            if layer.holds_on(who.today) {
                limits.lay(layer.settings());
            }
        }
        limits
    }

    fn layers(&self) -> impl Iterator<Item = &Layer> {
        std::iter::once(&self.defaults).chain(&self.groups).chain(&self.users)
    }
}

/// What sources and problems call a file.
fn name(path: &Path) -> std::borrow::Cow<'_, str> {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy()
}
