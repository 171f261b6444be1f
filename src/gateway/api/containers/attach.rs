//! Attaching to a container: its own streams on a raw connection, now or from its start on.

use crate::gateway::api::answer::Flag;
use crate::gateway::api::words::Word;
use crate::gateway::audit;
use crate::gateway::caller::Caller;
use crate::gateway::engine::terminals::{Notices, Terminals};
use crate::gateway::engine::{Engine, Owned, Raw, Source, Target, splice};
use crate::gateway::error::Error;
use crate::gateway::sessions::cleanup::ExecCleanup;
use crate::gateway::sessions::pending::{Attaches, Coming};
use crate::gateway::wish::detach_keys;
use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use axum::http::header::{CONNECTION, CONTENT_TYPE, HeaderValue, UPGRADE};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};
use serde::Deserialize;
use std::future::ready;
use std::io;
use std::sync::Arc;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::gateway) struct AttachQuery {
    logs: Flag,
    stream: Flag,
    stdin: Flag,
    stdout: Flag,
    stderr: Flag,
    #[serde(rename = "detachKeys")]
    detach_keys: String,
}

impl AttachQuery {
    fn target(&self, container: &Owned, keys: Option<&str>, logs: bool, stream: bool) -> Target {
        let flags = [
            ("logs", Flag(logs)),
            ("stream", Flag(stream)),
            ("stdin", self.stdin),
            ("stdout", self.stdout),
            ("stderr", self.stderr),
        ];
        let target = container.target("/attach");
        let target = flags.into_iter().fold(target, |target, (name, flag)| target.with(name, flag.word()));
        keys.into_iter().fold(target, |target, keys| target.with("detachKeys", keys))
    }
}

pub(in crate::gateway) async fn attach(
    caller: Caller,
    State(engine): State<Arc<Engine>>,
    State(attaches): State<Arc<Attaches>>,
    State(terminals): State<Arc<Terminals>>,
    Word(word): Word,
    Query(mut query): Query<AttachQuery>,
    request: Request,
) -> Result<Response, Error> {
    // An attach can type: it is as much as an exec.
    caller.account()?;
    let keys = detach_keys(std::mem::take(&mut query.detach_keys))?;
    let container = engine.owned(&caller, &word).await?;
    audit::allowed(&caller, "attach", container.id().as_str());
    let tty = container.labels().tty;
    let notices = tty.then(|| terminals.attach(container.id()));
    let side = engine_side(&engine, &attaches, &caller, &container, &query, keys.as_deref()).await?;
    let content_type = engine.stream_type(tty).await?;
    Ok(join(&caller, request, side, content_type, Tied { notices, ..Tied::default() }))
}

/// The engine's side of a raw connection.
pub(in crate::gateway) enum Side {
    There(Raw),
    /// To come at the container's start, and what it has printed before.
    Coming(Option<Raw>, Coming),
}

impl Side {
    fn into_parts(self) -> (Option<Raw>, impl Future<Output = Option<Raw>>) {
        let (printed, there, coming) = match self {
            Self::There(raw) => (None, Some(raw), None),
            Self::Coming(printed, coming) => (printed, None, Some(coming)),
        };
        (printed, async move {
            match coming {
                Some(coming) => coming.comes().await,
                None => there,
            }
        })
    }
}

async fn engine_side(
    engine: &Engine,
    attaches: &Attaches,
    caller: &Caller,
    container: &Owned,
    query: &AttachQuery,
    keys: Option<&str>,
) -> Result<Side, Error> {
    let target = |logs, stream| query.target(container, keys, logs, stream);
    let attach = async |target| engine.attach(caller.uid(), container.id(), target).await;
    let (logs, stream) = (query.logs.0, query.stream.0);
    if !stream || container.running() && engine.runs(container).await? {
        return Ok(Side::There(attach(target(logs, stream)).await?));
    }
    engine.may_attach(caller.uid())?;
    let printed = match logs {
        true => Some(attach(target(true, false)).await?),
        false => None,
    };
    let coming = attaches.wait(caller.uid(), container.id(), target(false, true));
    // The list is late: it may have been started before anybody waited for that.
    if engine.runs(container).await? && attaches.take_back(container.id(), &coming) {
        return Ok(Side::There(attach(target(logs, true)).await?));
    }
    Ok(Side::Coming(printed, coming))
}

/// What goes with a raw connection.
#[derive(Default)]
pub(in crate::gateway) struct Tied {
    pub(in crate::gateway) cleanup: Option<ExecCleanup>,
    pub(in crate::gateway) notices: Option<Notices>,
}

/// Joins a caller's raw connection to the engine's; one that asks for no upgrade gets the output as a body. The process
/// is left alone when the engine ends the stream by itself, and cleaned up after when the caller does.
pub(in crate::gateway) fn join(
    caller: &Caller,
    mut request: Request,
    engine: Side,
    content_type: HeaderValue,
    tied: Tied,
) -> Response {
    let Tied { cleanup, notices } = tied;
    let (printed, engine) = engine.into_parts();
    if !request.headers().contains_key(UPGRADE) {
        let response = ([(CONTENT_TYPE, content_type)], bare(printed, engine)).into_response();
        return match cleanup {
            Some(cleanup) => response.map(|body| cleanup.around(body)),
            None => response,
        };
    }
    let (upgrade, connection) = (hyper::upgrade::on(&mut request), caller.connection());
    tokio::spawn(async move {
        match splice(upgrade, printed, engine, notices).await {
            Ok(caller) => cleanup.into_iter().for_each(|cleanup| cleanup.ended(caller)),
            Err(error) => tracing::debug!("a raw stream broke off: {error}"),
        }
        drop(connection);
    });
    let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("tcp"));
    headers.insert(CONTENT_TYPE, content_type);
    response
}

/// What comes over connections that the engine has upgraded and the caller has not, as a body.
fn bare(printed: Option<Raw>, engine: impl Future<Output = Option<Raw>> + Send + 'static) -> Body {
    let engine = stream::once(engine).filter_map(ready);
    Body::from_stream(stream::iter(printed).chain(engine).flat_map(output))
}

fn output(mut engine: Raw) -> impl Stream<Item = io::Result<Bytes>> {
    let first = stream::once(ready(Ok::<_, io::Error>(engine.take_first())));
    let rest = stream::try_unfold(engine, |engine| async move {
        let mut piece = BytesMut::with_capacity(64 << 10);
        loop {
            engine.readable().await?;
            match engine.try_read_buf(&mut piece) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                count => {
                    engine.took();
                    return Ok((count? > 0).then(|| (piece.freeze(), engine)));
                }
            }
        }
    });
    first.chain(rest)
}
