//! The units: enabled, and started where systemd runs.

use super::probe::done;
use crate::client::error::Error;
use crate::protocol::told::told;
use std::path::Path;

/// The engine of ours, where the policy names it.
const ENGINE: [&str; 2] = ["ie-engine-containerd.service", "ie-engine.service"];
const OTHERS: [&str; 5] =
    ["ie-wall.service", "ie-wall.timer", "ie-mountd.service", "ie-containerd.socket", GATEWAY];
const GATEWAY: &str = "ie-containerd.service";

/// What is to be done with them, and what was found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) own_engine: bool,
    pub(super) start: bool,
    /// A drop-in was written that a running gateway does not have yet.
    pub(super) again: bool,
    /// A policy was written, and a gateway that runs goes by another one.
    pub(super) is_new: bool,
}

fn units(own_engine: bool) -> Vec<&'static str> {
    let engine = ENGINE.iter().filter(|_| own_engine);
    engine.chain(&OTHERS).copied().collect()
}

pub(super) fn systemd_runs() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

fn is_active(unit: &str) -> bool {
    done("systemctl", &["is-active", "--quiet", unit]).is_ok()
}

/// One line for the admin.
pub(super) fn put_in_force(wanted: Wanted) -> Result<String, Error> {
    let units = units(wanted.own_engine);
    let starts = wanted.start && systemd_runs();
    let failed = |why: String| {
        Error::usage_hint(
            told!("the units do not start: {why}"),
            told!(
                "journalctl -e -u 'ie-*' says why; what is written stays, so then: ie-container admin init"
            ),
        )
    };
    if systemd_runs() {
        done("systemctl", &["daemon-reload"]).map_err(failed)?;
    }
    let (run, stood): (Vec<&str>, Vec<&str>) =
        units.iter().copied().partition(|unit| starts && is_active(unit));
    if starts && wanted.is_new {
        done("systemctl", &["try-reload-or-restart", GATEWAY]).map_err(failed)?;
    }
    let verb: &[&str] = if starts { &["enable", "--now"] } else { &["enable"] };
    done("systemctl", &[verb, units.as_slice()].concat()).map_err(failed)?;
    let again = starts && wanted.again && run.contains(&GATEWAY);
    if again {
        done("systemctl", &["try-restart", GATEWAY]).map_err(failed)?;
    }
    Ok(match (starts, wanted.start) {
        (true, _) => started(&stood, &run, again),
        (false, true) => {
            format!("enabled, to start at the next boot, as systemd does not run here: {}", units.join(" "))
        }
        (false, false) => format!("enabled, to start at the next boot: {}", units.join(" ")),
    })
}

/// What was started just now, what ran before, and whether the gateway was started again.
fn started(now: &[&str], before: &[&str], again: bool) -> String {
    let (now, before) = (now.join(" "), before.join(" "));
    let told = match (now.is_empty(), before.is_empty()) {
        (false, true) => format!("enabled and started: {now}"),
        (false, false) => format!("enabled and started: {now}; enabled, and ran already: {before}"),
        (true, _) => format!("enabled, and ran already: {before}"),
    };
    if again { format!("{told}; started again: {GATEWAY}") } else { told }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ran_already_was_not_started() {
        assert_eq!(started(&["a", "b"], &[], false), "enabled and started: a b");
        assert_eq!(started(&[], &["a", "b"], false), "enabled, and ran already: a b");
        assert_eq!(started(&["a"], &["b"], false), "enabled and started: a; enabled, and ran already: b");
        let again = "enabled, and ran already: a; started again: ie-containerd.service";
        assert_eq!(started(&[], &["a"], true), again);
    }
}
