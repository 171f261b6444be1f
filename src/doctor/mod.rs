//! The doctor: what on this host makes the gateway's walls worth less.
//!
//! [`examine`] looks at a [`Subject`]: a [`Host`]'s files below a prefix, the policy, and what the engine answers to GET
//! /info and GET /version. It changes nothing, asks no gateway, and goes on where one of them is missing.

mod access;
mod accounts;
mod engine;
mod files;
mod finding;
mod gateway;
mod gpu;
mod host;
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
pub(crate) use runtime::disagreements;

use crate::policy::{Policy, Problems};
use jiff::civil::Date;
use serde_json::Value;
use std::path::PathBuf;

/// All that is looked at.
#[derive(Debug)]
pub struct Subject {
    pub host: Host,
    /// Where the policy was looked for.
    pub policy_file: PathBuf,
    pub policy: Result<Policy, Problems>,
    pub engine: Engine,
    pub today: Date,
}

/// The engine's socket, and its answers; or why there is none, as one sentence.
#[derive(Debug)]
pub struct Engine {
    pub socket: PathBuf,
    pub info: Result<Value, String>,
    pub version: Result<Value, String>,
}

/// Everything that was looked at, what is well included.
pub fn examine(subject: &Subject) -> Vec<Finding> {
    let mut found = Vec::new();
    accounts::examine(subject, &mut found);
    access::examine(subject, &mut found);
    engine::examine(subject, &mut found);
    versions::examine(subject, &mut found);
    gateway::examine(subject, &mut found);
    state::examine(subject, &mut found);
    rules::examine(subject, &mut found);
    runtime::examine(subject, &mut found);
    files::examine(subject, &mut found);
    network::examine(subject, &mut found);
    gpu::examine(subject, &mut found);
    shared::examine(subject, &mut found);
    range::examine(subject, &mut found);
    found
}
