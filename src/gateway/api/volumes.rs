//! Volumes of one's own, by Docker's words: the engine's local driver, no options, empty at the beginning.

use super::body::{BufferedBody, json_body};
use super::filters::{self, Names, all_match, has_label};
use super::version::Meant;
use crate::gateway::audit;
use crate::gateway::caller::Caller;
use crate::gateway::engine::{Engine, FindError, OwnedVolume, without_ours};
use crate::gateway::error::Error;
use crate::gateway::lifecycle::volumes::ensure;
use crate::gateway::locks::lock::Locks;
use crate::gateway::task::to_the_end;
use crate::gateway::wish::{ANONYMOUS, VolumeWish, volume_wish};
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

type Shared = State<Arc<Engine>>;

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

/// The caller's volumes, each with what was measured in it last, and how many containers have it. Docker's -1 is what is not
/// known.
pub(super) async fn sized(engine: &Engine, caller: &Caller) -> Result<Vec<Value>, Error> {
    let used = used(engine, caller).await?;
    let sizes = engine.volume_sizes(caller.uid());
    let sized = |volume: &OwnedVolume| {
        let mut details = shown(volume);
        let count = used.iter().filter(|name| *name == volume.engine_name()).count();
        let size = sizes.get(volume.engine_name()).copied().flatten();
        let usage = json!({ "Size": size.map_or(json!(-1), Value::from), "RefCount": count });
        if let Some(fields) = details.as_object_mut() {
            fields.insert("UsageData".into(), usage);
        }
        details
    };
    Ok(engine.volumes_of(caller).await?.iter().map(sized).collect())
}

/// The engine's names of the volumes that some container of the caller's has.
async fn used(engine: &Engine, caller: &Caller) -> Result<Vec<String>, Error> {
    let own = engine.own(caller, false).await?;
    Ok(own.iter().flat_map(|owned| owned.found().volumes()).cloned().collect())
}

pub(in crate::gateway) async fn list(
    caller: Caller,
    State(engine): Shared,
    Query(query): Query<ListQuery>,
) -> Result<Json<Value>, Error> {
    let mut words = filters::parse(&query.filters, &KEYS)?;
    let names = Names::take(&mut words)?;
    let used = if words.contains_key("dangling") { used(&engine, &caller).await? } else { Vec::new() };
    let own = engine.volumes_of(&caller).await?;
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
    caller: Caller,
    State(engine): Shared,
    Path(word): Path<String>,
) -> Result<Json<Value>, Error> {
    Ok(Json(shown(&engine.volume_of(&caller, &word).await?)))
}

pub(in crate::gateway) async fn create(
    caller: Caller,
    State(engine): Shared,
    State(locks): State<Arc<Locks>>,
    body: BufferedBody,
) -> Result<(StatusCode, Json<Value>), Error> {
    let VolumeWish { name, labels } = volume_wish(json_body(&body)?)?;
    let made = to_the_end(async move {
        let _turn = locks.turn(caller.uid()).await?;
        let made = ensure(&engine, &caller, &name, &labels).await;
        if let Err(error) = &made {
            audit::refused(&caller, "volume-create", name.as_str(), error);
        }
        made
    });
    let volume = made.await?;
    Ok((StatusCode::CREATED, Json(shown(&volume))))
}

pub(in crate::gateway) async fn remove(
    caller: Caller,
    State(engine): Shared,
    State(locks): State<Arc<Locks>>,
    Path(word): Path<String>,
    Query(query): Query<RemoveQuery>,
) -> Result<StatusCode, Error> {
    to_the_end(async move {
        // Not while a create of the caller's counts on it: the engine makes what is missing, and by itself.
        let _turn = locks.turn(caller.uid()).await?;
        let volume = match engine.volume_of(&caller, &word).await {
            Err(FindError::NoVolume(_)) if query.force.0 => return Ok(StatusCode::NO_CONTENT),
            found => found?,
        };
        audit::allowed(&caller, "volume-rm", volume.name().as_str());
        engine.delete_volume(&volume).await?;
        engine.forget_volume(volume.engine_name());
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

/// Since this version of the API only what was made without a name goes, unless all are asked for.
const NAMED_STAY: (u32, u32) = (1, 42);

/// Removes what no container has.
pub(in crate::gateway) async fn prune(
    caller: Caller,
    State(engine): Shared,
    State(locks): State<Arc<Locks>>,
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
    let gone = to_the_end(async move { remove_unused(&engine, &locks, &caller, meant).await }).await?;
    Ok(Json(json!({ "VolumesDeleted": gone, "SpaceReclaimed": 0 })))
}

async fn remove_unused(
    engine: &Engine,
    locks: &Locks,
    caller: &Caller,
    meant: impl Fn(&OwnedVolume) -> bool,
) -> Result<Vec<String>, Error> {
    let _turn = locks.turn(caller.uid()).await?;
    let used = used(engine, caller).await?;
    let is_used = |volume: &OwnedVolume| used.iter().any(|name| name == volume.engine_name());
    let mut gone = Vec::new();
    let own = engine.volumes_of(caller).await?;
    for volume in own.into_iter().filter(|volume| meant(volume) && !is_used(volume)) {
        audit::allowed(caller, "volume-rm", volume.name().as_str());
        if engine.delete_volume(&volume).await.is_ok() {
            engine.forget_volume(volume.engine_name());
            gone.push(volume.name().to_string());
        }
    }
    Ok(gone)
}
