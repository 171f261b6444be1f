//! The networks that a container is made in: looked up as the caller's, and held against what is asked of each.

use crate::gateway::audit;
use crate::gateway::caller::Caller;
use crate::gateway::engine::{ContainerId, Engine, OwnedNetwork, network_name, parse_version};
use crate::gateway::error::Error;
use crate::gateway::host::wall::Wall;
use crate::gateway::wish::{Endpoint, NetworkWord, Networks};
use crate::protocol::name::ContainerName;
use crate::protocol::report::Refusal;
use crate::protocol::told::told;

/// The first version of the API in which a MAC address can be asked for in each network.
const MAC_IN_EACH: (u32, u32) = (1, 44);

/// Where a container is made, and what it joins before anybody hears of it.
pub(super) struct Found {
    /// The engine's name of the network of its mode; none for loopback only.
    pub(super) first: Option<String>,
    others: Vec<(OwnedNetwork, Endpoint)>,
}

/// Every network that is asked for is the caller's, and there.
///
/// # Errors
/// One that is not the caller's, as if it were not there; an address outside of it; the wall between networks is down.
pub(super) async fn find(
    engine: &Engine,
    wall: &Wall,
    caller: &Caller,
    asked: &Networks,
) -> Result<Found, Error> {
    let first = match &asked.first {
        NetworkWord::Nothing => return Ok(Found { first: None, others: Vec::new() }),
        // Nothing is asked of it: its name is known.
        NetworkWord::Own if asked.endpoint.address.is_none() && asked.others.is_empty() => {
            wall.stands()?;
            engine.ensure_network(caller, caller.policy().gateway()).await?;
            network_name(caller.uid())
        }
        word => {
            let network = one(engine, wall, caller, word).await?;
            fits(&network, &asked.endpoint)?;
            network.engine_name().to_owned()
        }
    };
    let mut others: Vec<(OwnedNetwork, Endpoint)> = Vec::new();
    for (word, endpoint) in &asked.others {
        let network = one(engine, wall, caller, word).await?;
        let before = others.iter().map(|(network, _)| network.engine_name()).chain([first.as_str()]);
        if before.into_iter().any(|name| name == network.engine_name()) {
            let name = network.shown();
            return Err(Error::Bad(told!("the network {name} is named twice")));
        }
        // It joins before it runs, and then engines drop the address, also those that know of it.
        if endpoint.mac.is_some() {
            return Err(no_mac());
        }
        may_join(engine, &network, endpoint).await?;
        others.push((network, endpoint.clone()));
    }
    Ok(Found { first: Some(first), others })
}

async fn one(
    engine: &Engine,
    wall: &Wall,
    caller: &Caller,
    word: &NetworkWord,
) -> Result<OwnedNetwork, Error> {
    wall.stands()?;
    let word = match word {
        NetworkWord::Named(word) => word,
        NetworkWord::Nothing => "none",
        NetworkWord::Own => {
            engine.ensure_network(caller, caller.policy().gateway()).await?;
            "own"
        }
    };
    Ok(engine.network_of(caller, word).await?)
}

/// An address is one of the network's own.
fn fits(network: &OwnedNetwork, endpoint: &Endpoint) -> Result<(), Error> {
    let Some(address) = endpoint.address.filter(|address| !network.has_address(*address)) else {
        return Ok(());
    };
    let (name, subnets) = (network.shown(), network.subnets().join(", "));
    let message = told!("{address} is not an address of the network {name}, which has {subnets}");
    Err(Refusal::new("forbidden", message).rule("EndpointConfig.IPAMConfig.IPv4Address").into())
}

/// Whether a container that exists may be put into a network like this.
///
/// # Errors
/// An address that is not the network's, and a MAC address that this engine would drop.
pub(in crate::gateway) async fn may_join(
    engine: &Engine,
    network: &OwnedNetwork,
    endpoint: &Endpoint,
) -> Result<(), Error> {
    fits(network, endpoint)?;
    let old = |version: &str| parse_version(version).is_none_or(|version| version < MAC_IN_EACH);
    if endpoint.mac.is_some() && old(&engine.api_version().await?) {
        return Err(no_mac());
    }
    Ok(())
}

fn no_mac() -> Error {
    let why = told!("a MAC address is that of the first network here: this engine gives none in others");
    Error::not_allowed("EndpointConfig.MacAddress", why)
}

impl Found {
    /// Puts a container that was just made into all the others.
    pub(super) async fn join(
        &self,
        engine: &Engine,
        caller: &Caller,
        id: &ContainerId,
        name: &ContainerName,
    ) -> Result<(), Error> {
        for (network, endpoint) in &self.others {
            audit::allowed(caller, "network-connect", id.as_str());
            engine.connect(network, caller.uid(), (id, name), endpoint).await?;
        }
        Ok(())
    }
}
