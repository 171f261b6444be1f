//! The three archive calls of the Docker Engine API, over a Unix socket.

use crate::protocol::copying::{PATH_STAT_HEADER, PathStat};
use crate::protocol::name::ContainerRef;
use crate::protocol::path::AskedPath;
use crate::protocol::report::Refusal;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::net::UnixStream;
use tokio::sync::mpsc::Receiver;
use tokio::task::AbortHandle;

/// Why a call has no good answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    #[error("cannot reach the gateway at {}: {source}", socket.display())]
    Unreachable { socket: PathBuf, source: std::io::Error },
    #[error("the connection to the gateway was lost")]
    Lost(#[source] hyper::Error),
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

/// A piece of an archive on its way, or why there is no more.
pub type Piece = Result<Bytes, std::io::Error>;

/// A body that is made while it is sent: pieces from a channel. An error in it cuts the request off.
#[derive(Default)]
pub struct Outgoing(Option<Receiver<Piece>>);

impl Outgoing {
    pub fn new(pieces: Receiver<Piece>) -> Self {
        Self(Some(pieces))
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match &mut self.0 {
            None => Poll::Ready(None),
            Some(pieces) => pieces.poll_recv(context).map(|piece| piece.map(|piece| piece.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        if self.0.is_none() { SizeHint::with_exact(0) } else { SizeHint::default() }
    }
}

/// What is at a path: none if there is nothing, or no such container: the next call tells them apart.
pub async fn stat(socket: &Path, remote: &Remote) -> Result<Option<PathStat>, CallError> {
    let (response, _) = call(socket, Method::HEAD, &remote.uri(""), Outgoing::default()).await?;
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
    let (response, _) = call(socket, Method::GET, &remote.uri(""), Outgoing::default()).await?;
    let response = accepted(response).await?;
    Ok((path_stat(&response)?, response.into_body()))
}

/// Unpacks an archive into a directory.
pub async fn put(socket: &Path, remote: &Remote, archive: Outgoing) -> Result<(), CallError> {
    let uri = remote.uri("&noOverwriteDirNonDir=true");
    let (response, connection) = call(socket, Method::PUT, &uri, archive).await?;
    let answer = accepted(response).await;
    // A refusal may come before all is sent: then the rest is not.
    connection.abort();
    answer.map(drop)
}

async fn call(
    socket: &Path,
    method: Method,
    uri: &str,
    body: Outgoing,
) -> Result<(Response<Incoming>, AbortHandle), CallError> {
    let unreachable = |source| CallError::Unreachable { socket: socket.to_owned(), source };
    let stream = UnixStream::connect(socket).await.map_err(unreachable)?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(CallError::Lost)?;
    // Ends with the connection; what goes wrong there is also this call's or its body's error.
    let connection = tokio::spawn(connection).abort_handle();
    let request = Request::builder()
        .method(method)
        .uri(uri)
        .header("Host", "ie-container")
        .header("Content-Type", "application/x-tar")
        .body(body)
        .map_err(|_| CallError::Answer)?;
    let response = sender.send_request(request).await.map_err(CallError::Lost)?;
    Ok((response, connection))
}

fn path_stat(response: &Response<Incoming>) -> Result<PathStat, CallError> {
    let header = response.headers().get(PATH_STAT_HEADER).ok_or(CallError::Answer)?;
    PathStat::from_header(header.as_bytes()).ok_or(CallError::Answer)
}

async fn accepted(response: Response<Incoming>) -> Result<Response<Incoming>, CallError> {
    /// A refusal is a few sentences; more is not read.
    const LONGEST: usize = 64 * 1024;
    if response.status().is_success() {
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
