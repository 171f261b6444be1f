//! The bodies of `POST /networks/create`, `POST /volumes/create` and of a network's endpoints, as far as they are served.

use super::addresses::{Range, range};
use super::body::labels;
use super::endpoint::{Endpoint, endpoint};
use super::fields::Fields;
use super::refused::WishError;
use crate::protocol::escape::escape_line;
use crate::protocol::name::{ContainerRef, ThingName};
use crate::protocol::told::told;
use serde_json::Value;
use std::collections::BTreeMap;

pub(super) const NETWORK_SERVED: &[&str] = &[
    "Attachable",
    "CheckDuplicate",
    "Driver",
    "EnableIPv4",
    "IPAM",
    "Internal",
    "Labels",
    "Name",
    "Options",
];
pub(super) const IPAM_SERVED: &[&str] = &["Config", "Driver"];
pub(super) const VOLUME_SERVED: &[&str] = &["Driver", "Labels", "Name"];
pub(super) const CONNECT_SERVED: &[&str] = &["Container", "EndpointConfig"];
pub(super) const DISCONNECT_SERVED: &[&str] = &["Container", "Force"];

/// Words that mean a network already, or no network.
const RESERVED: [&str; 6] = ["own", "bridge", "default", "host", "none", "ingress"];

fn name(word: &str) -> Result<ThingName, WishError> {
    word.parse().map_err(|error| WishError::Bad(told!("{}: {error}", "Name")))
}

/// A network of the caller's: a bridge with addresses of the policy's pool.
pub(in crate::gateway) fn network_wish(body: Value) -> Result<NetworkWish, WishError> {
    let mut fields = Fields::of("", body, NETWORK_SERVED)?;
    let word: String = fields.take("Name")?;
    let driver: String = fields.take("Driver")?;
    if !matches!(driver.as_str(), "" | "default" | "bridge") {
        return Err(WishError::not_allowed("Driver", told!("networks are bridges of the engine's own")));
    }
    let mut ipam = Fields::of("IPAM", fields.raw("IPAM"), IPAM_SERVED)?;
    let driver: String = ipam.take("Driver")?;
    if !matches!(driver.as_str(), "" | "default") {
        return Err(WishError::not_allowed("IPAM.Driver", told!("addresses come out of the policy's pool")));
    }
    let range = range(ipam.take("Config")?)?;
    ipam.rest_is_zero()?;
    if fields.take::<Option<bool>>("EnableIPv4")? == Some(false) {
        return Err(WishError::not_allowed("EnableIPv4", told!("networks have IPv4 addresses")));
    }
    // Clients ask for it always; and for swarms, which there are none of.
    let _: (bool, bool) = (fields.take("CheckDuplicate")?, fields.take("Attachable")?);
    let wish = NetworkWish {
        name: name(&word)?,
        internal: fields.take("Internal")?,
        labels: labels(fields.take("Labels")?)?,
        options: network_options(fields.take("Options")?)?,
        range,
    };
    fields.rest_is_zero()?;
    if RESERVED.contains(&wish.name.as_str()) {
        return Err(WishError::Bad(told!("operation is not permitted on predefined {} network", wish.name)));
    }
    Ok(wish)
}

/// What a network is made of, beside its name: everything else is the gateway's to say.
#[derive(Debug, Clone)]
pub(in crate::gateway) struct NetworkWish {
    pub(in crate::gateway) name: ThingName,
    pub(in crate::gateway) internal: bool,
    pub(in crate::gateway) labels: BTreeMap<String, String>,
    /// Of the driver's, those that are about this network alone.
    pub(in crate::gateway) options: BTreeMap<String, String>,
    /// The addresses it is to have; whether they are to be had remains to be looked at.
    pub(in crate::gateway) range: Option<Range>,
}

/// Bytes of a frame, from the least of IPv4 to the most of a bridge.
const FRAMES: std::ops::RangeInclusive<u32> = 68..=65_535;

fn network_options(asked: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, WishError> {
    let served = |key: &str, value: &str| match key {
        "com.docker.network.driver.mtu" => value.parse().is_ok_and(|bytes: u32| FRAMES.contains(&bytes)),
        "com.docker.network.bridge.enable_icc" | "com.docker.network.bridge.enable_ip_masquerade" => {
            matches!(value, "true" | "false")
        }
        _ => false,
    };
    match asked.iter().find(|(key, value)| !served(key, value)) {
        None => Ok(asked),
        Some((key, value)) => {
            let field = format!("Options.{}", escape_line(&format!("{key}={value}")));
            let reason = told!("of a network's options mtu, enable_icc and enable_ip_masquerade are served");
            Err(WishError::not_allowed(&field, reason))
        }
    }
}

#[derive(Debug)]
pub(in crate::gateway) struct VolumeWish {
    pub(in crate::gateway) name: ThingName,
    pub(in crate::gateway) labels: BTreeMap<String, String>,
}

/// What Docker marks a volume with that was made without a name.
pub(in crate::gateway) const ANONYMOUS: &str = "com.docker.volume.anonymous";

pub(in crate::gateway) fn volume_wish(body: Value) -> Result<VolumeWish, WishError> {
    let mut fields = Fields::of("", body, VOLUME_SERVED)?;
    let driver: String = fields.take("Driver")?;
    if !matches!(driver.as_str(), "" | "local") {
        return Err(WishError::not_allowed("Driver", told!("volumes are on the engine's own disk")));
    }
    let word: String = fields.take("Name")?;
    let mut labels = labels(fields.take("Labels")?)?;
    fields.rest_is_zero()?;
    if word.is_empty() {
        labels.insert(ANONYMOUS.to_owned(), String::new());
    }
    Ok(VolumeWish { name: if word.is_empty() { made_up()? } else { name(&word)? }, labels })
}

/// What a volume without a name is called: a letter that is no hexadecimal digit first, so that it is no id.
fn made_up() -> Result<ThingName, WishError> {
    let mut random = [0u8; 16];
    rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())
        .map_err(WishError::NoRandomness)?;
    let word: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    name(&format!("v{word}"))
}

