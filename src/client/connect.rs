//! The connection to the gateway: the Docker Engine API over HTTP/1.1 on a Unix socket.

use super::error::Error;
use super::route::Route;
use crate::protocol::nonce::GATEWAY;
use crate::protocol::report::Refusal;
use crate::protocol::told::{Told, told};
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderValue, UPGRADE};
use hyper::http::request::Builder;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::cell::{Cell, RefCell};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::UnixStream;

/// Before the next try at a full queue.
const AGAIN: Duration = Duration::from_millis(5);
/// How long the gateway may take to accept us.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest answer that is read whole, in bytes: a list of all of a user's containers is a few MiB.
const LONGEST: usize = 64 << 20;
/// A refusal is a few sentences; more bytes than these are not read.
const LONGEST_REFUSAL: usize = 64 << 10;

/// The body of a request, whole or streamed.
pub(crate) type Payload = UnsyncBoxBody<Bytes, io::Error>;
type Sender = SendRequest<Payload>;

/// The gateway, as the client sees it.
pub(crate) struct Api {
    socket: PathBuf,
    /// A connection whose last answer has been read to its end.
    idle: RefCell<Option<Sender>>,
    /// The connection was lost, which has been told, and is not back.
    pub(super) is_away: Cell<bool>,
}

/// The raw connection after an upgrade, and what had already been read from it.
pub(crate) struct Hijacked {
    pub(crate) stream: std::os::unix::net::UnixStream,
    pub(crate) leftover: Bytes,
    /// What the gateway calls itself.
    pub(crate) gateway: Option<HeaderValue>,
}

impl Api {
    pub(crate) fn new(socket: &Path) -> Self {
        Self { socket: socket.to_owned(), idle: RefCell::new(None), is_away: Cell::new(false) }
    }

    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    pub(crate) async fn get(&self, route: &Route) -> Result<Bytes, Error> {
        self.whole(Method::GET, route, empty(), false).await
    }

    pub(crate) async fn get_json<T: DeserializeOwned>(&self, route: &Route) -> Result<T, Error> {
        parse(&self.get(route).await?)
    }

    /// A request without a body.
    pub(crate) async fn post(&self, route: &Route) -> Result<Bytes, Error> {
        self.whole(Method::POST, route, empty(), false).await
    }

    pub(crate) async fn post_json<T: DeserializeOwned>(
        &self,
        route: &Route,
        body: &impl Serialize,
    ) -> Result<T, Error> {
        parse(&self.whole(Method::POST, route, json(body)?, true).await?)
    }

    /// A request whose answer does not matter.
    pub(crate) async fn post_body(&self, route: &Route, body: &impl Serialize) -> Result<(), Error> {
        self.whole(Method::POST, route, json(body)?, true).await.map(drop)
    }

    pub(crate) async fn delete(&self, route: &Route) -> Result<(), Error> {
        self.whole(Method::DELETE, route, empty(), false).await.map(drop)
    }

    /// The answer's head, whatever its status: a refusal has no words here.
    pub(crate) async fn head(&self, route: &Route) -> Result<Response<Incoming>, Error> {
        Ok(self.answer(Method::HEAD, route, empty(), false).await?.0)
    }

    /// The answer's head is here when this returns; its body comes as it comes.
    pub(crate) async fn get_stream(&self, route: &Route) -> Result<Response<Incoming>, Error> {
        checked(self.answer(Method::GET, route, empty(), false).await?.0).await
    }

    /// [`Api::get_stream`] with a header of our own.
    pub(crate) async fn get_stream_with(
        &self,
        route: &Route,
        header: &'static str,
    ) -> Result<Response<Incoming>, Error> {
        let builder = request(Method::GET, route, false).header(header, "1");
        checked(self.send(finish(builder, empty())?).await?.0).await
    }

    pub(crate) async fn post_stream(&self, route: &Route) -> Result<Response<Incoming>, Error> {
        checked(self.answer(Method::POST, route, empty(), false).await?.0).await
    }

    /// Asks for the connection itself, for the streams of a process; both halves can be closed apart.
    pub(crate) async fn hijack(
        &self,
        route: &Route,
        body: Option<&serde_json::Value>,
    ) -> Result<Hijacked, Error> {
        let payload = body.map_or_else(|| Ok(empty()), json)?;
        self.upgrade(request(Method::POST, route, body.is_some()), "tcp", payload).await
    }

    /// Asks for the connection itself, to send what the gateway calls `protocol`.
    pub(crate) async fn hijack_to_send(
        &self,
        route: &Route,
        protocol: &'static str,
    ) -> Result<Hijacked, Error> {
        self.upgrade(request(Method::PUT, route, false), protocol, empty()).await
    }

