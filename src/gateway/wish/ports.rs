//! Published ports as Docker writes them: `{"80/tcp": [{"HostIp": "", "HostPort": "40080"}]}`.

use super::refused::WishError;
use super::words::at_most;
use crate::policy::{HostPort, PortAsk, Protocol};
use crate::protocol::told::told;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct Binding {
    host_ip: String,
    host_port: String,
}

/// A container's port: `80/tcp`, `53/udp` or `80`.
pub(super) fn container_port(word: &str) -> Result<(u16, Protocol), WishError> {
    let (number, protocol) = word.split_once('/').unwrap_or((word, "tcp"));
    let protocol = match protocol {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        _ => return Err(WishError::Bad(told!("port {word:?} is neither tcp nor udp"))),
    };
    let digits = number.bytes().all(|b| b.is_ascii_digit());
    match number.parse() {
        Ok(number) if number > 0 && digits => Ok((number, protocol)),
        _ => Err(WishError::Bad(told!("{word:?} is not a port"))),
    }
}

/// `40080`, or one of `40080-40089`; nothing and 0 are any.
fn host_port(word: &str) -> Result<HostPort, WishError> {
    let number = |digits: &str| {
        let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| digits.parse::<u16>().ok()).flatten()
    };
    let port = match word.split_once('-') {
        None if word.is_empty() => Some(HostPort::Free),
        None => number(word).map(|port| if port == 0 { HostPort::Free } else { HostPort::Named(port) }),
        Some((first, last)) => match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => Some(HostPort::Within(first, last)),
            _ => None,
        },
    };
    port.ok_or_else(|| WishError::Bad(told!("{word:?} is not a host port")))
}

/// Any of the host's for each of these that is not published yet, as `-P` has it.
pub(super) fn publish(exposed: impl IntoIterator<Item = (u16, Protocol)>, asks: &mut Vec<PortAsk>) {
    for (container, protocol) in exposed {
        if !asks.iter().any(|ask| (ask.container, ask.protocol) == (container, protocol)) {
            asks.push(PortAsk { container, protocol, host: HostPort::Free, address: None });
        }
    }
}

pub(super) fn asks(bindings: BTreeMap<String, Option<Vec<Binding>>>) -> Result<Vec<PortAsk>, WishError> {
    let count = bindings.values().map(|bindings| bindings.as_ref().map_or(1, Vec::len)).sum();
    at_most("HostConfig.PortBindings", count, 64)?;
    let mut asks = Vec::new();
    for (port, bindings) in bindings {
        let (container, protocol) = container_port(&port)?;
        let bindings =
            bindings.filter(|bindings| !bindings.is_empty()).unwrap_or_else(|| vec![Binding::default()]);
        for binding in bindings {
            let host = host_port(&binding.host_port)?;
            let address = match binding.host_ip.as_str() {
                "" => None,
                word => Some(word.parse().map_err(|_| WishError::Bad(told!("{word:?} is not an address")))?),
            };
            asks.push(PortAsk { container, protocol, host, address });
        }
    }
    Ok(asks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_port_is_a_number_or_one_of_some() {
        let port = |word: &str| host_port(word).ok();
        assert_eq!([port(""), port("0")], [Some(HostPort::Free); 2]);
        assert_eq!(port("40080"), Some(HostPort::Named(40080)));
        assert_eq!(port("40080-40082"), Some(HostPort::Within(40080, 40082)));
        for bad in ["x", "65536", "+1", "1-", "-1", "2-1", "1-2-3", "1-65536"] {
            assert_eq!(port(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_container_s_port_is_a_number_and_a_protocol() {
        let port = |word: &str| container_port(word).ok();
        assert_eq!(port("80"), Some((80, Protocol::Tcp)));
        assert_eq!(port("53/udp"), Some((53, Protocol::Udp)));
        assert_eq!((port("1/tcp"), port("65535")), (Some((1, Protocol::Tcp)), Some((65535, Protocol::Tcp))));
        for bad in ["0", "65536", "80/sctp", "+80", "", "/tcp", "80/tcp/x"] {
            assert_eq!(port(bad), None, "{bad}");
        }
    }
}
