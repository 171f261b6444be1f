//! The verbs that are one request for each container: `stop restart kill pause unpause rm wait rename`.

use super::again::{again, gone_meanwhile, is_lost};
use super::cli::process::{KillArgs, RenameArgs, RmArgs, StopArgs, WaitArgs};
use super::connect;
use super::container::{Exit, wait as watch};
use super::context::Context;
use super::error::Error;
use super::operands::{done, each};
use super::route::{Route, container};
use crate::protocol::told::Told;
use std::process::ExitCode;

pub(crate) async fn stop(context: &Context, args: &StopArgs) -> Result<ExitCode, Error> {
    stop_with(context, args, "stop").await
}

pub(crate) async fn restart(context: &Context, args: &StopArgs) -> Result<ExitCode, Error> {
    stop_with(context, args, "restart").await
}

async fn stop_with(context: &Context, args: &StopArgs, verb: &'static str) -> Result<ExitCode, Error> {
    let time = args.time.map(|seconds| seconds.to_string());
    each(context, &args.containers, async |word| {
        let route = Route::container(&container(word)?, verb)
            .given("t", time.as_deref())
            .given("signal", args.signal.as_deref());
        context.api.post(&route).await?;
        done(word)
    })
    .await
}

pub(crate) async fn kill(context: &Context, args: &KillArgs) -> Result<ExitCode, Error> {
    let signal = args.signal.as_deref().unwrap_or("KILL");
    each(context, &args.containers, async |word| {
        context.api.post(&Route::container(&container(word)?, "kill").with("signal", signal)).await?;
        done(word)
    })
    .await
}

pub(crate) async fn pause(context: &Context, containers: &[String]) -> Result<ExitCode, Error> {
    one_word(context, containers, "pause").await
}

pub(crate) async fn unpause(context: &Context, containers: &[String]) -> Result<ExitCode, Error> {
    one_word(context, containers, "unpause").await
}

async fn one_word(context: &Context, containers: &[String], verb: &'static str) -> Result<ExitCode, Error> {
    each(context, containers, async |word| {
        context.api.post(&Route::container(&container(word)?, verb)).await?;
        done(word)
    })
    .await
}

pub(crate) async fn rm(context: &Context, args: &RmArgs) -> Result<ExitCode, Error> {
    args.refused.refuse()?;
    each(context, &args.containers, async |word| {
        let removed = match container(word) {
            Ok(container) => {
                let route =
                    Route::container(&container, "").flag("force", args.force).flag("v", args.volumes);
                context.api.delete(&route).await
            }
            Err(error) => Err(error),
        };
        match removed {
            Err(error) if args.force && error.is_not_found() => Ok(String::new()),
            Err(error) => Err(error),
            Ok(()) => done(word),
        }
    })
    .await
}

pub(crate) async fn wait(context: &Context, args: &WaitArgs) -> Result<ExitCode, Error> {
    each(context, &args.containers, async |word| {
        let (api, id) = (&context.api, container(word)?);
        let mut waiting = watch(api, &id, "not-running").await?;
        let exit: Exit = loop {
            match connect::collect(waiting).await {
                Err(error) if is_lost(&error) => {
                    let asked = again(api, async || watch(api, &id, "not-running").await).await;
                    waiting = asked.map_err(|error| gone_meanwhile(error, word))?;
                }
                answer => break connect::parse(&answer?)?,
            }
        };
        match exit.error.filter(|error| !error.message.is_empty()) {
            Some(error) => Err(Error::usage(Told::Text(error.message))),
            None => done(&exit.status_code.to_string()),
        }
    })
    .await
}

pub(crate) async fn rename(context: &Context, args: &RenameArgs) -> Result<ExitCode, Error> {
    let route = Route::container(&container(&args.container)?, "rename").with("name", args.name.as_str());
    context.api.post(&route).await?;
    Ok(ExitCode::SUCCESS)
}
