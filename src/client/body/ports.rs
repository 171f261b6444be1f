//! `-p`: which ports of the host lead into the container.

use crate::client::error::Error;
use crate::protocol::told::told;
use bollard_stubs::models::{PortBinding, PortMap};
use std::net::IpAddr;

/// Every `-p [[IP:]HOST:]PORT[/PROTOCOL]`, ranges included.
pub(super) fn published(words: &[String]) -> Result<PortMap, Error> {
    let mut map = PortMap::new();
    for word in words {
        for (port, binding) in publish(word).ok_or_else(|| wrong(word))? {
            map.entry(port).or_default().get_or_insert_default().push(binding);
        }
    }
    Ok(map)
}

fn wrong(word: &str) -> Error {
    Error::usage_hint(
        told!("-p {word} is not understood"),
        told!("8080:80, 127.0.0.1:8080:80, 8000-8005:80-85/udp, or 80 for any port of the host"),
    )
}

fn publish(word: &str) -> Option<Vec<(String, PortBinding)>> {
    let (ports, protocol) = word.split_once('/').unwrap_or((word, "tcp"));
    if !matches!(protocol, "tcp" | "udp" | "sctp") {
        return None;
    }
    let (front, inside) = match ports.rsplit_once(':') {
        Some((front, inside)) => (Some(front), inside),
        None => (None, ports),
    };
    let (address, outside) = match front.map(|front| front.rsplit_once(':').unwrap_or(("", front))) {
        Some((address, outside)) => (address_of(address)?, outside),
        None => (None, ""),
    };
    let (first, last) = range(inside)?;
    let hosts = host_ports(outside, last - first)?;
    let binding = |(port, host): (u16, String)| {
        let binding =
            PortBinding { host_ip: address.clone(), host_port: Some(host).filter(|h| !h.is_empty()) };
        (format!("{port}/{protocol}"), binding)
    };
    Some((first..=last).zip(hosts).map(binding).collect())
}

/// One host port for each of `more + 1` container ports; a range for a single port is the engine's to choose from.
fn host_ports(word: &str, more: u16) -> Option<Vec<String>> {
    let count = usize::from(more) + 1;
    if word.is_empty() {
        return Some(vec![String::new(); count]);
    }
    let (first, last) = range(word)?;
    match last - first {
        length if length == more => Some((first..=last).map(|port| port.to_string()).collect()),
        _ if more == 0 => Some(vec![word.to_owned()]),
        _ => None,
    }
}

fn range(word: &str) -> Option<(u16, u16)> {
    let (first, last) = word.split_once('-').unwrap_or((word, word));
    let (first, last) = (port(first)?, port(last)?);
    (first <= last).then_some((first, last))
}

fn port(word: &str) -> Option<u16> {
    word.bytes().all(|b| b.is_ascii_digit()).then(|| word.parse().ok()).flatten()
}

#[expect(clippy::option_option, reason = "no address is fine, a wrong one is not")]
fn address_of(word: &str) -> Option<Option<String>> {
    if word.is_empty() {
        return Some(None);
    }
    let bare = word.strip_prefix('[').and_then(|word| word.strip_suffix(']')).unwrap_or(word);
    bare.parse::<IpAddr>().ok().map(|address| Some(address.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(word: &str) -> Option<String> {
        let all = publish(word)?.into_iter().map(|(port, binding)| {
            format!(
                "{}|{}|{port}",
                binding.host_ip.unwrap_or_default(),
                binding.host_port.unwrap_or_default()
            )
        });
        Some(all.collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn all_of_docker_s_forms_are_known() {
        for (word, expected) in [
            ("80", "||80/tcp"),
            ("8080:80", "|8080|80/tcp"),
            ("127.0.0.1:8080:80/udp", "127.0.0.1|8080|80/udp"),
            ("127.0.0.1::80", "127.0.0.1||80/tcp"),
            ("[::1]:8080:80", "::1|8080|80/tcp"),
            ("8000-8001:80-81", "|8000|80/tcp |8001|81/tcp"),
            ("8000-8010:80", "|8000-8010|80/tcp"),
            ("80-81", "||80/tcp ||81/tcp"),
        ] {
            assert_eq!(shown(word).as_deref(), Some(expected), "{word}");
        }
        for bad in
            ["", "a", "80:", "1:2:3:4", "8000-8001:80-82", "81-80", "80/icmp", "99999", "host:80:80", "+80"]
        {
            assert_eq!(shown(bad), None, "{bad}");
        }
    }
}
