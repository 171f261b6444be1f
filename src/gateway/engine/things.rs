//! Networks and volumes of a user's own: `ie-<uid>-<name>` in the engine, with labels that must agree, short names outside.
//!
//! A network or volume is its caller's when both labels agree, as with containers. The caller chooses the name, the
//! labels, `internal` and addresses of the policy's pool, and nothing else. Networks are bridges; volumes are the local
//! driver's, without options. Both are counted under the caller's turn (`policy/things.rs`). The default network is
//! shown as `own`, and no word leads to the engine's others.

use super::label::{LOGIN, UID};
use super::network::network_name;
use super::orders::Order;
use super::whose::{Estate, LeftThing, Whose};
use super::wire::Of;
use super::{ContainerId, Engine, EngineError, FindError, NetworkError, NetworkId, PREFIX, Target, read};
use crate::gateway::caller::peer::Peer;
use crate::gateway::wish::{Endpoint, NetworkWish};
use crate::policy::{Gateway, Pool};
use crate::protocol::escape::escape_line;
use crate::protocol::name::{ContainerName, ThingName};
use bollard::models::{EndpointIpamConfig, EndpointSettings};
use hyper::Method;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// What the default network is called outside.
pub(in crate::gateway) const OWN: &str = "bridge";

/// The engine's option that names a network's interface.
const BRIDGE: &str = "com.docker.network.bridge.name";

/// A caller's own network: the only way to hold one is to look it up as its owner.
#[derive(Debug, Clone)]
pub(in crate::gateway) struct OwnedNetwork {
    id: NetworkId,
    /// None for the one that every container is on unless it says otherwise.
    name: Option<ThingName>,
    engine_name: String,
    details: Value,
}

/// A caller's own volume.
#[derive(Debug, Clone)]
pub(in crate::gateway) struct OwnedVolume {
    name: ThingName,
    engine_name: String,
    details: Value,
}

/// Whether name and labels of something in the engine are this caller's; its short name then.
fn claimed(peer: &Peer, name: &str, labels: Option<&Value>) -> Option<ThingName> {
    let short = short_volume(peer.uid(), name)?;
    (Whose::by_labels(peer, labels?) == Whose::Callers).then(|| short.parse().ok())?
}

/// The same of something that only counts for this caller.
fn left(peer: &Peer, details: &Value) -> Option<LeftThing> {
    let name = short_volume(peer.uid(), details.get("Name")?.as_str()?)?.to_owned();
    let login = Whose::by_labels(peer, details.get("Labels")?).left_by()?;
    Some(LeftThing { name, login })
}

fn engine_name(uid: u32, name: &ThingName) -> String {
    format!("ie-{uid}-{name}")
}

/// The engine's name of a network as its owner says it, or nothing for a network that is not the owner's.
pub(in crate::gateway) fn short_network(uid: u32, name: &str) -> Option<&str> {
    if name == network_name(uid) {
        return Some(OWN);
    }
    name.strip_prefix("ie-")?.strip_prefix(uid.to_string().as_str())?.strip_prefix('-')
}

/// The same for a volume.
pub(in crate::gateway) fn short_volume(uid: u32, name: &str) -> Option<&str> {
    name.strip_prefix("ie-")?.strip_prefix(uid.to_string().as_str())?.strip_prefix('-')
}

impl OwnedNetwork {
    fn claim(peer: &Peer, details: Value) -> Option<Self> {
        let text = |key: &str| details.get(key).and_then(Value::as_str);
        let id = NetworkId::parse(text("Id")?)?;
        let engine_name = text("Name")?.to_owned();
        let labels = details.get("Labels");
        let own = engine_name == network_name(peer.uid())
            && labels.is_some_and(|labels| Whose::by_labels(peer, labels) == Whose::Callers);
        let name = if own { None } else { Some(claimed(peer, &engine_name, labels)?) };
        Some(Self { id, name, engine_name, details })
    }

    pub(in crate::gateway) fn id(&self) -> &NetworkId {
        &self.id
    }

    pub(in crate::gateway) fn engine_name(&self) -> &str {
        &self.engine_name
    }

    /// As its owner calls it.
    pub(in crate::gateway) fn shown(&self) -> &str {
        self.name.as_ref().map_or(OWN, ThingName::as_str)
    }

