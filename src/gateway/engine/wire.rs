//! One HTTP exchange with the engine: a fresh connection, a path built here, a body built here.
//!
//! The engine goes on waiting for a busy container when the caller has hung up. So a request about one user's things
//! has a permit among 128 of that user's until the engine has answered (`Target::of`). It is refused after ten seconds
//! without a permit. What the gateway asks of itself has four permits of its own.
//!
//! What is asked under a container's lock is asked to its end and needs no permit: there is at most one for each
//! container.

use super::EngineError;
use super::abandoned::Abandoned;
use super::raw::Hijacked;
use crate::gateway::bounds::permits::Permits;
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
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinHandle;

/// A request's body towards the engine.
pub(in crate::gateway) type Body = BoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// The engine's socket.
#[derive(Debug)]
pub(super) struct Wire {
    socket: PathBuf,
    /// What concerns one user's things, until the engine has answered: it goes on waiting for a container that is busy,
    /// with a connection and a thread of its own, when whoever asked has long hung up.
    asked: Permits,
    /// The same for what the gateway asks of itself about a user's things: that user cannot fill these.
    upkeep: Permits,
    abandoned: Abandoned,
}

/// A request that is with the engine.
pub(super) type Asked<T> = JoinHandle<Result<T, EngineError>>;

/// Requests that may be with the engine at once for one user's things; more than a user has connections by default.
pub(super) const ASKED: usize = 128;
/// The same requests where the gateway asks them of itself, so that the user does not hold those up.
const UPKEEP: usize = 4;
/// How long is waited for one of those permits.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whose things a request is about, and who asks.
#[derive(Debug, Clone, Copy)]
pub(super) enum Of {
    Asked(u32),
    Upkeep(u32),
}

/// A path with its query, percent-encoded; made from our words, ids and parsed values only.
#[derive(Debug, Clone)]
pub(in crate::gateway) struct Target {
    path: String,
    query: String,
    of: Option<Of>,
}

impl Target {
    pub(in crate::gateway) fn new(path: impl Into<String>) -> Self {
        Self { path: path.into(), query: String::new(), of: None }
    }

    /// About a thing of this user's, with a permit among those until the engine has answered.
    #[must_use]
    pub(in crate::gateway) fn of(self, uid: u32) -> Self {
        Self { of: Some(Of::Asked(uid)), ..self }
    }

    /// The same for what nobody asked for: what has ended and goes, leases, what a killed gateway has left.
    #[must_use]
    pub(in crate::gateway) fn of_upkeep(self, uid: u32) -> Self {
        Self { of: Some(Of::Upkeep(uid)), ..self }
    }

    /// For what is asked under the container's lock here, and to its end: there is one at the most for each. Who waited
    /// for a permit with the lock in hand would keep the container from its admin. And for an admin's own requests.
    #[must_use]
    pub(in crate::gateway) fn of_nobody(self) -> Self {
        Self { of: None, ..self }
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

/// The most an answer that is read whole may hold; a list of one user's containers is at most a few MiB.
const LARGEST_ANSWER: usize = 16 << 20;

pub(in crate::gateway) fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed()
}

fn json(value: &impl Serialize) -> Result<Body, EngineError> {
    let bytes = serde_json::to_vec(value).map_err(|error| EngineError::Odd(error.to_string()))?;
    Ok(Full::new(Bytes::from(bytes)).map_err(|never| match never {}).boxed())
}

impl Wire {
    pub(super) fn new(socket: &Path) -> Self {
        Self {
            socket: socket.to_owned(),
            asked: Permits::new(ASKED),
            upkeep: Permits::new(UPKEEP),
            abandoned: Abandoned::default(),
        }
    }

    /// Sends a request and returns the answer as soon as its head is there, whatever its status.
    pub(super) async fn send(&self, request: Request<Body>) -> Result<Response<Incoming>, EngineError> {
        self.send_and(request, |answer| async { Ok(answer) }).await
    }

    /// As [`Self::send`], and does something with the answer. What has a permit goes on when whoever asked has hung up; all
    /// else ends with them.
    async fn send_and<T, F>(
        &self,
        mut request: Request<Body>,
        then: impl FnOnce(Response<Incoming>) -> F + Send + 'static,
    ) -> Result<T, EngineError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, EngineError>> + Send,
    {
        let Some(permit) = self.permit(request.extensions_mut().remove()).await? else {
            return then(exchange(&self.socket, request).await?).await;
        };
        let asked = self.begin(request, Some(permit), then);
        asked.await.map_err(|error| EngineError::Odd(error.to_string()))?
    }

    /// Sends a request; it goes on whoever waits for it.
    fn begin<T, F>(
        &self,
        request: Request<Body>,
        permit: Option<OwnedSemaphorePermit>,
        then: impl FnOnce(Response<Incoming>) -> F + Send + 'static,
    ) -> Asked<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, EngineError>> + Send,
    {
        let socket = self.socket.clone();
        tokio::spawn(async move {
            let _permit = permit;
            then(exchange(&socket, request).await?).await
        })
    }

