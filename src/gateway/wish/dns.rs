//! `--dns`, `--dns-search` and `--dns-option`: who a container asks for names, and how.
//!
//! An engine asks the servers that are named here from the container's own network, so that they are reached as by the
//! container itself. Loopback would be the container's own, and has no server: one of the host's is never meant by it here.

use super::fields::Fields;
use super::refused::WishError;
use super::words::at_most;
use crate::protocol::told::told;
use serde::Serialize;
use std::net::{IpAddr, Ipv6Addr};

/// Entries of each list; a resolver looks at three servers and six domains.
const MOST: usize = 8;

/// As it goes into an engine's body; what was not asked is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::gateway) struct Dns {
    #[serde(rename = "Dns", skip_serializing_if = "Vec::is_empty")]
    servers: Vec<IpAddr>,
    #[serde(rename = "DnsSearch", skip_serializing_if = "Vec::is_empty")]
    search: Vec<String>,
    #[serde(rename = "DnsOptions", skip_serializing_if = "Vec::is_empty")]
    options: Vec<String>,
}

impl Dns {
    pub(super) fn of(fields: &mut Fields) -> Result<Self, WishError> {
        let servers = list("HostConfig.Dns", fields.take("Dns")?, server)?;
        let search = list("HostConfig.DnsSearch", fields.take("DnsSearch")?, domain)?;
        let options = list("HostConfig.DnsOptions", fields.take("DnsOptions")?, option)?;
        Ok(Self { servers, search, options })
    }
}

/// Each word by its own rule; clients send nothing as an empty list or as none.
fn list<T>(
    field: &str,
    words: Option<Vec<String>>,
    one: impl Fn(&str, String) -> Result<T, WishError>,
) -> Result<Vec<T>, WishError> {
    let words = words.unwrap_or_default();
    at_most(field, words.len(), MOST)?;
    words.into_iter().map(|word| one(field, word)).collect()
}

fn server(field: &str, word: String) -> Result<IpAddr, WishError> {
    let address: IpAddr =
        word.parse().map_err(|_| WishError::Bad(told!("{field}: {word:?} is not an address")))?;
    match is_somewhere(address) {
        true => Ok(address),
        false => {
            let field = format!("{field}: {address}");
            Err(WishError::not_allowed(&field, told!("a server has an address that a container can reach")))
        }
    }
}

/// Whether an address may be another machine's, or a container's; what is an IPv4 address in IPv6's clothes is judged bare.
fn is_somewhere(address: IpAddr) -> bool {
    let address = address.to_canonical();
    let local = match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast() || v4.octets().first() == Some(&0),
        IpAddr::V6(v6) => v6.is_unicast_link_local() || is_v4_compatible(v6),
    };
    !(local || address.is_loopback() || address.is_unspecified() || address.is_multicast())
}

/// `::127.0.0.1` and the like, which mean nothing any more.
fn is_v4_compatible(address: Ipv6Addr) -> bool {
    address.segments().iter().take(6).all(|segment| *segment == 0)
}

/// A domain of names of letters, digits, `-` and `_`; a dot alone is none, as in Docker.
fn domain(field: &str, word: String) -> Result<String, WishError> {
    let good = |label: &str| {
        let body = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        body && !label.is_empty() && label.len() <= 63 && !label.starts_with('-') && !label.ends_with('-')
    };
    let bare = word.strip_suffix('.').unwrap_or(&word);
    if word == "." || (bare.len() <= 253 && bare.split('.').all(good)) {
        return Ok(word);
    }
    Err(WishError::Bad(told!("{field}: {word:?} is not a domain")))
}

/// The switches of resolv.conf(5) that are about how a resolver asks.
const SWITCHES: [&str; 9] = [
    "edns0",
    "inet6",
    "no-aaaa",
    "no-tld-query",
    "rotate",
    "single-request",
    "single-request-reopen",
    "trust-ad",
    "use-vc",
];
/// And those with a number: the most that a resolver takes.
const NUMBERS: [(&str, u8); 3] = [("attempts", 5), ("ndots", 15), ("timeout", 30)];

fn option(field: &str, word: String) -> Result<String, WishError> {
    let most = |name: &str| NUMBERS.iter().find(|(known, _)| *known == name).map(|(_, most)| *most);
    let known = match word.split_once(':') {
        None => SWITCHES.contains(&word.as_str()),
        Some((name, value)) => {
            let number =
                value.bytes().all(|b| b.is_ascii_digit()).then(|| value.parse::<u8>().ok()).flatten();
            most(name).zip(number).is_some_and(|(most, number)| number <= most)
        }
    };
    if known {
        return Ok(word);
    }
    let served = told!("ndots, timeout and attempts with a number, and the switches of resolv.conf(5) are");
    Err(WishError::not_allowed(&format!("{field}: {}", crate::protocol::escape::escape_line(&word)), served))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn of(body: Value) -> Result<Value, String> {
        let mut fields = Fields::of("HostConfig", body, super::super::host::SERVED).unwrap();
        Dns::of(&mut fields).map(|dns| json!(dns)).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_asked_is_what_is_said() {
        assert_eq!(of(json!({})), Ok(json!({})));
        assert_eq!(of(json!({ "Dns": null, "DnsSearch": [], "DnsOptions": null })), Ok(json!({})));
        let all = json!({ "Dns": ["10.1.2.3", "2001:db8::1"], "DnsSearch": ["lab.example.org", "x_y", "."],
            "DnsOptions": ["ndots:2", "timeout:0", "rotate"] });
        assert_eq!(of(all.clone()), Ok(all));
        assert_eq!(of(json!({ "DnsSearch": ["lab."] })), Ok(json!({ "DnsSearch": ["lab."] })));
    }

    #[test]
    fn a_server_is_never_the_hosts_own_loopback() {
        for bad in [
            "127.0.0.1",
            "127.0.0.11",
            "127.255.0.1",
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "224.0.0.251",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "::ffff:169.254.1.1",
            "fe80::1",
            "ff02::fb",
        ] {
            let said = of(json!({ "Dns": [bad] })).unwrap_err();
            assert!(said.contains("HostConfig.Dns") && said.contains("is not allowed here"), "{bad}: {said}");
        }
        for odd in [
            "",
            "dns.lab",
            "10.1.2.3:53",
            "fe80::1%eth0",
            "010.1.2.3",
            "10.1.2",
            "10.1.2.3\n",
            "10.1.2.3 1.2.3.4",
        ] {
            assert!(of(json!({ "Dns": [odd] })).is_err(), "{odd:?}");
        }
        assert!(of(json!({ "Dns": vec!["10.1.2.3"; 9] })).is_err());
    }

    #[test]
    fn nothing_else_gets_into_a_resolvers_file() {
        let long = "a".repeat(64);
        let longer = vec!["a".repeat(63); 4].join(".");
        for bad in [
            "",
            "a b",
            "a\nnameserver 127.0.0.1",
            "a..b",
            "-a",
            "a-.b",
            "..",
            "a#b",
            "\u{e9}",
            &long,
            &longer,
        ] {
            assert!(of(json!({ "DnsSearch": [bad] })).is_err(), "{bad:?}");
        }
        for bad in [
            "",
            "ndots",
            "ndots:",
            "ndots:16",
            "ndots:-1",
            "ndots:+1",
            "debug",
            "rotate\n",
            "rotate ndots:1",
            "x:1",
        ] {
            assert!(of(json!({ "DnsOptions": [bad] })).is_err(), "{bad:?}");
        }
    }
}
