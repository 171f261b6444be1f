//! The gateway's state directory: whose it is, whether there is room in it, and what was set aside there.

use super::Subject;
use super::finding::{Check, Finding};
use super::gateway::gateway_uid;
use super::host::{Host, Room};
use super::look::Found;
use crate::protocol::layout::{ASIDE, STATE_DIR};

pub(super) const STATE: Check = Check::new(
    "state-directory",
    "without room there nobody new can run anything, and no lease of a GPU begins",
);
const LEFT: Check = Check::new(
    "set-aside",
    "the gateway found what it had not put there, and went on without what it had kept",
);

/// What it needs for a long time: files of some hundred bytes each.
const ENOUGH: Room = Room { bytes: 64 << 20, files: 4096, read_only: false };
/// Where its files lie.
const DIRS: [&str; 7] = ["", "accounts", "leases", "gpu-hours", "expiring", "stopped", "channel"];

pub(super) fn examine(subject: &Subject, found: &mut Found) {
    let host = &subject.host;
    found.push(directory(host));
    found.extend(set_aside(host));
}

fn directory(host: &Host) -> Finding {
    let Some(dir) = host.look(STATE_DIR) else {
        return STATE.notice(format!("{STATE_DIR} is not there"), "systemctl start ie-containerd makes it");
    };
    let seen = format!("{STATE_DIR} has mode {:04o}, uid {}", dir.mode, dir.uid);
    if dir.is_link || dir.others_may(0o002) || gateway_uid(host).is_some_and(|uid| uid != dir.uid) {
        return STATE.warning(seen, format!("chown ie-container {STATE_DIR}; chmod 0700 {STATE_DIR}"));
    }
    match host.room(STATE_DIR) {
        None => STATE.ok(seen),
        Some(room) => judged(room, seen),
    }
}

fn judged(room: Room, seen: String) -> Finding {
    let left = format!("{STATE_DIR} has room for {} MiB and {} files", room.bytes >> 20, room.files);
    if room.read_only {
        STATE.warning(format!("{STATE_DIR} is read-only"), "mount it anew, or find out why its disk failed")
    } else if room.bytes < ENOUGH.bytes || room.files < ENOUGH.files {
        STATE.warning(left, "make room there, or give it a file system of its own")
    } else {
        STATE.ok(seen)
    }
}

fn set_aside(host: &Host) -> Option<Finding> {
    let names = |dir: &str| {
        let dir = format!("{STATE_DIR}/{dir}");
        host.names(&dir)
            .into_iter()
            .filter(|name| name.contains(ASIDE))
            .map(move |name| format!("{dir}/{name}"))
    };
    let all: Vec<String> = DIRS.iter().flat_map(|dir| names(dir)).collect();
    let first = all.first()?;
    let seen = format!("{} things, {first} is the first", all.len());
    Some(LEFT.notice(seen, "the gateway's log says why; look at them, and remove them"))
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::super::finding::Severity::*;
    use super::*;

    #[test]
    fn it_is_the_gateways_alone() {
        let fake = Fake::new();
        fake.file("/etc/passwd", "ie-container:x:990:990::/:/bin/false\n");
        assert_eq!(fake.found("state-directory").0, Notice);
        fake.dir(STATE_DIR, 0o700);
        assert_eq!(fake.found("state-directory").0, Warning);
        fake.owner(STATE_DIR, 990);
        assert_ne!(fake.found("state-directory").1, format!("{STATE_DIR} is not there"));
        fake.mode(STATE_DIR, 0o777);
        assert_eq!(fake.found("state-directory"), (Warning, format!("{STATE_DIR} has mode 0777, uid 990")));
    }

    #[test]
    fn there_is_room_in_it() {
        let judge = |bytes, files, read_only| {
            let finding = judged(Room { bytes, files, read_only }, "well".into());
            (finding.severity, finding.seen)
        };
        assert_eq!(judge(64 << 20, 4096, false), (Ok, "well".to_owned()));
        assert_eq!(judge((64 << 20) - 1, 4096, false).0, Warning);
        let few = (Warning, format!("{STATE_DIR} has room for 1024 MiB and 7 files"));
        assert_eq!(judge(1 << 30, 7, false), few);
        assert_eq!(judge(1 << 30, 1 << 20, true).0, Warning);
    }

    #[test]
    fn what_was_set_aside_is_named() {
        let fake = Fake::new();
        fake.dir(STATE_DIR, 0o700);
        fake.file(&format!("{STATE_DIR}/gpu-hours/1000"), "{}");
        assert_eq!(fake.all("set-aside").len(), 0);
        fake.file(&format!("{STATE_DIR}/gpu-hours/1000{ASIDE}7"), "{");
        let (severity, seen) = fake.found("set-aside");
        assert!(severity == Notice && seen.contains("1 things") && seen.contains("gpu-hours/1000"), "{seen}");
    }
}
