//! Networks of one's own, by Docker's words.

use super::body::{BufferedBody, json_body};
use super::filters::{self, Names, all_match, has_label};
use crate::gateway::audit;
use crate::gateway::caller::Caller;
use crate::gateway::engine::{Engine, OwnedNetwork, short_network, without_ours};
use crate::gateway::error::Error;
use crate::gateway::host::wall::Wall;
use crate::gateway::lifecycle::networks::may_join;
use crate::gateway::locks::lock::Locks;
use crate::gateway::task::to_the_end;
use crate::gateway::wish::{NetworkWish, connect_wish, disconnect_wish, network_wish};
use crate::policy::Thing;
use crate::protocol::told::told;
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

type Shared = State<Arc<Engine>>;

const KEYS: [&str; 7] = ["dangling", "driver", "id", "label", "name", "scope", "type"];

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::gateway) struct ListQuery {
    filters: String,
}

/// As its owner sees it: short names, no labels and options of ours.
fn shown(caller: &Caller, network: &OwnedNetwork, mut details: Value) -> Value {
    if let Some(fields) = details.as_object_mut() {
        fields.insert("Name".into(), json!(network.shown()));
        fields.insert("Options".into(), json!({}));
    }
    without_ours(details.get_mut("Labels"));
    let containers = details.get_mut("Containers").and_then(Value::as_object_mut);
    for container in containers.into_iter().flat_map(|containers| containers.values_mut()) {
        let name = container.get("Name").and_then(Value::as_str);
        let short = name.and_then(|name| short_network(caller.uid(), name)).map(str::to_owned);
        if let (Some(short), Some(fields)) = (short, container.as_object_mut()) {
            fields.insert("Name".into(), json!(short));
        }
    }
    details
}

pub(in crate::gateway) async fn list(
    caller: Caller,
    State(engine): Shared,
    Query(query): Query<ListQuery>,
) -> Result<Json<Vec<Value>>, Error> {
    let mut words = filters::parse(&query.filters, &KEYS)?;
    let names = Names::take(&mut words)?;
    let own = engine.networks_of(&caller).await?;
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
    Ok(Json(kept.map(|network| shown(&caller, network, network.details().clone())).collect()))
}

pub(in crate::gateway) async fn inspect(
    caller: Caller,
    State(engine): Shared,
    Path(word): Path<String>,
) -> Result<Json<Value>, Error> {
    let network = engine.network_of(&caller, &word).await?;
    let details = engine.get(network.target()).await?;
    Ok(Json(shown(&caller, &network, details)))
}

pub(in crate::gateway) async fn create(
    caller: Caller,
    State(engine): Shared,
    State(locks): State<Arc<Locks>>,
    State(wall): State<Arc<Wall>>,
    body: BufferedBody,
) -> Result<(StatusCode, Json<Value>), Error> {
    let wish = network_wish(json_body(&body)?)?;
    let made = to_the_end(async move {
        let made = make(&engine, &locks, &wall, &caller, &wish).await;
        if let Err(error) = &made {
            audit::refused(&caller, "network-create", wish.name.as_str(), error);
        }
        made
    });
    let id = made.await?;
    Ok((StatusCode::CREATED, Json(json!({ "Id": id, "Warning": "" }))))
}

async fn make(
    engine: &Engine,
    locks: &Locks,
    wall: &Wall,
    caller: &Caller,
    wish: &NetworkWish,
) -> Result<String, Error> {
    let account = caller.account()?;
    wall.stands()?;
    // Counted and made under one turn: no two of one user's at once.
    let _turn = locks.turn(caller.uid()).await?;
    let all = engine.all_networks_of(caller).await?;
    let own = all.own.iter();
    let names: Vec<String> =
        own.filter(|network| network.is_named()).map(|network| network.shown().to_owned()).collect();
    if names.iter().any(|name| name == wish.name.as_str()) {
        return Err(Error::Conflict(told!("network with name {} already exists", wish.name)));
    }
    if all.is_left(wish.name.as_str()) {
        return Err(Error::left_name(wish.name.as_str()));
    }
    caller.limits()?.one_more_thing(Thing::Network, &names, &all.logins())?;
    audit::allowed(caller, "network-create", wish.name.as_str());
    let id = engine.create_network(caller, account.login(), caller.policy().gateway(), wish).await?;
    Ok(id.as_str().to_owned())
}

pub(in crate::gateway) async fn remove(
    caller: Caller,
    State(engine): Shared,
    Path(word): Path<String>,
) -> Result<StatusCode, Error> {
    let network = engine.network_of(&caller, &word).await?;
    if !network.is_named() {
        return Err(Error::not_allowed(
            "removing it",
            told!("your own network goes with your last container"),
        ));
    }
    audit::allowed(&caller, "network-rm", network.shown());
    engine.delete_network(&network).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes what no container is in.
pub(in crate::gateway) async fn prune(
    caller: Caller,
    State(engine): Shared,
    Query(query): Query<ListQuery>,
) -> Result<Json<Value>, Error> {
    let words = filters::parse(&query.filters, &["label"])?;
    let mut gone = Vec::new();
    for network in engine.networks_of(&caller).await?.iter().filter(|network| network.is_named()) {
        let details = engine.get(network.target()).await?;
        let empty =
            details.get("Containers").and_then(Value::as_object).is_none_or(serde_json::Map::is_empty);
        if empty && all_match(&words, |_, value| has_label(network.details().get("Labels"), value)) {
            audit::allowed(&caller, "network-rm", network.shown());
            // As with Docker, one goes that only stopped containers want: who is connected now is all that an engine knows of.
            if engine.delete_network(network).await.is_ok() {
                gone.push(network.shown().to_owned());
            }
        }
    }
    Ok(Json(json!({ "NetworksDeleted": gone })))
}

pub(in crate::gateway) async fn connect(
    caller: Caller,
    State(engine): Shared,
    State(wall): State<Arc<Wall>>,
    Path(word): Path<String>,
    body: BufferedBody,
) -> Result<StatusCode, Error> {
    caller.account()?;
    let (container, endpoint) = connect_wish(json_body(&body)?)?;
    wall.stands()?;
    let network = engine.network_of(&caller, &word).await?;
    let container = engine.owned(&caller, &container).await?;
    may_join(&engine, &network, &endpoint).await?;
    audit::allowed(&caller, "network-connect", container.id().as_str());
    engine.connect(&network, caller.uid(), (container.id(), container.name()), &endpoint).await?;
    Ok(StatusCode::OK)
}

pub(in crate::gateway) async fn disconnect(
    caller: Caller,
    State(engine): Shared,
    Path(word): Path<String>,
    body: BufferedBody,
) -> Result<StatusCode, Error> {
    let (container, force) = disconnect_wish(json_body(&body)?)?;
    let network = engine.network_of(&caller, &word).await?;
    let container = engine.owned(&caller, &container).await?;
    audit::allowed(&caller, "network-disconnect", container.id().as_str());
    engine.disconnect(&network, &container, force).await?;
    Ok(StatusCode::OK)
}
