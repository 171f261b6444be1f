//! One HTTP exchange with the engine: a fresh connection, a path built here, a body built here.

use super::EngineError;
use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderValue, UPGRADE};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use tokio::net::UnixStream;

/// A request's body towards the engine.
pub(in crate::gateway) type Body = BoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// The engine's socket.
#[derive(Debug)]
pub(super) struct Wire {
    socket: PathBuf,
}

/// A path with its query, percent-encoded; made from our words, ids and parsed values only.
#[derive(Debug, Clone)]
pub(in crate::gateway) struct Target {
    path: String,
    query: String,
}

impl Target {
    pub(in crate::gateway) fn new(path: impl Into<String>) -> Self {
        Self { path: path.into(), query: String::new() }
    }

    #[must_use]
    pub(in crate::gateway) fn with(mut self, key: &str, value: &str) -> Self {
        self.query = form_urlencoded::Serializer::for_suffix(self.query, 0).append_pair(key, value).finish();
        self
    }

    fn into_uri(self, prefix: &str) -> String {
        let mark = if self.query.is_empty() { "" } else { "?" };
        format!("{prefix}{}{mark}{}", self.path, self.query)
    }
}

/// The most an answer that is read whole may hold; a list of thousands of containers is a few MiB.
const LARGEST_ANSWER: usize = 64 << 20;

pub(in crate::gateway) fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed()
}

fn json(value: &impl Serialize) -> Result<Body, EngineError> {
    let bytes = serde_json::to_vec(value).map_err(|error| EngineError::Odd(error.to_string()))?;
    Ok(Full::new(Bytes::from(bytes)).map_err(|never| match never {}).boxed())
}

impl Wire {
    pub(super) fn new(socket: &Path) -> Self {
        Self { socket: socket.to_owned() }
    }

    /// Sends a request and returns the answer as soon as its head is there, whatever its status.
    pub(super) async fn send(&self, request: Request<Body>) -> Result<Response<Incoming>, EngineError> {
        let away = |error: std::io::Error| EngineError::Away(self.socket.clone(), error);
        let stream = UnixStream::connect(&self.socket).await.map_err(away)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection.with_upgrades());
        Ok(sender.send_request(request).await?)
    }

    pub(super) fn request(
        method: Method,
        prefix: &str,
        target: Target,
        body: Body,
    ) -> Result<Request<Body>, EngineError> {
        Request::builder()
            .method(method)
            .uri(target.into_uri(prefix))
            .header(HOST, "engine")
            .body(body)
            .map_err(|error| EngineError::Odd(error.to_string()))
    }

    /// Sends a request without a body; an error answer becomes an error.
    pub(super) async fn call(
        &self,
        method: Method,
        prefix: &str,
        target: Target,
    ) -> Result<Response<Incoming>, EngineError> {
        let answer = self.send(Self::request(method, prefix, target, empty())?).await?;
        good(answer).await
    }

    /// As [`Self::call`], with a JSON body.
    pub(super) async fn call_with(
        &self,
        method: Method,
        prefix: &str,
        target: Target,
        body: &impl Serialize,
    ) -> Result<Response<Incoming>, EngineError> {
        let mut request = Self::request(method, prefix, target, json(body)?)?;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        good(self.send(request).await?).await
    }

    /// Sends a request that asks for the raw connection (attach, exec).
    pub(super) async fn hijack(
        &self,
        prefix: &str,
        target: Target,
        body: Option<&serde_json::Value>,
    ) -> Result<Response<Incoming>, EngineError> {
        let bytes = body.map(json).transpose()?.unwrap_or_else(empty);
        let mut request = Self::request(Method::POST, prefix, target, bytes)?;
        let headers = request.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("tcp"));
        if body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        good(self.send(request).await?).await
    }
}

/// Reads an answer whole.
pub(in crate::gateway) async fn read<T: DeserializeOwned>(
    answer: Response<Incoming>,
) -> Result<T, EngineError> {
    let bytes = Limited::new(answer.into_body(), LARGEST_ANSWER)
        .collect()
        .await
        .map_err(|error| EngineError::Odd(error.to_string()))?
        .to_bytes();
    serde_json::from_slice(&bytes).map_err(|error| EngineError::Odd(error.to_string()))
}

/// Turns an error answer into an error with the engine's sentence.
pub(super) async fn good(answer: Response<Incoming>) -> Result<Response<Incoming>, EngineError> {
    #[derive(serde::Deserialize)]
    struct Said {
        message: String,
    }
    let status = answer.status();
    if status.is_success() || status == StatusCode::SWITCHING_PROTOCOLS || status == StatusCode::NOT_MODIFIED
    {
        return Ok(answer);
    }
    let message = match read::<Said>(answer).await {
        Ok(said) => said.message,
        Err(_) => format!("the engine answered {status}"),
    };
    Err(EngineError::Said { status, message })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_a_query_are_escaped() {
        let target = Target::new("/x").with("a", "b&c=d?#/ %").with("name", "é\n");
        assert_eq!(target.into_uri("/v1.41"), "/v1.41/x?a=b%26c%3Dd%3F%23%2F+%25&name=%C3%A9%0A");
    }
}
