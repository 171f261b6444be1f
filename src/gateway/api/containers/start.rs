//! `start` and `restart`.

use super::act::{StopQuery, grace};
use crate::gateway::api::words::Word;
use crate::gateway::caller::Caller;
use crate::gateway::engine::Engine;
use crate::gateway::error::Error;
use crate::gateway::lifecycle::starter::Starter;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use std::sync::Arc;

pub(in crate::gateway) async fn start(
    caller: Caller,
    State(engine): State<Arc<Engine>>,
    State(starter): State<Arc<Starter>>,
    Word(word): Word,
) -> Result<StatusCode, Error> {
    let container = engine.owned(&caller, &word).await?;
    starter.start(caller, container).await
}

pub(in crate::gateway) async fn restart(
    caller: Caller,
    State(engine): State<Arc<Engine>>,
    State(starter): State<Arc<Starter>>,
    Word(word): Word,
    Query(query): Query<StopQuery>,
) -> Result<StatusCode, Error> {
    let seconds = grace(query.t)?;
    let container = engine.owned(&caller, &word).await?;
    starter.restart(caller, container, seconds).await
}
