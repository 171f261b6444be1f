//! The admin socket's verbs: root's, over everybody's containers.

use super::answer;
use super::containers::Filters;
use super::words::Word;
use crate::gateway::caller::{Admin, in_force};
use crate::gateway::engine::{Engine, FindError, Owned, pick_by_id};
use crate::gateway::error::Error;
use crate::gateway::lifecycle::remover::Remover;
use crate::gateway::upkeep::reload::Reloader;
use crate::protocol::name::ContainerRef;
use crate::protocol::report::{InForce, Refusal, Reloaded};
use crate::protocol::told::{Tell, Told, told};
use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

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
    State(engine): State<Arc<Engine>>,
    Query(query): Query<ListQuery>,
) -> Result<Response, Error> {
    let filters = Filters::of_everyones(&query.filters)?;
    let everyones = engine.everyones().await?.into_iter().map(|found| found.for_admin(&admin));
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
    answer::list(shown)
}

/// One container of anybody's, by id, by the beginning of its id, or by its engine's name `ie-<uid>-<name>`.
async fn anyones(engine: &Engine, admin: &Admin, word: &ContainerRef) -> Result<Owned, Error> {
    let all: Vec<Owned> = engine.everyones().await?.into_iter().map(|found| found.for_admin(admin)).collect();
    match all.iter().find(|owned| owned.engine_name() == word.as_str()) {
        Some(owned) => Ok(owned.clone()),
        None => pick_by_id(all, word.as_str()).map_err(|error| match error {
            FindError::NoContainer(word) => {
                Refusal::new("no-such-container", told!("No such container: {word}"))
                    .hint(told!("these verbs take ids: ie-container admin ps -a lists everybody's"))
                    .into()
            }
            error => error.into(),
        }),
    }
}

pub(in crate::gateway) async fn stop(
    admin: Admin,
    State(engine): State<Arc<Engine>>,
    State(remover): State<Arc<Remover>>,
    Word(word): Word,
) -> Result<StatusCode, Error> {
    let container = anyones(&engine, &admin, &word).await?;
    remover.stop(None, container, None).await
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::gateway) struct RemoveQuery {
    force: answer::Flag,
}

pub(in crate::gateway) async fn remove(
    admin: Admin,
    State(engine): State<Arc<Engine>>,
    State(remover): State<Arc<Remover>>,
    Word(word): Word,
    Query(query): Query<RemoveQuery>,
) -> Result<StatusCode, Error> {
    let container = anyones(&engine, &admin, &word).await?;
    remover.remove(None, container, query.force.0).await
}

/// Why the policy in force is not the file's, if it is not.
pub(in crate::gateway) async fn policy(
    _: Admin,
    State(in_force): State<Arc<in_force::InForce>>,
) -> Json<InForce> {
    let told = in_force.broken().map(|broken| broken.told());
    Json(InForce { broken: told.as_ref().map(Told::to_string), told })
}

/// The whole new policy, or the old one and everything that is wrong with the new.
pub(in crate::gateway) async fn reload(
    _: Admin,
    State(reloader): State<Arc<Reloader>>,
) -> Result<Json<Reloaded>, Error> {
    let reloaded = reloader.reload().await;
    let warnings = reloaded.map_err(|problems| {
        Refusal::new("policy", told!("the old policy stays in force: {problems}"))
            .hint(told!("ie-container admin policy check says everything that is wrong with a file"))
    })?;
    Ok(Json(Reloaded { warnings }))
}
