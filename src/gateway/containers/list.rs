//! `ps` and `inspect`.

use super::filter::Filters;
use crate::gateway::answer::{self, Flag};
use crate::gateway::engine::Owned;
use crate::gateway::error::Error;
use crate::gateway::peer::Peer;
use crate::gateway::routes::Word;
use crate::gateway::state::Gateway;
use axum::Json;
use axum::extract::{Query, State};
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::gateway) struct ListQuery {
    all: Flag,
    size: Flag,
    limit: Option<i64>,
    filters: String,
}

/// The caller's own containers; filters are applied here, to what is already the caller's.
pub(in crate::gateway) async fn list(
    peer: Peer,
    State(gateway): State<Arc<Gateway>>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Vec<Value>>, Error> {
    let filters = Filters::parse(&query.filters)?;
    let own = gateway.engine.own(&peer, query.size.0).await?;
    let limit = query.limit.and_then(|limit| usize::try_from(limit).ok()).filter(|limit| *limit > 0);
    // Asking for a state, or for the newest few, looks at stopped containers too, as in Docker.
    let all = query.all.0 || limit.is_some() || filters.wants_stopped();
    let kept = filters.keep(own)?;
    let shown = kept.iter().filter(|owned| all || owned.running()).take(limit.unwrap_or(usize::MAX));
    Ok(Json(shown.map(|owned| with_lease(&gateway, owned)).collect()))
}

/// One line of `ps`, with the end of the lease of its GPUs.
fn with_lease(gateway: &Gateway, owned: &Owned) -> Value {
    let mut summary = answer::summary(owned.found());
    if let (Some(lease), Some(ours)) = (
        gateway.gpus.lease_of(owned.id()),
        summary.pointer_mut("/IeContainer").and_then(Value::as_object_mut),
    ) {
        ours.insert("Lease".into(), lease.until.to_string().into());
    }
    summary
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::gateway) struct InspectQuery {
    size: Flag,
}

pub(in crate::gateway) async fn inspect(
    peer: Peer,
    State(gateway): State<Arc<Gateway>>,
    Word(word): Word,
    Query(query): Query<InspectQuery>,
) -> Result<Json<Value>, Error> {
    let container = gateway.engine.owned(&peer, &word).await?;
    let details = gateway.engine.get(container.target("/json").with("size", query.size.word())).await?;
    Ok(Json(answer::details(details, &container)))
}
