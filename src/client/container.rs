//! One container: what it is, its streams, and how it ends.

use super::again::{again, is_lost, tell};
use super::body::Streams;
use super::connect::{Api, collect, parse};
use super::error::Error;
use super::exit::{FAILED, OURS, STDOUT_CLOSED};
use super::keys;
use super::output::say;
use super::route::{Route, container};
use super::session::{Over, Session};
use super::signals::name_of;
use crate::protocol::escape::escape_line;
use crate::protocol::name::ContainerRef;
use crate::protocol::told::told;
use hyper::Response;
use hyper::body::Incoming;
use jiff::Timestamp;
use serde::Deserialize;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

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
            tell(&told!("waiting for the container failed: {}", escape_line(&error.message)));
            Ok(OURS)
        }
        None => Ok(u8::try_from(exit.status_code & 0xff).unwrap_or(OURS)),
    }
}

/// What a session is with, to be found again.
pub(crate) struct Whose<'a> {
    pub(crate) id: &'a ContainerRef,
    pub(crate) name: &'a str,
    pub(crate) streams: Streams,
    /// It goes with its process: how that ended is known then.
    pub(crate) removed: bool,
}

/// Until the container ends or we leave it. A connection that is lost is made again; what was said meanwhile is in the
/// container's log. Input that is no terminal's cannot go on: nobody knows how much of it has arrived.
pub(crate) async fn accompany(
    api: &Api,
    mut session: Session,
    mut waiting: Response<Incoming>,
    whose: Whose<'_>,
) -> Result<Result<u8, Error>, Over> {
    let Whose { id, name, streams, removed } = whose;
    let condition = if removed { "removed" } else { "not-running" };
    loop {
        let over = session.run(api, exit_code(waiting)).await;
        match &over {
            Err(Over::Lost) => {}
            Ok(Err(error)) if is_lost(error) => {}
            _ => return over,
        }
        if !session.can_go_on() {
            return Err(Over::Lost);
        }
        let since = Timestamp::now();
        let joined = again(api, async || {
            let hijacked = api.hijack(&attach_route(id, streams), None).await?;
            let waiting = wait(api, id, condition).await?;
            // Asked last: streams of one that has ended would never end.
            let (_, found) = inspected(api, id.as_str()).await?;
            Ok((found.state.running.then_some(hijacked), waiting))
        });
        let (hijacked, still_waiting) = match session.until(joined).await {
            Err(code) => return Err(Over::Died(code)),
            Ok(Err(error)) if error.is_not_found() => return Ok(Err(Error::GoneMeanwhile(name.to_owned()))),
            Ok(Err(_)) => return Err(Over::Lost),
            Ok(Ok(joined)) => joined,
        };
        tell(&told!("what {name} printed meanwhile: ie-container logs --since {since:.0} {name}"));
        let Some(hijacked) = hijacked else { return Ok(exit_code(still_waiting).await) };
        waiting = still_waiting;
        if let Err(error) = session.go_on(hijacked) {
            return Ok(Err(error));
        }
    }
}

/// The exit code of the client after a session with a container.
pub(crate) fn ended(over: Result<Result<u8, Error>, Over>, name: &str) -> Result<ExitCode, Error> {
    match over {
        Ok(Ok(code)) => Ok(ExitCode::from(code)),
        Ok(Err(Error::Lost | Error::NoGateway(_) | Error::Answer(_))) | Err(Over::Lost) => {
            Err(Error::ContainerGoesOn(name.to_owned()))
        }
        Ok(Err(error)) => Err(error),
        Err(over) => left(over),
    }
}

/// The exit code of the client when it was over before the process was.
pub(crate) fn left(over: Over) -> Result<ExitCode, Error> {
    match over {
        Over::Died(code) => Ok(ExitCode::from(code)),
        Over::StdoutClosed => Ok(ExitCode::from(STDOUT_CLOSED)),
        Over::Unwritable(number) => {
            Err(Error::io(told!("write to stdout"), io::Error::from_raw_os_error(number)))
        }
        Over::Lost => Err(Error::Lost),
        Over::Detached => {
            say("read escape sequence\n");
            Ok(ExitCode::from(FAILED))
        }
    }
}

/// How long whoever gave up a start waits for what becomes of that.
const GIVING_UP: Duration = Duration::from_secs(2);

/// A start that was given up, with this exit code: a container that goes with its process goes, and one that runs after
/// all is sent the signal. The engine may be at it just now: so it is sent until somebody is there to take it.
pub(crate) async fn give_up(api: &Api, id: &ContainerRef, code: u8, removes: bool) {
    let told = async {
        if removes {
            let _ = api.delete(&Route::container(id, "").with("force", "1").with("v", "1")).await;
        } else if let Some(name) = name_of(code) {
            let kill = Route::container(id, "kill").with("signal", name);
            while matches!(api.post(&kill).await, Err(Error::Refused { status: 409, .. })) {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    };
    let _ = tokio::time::timeout(GIVING_UP, told).await;
}
