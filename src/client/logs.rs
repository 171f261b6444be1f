//! `logs`: what a container has written, as it was written.

use super::Context;
use super::cli::process::LogsArgs;
use super::container::inspected;
use super::error::Error;
use super::output::age::moment;
use super::route::Route;
use super::stream::{End, Output, Sinks};
use http_body_util::BodyExt;
use jiff::Timestamp;
use std::process::ExitCode;

pub(crate) async fn run(context: &Context, args: &LogsArgs) -> Result<ExitCode, Error> {
    let (since, until) = (time("--since", args.since.as_deref())?, time("--until", args.until.as_deref())?);
    let tail = args.tail.as_deref().filter(|tail| *tail != "all");
    if tail.is_some_and(|tail| tail.parse::<u64>().is_err()) {
        return Err(Error::usage("--tail is a number of lines, or all"));
    }
    let (id, found) = inspected(&context.api, &args.container).await?;
    let route = Route::container(&id, "logs")
        .with("stdout", "1")
        .with("stderr", "1")
        .flag("follow", args.follow)
        .flag("timestamps", args.timestamps)
        .given("tail", tail)
        .given("since", since.as_deref())
        .given("until", until.as_deref());
    let mut body = context.api.get_stream(&route).await?.into_body();
    let mut output = Output::of(found.config.tty);
    let mut sinks = Sinks::open().map_err(|why| Error::io("write to stdout", why))?;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Error::Lost)?;
        output.feed(frame.data_ref().map_or(&[], |data| data.as_ref()), &mut sinks).map_err(failed)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn time(flag: &str, word: Option<&str>) -> Result<Option<String>, Error> {
    let Some(word) = word else { return Ok(None) };
    let wrong = || {
        Error::usage(format!(
            "{flag} {word} is neither a time such as 2026-11-20T21:00:00 nor a span such as 10m"
        ))
    };
    moment(word, Timestamp::now()).ok_or_else(wrong).map(Some)
}

fn failed(end: End) -> Error {
    match end {
        End::StdoutClosed => Error::StdoutClosed,
        End::Unwritable(why) => Error::io("write to stdout", why),
        End::Broken(why) => Error::Answer(why.to_string()),
        End::Closed | End::Detached => Error::Lost,
    }
}
