//! What a caller is shown of the engine's images: those that the policy lets them use, under the names that it allows.

use super::{answer, filters};
use crate::gateway::caller::Caller;
use crate::gateway::engine::Engine;
use crate::gateway::error::Error;
use crate::gateway::images::{full, look_up, strings};
use crate::policy::{ImageAsk, Limits};
use crate::protocol::told::phrase;
use axum::Json;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

pub(in crate::gateway) async fn inspect(
    caller: Caller,
    State(engine): State<Arc<Engine>>,
    Path(rest): Path<String>,
) -> Result<Json<Value>, Error> {
    let Some(word) = rest.strip_suffix("/json") else {
        return Err(Error::NotServed(
            format!("GET /images/{rest}"),
            phrase!("images belong to everybody here: they are listed, inspected and pulled"),
        ));
    };
    let mut image = look_up(&engine, &caller, word).await?.1;
    let limits = caller.limits()?;
    for key in ["RepoTags", "RepoDigests"] {
        if let Some(names) = image.get_mut(key).and_then(Value::as_array_mut) {
            names.retain(|name| name.as_str().is_some_and(|name| is_allowed(&limits, name)));
        }
    }
    Ok(Json(answer::image(image)))
}

/// Whether the caller may know that an image has this name.
fn is_allowed(limits: &Limits, word: &str) -> bool {
    let references = full(word).map(|full| vec![full]).unwrap_or_default();
    limits.admit_image(&ImageAsk { shown: word.to_owned(), references, own: false }).is_ok()
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
    let Wanted { references: wanted, dangling } = Wanted::parse(&query.filters)?;
    // What has no name is in no list of allowed names.
    if dangling {
        return Ok(Json(Vec::new()));
    }
    let limits = caller.limits()?;
    let listed = engine.images(query.all.0).await?;
    let kept = listed.into_iter().filter_map(|mut image| {
        let tags: Vec<String> =
            strings(image.get("RepoTags")).into_iter().filter(|tag| is_allowed(&limits, tag)).collect();
        let tags: Vec<String> =
            tags.into_iter().filter(|tag| wanted.iter().all(|wanted| is(tag, wanted))).collect();
        if tags.is_empty() {
            return None;
        }
        let digests = strings(image.get("RepoDigests")).into_iter().filter(|name| is_allowed(&limits, name));
        let digests: Vec<String> = digests.collect();
        let fields = image.as_object_mut()?;
        fields.insert("RepoTags".into(), tags.into());
        fields.insert("RepoDigests".into(), digests.into());
        Some(image)
    });
    Ok(Json(kept.collect()))
}

/// `reference=` and `dangling=`, the filters that are served.
#[derive(Debug, Default)]
struct Wanted {
    references: Vec<String>,
    dangling: bool,
}

impl Wanted {
    fn parse(filters: &str) -> Result<Self, Error> {
        let mut words = filters::parse(filters, &["dangling", "reference"])?;
        let dangling = words.remove("dangling").unwrap_or_default();
        Ok(Self {
            references: words.remove("reference").unwrap_or_default(),
            dangling: dangling.iter().any(|word| matches!(word.as_str(), "1" | "true")),
        })
    }
}

fn is(tag: &str, wanted: &str) -> bool {
    let repository = tag.rsplit_once(':').map_or(tag, |(repository, _)| repository);
    tag == wanted
        || repository == wanted
        || full(tag).is_ok_and(|tag| full(wanted).is_ok_and(|wanted| tag == wanted))
}
