//! What the kernel counts for all containers together, where an engine makes their namespaces root's.
//!
//! `gateway/engine/spec.rs` says what is shared, and what has a limit in each container.

use super::Subject;
use super::finding::Check;
use super::host::Host;
use super::look::Found;
use serde_json::Value;
use std::path::{Path, PathBuf};

pub(super) const LIMITS: Check = Check::new(
    "shared-limits",
    "an engine that maps users has the kernel count for all containers together, and one of them can take what all need",
);
/// What is counted for each user where the engine does not map them; the others are one for the whole machine.
const BY_USER: [&str; 2] = ["fs.inotify.", "kernel.keys."];
/// What is installed: the numbers stand there, each with its reason.
const WANTED: &str = include_str!("../../packaging/sysctl.d/ie-container.conf");

pub(super) fn examine(subject: &Subject, found: &mut Found) {
    let maps = maps_users(subject);
    let mut low = low(&subject.host);
    low.retain(|low| maps != Some(false) || !BY_USER.iter().any(|part| low.name.starts_with(part)));
    found.push(match maps {
        _ if !low.is_empty() && maps.is_some() => LIMITS.warning(seen(&low), todo(&low)),
        Some(false) => LIMITS.ok("each user's containers are the user's own to the kernel"),
        _ if low.is_empty() => LIMITS.ok("as high as they should be"),
        // An engine that is down has not said.
        _ => LIMITS.notice(seen(&low), todo(&low)),
    });
}

/// Whether the engine maps users, where it says anything.
fn maps_users(subject: &Subject) -> Option<bool> {
    let options = subject.engine.info.as_ref().ok()?.get("SecurityOptions").and_then(Value::as_array);
    Some(options.into_iter().flatten().filter_map(Value::as_str).any(|option| option == "name=userns"))
}

/// One setting: its name, what it should be at least, and what it is.
struct Low<'w> {
    name: &'w str,
    wanted: u64,
    is: u64,
}

/// Those that are lower than they should be; one that this kernel does not have is not.
fn low(host: &Host) -> Vec<Low<'static>> {
    let lines = WANTED.lines().filter(|line| !line.starts_with('#'));
    let settings = lines.filter_map(|line| {
        let (name, wanted) = line.split_once('=')?;
        let (name, wanted) = (name.trim(), wanted.trim().parse().ok()?);
        let is = host.text(file(name))?.trim().parse().ok()?;
        Some(Low { name, wanted, is })
    });
    settings.filter(|low| low.is < low.wanted).collect()
}

fn file(name: &str) -> PathBuf {
    Path::new("/proc/sys").join(name.replace('.', "/"))
}

fn seen(low: &[Low<'_>]) -> String {
    let each = low.iter().map(|low| format!("{} = {}, and {} are needed", low.name, low.is, low.wanted));
    each.collect::<Vec<_>>().join("; ")
}

fn todo(low: &[Low<'_>]) -> String {
    let each: Vec<_> = low.iter().map(|low| format!("{}={}", low.name, low.wanted)).collect();
    format!("sysctl -w {}; the file sysctl.d/ie-container.conf keeps it so", each.join(" "))
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::super::finding::Severity::*;
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_too_low_is_named_with_what_to_write() {
        let fake = Fake::new();
        fake.info(json!({ "SecurityOptions": ["name=seccomp,profile=default", "name=userns"] }));
        assert_eq!(fake.found("shared-limits").0, Ok);
        fake.file("/proc/sys/kernel/keys/maxkeys", "200\n");
        fake.file("/proc/sys/kernel/keys/maxbytes", "2000000\n");
        fake.file("/proc/sys/fs/inotify/max_user_instances", "128\n");
        let all = fake.all("shared-limits");
        let [finding] = &all[..] else { panic!("{all:?}") };
        assert_eq!(
            (finding.severity, finding.seen.as_str(), finding.todo.as_str()),
            (
                Warning,
                "fs.inotify.max_user_instances = 128, and 2147483647 are needed; \
                 kernel.keys.maxkeys = 200, and 20000 are needed",
                "sysctl -w fs.inotify.max_user_instances=2147483647 kernel.keys.maxkeys=20000; \
                 the file sysctl.d/ie-container.conf keeps it so"
            )
        );
        fake.info(json!({ "SecurityOptions": ["name=seccomp,profile=default"] }));
        assert_eq!(fake.found("shared-limits").0, Ok);
        fake.file("/proc/sys/kernel/pty/max", "4096\n");
        let seen = "kernel.pty.max = 4096, and 1048576 are needed".to_owned();
        assert_eq!(fake.found("shared-limits"), (Warning, seen));
        fake.engine_is_down();
        assert_eq!(fake.found("shared-limits").0, Notice);
    }

    #[test]
    fn each_line_of_the_file_is_a_setting_and_a_number() {
        let lines = WANTED.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        for line in lines {
            let (name, number) = line.split_once(" = ").unwrap();
            assert!(name.contains('.') && number.parse::<u64>().is_ok(), "{line}");
        }
    }
}
