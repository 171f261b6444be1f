//! Networks of one's own, by Docker's words.

use super::body::{Whole, json_body};
use super::filters::{self, Names, all_match, has_label};
use crate::gateway::audit;
use crate::gateway::caller::peer::Peer;
use crate::gateway::engine::{NetworkWish, OwnedNetwork, short_network, without_ours};
use crate::gateway::error::Error;
use crate::gateway::state::Gateway;
use crate::gateway::task::to_the_end;
use crate::gateway::wish::{connect_wish, disconnect_wish, network_wish};
use crate::policy::Thing;
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use hyper::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

type Shared = State<Arc<Gateway>>;

const KEYS: [&str; 7] = ["dangling", "driver", "id", "label", "name", "scope", "type"];

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::gateway) struct ListQuery {
    filters: String,
}

/// As its owner sees it: short names, no labels and options of ours.
fn shown(peer: &Peer, network: &OwnedNetwork, mut details: Value) -> Value {
    if let Some(fields) = details.as_object_mut() {
        fields.insert("Name".into(), json!(network.shown()));
        fields.insert("Options".into(), json!({}));
    }
    without_ours(details.get_mut("Labels"));
    let containers = details.get_mut("Containers").and_then(Value::as_object_mut);
    for container in containers.into_iter().flat_map(|containers| containers.values_mut()) {
        let name = container.get("Name").and_then(Value::as_str);
        let short = name.and_then(|name| short_network(peer.uid(), name)).map(str::to_owned);
        if let (Some(short), Some(fields)) = (short, container.as_object_mut()) {
            fields.insert("Name".into(), json!(short));
        }
    }
    details
}

pub(in crate::gateway) async fn list(
    peer: Peer,
    State(gateway): Shared,
    Query(query): Query<ListQuery>,
) -> Result<Json<Vec<Value>>, Error> {
    let mut words = filters::parse(&query.filters, &KEYS)?;
    let names = Names::take(&mut words)?;
    let own = gateway.engine.networks_of(&peer).await?;
    let kept = own
        .iter()
        .filter(|network| names.as_ref().is_none_or(|names| names.match_any(network.shown())))
        .filter(|network| {
            all_match(&words, |key, value| match key {
                "id" => network.id().as_str().starts_with(value),
                "label" => has_label(network.details().get("Labels"), value),
                "driver" => value == "bridge",
                "scope" => value == "local",
                "type" => value == "custom",
                _ => matches!(value, "1" | "true"),
            })
        });
    Ok(Json(kept.map(|network| shown(&peer, network, network.details().clone())).collect()))
}

pub(in crate::gateway) async fn inspect(
    peer: Peer,
    State(gateway): Shared,
    Path(word): Path<String>,
) -> Result<Json<Value>, Error> {
    let network = gateway.engine.network_of(&peer, &word).await?;
    let details = gateway.engine.get(network.target("")).await?;
    Ok(Json(shown(&peer, &network, details)))
}

pub(in crate::gateway) async fn create(
    peer: Peer,
    State(gateway): Shared,
    body: Whole,
) -> Result<(StatusCode, Json<Value>), Error> {
    let wish = network_wish(json_body(&body)?)?;
    let made = to_the_end(async move {
        let made = make(&gateway, &peer, &wish).await;
        if let Err(error) = &made {
            audit::refused(&peer, "network-create", wish.name.as_str(), error);
        }
        made
    });
    let id = made.await?;
    Ok((StatusCode::CREATED, Json(json!({ "Id": id, "Warning": "" }))))
}

async fn make(gateway: &Gateway, peer: &Peer, wish: &NetworkWish) -> Result<String, Error> {
    let account = peer.account()?;
    gateway.wall.stands()?;
    // Counted and made under one turn: no two of one user's at once.
    let _turn = crate::gateway::locks::lock::turn(gateway, peer).await?;
    let all = gateway.engine.all_networks_of(peer).await?;
    let own = all.own.iter();
    let names: Vec<String> =
        own.filter(|network| network.is_named()).map(|network| network.shown().to_owned()).collect();
    if names.iter().any(|name| name == wish.name.as_str()) {
        return Err(Error::Conflict(format!("network with name {} already exists", wish.name)));
    }
    if all.is_left(wish.name.as_str()) {
        return Err(Error::left_name(wish.name.as_str()));
    }
    gateway.limits(account).one_more_thing(Thing::Network, &names, &all.logins())?;
    audit::allowed(Some(peer), "network-create", wish.name.as_str());
    let site = gateway.policy();
    let id = gateway.engine.create_network(peer, account.login(), site.gateway(), wish).await?;
    Ok(id.as_str().to_owned())
}

pub(in crate::gateway) async fn remove(
    peer: Peer,
    State(gateway): Shared,
    Path(word): Path<String>,
) -> Result<StatusCode, Error> {
    let network = gateway.engine.network_of(&peer, &word).await?;
    if !network.is_named() {
        return Err(Error::not_allowed("removing it", "your own network goes with your last container"));
    }
    audit::allowed(Some(&peer), "network-rm", network.shown());
    gateway.engine.call(Method::DELETE, network.target("")).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes what no container is in.
pub(in crate::gateway) async fn prune(
    peer: Peer,
    State(gateway): Shared,
    Query(query): Query<ListQuery>,
) -> Result<Json<Value>, Error> {
    let words = filters::parse(&query.filters, &["label"])?;
    let mut gone = Vec::new();
    for network in gateway.engine.networks_of(&peer).await?.iter().filter(|network| network.is_named()) {
        let details = gateway.engine.get(network.target("")).await?;
        let empty =
            details.get("Containers").and_then(Value::as_object).is_none_or(serde_json::Map::is_empty);
        if empty && all_match(&words, |_, value| has_label(network.details().get("Labels"), value)) {
            audit::allowed(Some(&peer), "network-rm", network.shown());
            // As with Docker, one goes that only stopped containers want: who is connected now is all that an engine knows of.
            if gateway.engine.call(Method::DELETE, network.target("")).await.is_ok() {
                gone.push(network.shown().to_owned());
            }
        }
    }
    Ok(Json(json!({ "NetworksDeleted": gone })))
}

pub(in crate::gateway) async fn connect(
    peer: Peer,
    State(gateway): Shared,
    Path(word): Path<String>,
    body: Whole,
) -> Result<StatusCode, Error> {
    peer.account()?;
    let (container, aliases) = connect_wish(json_body(&body)?)?;
    gateway.wall.stands()?;
    let network = gateway.engine.network_of(&peer, &word).await?;
    let container = gateway.engine.owned(&peer, &container).await?;
    audit::allowed(Some(&peer), "network-connect", container.id().as_str());
    gateway.engine.connect(&network, &container, &aliases).await?;
    Ok(StatusCode::OK)
}

pub(in crate::gateway) async fn disconnect(
    peer: Peer,
    State(gateway): Shared,
    Path(word): Path<String>,
    body: Whole,
) -> Result<StatusCode, Error> {
    let (container, force) = disconnect_wish(json_body(&body)?)?;
    let network = gateway.engine.network_of(&peer, &word).await?;
    let container = gateway.engine.owned(&peer, &container).await?;
    audit::allowed(Some(&peer), "network-disconnect", container.id().as_str());
    gateway.engine.disconnect(&network, &container, force).await?;
    Ok(StatusCode::OK)
}
