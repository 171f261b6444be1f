//! Each user's own network: made on demand out of the policy's pool, removed when idle.

use super::bounded_list::{List, read_bounded};
use super::label::{LOGIN, UID};
use super::orders::Order;
use super::{Engine, EngineError, NetworkId, Target, read};
use crate::gateway::caller::peer::Peer;
use crate::gateway::wish::Range;
use crate::policy::{Gateway, Pool};
use crate::protocol::told::Told;
use hyper::Method;
use serde_json::{Value, json};
use std::net::Ipv4Addr;

/// Why a user has no network.
#[derive(Debug, thiserror::Error, Told)]
pub(in crate::gateway) enum NetworkError {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("gateway.networks: all networks of the pool {0} are in use")]
    PoolEmpty(String),
    #[error("{subnet} does not lie in {pool}, the addresses that networks here have")]
    Outside { subnet: Pool, pool: Pool },
    #[error("{subnet} is larger than a network here, which has /{size}")]
    TooLarge { subnet: Pool, size: u8 },
    /// Somebody has it, or the host: no more is said.
    #[error("{subnet} is not free")]
    NotFree { subnet: Pool },
    /// Nobody enters a network in which containers of somebody else's may be, though the uid be the same.
    #[error("the network of your uid is still that of {0}, who had your uid before")]
    NotYours(String),
}

/// The engine's name of a user's network.
pub(in crate::gateway) fn network_name(uid: u32) -> String {
    format!("ie-{uid}")
}

/// An IPv4 block as first and last address.
pub(in crate::gateway) type Block = (u32, u32);

fn span(pool: Pool) -> Block {
    let first = u32::from(pool.network());
    (first, first | u32::MAX.checked_shr(u32::from(pool.prefix())).unwrap_or(0))
}

pub(in crate::gateway) fn block(cidr: &str) -> Option<Block> {
    let (address, length) = cidr.split_once('/')?;
    let address = u32::from(address.parse::<Ipv4Addr>().ok()?);
    let length: u32 = length.parse().ok().filter(|length| *length <= 32)?;
    let host_bits = u32::MAX.checked_shr(length).unwrap_or(0);
    Some((address & !host_bits, address | host_bits))
}

/// The addresses of one of the engine's networks, whoever made it.
fn block_of(network: &Value) -> Option<Vec<Block>> {
    let configs = network.pointer("/IPAM/Config")?.as_array()?;
    Some(configs.iter().filter_map(|config| block(config.get("Subnet")?.as_str()?)).collect())
}

/// The first subnet of the policy's pool that no network has.
pub(in crate::gateway) fn free_subnet(site: &Gateway, taken: &[Block]) -> Result<String, NetworkError> {
    let (pool, size) = (site.networks(), site.network_size());
    let free = (0..).map_while(|index| pool.subnet(index, size)).find(|subnet| {
        let (first, last) = span(*subnet);
        !taken.iter().any(|(from, to)| first <= *to && *from <= last)
    });
    free.map(|subnet| subnet.to_string()).ok_or_else(|| NetworkError::PoolEmpty(pool.to_string()))
}

impl Engine {
    /// Makes the caller's network if there is none yet; only while the caller's turn is held.
    pub(in crate::gateway) async fn ensure_network(
        &self,
        peer: &Peer,
        site: &Gateway,
    ) -> Result<(), NetworkError> {
        if self.has_network(peer).await? {
            return Ok(());
        }
        let _one_at_a_time = self.networks.lock().await;
        let listed = self.everyones_networks(Target::new("/networks")).await?;
        self.create_in_pool(site, &listed, |subnet| body(peer, subnet)).await.map(drop)
    }

    /// Whether the caller's network is there. One that another login has left is removed when nothing else of that is
    /// left, and keeps the caller out until then.
    async fn has_network(&self, peer: &Peer) -> Result<bool, NetworkError> {
        let Some(network) = self.own_network(peer.uid()).await? else { return Ok(false) };
        if network.login.as_ref().is_some_and(|login| peer.may_be(login)) {
            return Ok(true);
        }
        if let Some(left) = self.containers_of(peer).await?.left.first() {
            return Err(NetworkError::NotYours(left.login().to_owned()));
        }
        // One that was made before networks bore a login is the caller's, as all that can be in it is.
        let Some(login) = network.login else { return Ok(true) };
        self.remove_network(peer.uid()).await?;
        match self.own_network(peer.uid()).await? {
            Some(_) => Err(NetworkError::NotYours(login)),
            None => Ok(false),
        }
    }

    /// Makes a network of the pool's first subnet that is free. Of these networks it is known that they are there; but an
    /// engine lists one no more while it is still removing it, and a subnet may be in use outside of Docker.
    pub(super) async fn create_in_pool(
        &self,
        site: &Gateway,
        listed: &[Value],
        body: impl Fn(&str) -> Value,
    ) -> Result<Value, NetworkError> {
        let mut taken: Vec<Block> = listed.iter().filter_map(block_of).flatten().collect();
        let mut tries = 0..TRIES;
        loop {
            let subnet = free_subnet(site, &taken)?;
            match self.call_with(Method::POST, Target::new("/networks/create"), &body(&subnet)).await {
                Err(error) if overlaps(&error) && tries.next().is_some() => taken.extend(block(&subnet)),
                made => return Ok(read(made?).await?),
            }
        }
    }

