//! What a caller is shown of the engine's images: those that the policy lets them use, under the names that it allows.

use super::containers::Walks;
use super::{answer, filters};
use crate::gateway::caller::Caller;
use crate::gateway::engine::{Engine, EngineError, ImageId, Step};
use crate::gateway::error::Error;
use crate::gateway::images::{full, look_up};
use crate::policy::{ImageAsk, Limits};
use crate::protocol::told::phrase;
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// What of one image is asked for: its name may have slashes, so the route is all that follows `/images/`.
pub(in crate::gateway) async fn one(
    caller: Caller,
    State(engine): State<Arc<Engine>>,
    State(walks): State<Arc<Walks>>,
    Path(rest): Path<String>,
) -> Result<Response, Error> {
    match rest.rsplit_once('/') {
        Some((word, "json")) => inspect(&engine, &caller, word).await.map(IntoResponse::into_response),
        Some((word, "history")) => {
            history(&engine, &walks, &caller, word).await.map(IntoResponse::into_response)
        }
        _ => Err(Error::NotServed(
            format!("GET /images/{rest}"),
            phrase!("images belong to everybody here: they are listed, inspected and pulled"),
        )),
    }
}

async fn inspect(engine: &Engine, caller: &Caller, word: &str) -> Result<Json<Value>, Error> {
    let mut image = look_up(engine, caller, word).await?.1;
    let limits = caller.limits()?;
    for key in ["RepoTags", "RepoDigests"] {
        keep_allowed(&limits, image.get_mut(key));
    }
    Ok(Json(answer::image(image)))
}

/// What an image was made by, step by step.
async fn history(
    engine: &Arc<Engine>,
    walks: &Walks,
    caller: &Caller,
    word: &str,
) -> Result<Json<Vec<Step>>, Error> {
    let image = look_up(engine, caller, word).await?.1;
    let id = image.get("Id").and_then(Value::as_str).and_then(ImageId::parse);
    let id = id.ok_or_else(|| EngineError::Odd("an image without an id".to_owned()))?;
    let of = engine.clone();
    let mut history = walks.one_by_one(caller.uid(), async move { of.history(&id).await }).await??;
    let limits = caller.limits()?;
    for tags in history.iter_mut().filter_map(|step| step.tags.as_mut()) {
        tags.retain(|tag| is_allowed(&limits, tag));
    }
    Ok(Json(history))
}

/// Of an image's names those that the caller may know.
fn keep_allowed(limits: &Limits, names: Option<&mut Value>) {
    if let Some(names) = names.and_then(Value::as_array_mut) {
        names.retain(|name| name.as_str().is_some_and(|name| is_allowed(limits, name)));
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::gateway) struct PruneQuery {
    filters: String,
}

/// Removes what images the caller has of their own: so far nobody has any, and everybody's are the admin's.
pub(in crate::gateway) async fn prune(
    _: Caller,
    Query(query): Query<PruneQuery>,
) -> Result<Json<Value>, Error> {
    filters::parse(&query.filters, &["dangling", "label", "until"])?;
    Ok(Json(json!({ "ImagesDeleted": [], "SpaceReclaimed": 0 })))
}

/// The same of what builds have left: nothing is built here.
pub(in crate::gateway) async fn prune_builds(_: Caller) -> Json<Value> {
    Json(json!({ "CachesDeleted": [], "SpaceReclaimed": 0 }))
}

/// Whether the caller may know that an image has this name.
fn is_allowed(limits: &Limits, word: &str) -> bool {
    // One that the gateway keeps for itself is none.
    let Ok(reference) = full(word) else { return false };
    limits.admit_image(&ImageAsk { shown: word.to_owned(), references: vec![reference], own: false }).is_ok()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::gateway) struct ListQuery {
    all: answer::Flag,
    filters: String,
}

/// The engine's images that the policy lets the caller use.
pub(in crate::gateway) async fn list(
    caller: Caller,
    State(engine): State<Arc<Engine>>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Vec<Value>>, Error> {
    let wanted = Wanted::parse(&query.filters)?;
    // What has no name is in no list of allowed names.
    if wanted.dangling {
        return Ok(Json(Vec::new()));
    }
    let listed = allowed(&engine, &caller.limits()?, query.all.0).await?;
    Ok(Json(listed.into_iter().filter_map(|image| wanted.of(image)).collect()))
}

/// The engine's images by the names that these limits allow, without those that have none.
pub(super) async fn allowed(engine: &Engine, limits: &Limits, all: bool) -> Result<Vec<Value>, Error> {
    let mut listed = engine.images(all).await?;
    listed.retain_mut(|image| {
        for key in ["RepoTags", "RepoDigests"] {
            keep_allowed(limits, image.get_mut(key));
        }
        image.get("RepoTags").and_then(Value::as_array).is_some_and(|tags| !tags.is_empty())
    });
    Ok(listed)
}

/// `reference=`, `label=` and `dangling=`, the filters that are served.
#[derive(Debug, Default)]
struct Wanted {
    references: Vec<String>,
    labels: Vec<String>,
    dangling: bool,
}

impl Wanted {
    fn parse(filters: &str) -> Result<Self, Error> {
        let mut words = filters::parse(filters, &["dangling", "label", "reference"])?;
        let mut of = |key: &str| words.remove(key).unwrap_or_default();
        let dangling = filters::truth("dangling", &of("dangling"))?;
        Ok(Self { references: of("reference"), labels: of("label"), dangling: dangling.unwrap_or(false) })
    }

    /// The image by those of its names that are wanted, if there are any.
    fn of(&self, mut image: Value) -> Option<Value> {
        let labels = image.get("Labels");
        if !self.labels.iter().all(|label| filters::has_label(labels, label)) {
            return None;
        }
        let tags = image.get_mut("RepoTags").and_then(Value::as_array_mut)?;
        // One of the references is enough, as in Docker.
        let is_wanted =
            |tag: &str| self.references.is_empty() || self.references.iter().any(|wanted| is(tag, wanted));
        tags.retain(|tag| tag.as_str().is_some_and(is_wanted));
        (!tags.is_empty()).then_some(image)
    }
}

/// Whether a name is the wanted one: in full, without its tag, or by a pattern of a shell's.
fn is(tag: &str, wanted: &str) -> bool {
    let repository = tag.rsplit_once(':').map_or(tag, |(repository, _)| repository);
    let options = glob::MatchOptions { require_literal_separator: true, ..glob::MatchOptions::new() };
    let matches = |pattern: &glob::Pattern| {
        pattern.matches_with(tag, options) || pattern.matches_with(repository, options)
    };
    tag == wanted
        || repository == wanted
        || full(tag).is_ok_and(|tag| full(wanted).is_ok_and(|wanted| tag == wanted))
        || glob::Pattern::new(wanted).is_ok_and(|pattern| matches(&pattern))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_a_name_or_a_pattern_of_one() {
        for (wanted, tags) in [
            ("busybox", &["busybox:1", "busybox:2"][..]),
            ("busybox:1", &["busybox:1"]),
            ("docker.io/library/busybox:1", &["busybox:1"]),
            ("busy*", &["busybox:1", "busybox:2"]),
            ("*:2", &["busybox:2"]),
            ("*/*", &["lab/torch:1"]),
            ("lab/*:1", &["lab/torch:1"]),
            ("[", &[]),
        ] {
            let all = ["busybox:1", "busybox:2", "lab/torch:1"];
            let kept: Vec<&str> = all.into_iter().filter(|tag| is(tag, wanted)).collect();
            assert_eq!(kept, tags, "{wanted}");
        }
    }
}
