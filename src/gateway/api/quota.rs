//! `/ie/v1/quota`.

use crate::gateway::caller::Caller;
use crate::gateway::engine::Engine;
use crate::gateway::error::Error;
use crate::gateway::gpu::service::Gpus;
use crate::policy::Thing;
use crate::protocol::report::Quota;
use axum::Json;
use axum::extract::State;
use std::sync::Arc;

/// The caller's limits, who set them, what is in use and what is left.
pub(in crate::gateway) async fn quota(
    caller: Caller,
    State(engine): State<Arc<Engine>>,
    State(gpus): State<Arc<Gpus>>,
) -> Result<Json<Quota>, Error> {
    let account = caller.account()?;
    engine.knows_its_cpus().await?;
    let limits = caller.limits()?;
    let usage = engine.usage(&caller).await?;
    let mut quota = limits.quota(account.login(), caller.uid(), &usage);
    if limits.most_gpus() != Some(0) {
        quota.lines.push(limits.week_line(gpus.week(caller.uid(), jiff::Timestamp::now())));
    }
    let networks = engine.all_networks_of(&caller).await?;
    let volumes = engine.all_volumes_of(&caller).await?;
    let named = networks.own.iter().filter(|network| network.is_named()).count();
    let (networks, volumes) = (named + networks.left.len(), volumes.own.len() + volumes.left.len());
    quota.lines.push(limits.things_line(Thing::Network, networks));
    quota.lines.push(limits.things_line(Thing::Volume, volumes));
    Ok(Json(quota))
}
