//! The doctor: what on this host makes the gateway's walls worth less.
//!
//! [`examine`] looks at a [`Subject`]: a [`Host`]'s files below a prefix, the policy, and the firewall's chains, and what the engine answers
//! to GET /info and GET /version. It changes nothing, asks no gateway, and goes on where one of them is missing, or does not answer.
//!
//! There is a file for each kind of finding. Each look has a thread and an end, and all looks together have a process
//! of their own. Work that waits in the kernel cannot be ended otherwise.
#![deny(clippy::missing_errors_doc)]

mod access;
mod accounts;
mod confinement;
mod engine;
mod files;
mod finding;
mod firewall;
mod gateway;
mod gpu;
mod host;
mod look;
mod mounts;
mod network;
mod process;
mod range;
mod rules;
mod runtime;
mod shared;
mod sockets;
mod state;
mod versions;

#[cfg(test)]
mod fake;

pub use finding::{Finding, Severity};
pub use host::Host;
pub use look::PATIENCE;
pub(crate) use mounts::mounts;
pub(crate) use runtime::disagreements;

use crate::policy::{Policy, Problems};
use jiff::civil::Date;
use look::Look;
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;

/// All that is looked at.
#[derive(Debug, Clone)]
pub struct Subject {
    pub host: Host,
    /// Where the policy was looked for.
    pub policy_file: PathBuf,
    pub policy: Result<Policy, Problems>,
    pub engine: Engine,
    /// The chains and tables of the host's firewall; or why they are not known, as one sentence.
    pub firewall: Result<String, String>,
    pub today: Date,
    /// How long one look may take.
    pub patience: Duration,
}

/// The engine's socket, and its answers; or why there is none, as one sentence.
#[derive(Debug, Clone)]
pub struct Engine {
    pub socket: PathBuf,
    pub info: Result<Value, String>,
    pub version: Result<Value, String>,
}

/// Everything that was looked at, what is well included. A look that has not come to an end is a finding, and goes on.
pub fn examine(subject: &Subject) -> Vec<Finding> {
    let mut looks = vec![
        Look::new(accounts::ENGINE, accounts::examine),
        Look::new(access::SOCKET, access::examine),
        Look::new(engine::ANSWERS, engine::examine),
        Look::new(confinement::APPARMOR, confinement::examine),
        Look::new(versions::KERNEL, versions::examine),
        Look::new(gateway::WALL_UP, gateway::examine),
        Look::new(state::STATE, state::examine),
        Look::new(rules::FILE, rules::examine),
        Look::new(runtime::AGREES, runtime::examine),
    ];
    looks.extend(files::looks(subject));
    looks.extend([
        Look::new(network::SERVICES, network::examine),
        Look::new(firewall::CHAINS, firewall::examine),
        Look::new(gpu::DEVICES, gpu::examine),
        Look::new(shared::LIMITS, shared::examine),
        Look::new(range::ACCOUNTS, range::examine),
    ]);
    look::all(subject, looks)
}
