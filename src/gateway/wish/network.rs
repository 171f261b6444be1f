//! `NetworkMode` and `NetworkingConfig`: the network a container is made in, and its names there.

use super::fields::Fields;
use super::refused::WishError;
use super::things::endpoint_aliases;
use super::zero;
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

pub(super) fn network(mode: &str, peer: &Peer) -> Result<NetworkWord, WishError> {
    let refused = |why: Phrase| Err(WishError::not_allowed("HostConfig.NetworkMode", why));
    match mode {
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

/// The names a container answers to in the network it is made in, beside its own.
pub(super) fn aliases(value: Value, mode: &str) -> Result<Vec<String>, WishError> {
    let mut fields = Fields::of("NetworkingConfig", value, NETWORKING_SERVED)?;
    let endpoints: BTreeMap<String, Value> = fields.take("EndpointsConfig")?;
    fields.rest_is_zero()?;
    let mut all = Vec::new();
    for (network, endpoint) in endpoints {
        if zero::is_zero(&endpoint) {
            continue;
        }
        if network != mode && !(is_own_word(&network) && is_own_word(mode)) {
            return Err(WishError::not_allowed(
                "NetworkingConfig.EndpointsConfig",
                told!(
                    "a container begins in the network of its NetworkMode, and is connected to others afterwards"
                ),
            ));
        }
        all.extend(endpoint_aliases(endpoint)?);
    }
    Ok(all)
}

/// The words for the network that every container is in unless it says otherwise.
fn is_own_word(word: &str) -> bool {
    matches!(word, "" | "default" | "own" | "bridge")
}
