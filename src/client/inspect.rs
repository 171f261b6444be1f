//! `inspect`: all there is to know of containers.

use super::cli::list::InspectArgs;
use super::connect::parse;
use super::context::Context;
use super::error::Error;
use super::exit::FAILED;
use super::output::template::{Source, Template};
use super::output::{complain, json::pretty, print};
use super::route::{Route, container};
use serde_json::Value;
use serde_json::value::RawValue;
use std::process::ExitCode;

pub(crate) async fn run(context: &Context, args: &InspectArgs) -> Result<ExitCode, Error> {
    let format = args.format.as_deref().or(context.format.as_deref());
    let template = match format {
        None | Some("json" | "") => None,
        Some(text) => Some(Template::parse_literal(text)?),
    };
    let mut found: Vec<Box<RawValue>> = Vec::new();
    let mut code = ExitCode::SUCCESS;
    for word in &args.containers {
        match look(context, args, word).await {
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

async fn look(context: &Context, args: &InspectArgs, word: &str) -> Result<Box<RawValue>, Error> {
    let route = Route::container(&container(word)?, "json").flag("size", args.size);
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