    /// Whether it is one that was made by name.
    pub(in crate::gateway) fn is_named(&self) -> bool {
        self.name.is_some()
    }

    pub(in crate::gateway) fn details(&self) -> &Value {
        &self.details
    }

    /// As its owner may read them anyway.
    pub(in crate::gateway) fn subnets(&self) -> Vec<&str> {
        self.addresses("Subnet").collect()
    }

    /// Whether a container in it may have the address.
    pub(in crate::gateway) fn has_address(&self, address: Ipv4Addr) -> bool {
        let is_gateway = self.addresses("Gateway").any(|gateway| gateway == address.to_string());
        let in_subnet = |subnet: &str| subnet.parse().is_ok_and(|subnet: Pool| subnet.has_host(address));
        !is_gateway && self.addresses("Subnet").any(in_subnet)
    }

    fn addresses(&self, key: &'static str) -> impl Iterator<Item = &str> {
        let configs = self.details.pointer("/IPAM/Config").and_then(Value::as_array);
        configs.into_iter().flatten().filter_map(move |config| config.get(key)?.as_str())
    }

    /// The engine's path of this network.
    pub(in crate::gateway) fn target(&self) -> Target {
        Target::new(format!("/networks/{}", self.id.as_str()))
    }
}

impl OwnedVolume {
    /// Only the engine's own driver without options: whatever else lies behind a name is not ours.
    fn claim(peer: &Peer, details: Value) -> Option<Self> {
        let engine_name = details.get("Name").and_then(Value::as_str)?.to_owned();
        let name = claimed(peer, &engine_name, details.get("Labels"))?;
        let plain = details.get("Driver").and_then(Value::as_str) == Some("local")
            && details
                .get("Options")
                .is_none_or(|options| options.is_null() || options.as_object().is_some_and(Map::is_empty));
        plain.then_some(Self { name, engine_name, details })
    }

    pub(in crate::gateway) fn name(&self) -> &ThingName {
        &self.name
    }

    pub(in crate::gateway) fn engine_name(&self) -> &str {
        &self.engine_name
    }

    pub(in crate::gateway) fn details(&self) -> &Value {
        &self.details
    }
}

/// A name for an interface that no network has: 15 bytes at most, for every uid.
pub(in crate::gateway) fn free_bridge(uid: u32, taken: &[&str]) -> Option<String> {
    (1..100).map(|number| format!("ie{uid}-{number}")).find(|name| !taken.contains(&name.as_str()))
}

/// Labels of a caller's, and ours.
fn labels(peer: &Peer, login: &str, asked: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut labels = asked.clone();
    labels.insert(UID.to_owned(), peer.uid().to_string());
    labels.insert(LOGIN.to_owned(), login.to_owned());
    labels
}

/// What its owner sees of something's labels.
pub(in crate::gateway) fn without_ours(labels: Option<&mut Value>) {
    if let Some(labels) = labels.and_then(Value::as_object_mut) {
        labels.retain(|key, _| !key.to_ascii_lowercase().starts_with(PREFIX));
    }
}

impl Engine {
    /// The caller's networks, the default one among them if there is one just now.
    pub(in crate::gateway) async fn networks_of(
        &self,
        peer: &Peer,
    ) -> Result<Vec<OwnedNetwork>, EngineError> {
        Ok(self.all_networks_of(peer).await?.own)
    }

    /// The same, and those made by name that another login has left.
    pub(in crate::gateway) async fn all_networks_of(
        &self,
        peer: &Peer,
    ) -> Result<Estate<OwnedNetwork, LeftThing>, EngineError> {
        let filters = json!({ "label": [format!("{UID}={}", peer.uid())] }).to_string();
        let listed: Vec<Value> =
            read(self.call(Method::GET, Target::new("/networks").with("filters", &filters)).await?).await?;
        let left = listed.iter().filter_map(|details| left(peer, details)).collect();
        let own = listed.into_iter().filter_map(|details| OwnedNetwork::claim(peer, details)).collect();
        Ok(Estate { own, left })
    }

