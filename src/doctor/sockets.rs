//! The tables of /proc/net: who listens where.

use super::host::Host;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

/// A socket that takes what comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Listener {
    pub(super) address: IpAddr,
    pub(super) port: u16,
    pub(super) protocol: &'static str,
    pub(super) inode: u64,
}

impl Listener {
    /// Reached from other machines or from containers, not from this machine's own processes alone.
    pub(super) fn is_reachable(&self) -> bool {
        !self.address.to_canonical().is_loopback()
    }
}

/// What listens in the network namespace whose tables lie in this directory.
pub(super) fn listening(host: &Host, net: &Path) -> Vec<Listener> {
    let tables =
        [("tcp", "tcp", LISTEN), ("tcp6", "tcp", LISTEN), ("udp", "udp", CLOSE), ("udp6", "udp", CLOSE)];
    let mut found = Vec::new();
    for (file, protocol, state) in tables {
        let text = host.text(net.join(file)).unwrap_or_default();
        found.extend(text.lines().filter_map(|line| row(line, protocol, state)));
    }
    found
}

const LISTEN: &str = "0A";
/// A datagram socket without a peer.
const CLOSE: &str = "07";
/// From this port on, datagram sockets are those of clients that wait for an answer.
const FIRST_OF_CLIENTS: u16 = 32768;

fn row(line: &str, protocol: &'static str, wanted: &str) -> Option<Listener> {
    let mut cells = line.split_whitespace();
    let (local, state) = (cells.nth(1)?, cells.nth(1)?);
    let inode = cells.nth(5)?.parse().ok()?;
    let (address, port) = local.split_once(':')?;
    let (address, port) = (address_of(address)?, u16::from_str_radix(port, 16).ok()?);
    let listens = state == wanted && (protocol == "tcp" || port < FIRST_OF_CLIENTS);
    listens.then_some(Listener { address, port, protocol, inode })
}

/// The kernel writes each 32 bits as a number of the machine's own.
fn address_of(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| u32::from_str_radix(hex.get(at * 8..at * 8 + 8)?, 16).ok().map(u32::to_ne_bytes);
    match hex.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let bytes = [word(0)?, word(1)?, word(2)?, word(3)?].concat();
            Some(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::*;

    #[test]
    fn only_what_listens_counts() {
        let fake = Fake::new();
        let head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
        let tcp = format!(
            "{head}   0: 0100007F:0019 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11 1 0 100\n\
             \x20  1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12 1 0 100\n\
             \x20  2: 0A00000A:0016 0B00000A:D431 01 00000000:00000000 00:00000000 00000000     0        0 13 1 0 100\n"
        );
        fake.file("/proc/net/tcp", &tcp);
        let v6 = "0: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 14 1\n\
                  1: 00000000000000000000000000000000:0051 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 15 1\n\
                  2: 0000000000000000FFFF00000100007F:0052 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 16 1\n";
        fake.file("/proc/net/tcp6", v6);
        fake.file(
            "/proc/net/udp",
            "0: 00000000:006F 00000000:0000 07 0:0 0:0 0 0 0 17 2\n1: 00000000:9C40 00000000:0000 07 0:0 0:0 0 0 0 18 2\n",
        );
        let found = listening(&fake.host(), Path::new("/proc/net"));
        let inodes = |reachable: bool| {
            let matching = found.iter().filter(|listener| listener.is_reachable() == reachable);
            matching.map(|listener| listener.inode).collect::<Vec<_>>()
        };
        assert_eq!((inodes(true), inodes(false)), (vec![12, 15, 17], vec![11, 14, 16]));
        assert_eq!((found[1].port, found[1].protocol), (22, "tcp"));
    }
}
