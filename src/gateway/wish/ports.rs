//! Published ports as Docker writes them: `{"80/tcp": [{"HostIp": "", "HostPort": "40080"}]}`.

use super::refused::WishError;
use super::words::at_most;
use crate::policy::{PortAsk, Protocol};
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

pub(super) fn asks(bindings: BTreeMap<String, Option<Vec<Binding>>>) -> Result<Vec<PortAsk>, WishError> {
    let count = bindings.values().map(|bindings| bindings.as_ref().map_or(1, Vec::len)).sum();
    at_most("HostConfig.PortBindings", count, 64)?;
    let mut asks = Vec::new();
    for (port, bindings) in bindings {
        let (container, protocol) = container_port(&port)?;
        let bindings =
            bindings.filter(|bindings| !bindings.is_empty()).unwrap_or_else(|| vec![Binding::default()]);
        for binding in bindings {
            let host = match binding.host_port.as_str() {
                "" | "0" => None,
                word => Some(word.parse().map_err(|_| WishError::Bad(told!("{word:?} is not a host port")))?),
            };
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
