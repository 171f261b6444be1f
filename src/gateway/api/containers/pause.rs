//! `pause` and `unpause`: a container whose processes stand still. It runs, and holds all that it was given.

use crate::gateway::api::words::Word;
use crate::gateway::audit;
use crate::gateway::caller::Caller;
use crate::gateway::engine::Engine;
use crate::gateway::error::Error;
use axum::extract::State;
use axum::http::StatusCode;
use std::sync::Arc;

pub(in crate::gateway) async fn pause(
    caller: Caller,
    State(engine): State<Arc<Engine>>,
    Word(word): Word,
) -> Result<StatusCode, Error> {
    let container = engine.owned(&caller, &word).await?;
    container.must_run()?;
    audit::allowed(&caller, "pause", container.id().as_str());
    Ok(engine.pause(&container).await?)
}

pub(in crate::gateway) async fn unpause(
    caller: Caller,
    State(engine): State<Arc<Engine>>,
    Word(word): Word,
) -> Result<StatusCode, Error> {
    let container = engine.owned(&caller, &word).await?;
    container.must_run()?;
    audit::allowed(&caller, "unpause", container.id().as_str());
    Ok(engine.unpause(&container).await?)
}
