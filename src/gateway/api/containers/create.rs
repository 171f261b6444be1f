//! `POST /containers/create`.

use crate::gateway::api::body::{BufferedBody, json_body};
use crate::gateway::caller::Caller;
use crate::gateway::error::Error;
use crate::gateway::images;
use crate::gateway::lifecycle::creator::Creator;
use crate::gateway::task::to_the_end;
use crate::gateway::wish::{Wish, parse};
use crate::protocol::amount::Span;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::gateway) struct CreateQuery {
    name: Option<String>,
    platform: String,
    /// Ours: how long the GPUs are wanted for.
    time: Option<Span>,
    /// Ours: where to start if neither the caller nor the image says. Empty for the home.
    start: Option<String>,
}

/// Makes a container; a caller who goes away meanwhile leaves a whole one or none.
pub(in crate::gateway) async fn create(
    caller: Caller,
    State(creator): State<Arc<Creator>>,
    Query(query): Query<CreateQuery>,
    body: BufferedBody,
) -> Result<(StatusCode, Json<Value>), Error> {
    let wish = wish(&caller, &query, &body).map_err(Error::of_create)?;
    let time = query.time;
    let made = to_the_end(async move { creator.create(&caller, wish, time).await }).await;
    let made = made.map_err(Error::of_create)?;
    Ok((StatusCode::CREATED, Json(json!({ "Id": made.id.as_str(), "Warnings": made.warnings }))))
}

fn wish(caller: &Caller, query: &CreateQuery, body: &Bytes) -> Result<Wish, Error> {
    images::own_platform(&query.platform)?;
    Ok(parse(query.name.as_deref(), json_body(body)?, caller)?.rather_in(query.start.clone())?)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::gateway) struct DryRunQuery {
    name: Option<String>,
}

/// `/ie/v1/dry-run`: the grant a create would get, or its refusal; nothing is made.
pub(in crate::gateway) async fn dry_run(
    caller: Caller,
    State(creator): State<Arc<Creator>>,
    Query(query): Query<DryRunQuery>,
    body: BufferedBody,
) -> Result<Json<Value>, Error> {
    let wish = wish(&caller, &CreateQuery { name: query.name, ..CreateQuery::default() }, &body)?;
    creator.plan(&caller, wish).await.map(Json).map_err(Error::of_create)
}