/// A container of the caller's that is to join a network, and how.
pub(in crate::gateway) fn connect_wish(body: Value) -> Result<(ContainerRef, Endpoint), WishError> {
    let mut fields = Fields::of("", body, CONNECT_SERVED)?;
    let container = container(fields.take("Container")?)?;
    let endpoint = endpoint(fields.raw("EndpointConfig"))?;
    fields.rest_is_zero()?;
    Ok((container, endpoint))
}

/// A container of the caller's that is to leave a network, and whether also if it ended meanwhile.
pub(in crate::gateway) fn disconnect_wish(body: Value) -> Result<(ContainerRef, bool), WishError> {
    let mut fields = Fields::of("", body, DISCONNECT_SERVED)?;
    let wish = (container(fields.take("Container")?)?, fields.take("Force")?);
    fields.rest_is_zero()?;
    Ok(wish)
}

fn container(word: String) -> Result<ContainerRef, WishError> {
    let shown = escape_line(&word).chars().take(200).collect();
    ContainerRef::try_from(word).map_err(|_| WishError::NoContainer(shown))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_clients_send_is_understood() {
        let compose = json!({"Name": "proj_default", "Driver": null, "Options": null, "IPAM": {"Driver": "default", "Config": []},
            "CheckDuplicate": true, "Internal": false, "Labels": {"com.docker.compose.project": "proj"}, "EnableIPv6": false});
        assert_eq!(network_wish(compose).unwrap().name.as_str(), "proj_default");
        let docker = json!({"CheckDuplicate": true, "Driver": "bridge", "EnableIPv6": false, "Internal": true, "Attachable": false,
            "Ingress": false, "ConfigOnly": false, "ConfigFrom": null, "IPAM": {"Driver": "default", "Options": {}, "Config": []},
            "Options": {}, "Labels": {}, "Scope": "", "Name": "db"});
        assert!(network_wish(docker).unwrap().internal);
        let volume = json!({"Name": "proj_data", "Driver": null, "DriverOpts": null, "Labels": {"a": "b"}});
        assert_eq!(volume_wish(volume).unwrap().name.as_str(), "proj_data");
        let nameless = volume_wish(json!({"Labels": {"a": "b"}})).unwrap();
        assert!(nameless.name.as_str().starts_with('v'));
        assert_eq!(nameless.labels.keys().collect::<Vec<_>>(), ["a", ANONYMOUS]);
    }

    #[test]
    fn drivers_options_and_addresses_are_refused_by_name() {
        for (body, word) in [
            (json!({"Name": "x", "Driver": "macvlan"}), "Driver"),
            (json!({"Name": "x", "Options": {"parent": "eth0"}}), "Options"),
            (json!({"Name": "x", "IPAM": {"Config": [{"Subnet": "fd00::/64"}]}}), "IPAM.Config"),
            (json!({"Name": "x", "IPAM": {"Driver": "x"}}), "IPAM.Driver"),
            (json!({"Name": "x", "IPAM": {"Options": {"a": "b"}}}), "IPAM.Options"),
            (json!({"Name": "x", "EnableIPv6": true}), "EnableIPv6"),
            (json!({"Name": "x", "ConfigFrom": {"Network": "y"}}), "ConfigFrom"),
            (json!({"Name": "x", "Ingress": true}), "Ingress"),
            (json!({"Name": "x", "Scope": "swarm"}), "Scope"),
            (json!({"Name": "x", "Labels": {"io.ie-container.uid": "0"}}), "io.ie-container.uid"),
            (json!({"Name": "host"}), "predefined host"),
            (json!({"Name": "own"}), "predefined own"),
            (json!({"Name": "../x"}), "Name"),
            (json!({"Name": "a/b"}), "Name"),
            (json!({"Name": ""}), "Name"),
        ] {
            let error = network_wish(body.clone()).unwrap_err().to_string();
            assert!(error.contains(word), "{body}: {error}");
        }
        for (body, word) in [
            (json!({"Name": "x", "Driver": "nfs"}), "Driver"),
            (
                json!({"Name": "x", "DriverOpts": {"type": "none", "o": "bind", "device": "/etc"}}),
                "DriverOpts",
            ),
            (json!({"Name": "x", "ClusterVolumeSpec": {"Group": "g"}}), "ClusterVolumeSpec"),
            (json!({"Name": "../x"}), "Name"),
        ] {
            let error = volume_wish(body.clone()).unwrap_err().to_string();
            assert!(error.contains(word), "{body}: {error}");
        }
    }
}
