//! The route table: every method and path that is served, and the one answer to everything else.

use super::few_at_once::few_at_once;
use super::{
    admin, containers, events, exec, extension, gpus, images, networks, pull, system, unserved, volumes,
};
use crate::gateway::caller::peer::Peer;
use crate::gateway::copying;
use crate::gateway::door::serve::Caller;
use crate::gateway::engine::{EngineError, parse_version};
use crate::gateway::error::Error;
use crate::gateway::state::Gateway;
use crate::protocol::escape::escape_line;
use crate::protocol::name::ContainerRef;
use axum::Router;
use axum::extract::{FromRequestParts, Path, Request};
use axum::http::Uri;
use axum::http::request::Parts;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any, delete, get, head, post};
use percent_encoding::percent_decode_str;
use std::sync::Arc;

/// What the user socket serves.
pub(in crate::gateway) fn user(gateway: Arc<Gateway>) -> Router {
    let whole =
        |handler: MethodRouter<Arc<Gateway>>| handler.layer(from_fn_with_state(gateway.clone(), few_at_once));
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
        .route("/containers/{word}/rename", post(containers::rename))
        .route("/containers/{word}/wait", post(containers::wait))
        .route("/containers/{word}/attach", post(containers::attach))
        .route("/containers/{word}/resize", post(containers::resize))
        .route("/containers/{word}/logs", get(containers::logs))
        .route("/containers/{word}/top", whole(get(containers::top)))
        .route("/containers/{word}/stats", get(containers::stats))
        .route("/containers/{word}", delete(containers::remove))
        .route("/containers/{word}/archive", head(copying::stat).get(copying::get).put(copying::put))
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
        .route("/images/create", post(pull::pull))
        .route("/images/{*rest}", whole(get(images::inspect)))
        .route("/ie/v1/quota", whole(get(extension::quota)))
        .route("/ie/v1/gpus", whole(get(gpus::list)))
        .route("/ie/v1/gpus/wait", post(gpus::wait))
        .route("/ie/v1/containers/{word}/extend", post(gpus::extend))
        .route("/ie/v1/exec/{id}/detach", post(exec::detach))
        .route("/ie/v1/dry-run", post(extension::dry_run))
        .fallback(not_served)
        .method_not_allowed_fallback(not_served)
        .with_state(gateway)
}

/// What the admin socket serves.
pub(in crate::gateway) fn admin(gateway: Arc<Gateway>) -> Router {
    Router::new()
        .route("/_ping", get(system::ping))
        .route("/ie/v1/admin/containers", get(admin::list))
        .route("/ie/v1/admin/containers/{word}/stop", post(admin::stop))
        .route("/ie/v1/admin/containers/{word}", delete(admin::remove))
        .route("/ie/v1/admin/policy", get(admin::policy))
        .route("/ie/v1/admin/reload", post(admin::reload))
        .fallback(any(not_served))
        .method_not_allowed_fallback(not_served)
        .with_state(gateway)
}

/// The one answer to what is not in the table.
async fn not_served(caller: Option<axum::Extension<Caller>>, request: Request) -> Error {
    if let Some(axum::Extension(Caller::Refused(refused))) = caller {
        return refused.into();
    }
    let (method, path) = (request.method(), request.uri().path());
    let asked: String = escape_line(&format!("{method} {path}")).chars().take(200).collect();
    Error::NotServed(asked, unserved::instead(method, path))
}

/// Paths are served with and without `/v1.NN`; what comes out has none.
pub(in crate::gateway) async fn unversioned(
    gateway: &Gateway,
    mut request: Request,
) -> Result<Request, Box<Response>> {
    // Those who read it later would put other characters in the place of what is no text, and mean another file.
    let query = request.uri().query().unwrap_or_default();
    if percent_decode_str(query).decode_utf8().is_err() {
        return Err(Box::new(Error::Bad("the query is no UTF-8 text".into()).into_response()));
    }
    let path = request.uri().path();
    let Some((version, rest)) = path.strip_prefix("/v").and_then(|path| path.split_once('/')) else {
        return Ok(request);
    };
    let Some(asked) = parse_version(version) else { return Ok(request) };
    let refused = |message: String| Err(Box::new(Error::Bad(message).into_response()));
    if asked < OLDEST {
        return refused(format!(
            "client version {version} is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version"
        ));
    }
    // An engine that is away says so itself, further on.
    if let Ok(newest) = gateway.engine.api_version().await
        && parse_version(&newest).is_some_and(|newest| asked > newest)
    {
        return refused(format!(
            "client version {version} is too new. Maximum supported API version is {newest}"
        ));
    }
    let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    let uri: Result<Uri, _> = format!("/{rest}{query}").parse();
    match uri {
        Ok(uri) => {
            *request.uri_mut() = uri;
            request.extensions_mut().insert(Version(asked));
            Ok(request)
        }
        Err(error) => refused(error.to_string()),
    }
}

pub(in crate::gateway) const OLDEST: (u32, u32) = (1, 24);

/// The version in a path, where there is one.
#[derive(Debug, Clone, Copy)]
struct Version((u32, u32));

/// The version of the API that a request is meant in: without one in its path it is the engine's newest.
pub(in crate::gateway) struct Meant(pub(in crate::gateway) (u32, u32));

impl FromRequestParts<Arc<Gateway>> for Meant {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, gateway: &Arc<Gateway>) -> Result<Self, Error> {
        if let Some(Version(asked)) = parts.extensions.get() {
            return Ok(Self(*asked));
        }
        let newest = gateway.engine.api_version().await?;
        let newest =
            parse_version(&newest).ok_or_else(|| EngineError::Odd(format!("API version {newest:?}")))?;
        Ok(Self(newest))
    }
}

/// A handler that takes a [`Peer`] is only reached by an accepted user.
impl<S: Sync> FromRequestParts<S> for Peer {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        match parts.extensions.get::<Caller>() {
            Some(Caller::User(peer)) => Ok(peer.clone()),
            Some(Caller::Refused(refused)) => Err(refused.clone().into()),
            Some(Caller::Admin(_)) | None => Err(crate::gateway::caller::peer::Refused::Unknown.into()),
        }
    }
}

/// The `{word}` of a path; one that could name no container names none.
pub(in crate::gateway) struct Word(pub(in crate::gateway) ContainerRef);

impl<S: Send + Sync> FromRequestParts<S> for Word {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let Path(word) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| Error::NoContainer("(unreadable)".into()))?;
        ContainerRef::try_from(word.clone())
            .map(Word)
            .map_err(|_| Error::NoContainer(escape_line(&word).chars().take(200).collect()))
    }
}
