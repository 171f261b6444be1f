//! The route table: every method and path that is served, and the one answer to everything else.

use super::parts::Parts;
use super::response_permits::few_at_once;
use super::{
    admin, archive, containers, disk, events, exec, gpus, images, networks, pull, quota, system, unserved,
    volumes,
};
use crate::gateway::caller::Identity;
use crate::gateway::error::Error;
use crate::protocol::escape::escape_line;
use axum::Router;
use axum::extract::Request;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, any, delete, get, head, post};

/// What the user socket serves.
pub(in crate::gateway) fn user(parts: Parts) -> Router {
    let whole = |handler: MethodRouter<Parts>| handler.layer(from_fn_with_state(parts.clone(), few_at_once));
    Router::new()
        .route("/_ping", get(system::ping))
        .route("/version", get(system::version))
        .route("/info", whole(get(system::info)))
        .route("/containers/json", whole(get(containers::list)))
        .route("/containers/create", post(containers::create))
        .route("/containers/{word}/json", whole(get(containers::inspect)))
        .route("/containers/{word}/start", post(containers::start))
        .route("/containers/{word}/stop", post(containers::stop))
        .route("/containers/{word}/restart", post(containers::restart))
        .route("/containers/{word}/kill", post(containers::kill))
        .route("/containers/{word}/pause", post(containers::pause))
        .route("/containers/{word}/unpause", post(containers::unpause))
        .route("/containers/{word}/update", post(containers::update))
        .route("/containers/{word}/rename", post(containers::rename))
        .route("/containers/{word}/wait", post(containers::wait))
        .route("/containers/{word}/attach", post(containers::attach))
        .route("/containers/{word}/resize", post(containers::resize))
        .route("/containers/{word}/logs", get(containers::logs))
        .route("/containers/{word}/top", whole(get(containers::top)))
        .route("/containers/{word}/stats", get(containers::stats))
        .route("/containers/{word}", delete(containers::remove))
        .route("/containers/{word}/archive", head(archive::stat).get(archive::get).put(archive::put))
        .route("/containers/{word}/export", get(archive::export))
        .route("/containers/{word}/exec", post(exec::create))
        .route("/exec/{id}/start", post(exec::start))
        .route("/exec/{id}/resize", post(exec::resize))
        .route("/exec/{id}/json", whole(get(exec::inspect)))
        .route("/containers/prune", post(containers::prune))
        .route("/plugins/{word}/json", get(system::plugin))
        .route("/events", get(events::stream))
        .route("/networks", whole(get(networks::list)))
        .route("/networks/create", post(networks::create))
        .route("/networks/prune", post(networks::prune))
        .route("/networks/{word}", whole(get(networks::inspect)).delete(networks::remove))
        .route("/networks/{word}/connect", post(networks::connect))
        .route("/networks/{word}/disconnect", post(networks::disconnect))
        .route("/volumes", whole(get(volumes::list)))
        .route("/volumes/create", post(volumes::create))
        .route("/volumes/prune", post(volumes::prune))
        .route("/volumes/{word}", whole(get(volumes::inspect)).delete(volumes::remove))
        .route("/images/json", whole(get(images::list)))
        .route("/images/prune", post(images::prune))
        .route("/build/prune", post(images::prune_builds))
        .route("/system/df", whole(get(disk::df)))
        .route("/images/create", post(pull::pull))
        .route("/images/{*rest}", whole(get(images::one)))
        .route("/ie/v1/quota", whole(get(quota::quota)))
        .route("/ie/v1/gpus", whole(get(gpus::list)))
        .route("/ie/v1/gpus/wait", post(gpus::wait))
        .route("/ie/v1/containers/{word}/extend", post(gpus::extend))
        .route("/ie/v1/exec/{id}/detach", post(exec::detach))
        .route("/ie/v1/dry-run", post(containers::dry_run))
        .fallback(not_served)
        .method_not_allowed_fallback(not_served)
        .with_state(parts)
}

/// What the admin socket serves.
pub(in crate::gateway) fn admin(parts: Parts) -> Router {
    Router::new()
        .route("/_ping", get(system::ping))
        .route("/ie/v1/admin/containers", get(admin::list))
        .route("/ie/v1/admin/containers/{word}/stop", post(admin::stop))
        .route("/ie/v1/admin/containers/{word}", delete(admin::remove))
        .route("/ie/v1/admin/policy", get(admin::policy))
        .route("/ie/v1/admin/reload", post(admin::reload))
        .fallback(any(not_served))
        .method_not_allowed_fallback(not_served)
        .with_state(parts)
}

/// The one answer to what is not in the table.
async fn not_served(identity: Option<axum::Extension<Identity>>, request: Request) -> Error {
    if let Some(axum::Extension(Identity::Refused(refused))) = identity {
        return refused.into();
    }
    let (method, path) = (request.method(), request.uri().path());
    if let Some(error) = unserved::no_swarm(method, path) {
        return error;
    }
    let asked: String = escape_line(&format!("{method} {path}")).chars().take(200).collect();
    Error::NotServed(asked, unserved::instead(method, path))
}
