//! `inspect`: all there is to know of containers.

use super::cli::list::InspectArgs;
use super::error::Error;
use super::output::template::{Source, Template};
use super::output::{complain, pretty, print};
use super::route::{Route, container};
use super::{Context, FAILED};
use serde_json::Value;
use std::process::ExitCode;

pub(crate) async fn run(context: &Context, args: &InspectArgs) -> Result<ExitCode, Error> {
    let format = args.format.as_deref().or(context.format.as_deref());
    let template = match format {
        None | Some("json" | "") => None,
        Some(text) => Some(Template::parse(text)?),
    };
    let mut found = Vec::new();
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
    print(&shown(found, template.as_ref())?)?;
    Ok(code)
}

async fn look(context: &Context, args: &InspectArgs, word: &str) -> Result<Value, Error> {
    let route = Route::container(&container(word)?, "json").flag("size", args.size);
    context.api.get_json(&route).await
}

fn shown(found: Vec<Value>, template: Option<&Template>) -> Result<String, Error> {
    let Some(template) = template else { return Ok(pretty(&Value::Array(found))) };
    let fill = |value: &Value| template.fill(Source { root: value, labels: &Value::Null });
    found.iter().map(|value| fill(value).map(|line| line + "\n")).collect()
}
