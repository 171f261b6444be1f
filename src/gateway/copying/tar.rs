//! A tar on its way in: a request's body, or the raw connection that our own client asks for.

use crate::gateway::engine::{pump, raw};
use crate::gateway::error::Error;
use crate::protocol::copying::{Outcome, RAW_TAR};
use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::{CONNECTION, HeaderValue, UPGRADE};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use futures_util::future::Either;
use hyper::upgrade::OnUpgrade;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::net::unix::OwnedWriteHalf;

/// How many bytes of a raw tar are read at once where it is not passed on unseen.
const CHUNK: usize = 64 << 10;
/// How long a body is still read when nobody takes it any more.
const PATIENCE: Duration = Duration::from_secs(2);

/// A tar, to be taken once.
pub(super) enum Tar {
    Body(Body),
    Raw(Arc<UnixStream>, Bytes),
}

impl Tar {
    /// As a body, to be looked at.
    pub(super) fn into_body(self) -> Body {
        match self {
            Self::Body(body) => body,
            Self::Raw(caller, first) => {
                let first = futures_util::stream::iter([Ok(first)]);
                let rest = futures_util::stream::unfold(caller, async |caller| {
                    let chunk = read(&caller).await.transpose()?;
                    Some((chunk, caller))
                });
                Body::from_stream(first.chain(rest))
            }
        }
    }

    /// Carries it to a helper's stdin until `ended`; what comes later is nobody's. One that breaks off ends there too,
    /// and the helper says so: it leaves no half file.
    pub(super) async fn carry<T>(self, stdin: OwnedWriteHalf, ended: impl Future<Output = T>) -> T {
        match self {
            Self::Body(body) => {
                // In the connection's own task, which has the body's pieces: a step aside for each costs more than the copy.
                let (mut sent, ended) = (pin!(send(body, stdin)), pin!(ended));
                match futures_util::future::select(ended, sent.as_mut()).await {
                    // The caller should hear why a helper ended early, and first say what it has under way.
                    Either::Left((result, _)) => {
                        let _cut = tokio::time::timeout(PATIENCE, sent).await;
                        result
                    }
                    Either::Right(((), ended)) => ended.await,
                }
            }
            Self::Raw(caller, first) => {
                let sent = tokio::spawn(pass(caller, first, stdin));
                let result = ended.await;
                sent.abort();
                result
            }
        }
    }
}

async fn read(caller: &UnixStream) -> io::Result<Option<Bytes>> {
    let mut chunk = BytesMut::with_capacity(CHUNK);
    loop {
        caller.readable().await?;
        match caller.try_read_buf(&mut chunk) {
            Ok(0) => return Ok(None),
            Ok(_) => return Ok(Some(chunk.freeze())),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

async fn send(body: Body, mut stdin: OwnedWriteHalf) {
    let mut body = body.into_data_stream();
    while let Some(Ok(chunk)) = body.next().await {
        if stdin.write_all(&chunk).await.is_err() {
            break;
        }
    }
    drop(stdin);
    while let Some(Ok(_)) = body.next().await {}
}

async fn pass(caller: Arc<UnixStream>, first: Bytes, mut stdin: OwnedWriteHalf) {
    if stdin.write_all(&first).await.is_ok() {
        // Whether it broke off or ended, the helper hears no more.
        let _ = pump(caller.as_ref(), stdin.as_ref()).await;
    }
}

/// Whether the caller would rather send on the raw connection.
pub(super) fn is_raw(request: &Request) -> bool {
    request.headers().get(UPGRADE).is_some_and(|word| word == RAW_TAR)
}

/// Agrees to a raw connection, and lets `take` have what comes on it; the caller hears what became of it.
pub(super) fn upgrade<F>(mut request: Request, take: impl FnOnce(Tar) -> F + Send + 'static) -> Response
where
    F: Future<Output = Result<(), Error>> + Send,
{
    let caller = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        if let Err(error) = taken(caller, take).await {
            tracing::debug!("a raw tar ended: {error}");
        }
    });
    let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    response.headers_mut().insert(UPGRADE, HeaderValue::from_static(RAW_TAR));
    response
}

async fn taken<F: Future<Output = Result<(), Error>>>(
    caller: OnUpgrade,
    take: impl FnOnce(Tar) -> F,
) -> io::Result<()> {
    let (caller, first) = raw(caller).await?;
    let caller = Arc::new(caller);
    let outcome = match take(Tar::Raw(caller.clone(), first)).await {
        Ok(()) => Outcome::Unpacked,
        Err(error) => Outcome::Refused(error.refusal()),
    };
    // A caller that still sends is told so, and nothing of it is left: closing on that would lose the outcome.
    rustix::net::shutdown(&caller, rustix::net::Shutdown::Read)?;
    while read(&caller).await?.is_some() {}
    let line = serde_json::to_vec(&outcome)?;
    let mut line = line.as_slice();
    while !line.is_empty() {
        caller.writable().await?;
        match caller.try_write(line) {
            Ok(count) => line = line.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
