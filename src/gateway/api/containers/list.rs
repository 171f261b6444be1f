//! `ps` and `inspect`.

use super::filter::Filters;
use super::walks::Walks;
use crate::gateway::api::answer::{self, Flag};
use crate::gateway::api::words::Word;
use crate::gateway::caller::Caller;
use crate::gateway::engine::{Engine, Owned};
use crate::gateway::error::Error;
use crate::gateway::gpu::service::Gpus;
use crate::gateway::records::reasons::Reasons;
use crate::gateway::records::restarts::{Restarts, Shown};
use crate::gateway::upkeep::expiry::Expirations;
use axum::Json;
use axum::extract::{Query, State};
use axum::response::Response;
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
    caller: Caller,
    State(engine): State<Arc<Engine>>,
    State(walks): State<Arc<Walks>>,
    State(ends): State<Ends>,
    Query(query): Query<ListQuery>,
) -> Result<Response, Error> {
    let filters = Filters::parse(&query.filters)?;
    let own = match query.size {
        Flag(false) => engine.own(&caller, false).await?,
        Flag(true) => {
            let (caller, engine) = (caller.clone(), engine.clone());
            walks.one_by_one(caller.uid(), async move { engine.own(&caller, true).await }).await??
        }
    };
    let own = own.into_iter().map(|owned| ends.waiting(owned)).collect();
    let limit = query.limit.and_then(|limit| usize::try_from(limit).ok()).filter(|limit| *limit > 0);
    // Asking for a state, or for the newest few, looks at stopped containers too, as in Docker.
    let all = query.all.0 || limit.is_some() || filters.wants_stopped();
    let kept = filters.keep(own)?;
    let shown = kept.iter().filter(|owned| all || owned.running()).take(limit.unwrap_or(usize::MAX));
    answer::list(shown.map(|owned| ends.with(owned)))
}

/// What is known of a container's end, and of that of its lease.
#[derive(Debug, Clone)]
pub(in crate::gateway) struct Ends {
    pub(in crate::gateway) reasons: Arc<Reasons>,
    pub(in crate::gateway) expirations: Arc<Expirations>,
    pub(in crate::gateway) restarts: Arc<Restarts>,
    pub(in crate::gateway) gpus: Arc<Gpus>,
}

impl Ends {
    /// What starts again in a moment counts as running, as in Docker.
    fn waiting(&self, owned: Owned) -> Owned {
        let waits = !owned.running() && self.restarts.shown(owned.id()) == Some(Shown::Waits);
        if waits { owned.shown_as_restarting() } else { owned }
    }

    /// One line of `ps`, with the end of the lease of its GPUs, and with its own end if that is near.
    fn with(&self, owned: &Owned) -> Value {
        let mut summary = answer::summary(owned.found());
        if let (Some(why), false) = (self.reasons.of(owned.id()), owned.running()) {
            answer::was_stopped(&mut summary, &why);
        }
        match self.restarts.shown(owned.id()) {
            Some(Shown::Waits) if owned.found().state() == "restarting" => answer::restarts(&mut summary),
            Some(Shown::Refused(why)) if !owned.running() => answer::does_not_restart(&mut summary, &why),
            _ => {}
        }
        if let (Some(goes), false) = (self.expirations.goes(owned.id()), owned.running()) {
            answer::goes(&mut summary, goes);
        }
        if let (Some(lease), Some(ours)) = (
            self.gpus.lease_of(owned.id()),
            summary.pointer_mut("/IeContainer").and_then(Value::as_object_mut),
        ) {
            ours.insert("Lease".into(), lease.until.to_string().into());
        }
        summary
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::gateway) struct InspectQuery {
    size: Flag,
}

pub(in crate::gateway) async fn inspect(
    caller: Caller,
    State(engine): State<Arc<Engine>>,
    State(walks): State<Arc<Walks>>,
    State(reasons): State<Arc<Reasons>>,
    State(restarts): State<Arc<Restarts>>,
    Word(word): Word,
    Query(query): Query<InspectQuery>,
) -> Result<Json<Value>, Error> {
    let container = engine.owned(&caller, &word).await?;
    let target = container.target("/json").with("size", query.size.word());
    let details = match query.size {
        Flag(false) => engine.get(target).await?,
        Flag(true) => {
            let engine = engine.clone();
            walks.one_by_one(caller.uid(), async move { engine.get(target).await }).await??
        }
    };
    let mut shown = answer::details(details, &container);
    let runs = shown.pointer("/State/Running").and_then(Value::as_bool) != Some(false);
    if let (Some(why), Some(error)) = (reasons.of(container.id()), shown.pointer_mut("/State/Error"))
        && !runs
        && error == ""
    {
        *error = format!("stopped: {why}").into();
    }
    let state = restarts.shown(container.id()).filter(|_| !runs);
    let (policy, times) = (restarts.policy(container.found()), restarts.times(container.id()));
    answer::show_restarts(&mut shown, policy, times, state.as_ref());
    Ok(Json(shown))
}
