//! The units: enabled, and started where systemd runs.

use super::probe::done;
use crate::client::error::Error;
use std::path::Path;

/// The engine of ours, where the policy names it.
const ENGINE: [&str; 2] = ["ie-engine-containerd.service", "ie-engine.service"];
const OTHERS: [&str; 5] = [
    "ie-wall.service",
    "ie-wall.timer",
    "ie-mountd.service",
    "ie-containerd.socket",
    "ie-containerd.service",
];

/// What is to be done with them, and what was found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) own_engine: bool,
    pub(super) start: bool,
    /// A drop-in was written that a running gateway does not have yet.
    pub(super) again: bool,
}

fn units(own_engine: bool) -> Vec<&'static str> {
    let engine = ENGINE.iter().filter(|_| own_engine);
    engine.chain(&OTHERS).copied().collect()
}

pub(super) fn systemd_runs() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// One line for the admin.
pub(super) fn put_in_force(wanted: Wanted) -> Result<String, Error> {
    let units = units(wanted.own_engine);
    let shown = units.join(" ");
    let starts = wanted.start && systemd_runs();
    let failed = |why: String| {
        Error::usage_hint(
            format!("the units do not start: {why}"),
            "journalctl -e -u 'ie-*' says why; what is written stays, so then: ie-container admin init",
        )
    };
    if systemd_runs() {
        done("systemctl", &["daemon-reload"]).map_err(failed)?;
    }
    let verb: &[&str] = if starts { &["enable", "--now"] } else { &["enable"] };
    done("systemctl", &[verb, units.as_slice()].concat()).map_err(failed)?;
    if starts && wanted.again {
        done("systemctl", &["try-restart", "ie-containerd.service"]).map_err(failed)?;
    }
    Ok(match (starts, wanted.start) {
        (true, _) => format!("enabled and started: {shown}"),
        (false, true) => format!("enabled, to start at the next boot, as systemd does not run here: {shown}"),
        (false, false) => format!("enabled, to start at the next boot: {shown}"),
    })
}