    /// By name, full id, or the beginning of exactly one id.
    pub(in crate::gateway) async fn network_of(
        &self,
        peer: &Peer,
        word: &str,
    ) -> Result<OwnedNetwork, FindError> {
        let missing = || FindError::NoNetwork(escape_line(word).chars().take(200).collect());
        let own = self.networks_of(peer).await?;
        let default = matches!(word, OWN | "own" | "default") || word == network_name(peer.uid());
        let named =
            |network: &&OwnedNetwork| if default { !network.is_named() } else { network.shown() == word };
        if let Some(network) = own.iter().find(named) {
            return Ok(network.clone());
        }
        let like_id = word.len() >= 4 && word.bytes().all(|b| b.is_ascii_hexdigit());
        let mut matching = own.into_iter().filter(|network| like_id && network.id.as_str().starts_with(word));
        match (matching.next(), matching.next()) {
            (Some(one), None) => Ok(one),
            _ => Err(missing()),
        }
    }

    /// Makes a network out of the policy's pool. Whether it may be made was asked under the same turn.
    pub(in crate::gateway) async fn create_network(
        &self,
        peer: &Peer,
        login: &str,
        site: &Gateway,
        wish: &NetworkWish,
    ) -> Result<NetworkId, NetworkError> {
        let _one_at_a_time = self.networks.lock().await;
        let listed = self.everyones_networks(Target::new("/networks")).await?;
        let taken: Vec<&str> =
            listed.iter().filter_map(|network| network.get("Options")?.get(BRIDGE)?.as_str()).collect();
        let bridge = free_bridge(peer.uid(), &taken);
        let bridge = bridge.ok_or_else(|| EngineError::Odd("no name is left for an interface".into()))?;
        let mut options: BTreeMap<&str, &str> =
            wish.options.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        options.insert(BRIDGE, &bridge);
        options.insert("com.docker.network.bridge.host_binding_ipv4", "127.0.0.1");
        let body = |config: Value| {
            json!({
                "Name": engine_name(peer.uid(), &wish.name),
                "CheckDuplicate": true,
                "Driver": "bridge",
                "Internal": wish.internal,
                "IPAM": { "Driver": "default", "Config": [config] },
                "Options": options,
                "Labels": labels(peer, login, &wish.labels),
            })
        };
        let made = match &wish.range {
            Some(range) => self.create_in_range(site, &listed, *range, body).await?,
            None => self.create_in_pool(site, &listed, |subnet| body(json!({ "Subnet": subnet }))).await?,
        };
        let id = made.get("Id").and_then(Value::as_str).and_then(NetworkId::parse);
        id.ok_or_else(|| EngineError::Odd("a network without an id".into()).into())
    }

    /// Puts a container into a network, under its own name and others.
    pub(in crate::gateway) async fn connect(
        &self,
        network: &OwnedNetwork,
        uid: u32,
        (id, name): (&ContainerId, &ContainerName),
        endpoint: &Endpoint,
    ) -> Result<(), EngineError> {
        let mut names = vec![name.to_string()];
        names.extend(endpoint.aliases.iter().cloned());
        let settings = EndpointSettings {
            aliases: Some(names),
            ipam_config: endpoint.address.map(|address| EndpointIpamConfig {
                ipv4_address: Some(address.to_string()),
                ..EndpointIpamConfig::default()
            }),
            mac_address: endpoint.mac.map(|mac| mac.to_string()),
            ..EndpointSettings::default()
        };
        self.order(Some(Of::Asked(uid)), Order::Connect(network.id(), id, &settings)).await.map(drop)
    }

    /// Takes a container out of a network.
    pub(in crate::gateway) async fn disconnect(
        &self,
        network: &OwnedNetwork,
        container: &super::Owned,
        force: bool,
    ) -> Result<(), EngineError> {
        let of = Of::Asked(container.found().owner());
        self.order(Some(of), Order::Disconnect(network.id(), container.id(), force)).await.map(drop)
    }

    /// The caller's volumes.
    pub(in crate::gateway) async fn volumes_of(&self, peer: &Peer) -> Result<Vec<OwnedVolume>, EngineError> {
        Ok(self.all_volumes_of(peer).await?.own)
    }

