//! `start`, with and without its streams.

use super::body::Streams;
use super::cli::process::StartArgs;
use super::config::detach_keys;
use super::container::{Whose, accompany, attach_route, ended, give_up, inspected, wait};
use super::context::Context;
use super::error::Error;
use super::line::{self, For};
use super::operands::{done, each};
use super::route::{Route, container};
use super::session::{Process, Session, Wanted};
use crate::protocol::told::told;
use std::process::ExitCode;

pub(crate) async fn run(context: &Context, args: &StartArgs) -> Result<ExitCode, Error> {
    args.refused.refuse()?;
    let api = &context.api;
    let _turn = match (args.wait, args.containers.as_slice()) {
        (Some(longest), [one]) => Some(line::stand(api, For::Container(one), longest, false).await?),
        (Some(_), _) => return Err(Error::usage(told!("--wait is for one container at a time"))),
        (None, _) => None,
    };
    match args.containers.as_slice() {
        [one] if args.attach || args.interactive => attached(context, args, one).await,
        _ if args.attach || args.interactive => {
            Err(Error::usage(told!("you cannot start and attach multiple containers at once")))
        }
        all => {
            each(context, all, async |word| {
                api.post(&Route::container(&container(word)?, "start")).await?;
                done(word)
            })
            .await
        }
    }
}

async fn attached(context: &Context, args: &StartArgs, word: &str) -> Result<ExitCode, Error> {
    let api = &context.api;
    let (id, found) = inspected(api, word).await?;
    let tty = found.config.tty;
    let streams = Streams { stdin: args.interactive && found.config.open_stdin, stdout: true, stderr: true };
    let hijacked = api.hijack(&attach_route(&id, streams), None).await?;
    let wanted = Wanted {
        tty,
        stdin: streams.stdin,
        stdin_ends: found.config.stdin_once,
        proxy: args.sig_proxy && !tty,
        redraw: found.state.running,
        keys: detach_keys(args.detach_keys.as_ref())?,
    };
    let mut session = Session::begin(Process::Container(id.clone()), hijacked, wanted)?;
    let condition = if found.host_config.auto_remove { "removed" } else { "next-exit" };
    let begun = session.until(async {
        let waiting = wait(api, &id, condition).await?;
        api.post(&Route::container(&id, "start")).await?;
        Ok::<_, Error>(waiting)
    });
    let waiting = match begun.await {
        Ok(begun) => begun?,
        Err(code) => {
            drop(session);
            if args.sig_proxy {
                give_up(api, &id, code, false).await;
            }
            return Ok(ExitCode::from(code));
        }
    };
    let whose = Whose { id: &id, name: word, streams, removed: found.host_config.auto_remove };
    ended(accompany(api, session, waiting, whose).await, word)
}
