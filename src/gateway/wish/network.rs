//! `NetworkMode` and `NetworkingConfig`: the networks a container is made in, and how it is in each.

use super::endpoint::{Endpoint, endpoint};
use super::fields::Fields;
use super::refused::WishError;
use super::words::at_most;
use crate::gateway::caller::peer::Peer;
use crate::protocol::name::ThingName;
use crate::protocol::told::{Phrase, phrase, told};
use serde_json::Value;
use std::collections::BTreeMap;

pub(super) const NETWORKING_SERVED: &[&str] = &["EndpointsConfig"];

/// The network a container is made in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::gateway) enum NetworkWord {
    /// Loopback only.
    Nothing,
    /// The one that every user has.
    #[default]
    Own,
    /// One of the caller's, by name or id; whose it is remains to be looked up.
    Named(String),
}

/// Every network a container is made in: the one of its NetworkMode, and others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::gateway) struct Networks {
    pub(in crate::gateway) first: NetworkWord,
    pub(in crate::gateway) endpoint: Endpoint,
    /// Those that it is put into as well, before anybody hears of it.
    pub(in crate::gateway) others: Vec<(NetworkWord, Endpoint)>,
}

/// More networks than a user has.
const MOST: usize = 32;
const MODE: &str = "HostConfig.NetworkMode";
const ENDPOINTS: &str = "NetworkingConfig.EndpointsConfig";

/// Reads `NetworkMode`, `NetworkingConfig` and the MAC address that older clients say beside them.
pub(super) fn networks(mode: &str, value: Value, mac: &str, peer: &Peer) -> Result<Networks, WishError> {
    let mut networks = Networks { first: network(MODE, mode, peer)?, ..Networks::default() };
    let mut fields = Fields::of("NetworkingConfig", value, NETWORKING_SERVED)?;
    let endpoints: BTreeMap<String, Value> = fields.take("EndpointsConfig")?;
    fields.rest_is_zero()?;
    at_most(ENDPOINTS, endpoints.len(), MOST)?;
    for (word, value) in endpoints {
        let (network, endpoint) = (network(ENDPOINTS, &word, peer)?, endpoint(value)?);
        match network == networks.first {
            true => networks.endpoint = merged(networks.endpoint, endpoint)?,
            false if network == NetworkWord::Nothing => {
                return Err(WishError::not_allowed(
                    ENDPOINTS,
                    told!("a container without a network is in none"),
                ));
            }
            false => networks.others.push((network, endpoint)),
        }
    }
    let own = Endpoint { mac: super::endpoint::mac("MacAddress", mac)?, ..Endpoint::default() };
    networks.endpoint = merged(networks.endpoint, own)?;
    let asked = !networks.others.is_empty() || networks.endpoint != Endpoint::default();
    if networks.first == NetworkWord::Nothing && asked {
        return Err(WishError::not_allowed(ENDPOINTS, told!("a container without a network is in none")));
    }
    Ok(networks)
}

/// Two words for one network say one thing.
fn merged(mut one: Endpoint, other: Endpoint) -> Result<Endpoint, WishError> {
    let differ = |one: bool, other: bool, same: bool| one && other && !same;
    let twice = differ(one.mac.is_some(), other.mac.is_some(), one.mac == other.mac)
        || differ(one.address.is_some(), other.address.is_some(), one.address == other.address);
    if twice {
        return Err(WishError::Bad(told!("{ENDPOINTS}: one network has two addresses")));
    }
    one.aliases.extend(other.aliases);
    Ok(Endpoint { mac: one.mac.or(other.mac), address: one.address.or(other.address), ..one })
}

fn network(field: &str, word: &str, peer: &Peer) -> Result<NetworkWord, WishError> {
    let refused = |why: Phrase| Err(WishError::not_allowed(field, why));
    match word {
        "none" => Ok(NetworkWord::Nothing),
        "host" => refused(phrase!("the host's network is not a container's")),
        own if is_own_word(own) || own == format!("ie-{}", peer.uid()) => Ok(NetworkWord::Own),
        joined if joined.contains(':') => {
            refused(phrase!("a container has a network of its own, not another container's"))
        }
        name => name
            .parse::<ThingName>()
            .map(|name| NetworkWord::Named(name.to_string()))
            .or_else(|_| is_id(name).then(|| NetworkWord::Named(name.to_owned())).ok_or(()))
            .or_else(|()| refused(phrase!("that is no name of a network"))),
    }
}

fn is_id(word: &str) -> bool {
    (12..=64).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The words for the network that every container is in unless it says otherwise.
fn is_own_word(word: &str) -> bool {
    matches!(word, "" | "default" | "own" | "bridge")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(mode: &str, endpoints: Value, mac: &str) -> Result<Networks, String> {
        let value = json!({ "EndpointsConfig": endpoints });
        networks(mode, value, mac, &Peer::fake(1000, "ann")).map_err(|error| error.to_string())
    }

    #[test]
    fn a_container_is_in_the_network_of_its_mode_and_in_others() {
        let named = |name: &str| NetworkWord::Named(name.to_owned());
        let made = of("back", json!({"back": {"Aliases": ["db"]}, "bridge": null, "front": {}}), "").unwrap();
        assert_eq!((made.first, made.endpoint.aliases), (named("back"), vec!["db".to_owned()]));
        assert_eq!(
            made.others,
            [(NetworkWord::Own, Endpoint::default()), (named("front"), Endpoint::default())]
        );
        // All of these are one network.
        let mac = "02:42:00:00:00:01";
        let own = of(
            "",
            json!({"default": {"Aliases": ["a"]}, "ie-1000": {"Aliases": ["b"], "MacAddress": mac}}),
            mac,
        );
        let own = own.unwrap();
        assert_eq!((own.endpoint.aliases.len(), own.endpoint.mac.unwrap().to_string()), (2, mac.to_owned()));
        assert_eq!((own.first, own.others), (NetworkWord::Own, vec![]));
        assert_eq!(of("none", json!({}), "").unwrap().first, NetworkWord::Nothing);
        assert_eq!(of("none", json!({"none": {}}), "").unwrap().others, []);
    }

    #[test]
    fn what_is_not_the_callers_is_refused_by_name() {
        for (mode, endpoints, mac, word) in [
            ("host", json!({}), "", "HostConfig.NetworkMode"),
            ("container:x", json!({}), "", "HostConfig.NetworkMode"),
            ("", json!({"host": {}}), "", "NetworkingConfig.EndpointsConfig"),
            ("", json!({"container:x": {}}), "", "NetworkingConfig.EndpointsConfig"),
            ("", json!({"../x": {}}), "", "NetworkingConfig.EndpointsConfig"),
            ("none", json!({"back": {}}), "", "without a network"),
            ("back", json!({"back": {}, "none": {}}), "", "without a network"),
            ("none", json!({}), "02:42:00:00:00:01", "without a network"),
            ("", json!({"own": {"MacAddress": "02:42:00:00:00:02"}}), "02:42:00:00:00:01", "two addresses"),
            ("", json!({}), "01:42:00:00:00:01", "MacAddress"),
        ] {
            let said = of(mode, endpoints.clone(), mac).unwrap_err();
            assert!(said.contains(word), "{mode} {endpoints} {mac}: {said}");
        }
    }
}
