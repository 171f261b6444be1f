//! `inspect`: all there is to know of a container, an image, a network or a volume.

use super::cli::list::{InspectArgs, Kind};
use super::connect::parse;
use super::context::Context;
use super::error::Error;
use super::exit::FAILED;
use super::output::template::{Source, Template};
use super::output::{complain, json::pretty, print};
use super::route::{Route, container};
use crate::protocol::report::Refusal;
use crate::protocol::told::told;
use serde_json::Value;
use serde_json::value::RawValue;
use std::process::ExitCode;

/// Whatever has the name, in the order in which Docker looks.
const EACH: [Kind; 4] = [Kind::Container, Kind::Image, Kind::Network, Kind::Volume];

pub(crate) async fn run(context: &Context, args: &InspectArgs) -> Result<ExitCode, Error> {
    args.refused.refuse()?;
    let kinds = args.kind.map_or(EACH.to_vec(), |kind| vec![kind]);
    if args.size && args.kind.is_some_and(|kind| kind != Kind::Container) {
        return Err(Error::usage(told!("--size is of containers alone")));
    }
    look_at(context, &kinds, &args.words, args.format.as_deref(), args.size).await
}

/// What only one kind has names for.
pub(crate) async fn of_kind(
    context: &Context,
    kind: Kind,
    words: &[String],
    format: Option<&str>,
) -> Result<ExitCode, Error> {
    look_at(context, &[kind], words, format, false).await
}

async fn look_at(
    context: &Context,
    kinds: &[Kind],
    words: &[String],
    format: Option<&str>,
    size: bool,
) -> Result<ExitCode, Error> {
    let template = match format.or(context.format.as_deref()) {
        None | Some("json" | "") => None,
        Some(text) => Some(Template::parse_literal(text)?),
    };
    let mut found: Vec<Box<RawValue>> = Vec::new();
    let mut code = ExitCode::SUCCESS;
    for word in words {
        match find(context, kinds, word, size).await {
            Ok(value) => found.push(value),
            Err(gone @ (Error::NoGateway(_) | Error::NotPermitted(_))) => return Err(gone),
            Err(error) => {
                complain(&error, context.wants_json());
                code = ExitCode::from(FAILED);
            }
        }
    }
    print(&shown(&found, template.as_ref())?)?;
    Ok(code)
}

/// The first of these kinds that has the name.
async fn find(context: &Context, kinds: &[Kind], word: &str, size: bool) -> Result<Box<RawValue>, Error> {
    let mut last = None;
    for kind in kinds {
        match look(context, *kind, word, size).await {
            // A word that one kind cannot have may be another's.
            Err(error @ Error::Refused { status: 400 | 404, .. }) if kinds.len() > 1 => last = Some(error),
            answered => return answered,
        }
    }
    match last {
        Some(Error::Refused { status: 404, .. }) => {
            let refusal = Refusal::new("not-found", told!("No such object: {word}"));
            Err(Error::Refused { status: 404, refusal: Box::new(refusal) })
        }
        Some(error) => Err(error),
        None => Err(Error::no_such_container(word)),
    }
}

async fn look(context: &Context, kind: Kind, word: &str, size: bool) -> Result<Box<RawValue>, Error> {
    let route = match kind {
        Kind::Container => Route::container(&container(word)?, "json").flag("size", size),
        Kind::Image => Route::new("/images").word(word).then("json"),
        Kind::Network => Route::new("/networks").word(word),
        Kind::Volume => Route::new("/volumes").word(word),
    };
    context.api.get_json(&route).await
}

pub(super) fn shown(found: &[Box<RawValue>], template: Option<&Template>) -> Result<String, Error> {
    let Some(template) = template else {
        let values: Vec<&str> = found.iter().map(|value| value.get()).collect();
        return Ok(pretty(&parse::<Box<RawValue>>(format!("[{}]", values.join(",")).as_bytes())?));
    };
    let fill = |value: &RawValue| {
        let root: Value = parse(value.get().as_bytes())?;
        template.fill(Source { root: &root, labels: &Value::Null }).map(|line| line + "\n")
    };
    found.iter().map(|value| fill(value)).collect()
}
