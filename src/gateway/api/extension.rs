//! `/ie/v1`: what Docker has no words for.

use super::body::Whole;
use super::containers;
use crate::gateway::caller::peer::Peer;
use crate::gateway::error::Error;
use crate::gateway::state::Gateway;
use crate::policy::Thing;
use crate::protocol::report::Quota;
use axum::Json;
use axum::extract::{Query, State};
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

/// The caller's limits, who set them, what is in use and what is left.
pub(in crate::gateway) async fn quota(
    peer: Peer,
    State(gateway): State<Arc<Gateway>>,
) -> Result<Json<Quota>, Error> {
    let account = peer.account()?;
    gateway.engine.knows_its_cpus().await?;
    let limits = gateway.limits(account);
    let usage = gateway.engine.usage(&peer).await?;
    let mut quota = limits.quota(account.login(), peer.uid(), &usage);
    if limits.most_gpus() != Some(0) {
        quota.lines.push(limits.week_line(gateway.gpus.week(peer.uid(), jiff::Timestamp::now())));
    }
    let networks = gateway.engine.all_networks_of(&peer).await?;
    let volumes = gateway.engine.all_volumes_of(&peer).await?;
    let named = networks.own.iter().filter(|network| network.is_named()).count();
    let (networks, volumes) = (named + networks.left.len(), volumes.own.len() + volumes.left.len());
    quota.lines.push(limits.things_line(Thing::Network, networks));
    quota.lines.push(limits.things_line(Thing::Volume, volumes));
    Ok(Json(quota))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::gateway) struct DryRunQuery {
    name: Option<String>,
}

/// The grant a create would get, or its refusal; nothing is made.
pub(in crate::gateway) async fn dry_run(
    peer: Peer,
    State(gateway): State<Arc<Gateway>>,
    Query(query): Query<DryRunQuery>,
    body: Whole,
) -> Result<Json<Value>, Error> {
    containers::plan(&gateway, &peer, query.name, &body).await.map(Json)
}
