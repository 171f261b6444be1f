//! The three archive calls of the Docker Engine API, over a Unix socket.

use crate::client::connect::patiently;
use crate::protocol::copying::{PATH_STAT_HEADER, PathStat, RAW_TAR, UNREAD};
use crate::protocol::name::ContainerRef;
use crate::protocol::path::AskedPath;
use crate::protocol::report::Refusal;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::http::request::Builder;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use tokio::net::UnixStream;

/// Why a call has no good answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    #[error("cannot reach the gateway at {}: {source}", socket.display())]
    Unreachable { socket: PathBuf, source: std::io::Error },
    #[error("the connection to the gateway was lost")]
    Lost(#[source] hyper::Error),
    #[error("the connection to the gateway was lost")]
    CutOff,
    #[error("cannot use the connection to the gateway: {0}")]
    Connection(std::io::Error),
    #[error("the gateway's answer cannot be read")]
    Answer,
    #[error("{}", crate::protocol::escape::escape(&.0.message))]
    Refused(Box<Refusal>),
}

/// A path in a container, as the calls name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    pub container: ContainerRef,
    pub path: AskedPath,
}

impl Remote {
    fn uri(&self, rest: &str) -> String {
        let mut uri = format!("/containers/{}/archive?path=", self.container);
        for byte in self.path.as_bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                    uri.push(char::from(*byte))
                }
                other => drop(write!(uri, "%{other:02X}")),
            }
        }
        uri + rest
    }
}

/// What is at a path: none if there is nothing, or no such container: the next call tells them apart.
pub async fn stat(socket: &Path, remote: &Remote) -> Result<Option<PathStat>, CallError> {
    let response = call(socket, Method::HEAD, &remote.uri("")).await?;
    match response.status() {
        StatusCode::NOT_FOUND => Ok(None),
        status if status.is_success() => path_stat(&response).map(Some),
        // An answer to HEAD has no body, so the sentence is fetched by the same question as GET.
        _ => match get(socket, remote).await {
            Err(error) => Err(error),
            Ok(_) => Err(CallError::Answer),
        },
    }
}

/// A path as an archive.
pub async fn get(socket: &Path, remote: &Remote) -> Result<(PathStat, Incoming), CallError> {
    let request = request(Method::GET, &remote.uri("")).header(UNREAD, "1");
    let response = send(socket, request).await?;
    let response = accepted(response).await?;
    Ok((path_stat(&response)?, response.into_body()))
}

/// Asks to unpack an archive into a directory: the connection takes it from here on, and nothing else.
pub async fn agreed(socket: &Path, remote: &Remote) -> Result<UnixStream, CallError> {
    let request = request(Method::PUT, &remote.uri("&noOverwriteDirNonDir=true"))
        .header("Connection", "Upgrade")
        .header("Upgrade", RAW_TAR);
    let response = accepted(send(socket, request).await?).await?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(CallError::Answer);
    }
    let upgraded = hyper::upgrade::on(response).await.map_err(CallError::Lost)?;
    let parts = upgraded.downcast::<TokioIo<UnixStream>>().map_err(|_| CallError::Answer)?;
    // The gateway has nothing to say before it has the archive, or refuses it: that is not the beginning of it.
    if parts.read_buf.is_empty() { Ok(parts.io.into_inner()) } else { Err(CallError::Answer) }
}

async fn call(socket: &Path, method: Method, uri: &str) -> Result<Response<Incoming>, CallError> {
    send(socket, request(method, uri)).await
}

fn request(method: Method, uri: &str) -> Builder {
    Request::builder()
        .method(method)
        .uri(uri)
        .header("Host", "ie-container")
        .header("Content-Type", "application/x-tar")
}

async fn send(socket: &Path, request: Builder) -> Result<Response<Incoming>, CallError> {
    let unreachable = |source| CallError::Unreachable { socket: socket.to_owned(), source };
    let request = request.body(Empty::<Bytes>::new()).map_err(|_| CallError::Answer)?;
    let stream = patiently(socket).await.map_err(unreachable)?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(CallError::Lost)?;
    // Ends with the connection; what goes wrong there is also this call's or its body's error.
    tokio::spawn(connection.with_upgrades());
    sender.send_request(request).await.map_err(CallError::Lost)
}

fn path_stat(response: &Response<Incoming>) -> Result<PathStat, CallError> {
    let header = response.headers().get(PATH_STAT_HEADER).ok_or(CallError::Answer)?;
    PathStat::from_header(header.as_bytes()).ok_or(CallError::Answer)
}

async fn accepted(response: Response<Incoming>) -> Result<Response<Incoming>, CallError> {
    /// A refusal is a few sentences; more is not read.
    const LONGEST: usize = 64 * 1024;
    if response.status().is_success() || response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Ok(response);
    }
    let status = response.status();
    let body = http_body_util::Limited::new(response.into_body(), LONGEST).collect().await;
    let refusal = body.ok().and_then(|body| serde_json::from_slice::<Refusal>(&body.to_bytes()).ok());
    let refusal = refusal.unwrap_or_else(|| Refusal::new("engine", format!("the gateway answered {status}")));
    Err(CallError::Refused(Box::new(refusal)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_value_of_the_query() {
        let remote = Remote {
            container: "web".parse().unwrap(),
            path: AskedPath::new("/a b/&x=%2e?#日".as_bytes()).unwrap(),
        };
        let uri = remote.uri("&noOverwriteDirNonDir=true");
        let expected =
            "/containers/web/archive?path=/a%20b/%26x%3D%252e%3F%23%E6%97%A5&noOverwriteDirNonDir=true";
        assert_eq!(uri, expected);
    }
}
