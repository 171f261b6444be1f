//! `system df`: what the caller's own things hold on the engine's disk.

use super::answer;
use super::containers::Walks;
use super::{images, volumes};
use crate::gateway::caller::Caller;
use crate::gateway::engine::{Engine, EngineError};
use crate::gateway::error::Error;
use crate::protocol::told::told;
use axum::Json;
use axum::extract::{RawQuery, State};
use serde::Serialize;
use serde_json::Value;
use std::sync::Arc;

/// What may be asked for alone.
const KINDS: [&str; 4] = ["container", "image", "volume", "build-cache"];

/// Docker's account; what is not asked for is empty.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::gateway) struct Shown {
    layers_size: u64,
    images: Vec<Value>,
    containers: Vec<Value>,
    volumes: Vec<Value>,
    build_cache: [(); 0],
}

/// Of images those that the caller may use: they are everybody's, and count for nobody.
pub(in crate::gateway) async fn df(
    caller: Caller,
    State(engine): State<Arc<Engine>>,
    State(walks): State<Arc<Walks>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Shown>, Error> {
    let kinds = kinds(query.as_deref().unwrap_or_default())?;
    let wants = |kind: &str| kinds.is_empty() || kinds.iter().any(|wanted| wanted == kind);
    let mut shown = Shown::default();
    if wants("container") {
        let (of, asker) = (engine.clone(), caller.clone());
        let sized = async move {
            match of.own(&asker, true).await {
                // What cannot be measured is told without a size.
                Err(EngineError::Said { .. }) => of.own(&asker, false).await,
                own => own,
            }
        };
        let own = walks.one_by_one(caller.uid(), sized).await??;
        shown.containers = own.iter().map(|owned| answer::summary(owned.found())).collect();
    }
    if wants("image") {
        let allowed = images::allowed(&engine, &caller.limits()?, false).await?;
        let sizes = allowed.iter().filter_map(|image| image.get("Size").and_then(Value::as_u64));
        shown.layers_size = sizes.sum();
        shown.images = allowed;
    }
    if wants("volume") {
        shown.volumes = volumes::sized(&engine, &caller).await?;
    }
    Ok(Json(shown))
}

/// `type=`, as often as it is given.
fn kinds(query: &str) -> Result<Vec<String>, Error> {
    let given = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == "type");
    let kinds: Vec<String> = given.map(|(_, kind)| kind.into_owned()).collect();
    match kinds.iter().find(|kind| !KINDS.contains(&kind.as_str())) {
        None => Ok(kinds),
        Some(kind) => Err(Error::Bad(told!("unknown object type: {kind}"))),
    }
}