    /// Makes a network of the addresses that its owner chose, out of the policy's pool and no larger than others: a place that
    /// anybody could have been given.
    pub(super) async fn create_in_range(
        &self,
        site: &Gateway,
        listed: &[Value],
        range: Range,
        body: impl Fn(Value) -> Value,
    ) -> Result<Value, NetworkError> {
        let (subnet, pool, size) = (range.subnet, site.networks(), site.network_size());
        if !pool.contains(subnet) {
            return Err(NetworkError::Outside { subnet, pool });
        }
        if subnet.prefix() < size {
            return Err(NetworkError::TooLarge { subnet, size });
        }
        let (first, last) = span(subnet);
        let mut taken = listed.iter().filter_map(block_of).flatten();
        if taken.any(|(from, to)| first <= to && from <= last) {
            return Err(NetworkError::NotFree { subnet });
        }
        let mut config = json!({ "Subnet": subnet.to_string() });
        let named = [
            ("Gateway", range.gateway.map(|gateway| gateway.to_string())),
            ("IPRange", range.given.map(|given| given.to_string())),
        ];
        for (key, value) in named {
            if let (Some(value), Some(config)) = (value, config.as_object_mut()) {
                config.insert(key.to_owned(), value.into());
            }
        }
        match self.call_with(Method::POST, Target::new("/networks/create"), &body(config)).await {
            Err(error) if overlaps(&error) => Err(NetworkError::NotFree { subnet }),
            made => Ok(read(made?).await?),
        }
    }

    /// The network of a uid: the name alone proves nothing, the label must agree.
    async fn own_network(&self, uid: u32) -> Result<Option<UidsNetwork>, EngineError> {
        let filters = json!({ "label": [format!("{UID}={uid}")] }).to_string();
        let listed: Vec<Value> =
            read(self.call(Method::GET, Target::new("/networks").with("filters", &filters)).await?).await?;
        let named =
            |network: &&Value| network.get("Name").and_then(Value::as_str) == Some(&network_name(uid));
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        Ok(listed.iter().find(named).and_then(|network| {
            let login = text(network.get("Labels").and_then(|labels| labels.get(LOGIN)));
            Some(UidsNetwork { id: text(network.get("Id"))?, login })
        }))
    }

    /// Removes the user's network; one that is in use or gone is left as it is.
    pub(super) async fn remove_network(&self, uid: u32) -> Result<(), EngineError> {
        let Some(UidsNetwork { id, .. }) = self.own_network(uid).await? else { return Ok(()) };
        let id = NetworkId::parse(&id).ok_or_else(|| EngineError::Odd(format!("network id {id:?}")))?;
        match self.order(None, Order::RemoveNetwork(&id)).await {
            Err(error) if !error.is_not_found() && !error.is_conflict() && !in_use(&error) => Err(error),
            _ => Ok(()),
        }
    }

    /// Everybody's, however much they say about themselves.
    pub(super) async fn everyones_networks(&self, list: Target) -> Result<Vec<Value>, EngineError> {
        let listed: List = read_bounded(self.call(Method::GET, list).await?).await?;
        Ok(listed.0)
    }

    /// The uids that have a network.
    pub(in crate::gateway) async fn networked(&self) -> Result<Vec<u32>, EngineError> {
        let filters = json!({ "label": [UID] }).to_string();
        let listed = self.everyones_networks(Target::new("/networks").with("filters", &filters)).await?;
        let uid = |network: &Value| network.get("Labels")?.get(UID)?.as_str()?.parse().ok();
        Ok(listed.iter().filter_map(uid).collect())
    }
}

/// The network that is named after a uid, and the login that it was made for.
struct UidsNetwork {
    id: String,
    login: Option<String>,
}

/// How many subnets are passed over because the engine has them without listing them.
const TRIES: u32 = 16;

/// The engine's pools say so, and its bridges once more: of a network that it is removing the pool is free first.
fn overlaps(error: &EngineError) -> bool {
    let said = ["overlaps with other one", "networks have overlapping"];
    matches!(error, EngineError::Said { message, .. } if said.iter().any(|said| message.contains(said)))
}

fn in_use(error: &EngineError) -> bool {
    matches!(error, EngineError::Said { message, .. } if message.contains("has active endpoints"))
}

fn body(peer: &Peer, subnet: &str) -> Value {
    let uid = peer.uid();
    json!({
        "Name": network_name(uid),
        // Docker allows two networks of one name: refuse instead.
        "CheckDuplicate": true,
        "Driver": "bridge",
        "IPAM": { "Driver": "default", "Config": [{ "Subnet": subnet }] },
        "Options": {
            // The interface is named by uid, so that an admin's firewall rules can name it.
            "com.docker.network.bridge.name": format!("ie{uid}"),
            // A port published without an address stays on the host itself.
            "com.docker.network.bridge.host_binding_ipv4": "127.0.0.1",
        },
        "Labels": { UID: uid.to_string(), LOGIN: peer.login().unwrap_or_default() },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_first_and_last_address() {
        assert_eq!(block("10.0.0.5/30"), Some((0x0a00_0004, 0x0a00_0007)));
        assert_eq!(block("0.0.0.0/0"), Some((0, u32::MAX)));
        assert_eq!(block("10.0.0.1/32"), Some((0x0a00_0001, 0x0a00_0001)));
        assert_eq!(block("fd00::/64"), None);
        assert_eq!(block("10.0.0.1/33"), None);
    }
}
