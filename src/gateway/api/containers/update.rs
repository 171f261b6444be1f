//! `update`: other limits for a container.

use crate::gateway::api::body::{BufferedBody, json_body};
use crate::gateway::api::words::Word;
use crate::gateway::caller::Caller;
use crate::gateway::engine::Engine;
use crate::gateway::error::Error;
use crate::gateway::lifecycle::updater::Updater;
use crate::gateway::wish::update_wish;
use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use std::sync::Arc;

pub(in crate::gateway) async fn update(
    caller: Caller,
    State(engine): State<Arc<Engine>>,
    State(updater): State<Arc<Updater>>,
    Word(word): Word,
    body: BufferedBody,
) -> Result<Json<Value>, Error> {
    let mut wish = update_wish(json_body(&body)?)?;
    let warnings = std::mem::take(&mut wish.warnings);
    let container = engine.owned(&caller, &word).await?;
    updater.update(caller, container, wish).await?;
    Ok(Json(json!({ "Warnings": warnings })))
}
