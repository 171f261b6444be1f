//! How a container is in a network: the names it is found by there, and an address and a MAC address of its own.

use super::fields::Fields;
use super::refused::WishError;
use super::words::{alias, at_most};
use super::zero;
use crate::protocol::told::told;
use serde_json::Value;
use std::fmt;
use std::net::Ipv4Addr;

pub(super) const SERVED: &[&str] = &["Aliases", "IPAMConfig", "MacAddress"];
const IPAM_SERVED: &[&str] = &["IPv4Address"];

/// Whether the address lies in the network remains to be looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::gateway) struct Endpoint {
    /// Beside its own name.
    pub(in crate::gateway) aliases: Vec<String>,
    pub(in crate::gateway) address: Option<Ipv4Addr>,
    pub(in crate::gateway) mac: Option<Mac>,
}

/// The address of one interface. Each network is a bridge of its owner's alone: nobody else's frames go by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gateway) struct Mac([u8; 6]);

impl Mac {
    /// Six bytes in hexadecimal, with `:` or `-` between; nothing for what no single interface has.
    fn parse(word: &str) -> Option<Self> {
        let separator = if word.contains('-') { '-' } else { ':' };
        let byte = |part: &str| {
            let two = part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit());
            two.then(|| u8::from_str_radix(part, 16).ok()).flatten()
        };
        let bytes: Vec<u8> = word.split(separator).map(byte).collect::<Option<_>>()?;
        let bytes: [u8; 6] = bytes.try_into().ok()?;
        let [first, ..] = bytes;
        (first & 1 == 0 && bytes != [0; 6]).then_some(Self(bytes))
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// A MAC address; an empty word asks for none.
pub(super) fn mac(field: &str, word: &str) -> Result<Option<Mac>, WishError> {
    match word {
        "" => Ok(None),
        word => Mac::parse(word).map(Some).ok_or_else(|| {
            WishError::Bad(told!("{field}: {word:?} is not the MAC address of one interface"))
        }),
    }
}

pub(super) fn endpoint(value: Value) -> Result<Endpoint, WishError> {
    if zero::is_zero(&value) {
        return Ok(Endpoint::default());
    }
    let mut fields = Fields::of("EndpointConfig", value, SERVED)?;
    let aliases: Option<Vec<String>> = fields.take("Aliases")?;
    let aliases = aliases.unwrap_or_default();
    at_most("Aliases", aliases.len(), 32)?;
    aliases.iter().try_for_each(|word| alias("Aliases", word))?;
    let mut ipam = Fields::of("EndpointConfig.IPAMConfig", fields.raw("IPAMConfig"), IPAM_SERVED)?;
    let address: String = ipam.take("IPv4Address")?;
    ipam.rest_is_zero()?;
    let mac = mac("EndpointConfig.MacAddress", &fields.take::<String>("MacAddress")?)?;
    fields.rest_is_zero()?;
    Ok(Endpoint { aliases, address: ipv4("EndpointConfig.IPAMConfig.IPv4Address", &address)?, mac })
}

/// An address; an empty word asks for none.
pub(super) fn ipv4(field: &str, word: &str) -> Result<Option<Ipv4Addr>, WishError> {
    match word {
        "" => Ok(None),
        word => word
            .parse()
            .map(Some)
            .map_err(|_| WishError::Bad(told!("{field}: {word:?} is not an IPv4 address"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_clients_send_is_understood() {
        let asked = json!({"Aliases": ["db", "x"], "Links": null, "IPAMConfig": {}, "MacAddress": ""});
        let names = ["db", "x"].map(str::to_owned).to_vec();
        assert_eq!(endpoint(asked).unwrap(), Endpoint { aliases: names, ..Endpoint::default() });
        for nothing in
            [json!(null), json!({}), json!({"IPAMConfig": {"IPv4Address": "", "LinkLocalIPs": []}})]
        {
            assert_eq!(endpoint(nothing).unwrap(), Endpoint::default());
        }
        let asked = json!({"IPAMConfig": {"IPv4Address": "10.0.0.9"}, "MacAddress": "02-42-0A-00-00-01"});
        let endpoint = endpoint(asked).unwrap();
        assert_eq!(endpoint.address, Some(Ipv4Addr::new(10, 0, 0, 9)));
        assert_eq!(endpoint.mac.unwrap().to_string(), "02:42:0a:00:00:01");
    }

    #[test]
    fn what_is_no_single_interfaces_is_none() {
        for bad in [
            "01:00:5e:00:00:01",
            "ff:ff:ff:ff:ff:ff",
            "00:00:00:00:00:00",
            "02:42:00:00:00",
            "02:42:00:00:00:01:02",
            "2:42:00:00:00:01",
            "02:42-00:00:00:01",
            "0242.0000.0001",
            "02:42:00:00:00:0g",
            "+2:42:00:00:00:01",
            " 02:42:00:00:00:01",
        ] {
            assert_eq!(Mac::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn drivers_links_and_other_addresses_are_refused_by_name() {
        for (body, word) in [
            (json!({"IPAMConfig": {"IPv4Address": "10.0.0.0/8"}}), "IPAMConfig.IPv4Address"),
            (json!({"IPAMConfig": {"IPv6Address": "fd00::9"}}), "IPAMConfig.IPv6Address"),
            (json!({"IPAMConfig": {"LinkLocalIPs": ["169.254.1.1"]}}), "IPAMConfig.LinkLocalIPs"),
            (json!({"Links": ["other:x"]}), "Links"),
            (json!({"DriverOpts": {"a": "b"}}), "DriverOpts"),
            (json!({"GwPriority": 7}), "GwPriority"),
            (json!({"MacAddress": "01:42:00:00:00:01"}), "MacAddress"),
            (json!({"Aliases": ["a b"]}), "Aliases"),
        ] {
            let error = endpoint(body.clone()).unwrap_err().to_string();
            assert!(error.contains(word), "{body}: {error}");
        }
    }
}
