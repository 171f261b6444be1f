//! `attach`: a running container's streams.

use super::body::Streams;
use super::cli::process::AttachArgs;
use super::config::detach_keys;
use super::container::{State, Whose, accompany, attach_route, ended, inspected, wait};
use super::context::Context;
use super::error::Error;
use super::session::{Process, Session, Wanted};
use super::terminal;
use crate::protocol::told::told;
use std::process::ExitCode;

pub(crate) async fn run(context: &Context, args: &AttachArgs) -> Result<ExitCode, Error> {
    let api = &context.api;
    let (id, found) = inspected(api, &args.container).await?;
    refuse(&found.state)?;
    let tty = found.config.tty;
    let streams = Streams { stdin: found.config.open_stdin && !args.no_stdin, stdout: true, stderr: true };
    if tty && streams.stdin && !terminal::stdin_is_one() {
        return Err(Error::usage(told!("the input device is not a TTY")));
    }
    let waiting = wait(api, &id, "not-running").await?;
    let hijacked = api.hijack(&attach_route(&id, streams), None).await?;
    let wanted = Wanted {
        tty,
        stdin: streams.stdin,
        stdin_ends: found.config.stdin_once,
        proxy: args.sig_proxy && !tty,
        redraw: true,
        keys: detach_keys(args.detach_keys.as_ref())?,
    };
    let session = Session::begin(Process::Container(id.clone()), hijacked, wanted)?;
    let whose = Whose { id: &id, name: &args.container, streams, removed: found.host_config.auto_remove };
    ended(accompany(api, session, waiting, whose).await, &args.container)
}

fn refuse(state: &State) -> Result<(), Error> {
    match state {
        State { running: false, .. } => {
            Err(Error::usage(told!("you cannot attach to a stopped container, start it first")))
        }
        State { paused: true, .. } => Err(Error::usage(told!("you cannot attach to a paused container"))),
        State { restarting: true, .. } => {
            Err(Error::usage(told!("you cannot attach to a restarting container, wait until it is running")))
        }
        State { .. } => Ok(()),
    }
}
