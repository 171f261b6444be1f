//! `run`: make, attach, start, and end as the process ends.

use super::body::Streams;
use super::cli::run::RunArgs;
use super::config::detach_keys;
use super::connect::Api;
use super::container::{Whose, accompany, attach_route, ended, give_up, wait};
use super::context::Context;
use super::error::Error;
use super::exit::{NOT_FOUND, NOT_INVOKABLE, OURS};
use super::keys::DetachKeys;
use super::output::{complain, print};
use super::route::Route;
use super::session::{Over, Process, Session, Wanted};
use super::{create, terminal};
use crate::protocol::name::ContainerRef;
use crate::protocol::told::told;
use std::process::ExitCode;

pub(crate) async fn run(context: &Context, args: &RunArgs) -> Result<ExitCode, Error> {
    let (api, wish) = (&context.api, &args.create);
    let streams = Streams::of(wish, args.detach);
    if args.detach && !wish.attach.is_empty() {
        return Err(Error::usage(told!("conflicting options: -a and -d")));
    }
    if wish.tty && streams.stdin && !terminal::stdin_is_one() {
        return Err(Error::usage(told!("the input device is not a TTY")));
    }
    if wish.dry_run {
        return create::dry_run(api, wish, args.detach).await;
    }
    let keys = detach_keys(args.detach_keys.as_ref())?;
    let id = create::make(api, wish, args.detach).await?;
    let started = if streams.any() {
        attached(api, args, &id, streams, keys).await
    } else {
        detached(api, args, &id).await.map(|()| None)
    };
    match started {
        Ok(Some(code)) => Ok(code),
        Ok(None) => print(&format!("{id}\n")).map(|()| ExitCode::SUCCESS),
        Err(NotStarted::Start(error)) => {
            complain(&error, context.wants_json());
            Ok(ExitCode::from(code_of_start(&error)))
        }
        Err(NotStarted::Other(error)) => Err(error),
    }
}

/// Whether it was the start itself that failed: then the exit code tells why.
enum NotStarted {
    Start(Error),
    Other(Error),
}

impl From<Error> for NotStarted {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

async fn start(api: &Api, id: &ContainerRef) -> Result<(), NotStarted> {
    api.post(&Route::container(id, "start")).await.map(drop).map_err(NotStarted::Start)
}

async fn detached(api: &Api, args: &RunArgs, id: &ContainerRef) -> Result<(), NotStarted> {
    let started = start(api, id).await;
    if let Err(failed) = &started {
        undo(api, args, id, failed).await;
    }
    started
}

/// What was to go with its process, and was not started, goes. Where the answer is lost, the start may not be.
async fn undo(api: &Api, args: &RunArgs, id: &ContainerRef, failed: &NotStarted) {
    if args.create.rm && !matches!(failed, NotStarted::Start(Error::Lost)) {
        // The engine may have removed it already.
        let _ = api.delete(&Route::container(id, "").with("force", "1").with("v", "1")).await;
    }
}

async fn attached(
    api: &Api,
    args: &RunArgs,
    id: &ContainerRef,
    streams: Streams,
    keys: DetachKeys,
) -> Result<Option<ExitCode>, NotStarted> {
    let wish = &args.create;
    let hijacked = api.hijack(&attach_route(id, streams), None).await?;
    let wanted = Wanted {
        tty: wish.tty,
        stdin: streams.stdin,
        stdin_ends: true,
        proxy: args.sig_proxy && !wish.tty,
        redraw: false,
        keys,
    };
    let mut session = Session::begin(Process::Container(id.clone()), hijacked, wanted)?;
    let condition = if wish.rm { "removed" } else { "next-exit" };
    let begun = session.until(async {
        let waiting = wait(api, id, condition).await?;
        start(api, id).await.map(|()| waiting)
    });
    let name = wish.name.as_ref().map_or_else(|| short(id), |name| name.as_str().to_owned());
    let waiting = match begun.await {
        Ok(Ok(waiting)) => waiting,
        Ok(Err(failed)) => {
            drop(session);
            undo(api, args, id, &failed).await;
            return Err(match failed {
                NotStarted::Start(Error::Lost) => Error::ContainerGoesOn(name).into(),
                failed => failed,
            });
        }
        Err(code) => {
            drop(session);
            // Removed whether or not it is sent signals.
            if wish.rm || args.sig_proxy {
                give_up(api, id, code, wish.rm).await;
            }
            return Ok(Some(ExitCode::from(code)));
        }
    };
    let whose = Whose { id, name: &name, streams, removed: wish.rm };
    let code = match accompany(api, session, waiting, whose).await {
        Err(Over::Detached) => ExitCode::SUCCESS,
        over => ended(over, &name)?,
    };
    Ok(Some(code))
}

/// An id as people see it.
pub(crate) fn short(id: &ContainerRef) -> String {
    id.as_str().chars().take(12).collect()
}

/// Why a command did not start, as shells count it.
fn code_of_start(error: &Error) -> u8 {
    let Error::Refused { refusal, .. } = error else { return OURS };
    let message = refusal.message.to_string();
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    match refusal.code.as_str() {
        "command-not-found" => NOT_FOUND,
        "command-not-invokable" => NOT_INVOKABLE,
        _ if says(&["executable file not found", "no such file or directory"]) => NOT_FOUND,
        _ if says(&["permission denied", "is a directory"]) => NOT_INVOKABLE,
        _ => OURS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::report::Refusal;
    use crate::protocol::told::Told;

    #[test]
    fn a_failed_start_ends_as_in_docker() {
        let code = |code: &str, message: &str| {
            code_of_start(&Error::Refused {
                status: 400,
                refusal: Box::new(Refusal::new(code, Told::text(message))),
            })
        };
        assert_eq!(code("", "exec: \"x\": executable file not found in $PATH"), 127);
        assert_eq!(code("", "exec: \"/etc\": permission denied"), 126);
        assert_eq!(code("command-not-found", ""), 127);
        assert_eq!(code("command-not-invokable", ""), 126);
        assert_eq!(code("engine", "no space left"), 125);
        assert_eq!(code_of_start(&Error::Lost), 125);
    }
}
