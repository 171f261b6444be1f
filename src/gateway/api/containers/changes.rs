//! `diff`: what a container has changed of its image's files.

use super::walks::Walks;
use crate::gateway::api::words::Word;
use crate::gateway::caller::Caller;
use crate::gateway::engine::Engine;
use crate::gateway::error::Error;
use crate::protocol::layout::{CHANNEL_IN_CONTAINER, COPY_IN_CONTAINER};
use axum::Json;
use axum::extract::State;
use serde_json::Value;
use std::sync::Arc;

/// The engine walks through the container's layer, one for each user at a time.
pub(in crate::gateway) async fn changes(
    caller: Caller,
    State(engine): State<Arc<Engine>>,
    State(walks): State<Arc<Walks>>,
    Word(word): Word,
) -> Result<Json<Value>, Error> {
    let container = engine.owned(&caller, &word).await?;
    let target = container.target("/changes");
    let mut changes = walks.one_by_one(caller.uid(), async move { engine.get(target).await }).await??;
    if let Some(changes) = changes.as_array_mut() {
        changes.retain(|change| !is_ours(change));
    }
    Ok(Json(changes))
}

/// Where the gateway mounts files of its own.
fn is_ours(change: &Value) -> bool {
    let path = change.get("Path").and_then(Value::as_str);
    path.is_some_and(|path| [COPY_IN_CONTAINER, CHANNEL_IN_CONTAINER].contains(&path))
}