    async fn permit(&self, of: Option<Of>) -> Result<Option<OwnedSemaphorePermit>, EngineError> {
        let (permits, most) = match of {
            None => return Ok(None),
            Some(Of::Asked(uid)) => (self.asked.of(uid), ASKED),
            Some(Of::Upkeep(uid)) => (self.upkeep.of(uid), UPKEEP),
        };
        match tokio::time::timeout(PATIENCE, permits.acquire_owned()).await {
            Ok(permit) => Ok(permit.ok()),
            Err(_) => Err(EngineError::Crowded(most)),
        }
    }

    pub(super) fn request(
        method: Method,
        prefix: &str,
        target: Target,
        body: Body,
    ) -> Result<Request<Body>, EngineError> {
        let of = target.of;
        let mut request = Request::builder()
            .method(method)
            .uri(target.into_uri(prefix))
            .header(HOST, "engine")
            .body(body)
            .map_err(|error| EngineError::Odd(error.to_string()))?;
        if let Some(of) = of {
            request.extensions_mut().insert(of);
        }
        Ok(request)
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

    /// Whether there is room for one more raw connection of this user's.
    pub(super) fn has_room(&self, uid: u32) -> Result<(), EngineError> {
        self.abandoned.has_room(uid)
    }

    /// Sends a request that asks for the raw connection (attach, exec). One of a user's counts when it is left behind.
    pub(super) async fn hijack(
        &self,
        prefix: &str,
        target: Target,
        body: Option<&serde_json::Value>,
        uid: Option<u32>,
    ) -> Result<Hijacked, EngineError> {
        let of = uid.map(|uid| (uid, self.abandoned.clone()));
        uid.map_or(Ok(()), |uid| self.has_room(uid))?;
        let request = Self::upgrade(prefix, target, body)?;
        self.send_and(request, |answer| async { raw(good(answer).await?, of).await }).await
    }

    /// Asks for the raw connection of one stream, for the gateway itself.
    pub(super) fn listen(&self, prefix: &str, target: Target) -> Result<Asked<UnixStream>, EngineError> {
        let request = Self::upgrade(prefix, target, None)?;
        Ok(self.begin(request, None, |answer| async {
            let (socket, _) = raw(good(answer).await?, None).await?.for_the_gateway()?;
            Ok(socket)
        }))
    }

    fn upgrade(
        prefix: &str,
        target: Target,
        body: Option<&serde_json::Value>,
    ) -> Result<Request<Body>, EngineError> {
        let bytes = body.map(json).transpose()?.unwrap_or_else(empty);
        let mut request = Self::request(Method::POST, prefix, target, bytes)?;
        let headers = request.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("tcp"));
        if body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        Ok(request)
    }
}

async fn raw(answer: Response<Incoming>, of: Option<(u32, Abandoned)>) -> Result<Hijacked, EngineError> {
    match answer.status() {
        StatusCode::SWITCHING_PROTOCOLS => Hijacked::new(answer, of).await,
        other => Err(EngineError::Odd(format!("{other} to a request for a raw connection"))),
    }
}

async fn exchange(socket: &Path, request: Request<Body>) -> Result<Response<Incoming>, EngineError> {
    let away = |error: std::io::Error| EngineError::Away(socket.to_owned(), error);
    let stream = UnixStream::connect(socket).await.map_err(away)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection.with_upgrades());
    Ok(sender.send_request(request).await?)
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

    /// Answers nothing but what is asked of `/quick`.
    async fn busy(listener: tokio::net::UnixListener) {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut kept = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 512];
            let count = stream.read(&mut head).await.unwrap();
            if head[..count].starts_with(b"GET /v/quick") {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
            }
            kept.push(stream);
        }
    }

    #[tokio::test]
    async fn whoever_has_filled_the_places_keeps_nobody_else_waiting() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("engine.sock");
        tokio::spawn(busy(tokio::net::UnixListener::bind(&socket).unwrap()));
        let wire = std::sync::Arc::new(Wire::new(&socket));
        for _ in 0..ASKED {
            let wire = wire.clone();
            let asked = async move { wire.call(Method::GET, "/v", Target::new("/slow").of(1000)).await };
            // Hung up: the engine still has it.
            assert!(tokio::time::timeout(Duration::from_millis(5), asked).await.is_err());
        }
        let within = |seconds, target: Target| {
            tokio::time::timeout(Duration::from_secs(seconds), wire.call(Method::GET, "/v", target))
        };
        let quick = || Target::new("/quick");
        assert!(within(2, quick().of(1000)).await.is_err(), "there was a permit left");
        for others in [quick().of(1001), quick().of_upkeep(1000), quick().of(1000).of_nobody(), quick()] {
            assert!(within(30, others).await.unwrap().is_ok());
        }
    }

    #[test]
    fn words_in_a_query_are_escaped() {
        let target = Target::new("/x").with("a", "b&c=d?#/ %").with("name", "é\n");
        assert_eq!(target.into_uri("/v1.41"), "/v1.41/x?a=b%26c%3Dd%3F%23%2F+%25&name=%C3%A9%0A");
    }
}
