//! Which ports are published where.

use super::ask::{HostPort, PortAsk, Protocol};
use super::limits::Limits;
use super::refuse::{CONFLICT, FORBIDDEN, refusal};
use super::source::Source;
use super::total::{Share, Total};
use super::usage::Usage;
use crate::protocol::report::Refusal;
use crate::protocol::told::{Told, told};
use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// One port as it will be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortGrant {
    pub container: u16,
    pub protocol: Protocol,
    pub host: u16,
    pub address: IpAddr,
}

/// The host ports a caller may publish; none below 1024.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PortRange {
    first: u16,
    last: u16,
}

impl PortRange {
    fn contains(self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl FromStr for PortRange {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let wrong = || format!("{word:?} is not a range of ports such as 40000-49999");
        let port = |digits: &str| {
            let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
            plain.then(|| digits.parse().ok()).flatten().ok_or_else(wrong)
        };
        let (first, last) = word.split_once('-').ok_or_else(wrong)?;
        let (first, last) = (port(first)?, port(last)?);
        if first < 1024 || first > last {
            return Err(format!("{word:?} must go upwards, from 1024 at least"));
        }
        Ok(Self { first, last })
    }
}

/// The ports being granted: what may be taken, and what is gone.
struct Picking<'a> {
    range: PortRange,
    source: &'a Source,
    taken: &'a BTreeSet<u16>,
    /// One number may serve tcp and udp of the same container.
    chosen: BTreeSet<(u16, Protocol)>,
}

impl Picking<'_> {
    fn named(&mut self, ask: &PortAsk, port: u16) -> Result<u16, Refusal> {
        let no = |code, what: Told| {
            let mut no = refusal(code, "ports.range", self.source, what);
            no.asked = Some(port.to_string());
            no.limit = Some(self.range.to_string());
            no.hint(told!("`-p {}` takes a free port of {}", ask.container, self.range))
        };
        if !self.range.contains(port) {
            return Err(no(FORBIDDEN, told!("host port {port} is not in {}", self.range)));
        }
        // Somebody else's it may be by now: that shows when the container is started.
        if !self.chosen.insert((port, ask.protocol)) {
            return Err(no(CONFLICT, told!("host port {port} is asked for twice")));
        }
        Ok(port)
    }

    /// The lowest free one, of these or of all.
    fn lowest_free(&mut self, ask: &PortAsk) -> Result<u16, Refusal> {
        let chosen = |port| [Protocol::Tcp, Protocol::Udp].iter().any(|p| self.chosen.contains(&(port, *p)));
        let among = match ask.host {
            HostPort::Within(first, last) => {
                PortRange { first: first.max(self.range.first), last: last.min(self.range.last) }
            }
            _ => self.range,
        };
        if let (HostPort::Within(first, last), true) = (ask.host, among.first > among.last) {
            let what = told!("host ports {first}-{last} are not in {}", self.range);
            let no = refusal(FORBIDDEN, "ports.range", self.source, what);
            return Err(no.hint(told!("`-p {}` takes a free port of {}", ask.container, self.range)));
        }
        let free = (among.first..=among.last).find(|port| !self.taken.contains(port) && !chosen(*port));
        let Some(port) = free else {
            let what = told!("no host port of {among} is free");
            let no = refusal(CONFLICT, "ports.range", self.source, what);
            return Err(no.hint(told!("`ie-container ps -a` shows the ports you hold")));
        };
        self.chosen.insert((port, ask.protocol));
        Ok(port)
    }
}

impl Limits {
    /// A host port for each ask, in its order. Those that name one come first, so that a free one is not theirs.
    pub(super) fn grant_ports(&self, used: &Usage, asks: &[PortAsk]) -> Result<Vec<PortGrant>, Refusal> {
        if asks.is_empty() {
            return Ok(Vec::new());
        }
        let Some(range) = self.ports.range.value else {
            let no = refusal(FORBIDDEN, "ports", &self.ports.range.source, told!("no port may be published"));
            return Err(no.hint(told!("leave `-p` out, your own containers reach each other by name")));
        };
        let asked = u64::try_from(asks.len()).unwrap_or(u64::MAX);
        self.published(used).take(asked, None)?;
        let source = &self.ports.range.source;
        let mut picking = Picking { range, source, taken: &used.taken_ports, chosen: BTreeSet::new() };
        let mut grants: Vec<Option<PortGrant>> = Vec::new();
        for ask in asks {
            let host = match ask.host {
                HostPort::Named(port) => Some(picking.named(ask, port)?),
                HostPort::Free | HostPort::Within(..) => None,
            };
            grants.push(host.map(|host| self.port_grant(ask, host)).transpose()?);
        }
        let pick = |(ask, named): (&PortAsk, Option<PortGrant>)| match named {
            Some(grant) => Ok(grant),
            None => self.port_grant(ask, picking.lowest_free(ask)?),
        };
        asks.iter().zip(grants).map(pick).collect()
    }

    fn port_grant(&self, ask: &PortAsk, host: u16) -> Result<PortGrant, Refusal> {
        let own = &self.ports.address;
        // Any address stands for the policy's, as it stands for the engine's in Docker.
        if let Some(other) = ask.address.filter(|asked| *asked != own.value && !asked.is_unspecified()) {
            let what = told!("asked {other}, ports are published on {}", own.value);
            let mut no = refusal(FORBIDDEN, "ports.address", &own.source, what);
            no.asked = Some(other.to_string());
            no.limit = Some(own.value.to_string());
            return Err(no.hint(told!("`-p {host}:{}` without an address", ask.container)));
        }
        if ask.container == 0 {
            let no =
                refusal(FORBIDDEN, "ports", &self.ports.range.source, told!("a container has no port 0"));
            return Err(no.hint(told!("give the port that the program in the container listens on")));
        }
        Ok(PortGrant { container: ask.container, protocol: ask.protocol, host, address: own.value })
    }

    /// The address that ports are published on.
    pub fn published_on(&self) -> IpAddr {
        self.ports.address.value
    }

    /// Whether a port that was granted would be granted today.
    pub(super) fn still_published(&self, port: u16, at: IpAddr) -> Result<(), Refusal> {
        let range = &self.ports.range;
        let within = range.value.is_some_and(|range| range.contains(port));
        if !within {
            let what = match range.value {
                Some(range) => told!("host port {port} is not in {range}"),
                None => told!("no port may be published"),
            };
            return Err(refusal(FORBIDDEN, "ports.range", &range.source, what));
        }
        let address = &self.ports.address;
        if address.value != at {
            let what = told!("host port {port} is on {at}, ports are published on {}", address.value);
            return Err(refusal(FORBIDDEN, "ports.address", &address.source, what));
        }
        Ok(())
    }

    /// `ports.max`, counted over all of the caller's containers: a stopped one takes its ports again when started.
    pub(super) fn published<'a>(&'a self, used: &'a Usage) -> Total<'a, u64> {
        let count = |ports: &[u16]| u64::try_from(ports.len()).unwrap_or(u64::MAX);
        let used = used.containers.iter().map(|c| Share::of(c, count(&c.ports))).collect();
        Total { rule: "ports.max", limit: &self.ports.max, used, frees: "rm" }
    }
}
