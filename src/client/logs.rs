//! `logs`: what a container has written, as it was written.

use super::again::{again, gone_meanwhile};
use super::cli::process::LogsArgs;
use super::container::inspected;
use super::context::Context;
use super::error::Error;
use super::output::age::moment;
use super::route::Route;
use super::stamps::Stamps;
use super::stream::{End, Output, Sinks};
use crate::protocol::told::told;
use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::Incoming;
use jiff::Timestamp;
use std::process::ExitCode;

pub(crate) async fn run(context: &Context, args: &LogsArgs) -> Result<ExitCode, Error> {
    let (since, until) = (time("--since", args.since.as_deref())?, time("--until", args.until.as_deref())?);
    let tail = args.tail.as_deref().filter(|tail| *tail != "all");
    if tail.is_some_and(|tail| tail.parse::<u64>().is_err()) {
        return Err(Error::usage(told!("--tail is a number of lines, or all")));
    }
    let api = &context.api;
    let (id, found) = inspected(api, &args.container).await?;
    // Who follows may have to go on where a connection was lost: by the engine's own times.
    let route = Route::container(&id, "logs")
        .with("stdout", "1")
        .with("stderr", "1")
        .flag("follow", args.follow)
        .flag("details", args.details)
        .flag("timestamps", args.timestamps || args.follow)
        .given("until", until.as_deref());
    let begun = route.clone().given("tail", tail).given("since", since.as_deref());
    let mut stamps = args.follow.then(|| Stamps::new(args.timestamps));
    let mut sinks = Sinks::open().map_err(|why| Error::io(told!("write to stdout"), why))?;
    let mut answer = api.get_stream(&begun).await?;
    loop {
        let mut output = Output::of(found.config.tty);
        match (shown(answer, &mut output, stamps.as_mut(), &mut sinks).await, &mut stamps) {
            (Err(Error::Lost), Some(stamps)) => {
                let since = stamps.resume();
                let route = since.map_or_else(|| begun.clone(), |since| route.clone().with("since", &since));
                let asked = again(api, async || api.get_stream(&route).await).await;
                answer = asked.map_err(|error| gone_meanwhile(error, &args.container))?;
            }
            (shown, _) => return shown.map(|()| ExitCode::SUCCESS),
        }
    }
}

/// What comes, until it ends.
async fn shown(
    answer: Response<Incoming>,
    output: &mut Output,
    mut stamps: Option<&mut Stamps>,
    sinks: &mut Sinks,
) -> Result<(), Error> {
    let mut body = answer.into_body();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Error::Lost)?;
        let bytes = frame.data_ref().map_or(&[][..], |data| data.as_ref());
        let fed = output.feed_to(bytes, |stream, part| match &mut stamps {
            Some(stamps) => sinks.take(stream, &stamps.feed(stream, part)),
            None => sinks.take(stream, part),
        });
        fed.map_err(failed)?;
    }
    Ok(())
}

/// What was typed for `--since` or `--until`.
pub(crate) fn time(flag: &str, word: Option<&str>) -> Result<Option<String>, Error> {
    let Some(word) = word else { return Ok(None) };
    let wrong = || {
        Error::usage(told!(
            "{flag} {word} is neither a time such as 2026-11-20T21:00:00 nor a span such as 10m"
        ))
    };
    moment(word, Timestamp::now()).ok_or_else(wrong).map(Some)
}

fn failed(end: End) -> Error {
    match end {
        End::StdoutClosed => Error::StdoutClosed,
        End::Unwritable(why) => Error::io(told!("write to stdout"), why),
        End::Broken(why) => Error::Answer(told!("{why}")),
        End::Closed | End::Detached => Error::Lost,
    }
}
