//! The `[gateway]` table: the engine, who may connect, where homes lie, which addresses networks take.

use super::source::Sourced;
use crate::protocol::amount::Span;
use std::fmt;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The settings of the gateway itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gateway {
    pub(super) engine: PathBuf,
    pub(super) uids: UidRange,
    pub(super) homes: Sourced<Vec<HomeRoot>>,
    pub(super) connections: u32,
    pub(super) networks: Pool,
    pub(super) network_size: u8,
    pub(super) measure: Span,
    pub(super) userns: Userns,
    pub(super) remap_user: String,
}

/// Whose user namespace containers are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Userns {
    /// Their own: the engine's `userns-remap`. Root inside is nobody outside.
    Remap,
    /// The host's.
    Host,
}

impl Gateway {
    /// The engine's Unix socket.
    pub fn engine(&self) -> &Path {
        &self.engine
    }

    pub fn uids(&self) -> UidRange {
        self.uids
    }

    pub fn homes(&self) -> &[HomeRoot] {
        &self.homes.value
    }

    /// How many connections one uid may hold at once; at least 1.
    pub fn connections(&self) -> u32 {
        self.connections
    }

    /// Where the users' own networks take their addresses from.
    pub fn networks(&self) -> Pool {
        self.networks
    }

    /// How often the disk is measured.
    pub fn measure(&self) -> Span {
        self.measure
    }

    pub fn userns(&self) -> Userns {
        self.userns
    }

    /// The user whose subordinate ids the engine's containers have, as in its `userns-remap`.
    pub fn remap_user(&self) -> &str {
        &self.remap_user
    }

    /// The prefix length of one user's network; never shorter than the pool's.
    pub fn network_size(&self) -> u8 {
        self.network_size
    }
}

/// A directory that homes lie below.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HomeRoot {
    pub(super) path: PathBuf,
    pub(super) idmap: bool,
}

impl HomeRoot {
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn idmap(&self) -> bool {
        self.idmap
    }
}

/// The uids that may connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UidRange {
    first: u32,
    last: u32,
}

/// Ids that are no user's: root; the kernel's stand-in for an id without a mapping; and -1, "no change" to many calls.
const NEVER: [u32; 3] = [0, 65534, u32::MAX];

impl UidRange {
    pub fn first(self) -> u32 {
        self.first
    }

    pub fn last(self) -> u32 {
        self.last
    }

    /// Whether this uid may connect at all. 0, 65534 and 4294967295 never may, whatever the range.
    pub fn contains(self, uid: u32) -> bool {
        (self.first..=self.last).contains(&uid) && !NEVER.contains(&uid)
    }
}

impl fmt::Display for UidRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl FromStr for UidRange {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let wrong = || format!("{word:?} is not a range of uids such as 1000-59999");
        let (first, last) = word.split_once('-').ok_or_else(wrong)?;
        let (first, last) = (number(first).ok_or_else(wrong)?, number(last).ok_or_else(wrong)?);
        if first == 0 || first > last || last == u32::MAX {
            return Err(format!("{word:?} must go upwards, from 1 at least to 4294967294 at most"));
        }
        Ok(Self { first, last })
    }
}

/// Digits only: `parse` alone would take a sign.
fn number<T: FromStr>(digits: &str) -> Option<T> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

/// A block of private IPv4 addresses: `10.200.0.0/16`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    network: Ipv4Addr,
    prefix: u8,
}

/// The blocks that are nobody's on the Internet; a pool must lie in one of them.
const PRIVATE: [(Ipv4Addr, u8); 4] = [
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
];

/// In bits of its prefix. A network needs its own address, a gateway, a container and a broadcast address.
pub(super) const SMALLEST_NETWORK: u8 = 30;

impl Pool {
    pub(super) const fn new(network: Ipv4Addr, prefix: u8) -> Self {
        Self { network, prefix }
    }

    pub fn network(self) -> Ipv4Addr {
        self.network
    }

    pub fn prefix(self) -> u8 {
        self.prefix
    }

    /// The `index`th network of `size` bits in the pool; none past its end.
    pub fn subnet(self, index: u32, size: u8) -> Option<Self> {
        let fits = (self.prefix..=SMALLEST_NETWORK).contains(&size)
            && u64::from(index) < 1u64.checked_shl(u32::from(size - self.prefix))?;
        let offset = index.checked_shl(32 - u32::from(size)).unwrap_or(0);
        fits.then(|| Self { network: Ipv4Addr::from(u32::from(self.network) | offset), prefix: size })
    }

    /// Whether another block lies in this one.
    pub fn contains(self, other: Self) -> bool {
        self.prefix <= other.prefix && masked(other.network, self.prefix) == self.network
    }