    /// The same, and those that another login has left.
    pub(in crate::gateway) async fn all_volumes_of(
        &self,
        peer: &Peer,
    ) -> Result<Estate<OwnedVolume, LeftThing>, EngineError> {
        let filters = json!({ "label": [format!("{UID}={}", peer.uid())] }).to_string();
        let mut listed: Value =
            read(self.call(Method::GET, Target::new("/volumes").with("filters", &filters)).await?).await?;
        let volumes = listed.get_mut("Volumes").map(Value::take).unwrap_or_default();
        let volumes = if let Value::Array(volumes) = volumes { volumes } else { Vec::new() };
        let left = volumes.iter().filter_map(|details| left(peer, details)).collect();
        let own = volumes.into_iter().filter_map(|details| OwnedVolume::claim(peer, details)).collect();
        Ok(Estate { own, left })
    }

    pub(in crate::gateway) async fn volume_of(
        &self,
        peer: &Peer,
        word: &str,
    ) -> Result<OwnedVolume, FindError> {
        let own = self.volumes_of(peer).await?;
        let found = own.into_iter().find(|volume| volume.name.as_str() == word);
        found.ok_or_else(|| FindError::NoVolume(escape_line(word).chars().take(200).collect()))
    }

    /// Makes a volume of the engine's own driver, without options.
    pub(in crate::gateway) async fn create_volume(
        &self,
        peer: &Peer,
        login: &str,
        name: &ThingName,
        asked: &BTreeMap<String, String>,
    ) -> Result<OwnedVolume, EngineError> {
        let engine_name = engine_name(peer.uid(), name);
        let body = json!({ "Name": engine_name, "Driver": "local", "Labels": labels(peer, login, asked) });
        let details: Value =
            read(self.call_with(Method::POST, Target::new("/volumes/create"), &body).await?).await?;
        // Somebody's by hand under that name would be given back as it is.
        OwnedVolume::claim(peer, details).ok_or_else(|| {
            EngineError::Odd(format!("the volume {engine_name} is there, and is not its owner's"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(name: &str, uid: &str, login: &str) -> Value {
        json!({ "Id": "a".repeat(64), "Name": name, "Labels": { UID: uid, LOGIN: login } })
    }

    fn volume(name: &str, uid: &str, login: &str) -> Value {
        json!({ "Name": name, "Driver": "local", "Options": null, "Labels": { UID: uid, LOGIN: login } })
    }

    #[test]
    fn name_and_labels_must_both_be_the_callers() {
        let ann = Peer::fake(1000, "ann");
        let shown = |details| OwnedNetwork::claim(&ann, details).map(|network| network.shown().to_owned());
        assert_eq!(shown(network("ie-1000-db", "1000", "ann")).as_deref(), Some("db"));
        assert_eq!(shown(network("ie-1000", "1000", "ann")).as_deref(), Some(OWN));
        for (name, uid, login) in [
            ("ie-1001-db", "1000", "ann"),
            ("ie-1000-db", "1001", "ann"),
            ("ie-1000-db", "1000", "bob"),
            ("ie-10000-db", "1000", "ann"),
            ("ie-1000-", "1000", "ann"),
            ("db", "1000", "ann"),
            ("ie-1000", "1001", "ann"),
            ("ie-1000", "1000", "bob"),
        ] {
            assert_eq!(shown(network(name, uid, login)), None, "{name} {uid} {login}");
            assert!(OwnedVolume::claim(&ann, volume(name, uid, login)).is_none(), "{name} {uid} {login}");
        }
        assert_eq!(
            OwnedVolume::claim(&ann, volume("ie-1000-Data_1", "1000", "ann")).unwrap().name().as_str(),
            "Data_1"
        );
    }

    #[test]
    fn a_volume_with_a_driver_or_options_is_nobodys() {
        let ann = Peer::fake(1000, "ann");
        let mut other = volume("ie-1000-x", "1000", "ann");
        other["Options"] = json!({"type": "none", "o": "bind", "device": "/etc"});
        assert!(OwnedVolume::claim(&ann, other).is_none());
        let mut other = volume("ie-1000-x", "1000", "ann");
        other["Driver"] = json!("sshfs");
        assert!(OwnedVolume::claim(&ann, other).is_none());
    }

    #[test]
    fn names_are_shown_as_their_owner_says_them() {
        assert_eq!(short_network(1000, "ie-1000"), Some("bridge"));
        assert_eq!(short_network(1000, "ie-1000-db"), Some("db"));
        assert_eq!(short_network(1000, "ie-10001"), None);
        assert_eq!(short_network(1000, "bridge"), None);
        assert_eq!(short_volume(1000, "ie-1000-db"), Some("db"));
    }
}
