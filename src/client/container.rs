//! One container: what it is, its streams, and how it ends.

use super::body::Streams;
use super::connect::{Api, collect, parse};
use super::error::Error;
use super::output::say;
use super::route::{Route, container};
use super::session::Over;
use super::{FAILED, OURS, keys};
use crate::protocol::escape::escape_line;
use crate::protocol::name::ContainerRef;
use hyper::Response;
use hyper::body::Incoming;
use serde::Deserialize;
use std::process::ExitCode;

/// A word for a container, looked up for what an attachment must know of it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct Inspected {
    pub(crate) config: Config,
    pub(crate) state: State,
    pub(crate) host_config: HostConfig,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct Config {
    pub(crate) tty: bool,
    pub(crate) open_stdin: bool,
    pub(crate) stdin_once: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct State {
    pub(crate) running: bool,
    pub(crate) paused: bool,
    pub(crate) restarting: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct HostConfig {
    pub(crate) auto_remove: bool,
}

pub(crate) async fn inspected(api: &Api, word: &str) -> Result<(ContainerRef, Inspected), Error> {
    let id = container(word)?;
    let found = api.get_json(&Route::container(&id, "json")).await?;
    Ok((id, found))
}

/// The connection to a container's streams. The detach keys are looked for here, so the engine gets others.
pub(crate) fn attach_route(id: &ContainerRef, streams: Streams) -> Route {
    Route::container(id, "attach")
        .with("stream", "1")
        .flag("stdin", streams.stdin)
        .flag("stdout", streams.stdout)
        .flag("stderr", streams.stderr)
        .with("detachKeys", keys::NEVER_TYPED)
}

/// Asks to be told of the end; when this returns, the engine has begun to watch.
pub(crate) async fn wait(api: &Api, id: &ContainerRef, condition: &str) -> Result<Response<Incoming>, Error> {
    api.post_stream(&Route::container(id, "wait").with("condition", condition)).await
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct Exit {
    pub(crate) status_code: i64,
    pub(crate) error: Option<ExitError>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct ExitError {
    pub(crate) message: String,
}

/// The exit code of the process, once it has ended.
pub(crate) async fn exit_code(waiting: Response<Incoming>) -> Result<u8, Error> {
    let exit: Exit = parse(&collect(waiting).await?)?;
    match exit.error.filter(|error| !error.message.is_empty()) {
        Some(error) => {
            say(&format!(
                "ie-container: waiting for the container failed: {}\n",
                escape_line(&error.message)
            ));
            Ok(OURS)
        }
        None => Ok(u8::try_from(exit.status_code & 0xff).unwrap_or(OURS)),
    }
}

/// The exit code of the client after a session with a container.
pub(crate) fn ended(over: Result<Result<u8, Error>, Over>, name: &str) -> Result<ExitCode, Error> {
    match over {
        Ok(Ok(code)) | Err(Over::Died(code)) => Ok(ExitCode::from(code)),
        Ok(Err(Error::Lost | Error::NoGateway(_) | Error::Answer(_))) | Err(Over::Lost) => {
            Err(Error::ContainerGoesOn(name.to_owned()))
        }
        Ok(Err(error)) => Err(error),
        Err(Over::StdoutClosed) => Err(Error::StdoutClosed),
        Err(Over::Detached) => {
            say("read escape sequence\n");
            Ok(ExitCode::from(FAILED))
        }
    }
}
