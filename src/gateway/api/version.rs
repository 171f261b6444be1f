//! The version of the API that a request is meant in.

use crate::gateway::engine::{Engine, EngineError, parse_version};
use crate::gateway::error::Error;
use crate::protocol::told::{Told, told};
use axum::extract::{FromRef, FromRequestParts, Request};
use axum::http::Uri;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;
use std::sync::Arc;

/// Paths are served with and without `/v1.NN`; what comes out has none.
pub(in crate::gateway) async fn unversioned(
    engine: &Engine,
    mut request: Request,
) -> Result<Request, Box<Response>> {
    // Those who read it later would put other characters in the place of what is no text, and mean another file.
    let query = request.uri().query().unwrap_or_default();
    if percent_decode_str(query).decode_utf8().is_err() {
        return Err(Box::new(Error::Bad(told!("the query is no UTF-8 text")).into_response()));
    }
    let path = request.uri().path();
    let Some((version, rest)) = path.strip_prefix("/v").and_then(|path| path.split_once('/')) else {
        return Ok(request);
    };
    let Some(asked) = parse_version(version) else { return Ok(request) };
    let refused = |message: Told| Err(Box::new(Error::Bad(message).into_response()));
    if asked < OLDEST {
        return refused(told!(
            "client version {version} is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version"
        ));
    }
    // An engine that is away says so itself, further on.
    if let Ok(newest) = engine.api_version().await
        && parse_version(&newest).is_some_and(|newest| asked > newest)
    {
        return refused(told!(
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
        Err(error) => refused(Told::text(error)),
    }
}

/// The oldest version of the API that is served, as clients are told.
pub(in crate::gateway) const OLDEST: (u32, u32) = (1, 24);

/// The version in a path, where there is one.
#[derive(Debug, Clone, Copy)]
struct Version((u32, u32));

/// The version of the API that a request is meant in: without one in its path it is the engine's newest.
pub(in crate::gateway) struct Meant(pub(in crate::gateway) (u32, u32));

impl<S: Sync> FromRequestParts<S> for Meant
where
    Arc<Engine>: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        if let Some(Version(asked)) = parts.extensions.get() {
            return Ok(Self(*asked));
        }
        let newest = Arc::<Engine>::from_ref(state).api_version().await?;
        let newest =
            parse_version(&newest).ok_or_else(|| EngineError::Odd(format!("API version {newest:?}")))?;
        Ok(Self(newest))
    }
}