    /// Whether an interface in this network may have the address: neither its own nor its broadcast's.
    pub fn has_host(self, address: Ipv4Addr) -> bool {
        let rest = u32::MAX.checked_shr(u32::from(self.prefix)).unwrap_or(0);
        let host = u32::from(address) & rest;
        masked(address, self.prefix) == self.network && host != 0 && host != rest
    }

    fn is_private(self) -> bool {
        PRIVATE.iter().any(|(block, bits)| self.prefix >= *bits && masked(self.network, *bits) == *block)
    }
}

/// The address with all but its first `bits` bits cleared.
fn masked(address: Ipv4Addr, bits: u8) -> Ipv4Addr {
    let mask = u32::MAX.checked_shl(32u32.saturating_sub(u32::from(bits))).unwrap_or(0);
    Ipv4Addr::from(u32::from(address) & mask)
}

impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix)
    }
}

impl FromStr for Pool {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let wrong = || format!("{word:?} is not a block of addresses such as 10.200.0.0/16");
        let (network, prefix) = word.split_once('/').ok_or_else(wrong)?;
        let network: Ipv4Addr = network.parse().map_err(|_| wrong())?;
        let prefix: u8 = number(prefix).filter(|bits| *bits <= SMALLEST_NETWORK).ok_or_else(wrong)?;
        if masked(network, prefix) != network {
            return Err(format!(
                "{word:?} does not begin its block, write {}/{prefix}",
                masked(network, prefix)
            ));
        }
        let pool = Self { network, prefix };
        if pool.is_private() {
            Ok(pool)
        } else {
            Err(format!("{word:?} is not a block of private addresses"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn root_nobody_and_minus_one_never_connect() {
        let range: UidRange = "1-4294967294".parse().unwrap();
        for uid in [0, 65534, u32::MAX] {
            assert!(!range.contains(uid), "{uid}");
        }
        for uid in [1, 1000, 65533, 65535, 2147483648, 4294967294] {
            assert!(range.contains(uid), "{uid}");
        }
    }

    #[test]
    fn a_range_of_uids_goes_upwards() {
        let good: UidRange = "1000-59999".parse().unwrap();
        assert!(good.contains(1000) && good.contains(59999) && !good.contains(999) && !good.contains(60000));
        for bad in ["", "1000", "-", "0-10", "10-9", "+1-9", "1-+9", "1--9", "1-4294967295", "1-9-20", "a-b"]
        {
            assert!(bad.parse::<UidRange>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_block_has_blocks_and_addresses() {
        let pool: Pool = "10.200.0.0/16".parse().unwrap();
        for (block, inside) in [
            ("10.200.0.0/16", true),
            ("10.200.255.0/24", true),
            ("10.201.0.0/24", false),
            ("10.0.0.0/8", false),
        ] {
            assert_eq!(pool.contains(block.parse().unwrap()), inside, "{block}");
        }
        let small: Pool = "10.200.0.4/30".parse().unwrap();
        let hosts = (0..12).filter(|last| small.has_host(Ipv4Addr::new(10, 200, 0, *last)));
        assert_eq!(hosts.collect::<Vec<_>>(), [5, 6]);
    }

    #[test]
    fn a_pool_is_a_whole_private_block() {
        for good in ["10.200.0.0/16", "10.0.0.0/8", "172.16.0.0/12", "192.168.4.0/22", "100.64.0.0/10"] {
            assert_eq!(good.parse::<Pool>().unwrap().to_string(), good);
        }
        for bad in [
            "",
            "10.0.0.0",
            "10.0.0.0/",
            "10.0.0.0/31",
            "10.0.0.0/+8",
            "10.0.0.1/8",
            "0.0.0.0/0",
            "10.0.0.0/7",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.0.0.0/8",
            "8.8.8.0/24",
            "224.0.0.0/4",
            "fd00::/8",
        ] {
            assert!(bad.parse::<Pool>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn subnets_follow_each_other_to_the_end() {
        let pool: Pool = "10.200.0.0/16".parse().unwrap();
        let at = |index| pool.subnet(index, 28).map(|net| net.to_string());
        assert_eq!(at(0).as_deref(), Some("10.200.0.0/28"));
        assert_eq!(at(17).as_deref(), Some("10.200.1.16/28"));
        assert_eq!(at(4095).as_deref(), Some("10.200.255.240/28"));
        assert_eq!(at(4096), None);
        assert_eq!(pool.subnet(0, 8), None);
        assert_eq!(pool.subnet(0, 31), None);
    }

    proptest! {
        #[test]
        fn no_two_subnets_share_an_address(a in 0u32..4096, b in 0u32..4096) {
            let pool: Pool = "10.200.0.0/16".parse().unwrap();
            let (one, two) = (pool.subnet(a, 28).unwrap(), pool.subnet(b, 28).unwrap());
            prop_assert_eq!(a == b, masked(one.network(), 28) == masked(two.network(), 28));
            prop_assert_eq!(masked(one.network(), 16), pool.network());
        }
    }
}
