//! `ps` and `inspect`.

use super::filter::Filters;
use crate::gateway::api::answer::{self, Flag};
use crate::gateway::api::routes::Word;
use crate::gateway::bounds::permits::Places;
use crate::gateway::caller::peer::Peer;
use crate::gateway::engine::Owned;
use crate::gateway::error::Error;
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
    let own = match query.size {
        Flag(false) => gateway.engine.own(&peer, false).await?,
        Flag(true) => {
            let (peer, of) = (peer.clone(), gateway.clone());
            one_by_one(&gateway.walks, peer.uid(), async move { of.engine.own(&peer, true).await }).await??
        }
    };
    let limit = query.limit.and_then(|limit| usize::try_from(limit).ok()).filter(|limit| *limit > 0);
    // Asking for a state, or for the newest few, looks at stopped containers too, as in Docker.
    let all = query.all.0 || limit.is_some() || filters.wants_stopped();
    let kept = filters.keep(own)?;
    let shown = kept.iter().filter(|owned| all || owned.running()).take(limit.unwrap_or(usize::MAX));
    Ok(Json(shown.map(|owned| with_ends(&gateway, owned)).collect()))
}

/// For sizes an engine walks through layers, and walks on when nobody waits any more: one walk at a time for each user.
pub(super) async fn one_by_one<T: Send + 'static>(
    walks: &Places,
    uid: u32,
    walk: impl Future<Output = T> + Send + 'static,
) -> Result<T, Error> {
    let internal = |error: &dyn std::error::Error| Error::Internal(error.to_string());
    let place = walks.of(uid).acquire_owned().await.map_err(|error| internal(&error))?;
    let walked = tokio::spawn(async move {
        let walked = walk.await;
        drop(place);
        walked
    });
    walked.await.map_err(|error| internal(&error))
}

/// One line of `ps`, with the end of the lease of its GPUs, and with its own end if that is near.
fn with_ends(gateway: &Gateway, owned: &Owned) -> Value {
    let mut summary = answer::summary(owned.found());
    if let (Some(why), false) = (gateway.reasons.of(owned.id()), owned.running()) {
        answer::was_stopped(&mut summary, &why);
    }
    if let (Some(goes), false) = (gateway.marks.goes(owned.id()), owned.running()) {
        answer::goes(&mut summary, goes);
    }
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
    let target = container.target("/json").with("size", query.size.word());
    let details = match query.size {
        Flag(false) => gateway.engine.get(target).await?,
        Flag(true) => {
            let of = gateway.clone();
            one_by_one(&gateway.walks, peer.uid(), async move { of.engine.get(target).await }).await??
        }
    };
    let mut shown = answer::details(details, &container);
    let runs = shown.pointer("/State/Running").and_then(Value::as_bool) != Some(false);
    if let (Some(why), Some(error)) = (gateway.reasons.of(container.id()), shown.pointer_mut("/State/Error"))
        && !runs
        && error == ""
    {
        *error = format!("stopped: {why}").into();
    }
    Ok(Json(shown))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn a_walk_that_nobody_waits_for_any_more_has_its_place() {
        let walks = Arc::new(Places::new(1));
        let (end, ended) = oneshot::channel::<()>();
        let of = walks.clone();
        let caller = tokio::spawn(async move { one_by_one(&of, 1, ended).await.map(drop) });
        while walks.of(1).available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
        let next = one_by_one(&walks, 1, async { 7 });
        tokio::pin!(next);
        assert!(tokio::time::timeout(std::time::Duration::from_millis(50), &mut next).await.is_err());
        assert_eq!(one_by_one(&walks, 2, async { 8 }).await.unwrap(), 8);
        end.send(()).unwrap();
        assert_eq!(next.await.unwrap(), 7);
    }
}
