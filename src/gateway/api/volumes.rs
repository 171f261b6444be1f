//! Volumes of one's own, by Docker's words: the engine's local driver, no options, empty at the beginning.

use super::body::{Whole, json_body};
use super::filters::{self, Names, all_match, has_label};
use super::routes::Meant;
use crate::gateway::audit;
use crate::gateway::caller::peer::Peer;
use crate::gateway::engine::{OwnedVolume, without_ours};
use crate::gateway::error::Error;
use crate::gateway::state::Gateway;
use crate::gateway::task::to_the_end;
use crate::gateway::wish::{ANONYMOUS, VolumeWish, volume_wish};
use crate::policy::Thing;
use crate::protocol::name::ThingName;
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use hyper::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

type Shared = State<Arc<Gateway>>;

const KEYS: [&str; 4] = ["dangling", "driver", "label", "name"];

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::gateway) struct ListQuery {
    filters: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::gateway) struct RemoveQuery {
    /// Docker's force forgives a volume that is not there, and nothing else here.
    force: super::answer::Flag,
}

/// As its owner sees it: where it lies on the host is the engine's business.
fn shown(volume: &OwnedVolume) -> Value {
    let mut details = volume.details().clone();
    if let Some(fields) = details.as_object_mut() {
        fields.insert("Name".into(), json!(volume.name().as_str()));
        fields.insert("Mountpoint".into(), json!(""));
    }
    without_ours(details.get_mut("Labels"));
    details
}

/// The engine's names of the volumes that some container of the caller's has.
async fn used(gateway: &Gateway, peer: &Peer) -> Result<Vec<String>, Error> {
    let own = gateway.engine.own(peer, false).await?;
    let names = own.iter().flat_map(|owned| {
        let mounts = owned.found().summary().get("Mounts").and_then(Value::as_array);
        mounts.into_iter().flatten().filter_map(|mount| mount.get("Name")?.as_str().map(str::to_owned))
    });
    Ok(names.collect())
}

pub(in crate::gateway) async fn list(
    peer: Peer,
    State(gateway): Shared,
    Query(query): Query<ListQuery>,
) -> Result<Json<Value>, Error> {
    let mut words = filters::parse(&query.filters, &KEYS)?;
    let names = Names::take(&mut words)?;
    let used = if words.contains_key("dangling") { used(&gateway, &peer).await? } else { Vec::new() };
    let own = gateway.engine.volumes_of(&peer).await?;
    let kept = own
        .iter()
        .filter(|volume| names.as_ref().is_none_or(|names| names.match_any(volume.name().as_str())))
        .filter(|volume| {
            all_match(&words, |key, value| match key {
                "label" => has_label(volume.details().get("Labels"), value),
                "driver" => value == "local",
                _ => matches!(value, "1" | "true") != used.iter().any(|name| name == volume.engine_name()),
            })
        });
    Ok(Json(json!({ "Volumes": kept.map(shown).collect::<Vec<_>>(), "Warnings": [] })))
}

pub(in crate::gateway) async fn inspect(
    peer: Peer,
    State(gateway): Shared,
    Path(word): Path<String>,
) -> Result<Json<Value>, Error> {
    Ok(Json(shown(&gateway.engine.volume_of(&peer, &word).await?)))
}

pub(in crate::gateway) async fn create(
    peer: Peer,
    State(gateway): Shared,
    body: Whole,
) -> Result<(StatusCode, Json<Value>), Error> {
    let VolumeWish { name, labels } = volume_wish(json_body(&body)?)?;
    let made = to_the_end(async move {
        let _turn = crate::gateway::locks::lock::turn(&gateway, &peer).await?;
        let made = ensure(&gateway, &peer, &name, &labels).await;
        if let Err(error) = &made {
            audit::refused(&peer, "volume-create", name.as_str(), error);
        }
        made
    });
    let volume = made.await?;
    Ok((StatusCode::CREATED, Json(shown(&volume))))
}

/// The caller's volume of this name, made if it is not there; only while the caller's turn is held.
pub(in crate::gateway) async fn ensure(
    gateway: &Gateway,
    peer: &Peer,
    name: &ThingName,
    labels: &BTreeMap<String, String>,
) -> Result<OwnedVolume, Error> {
    let account = peer.account()?;
    let all = gateway.engine.all_volumes_of(peer).await?;
    if let Some(volume) = all.own.iter().find(|volume| volume.name() == name) {
        return Ok(volume.clone());
    }
    if all.is_left(name.as_str()) {
        return Err(Error::left_name(name.as_str()));
    }
    let names: Vec<String> = all.own.iter().map(|volume| volume.name().to_string()).collect();
    gateway.limits(account).one_more_thing(Thing::Volume, &names, &all.logins())?;
    audit::allowed(Some(peer), "volume-create", name.as_str());
    Ok(gateway.engine.create_volume(peer, account.login(), name, labels).await?)
}

pub(in crate::gateway) async fn remove(
    peer: Peer,
    State(gateway): Shared,
    Path(word): Path<String>,
    Query(query): Query<RemoveQuery>,
) -> Result<StatusCode, Error> {
    to_the_end(async move {
        // Not while a create of the caller's counts on it: the engine makes what is missing, and by itself.
        let _turn = crate::gateway::locks::lock::turn(&gateway, &peer).await?;
        let volume = match gateway.engine.volume_of(&peer, &word).await {
            Err(Error::NoVolume(_)) if query.force.0 => return Ok(StatusCode::NO_CONTENT),
            found => found?,
        };
        audit::allowed(Some(&peer), "volume-rm", volume.name().as_str());
        gateway.engine.call(Method::DELETE, volume.target()).await?;
        gateway.engine.forget_volume(volume.engine_name());
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

/// Since this version of the API only what was made without a name goes, unless all are asked for.
const NAMED_STAY: (u32, u32) = (1, 42);

/// Removes what no container has.
pub(in crate::gateway) async fn prune(
    peer: Peer,
    State(gateway): Shared,
    Meant(version): Meant,
    Query(query): Query<ListQuery>,
) -> Result<Json<Value>, Error> {
    let mut words = filters::parse(&query.filters, &["all", "label"])?;
    let all =
        filters::truth("all", &words.remove("all").unwrap_or_default())?.unwrap_or(version < NAMED_STAY);
    let meant = move |volume: &OwnedVolume| {
        let labels = volume.details().get("Labels");
        all_match(&words, |_, value| has_label(labels, value)) && (all || has_label(labels, ANONYMOUS))
    };
    let gone = to_the_end(async move { remove_unused(&gateway, &peer, meant).await }).await?;
    Ok(Json(json!({ "VolumesDeleted": gone, "SpaceReclaimed": 0 })))
}

async fn remove_unused(
    gateway: &Gateway,
    peer: &Peer,
    meant: impl Fn(&OwnedVolume) -> bool,
) -> Result<Vec<String>, Error> {
    let _turn = crate::gateway::locks::lock::turn(gateway, peer).await?;
    let used = used(gateway, peer).await?;
    let is_used = |volume: &OwnedVolume| used.iter().any(|name| name == volume.engine_name());
    let mut gone = Vec::new();
    let own = gateway.engine.volumes_of(peer).await?;
    for volume in own.into_iter().filter(|volume| meant(volume) && !is_used(volume)) {
        audit::allowed(Some(peer), "volume-rm", volume.name().as_str());
        if gateway.engine.call(Method::DELETE, volume.target()).await.is_ok() {
            gateway.engine.forget_volume(volume.engine_name());
            gone.push(volume.name().to_string());
        }
    }
    Ok(gone)
}