    async fn upgrade(
        &self,
        builder: Builder,
        protocol: &'static str,
        body: Payload,
    ) -> Result<Hijacked, Error> {
        let builder = builder.header(CONNECTION, "Upgrade").header(UPGRADE, protocol);
        let (answer, _) = self.send(finish(builder, body)?).await?;
        let answer = checked(answer).await?;
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(Error::Answer(told!("no stream where one was asked for")));
        }
        let gateway = answer.headers().get(GATEWAY).cloned();
        let upgraded = hyper::upgrade::on(answer).await.map_err(|_| Error::Lost)?;
        let parts = upgraded
            .downcast::<TokioIo<UnixStream>>()
            .map_err(|_| Error::Answer(told!("an upgrade to something else")))?;
        let stream =
            parts.io.into_inner().into_std().map_err(|why| Error::io(told!("use the connection"), why))?;
        stream.set_nonblocking(false).map_err(|why| Error::io(told!("use the connection"), why))?;
        Ok(Hijacked { stream, leftover: parts.read_buf, gateway })
    }

    async fn whole(
        &self,
        method: Method,
        route: &Route,
        body: Payload,
        is_json: bool,
    ) -> Result<Bytes, Error> {
        let (answer, sender) = self.answer(method, route, body, is_json).await?;
        let answer = checked(answer).await;
        let bytes = match answer {
            Ok(answer) => collect(answer).await?,
            Err(error) => {
                self.idle.replace(Some(sender));
                return Err(error);
            }
        };
        self.idle.replace(Some(sender));
        Ok(bytes)
    }

    async fn answer(
        &self,
        method: Method,
        route: &Route,
        body: Payload,
        is_json: bool,
    ) -> Result<(Response<Incoming>, Sender), Error> {
        self.send(finish(request(method, route, is_json), body)?).await
    }

    /// Sends on the idle connection if it still stands, else on a new one.
    async fn send(&self, request: Request<Payload>) -> Result<(Response<Incoming>, Sender), Error> {
        let mut request = request;
        let idle = self.idle.take();
        if let Some(mut sender) = idle
            && sender.ready().await.is_ok()
        {
            match sender.try_send_request(request).await {
                Ok(answer) => return Ok((answer, sender)),
                Err(mut failed) => match failed.take_message() {
                    // It was never sent: the gateway had closed the idle connection.
                    Some(unsent) => request = unsent,
                    None => return Err(Error::Lost),
                },
            }
        }
        let mut sender = self.connect().await?;
        let answer = sender.send_request(request).await.map_err(|_| Error::Lost)?;
        Ok((answer, sender))
    }

    async fn connect(&self) -> Result<Sender, Error> {
        let place = || self.socket.display().to_string();
        let stream = match tokio::time::timeout(PATIENCE, patiently(&self.socket)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(why)) => return Err(unreachable(&why, place())),
            Err(_) => return Err(Error::Slow(place())),
        };
        let (sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|_| Error::Lost)?;
        // The connection's own end shows as an error of the request that was using it.
        tokio::spawn(connection.with_upgrades());
        Ok(sender)
    }
}

/// Tries again while the queue before the socket is full, which somebody else's flood may keep it.
async fn patiently(socket: &Path) -> io::Result<UnixStream> {
    loop {
        match UnixStream::connect(socket).await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => tokio::time::sleep(AGAIN).await,
            connected => return connected,
        }
    }
}

fn unreachable(why: &io::Error, place: String) -> Error {
    match why.kind() {
        io::ErrorKind::PermissionDenied => Error::NotPermitted(place),
        // A full backlog shows as "would block" on a Unix socket.
        io::ErrorKind::WouldBlock => Error::Slow(place),
        _ => Error::NoGateway(place),
    }
}

fn request(method: Method, route: &Route, is_json: bool) -> Builder {
    let builder = Request::builder().method(method).uri(route.as_str()).header(HOST, "ie-container");
    if is_json { builder.header(CONTENT_TYPE, "application/json") } else { builder }
}

fn finish(builder: Builder, body: Payload) -> Result<Request<Payload>, Error> {
    builder.body(body).map_err(|why| Error::usage(told!("this cannot be asked: {why}")))
}

fn empty() -> Payload {
    Full::default().map_err(|never| match never {}).boxed_unsync()
}

fn json(body: &impl Serialize) -> Result<Payload, Error> {
    let bytes = serde_json::to_vec(body).map_err(|why| Error::usage(told!("{why}")))?;
    Ok(Full::from(bytes).map_err(|never| match never {}).boxed_unsync())
}

/// The body of an answer, read whole.
pub(crate) async fn collect(answer: Response<Incoming>) -> Result<Bytes, Error> {
    up_to(LONGEST, answer).await
}

async fn up_to(longest: usize, answer: Response<Incoming>) -> Result<Bytes, Error> {
    let whole = Limited::new(answer.into_body(), longest).collect().await.map_err(|_| Error::Lost)?;
    Ok(whole.to_bytes())
}

pub(crate) fn parse<'b, T: Deserialize<'b>>(bytes: &'b [u8]) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|why| Error::Answer(told!("{why}")))
}

async fn checked(answer: Response<Incoming>) -> Result<Response<Incoming>, Error> {
    let status = answer.status();
    if status.as_u16() < 400 {
        return Ok(answer);
    }
    let body = up_to(LONGEST_REFUSAL, answer).await.unwrap_or_default();
    Err(Error::Refused { status: status.as_u16(), refusal: Box::new(refusal(status, &body)) })
}

fn refusal(status: StatusCode, body: &[u8]) -> Refusal {
    match serde_json::from_slice::<Refusal>(body) {
        Ok(refusal) if refusal.message != Told::default() => refusal,
        _ => Refusal::new("gateway", told!("the gateway answered {status}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_read_with_or_without_our_fields() {
        let status = StatusCode::FORBIDDEN;
        assert_eq!(refusal(status, br#"{"message":"no","other":1}"#).message, "no");
        assert_eq!(refusal(status, br#"{"message":"no","code":"quota","rule":"r"}"#).code, "quota");
        assert_eq!(refusal(status, b"<html>").message, "the gateway answered 403 Forbidden");
    }
}
