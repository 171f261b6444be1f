//! The admin socket's verbs: root's, over everybody's containers.

use super::containers::Filters;
use super::routes::Word;
use super::{answer, containers};
use crate::gateway::caller::peer::{self, Refused};
use crate::gateway::door::serve::Caller;
use crate::gateway::engine::{Owned, pick_by_id};
use crate::gateway::error::Error;
use crate::gateway::state::Gateway;
use crate::protocol::name::ContainerRef;
use crate::protocol::report::{InForce, Refusal, Reloaded};
use axum::Json;
use axum::extract::{FromRequestParts, Query, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::net::UnixStream;

/// Root at the other end of the admin socket; made only from a connection to it.
#[derive(Debug, Clone)]
pub(in crate::gateway) struct Admin(());

impl Admin {
    pub(in crate::gateway) fn of(stream: &UnixStream) -> Result<Self, Refused> {
        peer::root(stream).map(|()| Self(()))
    }
}

impl<S: Sync> FromRequestParts<S> for Admin {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        match parts.extensions.get::<Caller>() {
            Some(Caller::Admin(admin)) => Ok(admin.clone()),
            Some(Caller::Refused(refused)) => Err(refused.clone().into()),
            Some(Caller::User(_)) | None => Err(Refused::NotRoot.into()),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::gateway) struct ListQuery {
    all: answer::Flag,
    limit: Option<i64>,
    filters: String,
}

/// Everybody's containers, each with its owner.
pub(in crate::gateway) async fn list(
    admin: Admin,
    State(gateway): State<Arc<Gateway>>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Vec<Value>>, Error> {
    let filters = Filters::of_everyones(&query.filters)?;
    let everyones = gateway.engine.everyones().await?.into_iter().map(|found| found.for_admin(&admin));
    let limit = query.limit.and_then(|limit| usize::try_from(limit).ok()).filter(|limit| *limit > 0);
    let all = query.all.0 || limit.is_some() || filters.wants_stopped();
    let kept = filters.keep(everyones.collect())?;
    let shown =
        kept.iter().filter(|owned| all || owned.running()).take(limit.unwrap_or(usize::MAX)).map(|owned| {
            let mut shown = answer::summary(owned.found());
            if let Some(fields) = shown.as_object_mut() {
                fields.insert("Owner".into(), json!(owned.found().labels().login));
            }
            shown
        });
    Ok(Json(shown.collect()))
}

/// One container of anybody's, by id, by the beginning of its id, or by its engine's name `ie-<uid>-<name>`.
async fn anyones(gateway: &Gateway, admin: &Admin, word: &ContainerRef) -> Result<Owned, Error> {
    let all: Vec<Owned> =
        gateway.engine.everyones().await?.into_iter().map(|found| found.for_admin(admin)).collect();
    match all.iter().find(|owned| owned.engine_name() == word.as_str()) {
        Some(owned) => Ok(owned.clone()),
        None => pick_by_id(all, word.as_str()).map_err(|error| match error {
            Error::NoContainer(word) => {
                Refusal::new("no-such-container", format!("no such container: {word}"))
                    .hint("these verbs take ids: ie-container admin ps -a lists everybody's")
                    .into()
            }
            error => error,
        }),
    }
}

pub(in crate::gateway) async fn stop(
    admin: Admin,
    State(gateway): State<Arc<Gateway>>,
    Word(word): Word,
) -> Result<StatusCode, Error> {
    let container = anyones(&gateway, &admin, &word).await?;
    containers::stop_now(gateway, None, container, None).await
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::gateway) struct RemoveQuery {
    force: answer::Flag,
}

pub(in crate::gateway) async fn remove(
    admin: Admin,
    State(gateway): State<Arc<Gateway>>,
    Word(word): Word,
    Query(query): Query<RemoveQuery>,
) -> Result<StatusCode, Error> {
    let container = anyones(&gateway, &admin, &word).await?;
    containers::remove_now(gateway, None, container, query.force.0).await
}

/// Why the policy in force is not the file's, if it is not.
pub(in crate::gateway) async fn policy(_: Admin, State(gateway): State<Arc<Gateway>>) -> Json<InForce> {
    Json(InForce { broken: gateway.in_force.broken().map(|broken| broken.to_string()) })
}

/// The whole new policy, or the old one and everything that is wrong with the new.
pub(in crate::gateway) async fn reload(
    _: Admin,
    State(gateway): State<Arc<Gateway>>,
) -> Result<Json<Reloaded>, Error> {
    let reloaded = gateway.reload().await;
    let warnings = reloaded.map_err(|problems| {
        Refusal::new("policy", format!("the old policy stays in force: {problems}"))
            .hint("ie-container admin policy check says everything that is wrong with a file")
    })?;
    Ok(Json(Reloaded { warnings }))
}
