//! Services of the host that containers reach.

use super::Subject;
use super::finding::Check;
use super::look::Found;
use super::sockets::{Listener, listening};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

pub(super) const SERVICES: Check = Check::new(
    "host-services",
    "containers reach every port of the host that does not listen on loopback alone, through their own gateway",
);

/// More ports make a line nobody reads.
const MOST: usize = 24;

pub(super) fn examine(subject: &Subject, found: &mut Found) {
    let host = &subject.host;
    let listeners: Vec<Listener> =
        listening(host, Path::new("/proc/net")).into_iter().filter(Listener::is_reachable).collect();
    if listeners.is_empty() {
        found.push(SERVICES.ok("no port but on loopback"));
        return;
    }
    let mut programs = BTreeMap::new();
    for process in host.processes() {
        programs.extend(process.sockets(host).into_iter().map(|inode| (inode, process.name.as_str())));
    }
    let name = |listener: &Listener| programs.get(&listener.inode).copied().unwrap_or("?");
    // Once for both families of addresses, and for all workers of one program.
    let services: BTreeSet<(u16, &str, &str)> =
        listeners.iter().map(|one| (one.port, one.protocol, name(one))).collect();
    let shown: Vec<String> = services
        .iter()
        .take(MOST)
        .map(|(port, protocol, program)| format!("{port}/{protocol} {program}"))
        .collect();
    let more = match services.len().saturating_sub(MOST) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    found.push(SERVICES.notice(
        shown.join(", ") + &more,
        "bind what users need not reach to 127.0.0.1, or drop it in INPUT for interfaces ie+ and docker0",
    ));
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::super::finding::Severity::*;

    #[test]
    fn loopback_alone_is_well() {
        let fake = Fake::new();
        fake.listens("/proc/net/tcp", "0100007F:0016", 12);
        assert_eq!(fake.found("host-services").0, Ok);
    }

    #[test]
    fn many_ports_are_cut_and_counted() {
        let fake = Fake::new();
        let row =
            |port: u32| format!("{port}: 00000000:{port:04X} 00000000:0000 0A 0:0 0:0 0 0 0 {port} 1\n");
        fake.file("/proc/net/tcp", &(1..=26).map(row).collect::<String>());
        let (_, seen) = fake.found("host-services");
        assert!(seen.starts_with("1/tcp ?, 2/tcp ?") && seen.ends_with("24/tcp ? and 2 more"), "{seen}");
    }

    #[test]
    fn ports_are_named_with_their_programs() {
        let fake = Fake::new();
        fake.listens("/proc/net/tcp", "00000000:0016", 12);
        // The second is another family's, the third one address's, and nobody's that can be seen.
        fake.listens("/proc/net/tcp6", "00000000000000000000000000000000:0016", 13);
        fake.file("/proc/net/udp", "0: 0A00000A:0035 00000000:0000 07 0:0 0:0 0 0 0 14 2\n");
        fake.process(9, "sshd", 0, &["sshd"], &[12, 13]);
        assert_eq!(fake.found("host-services"), (Notice, "22/tcp sshd, 53/udp ?".to_owned()));
    }
}
