//! `version`: ours, the gateway's and the engine's.

use super::cli::site::VersionArgs;
use super::context::Context;
use super::error::Error;
use super::exit::FAILED;
use super::output::template::{Source, Template};
use super::output::{complain, print};
use super::route::Route;
use crate::protocol::escape::{escape_json, escape_line};
use serde_json::{Value, json};
use std::process::ExitCode;

pub(crate) async fn run(context: &Context, args: &VersionArgs) -> Result<ExitCode, Error> {
    args.refused.refuse()?;
    let format = args.format.as_deref().or(context.format.as_deref());
    let template = match format {
        None | Some("" | "json") => None,
        Some(text) => Some(Template::parse_literal(text)?),
    };
    let answer = context.api.get_json::<Value>(&Route::new("/version")).await;
    let server = answer.as_ref().cloned().unwrap_or_default();
    let client = json!({"Version": env!("CARGO_PKG_VERSION"), "Os": std::env::consts::OS, "Arch": std::env::consts::ARCH});
    let all = json!({"Client": client, "Server": server});
    let text = match template {
        Some(template) => template.fill(Source { root: &all, labels: &Value::Null })? + "\n",
        None if format == Some("json") => escape_json(&all.to_string()) + "\n",
        None => sections(&all),
    };
    print(&text)?;
    match answer {
        Ok(_) => Ok(ExitCode::SUCCESS),
        Err(error) => {
            complain(&error, context.wants_json());
            Ok(ExitCode::from(FAILED))
        }
    }
}

fn line(words: &str, value: &str) -> String {
    format!(" {:<19}{}\n", format!("{}:", escape_line(words)), escape_line(value))
}

fn sections(all: &Value) -> String {
    const LINES: [(&str, &str); 6] = [
        ("Version", "Version"),
        ("ApiVersion", "API version"),
        ("MinAPIVersion", "Minimum API"),
        ("GitCommit", "Git commit"),
        ("Os", "OS"),
        ("Arch", "Architecture"),
    ];
    let mut text = String::new();
    for side in ["Client", "Server"] {
        let Some(fields) = all.get(side).and_then(Value::as_object) else { continue };
        let components = fields.get("Components").and_then(Value::as_array);
        text.push_str(&format!("{side}:\n"));
        for (field, words) in LINES {
            if let Some(value) = fields.get(field).and_then(Value::as_str).filter(|value| !value.is_empty()) {
                text.push_str(&line(words, value));
            }
        }
        // The gateway is one of them. The engine's version stands above.
        for component in components.into_iter().flatten() {
            let field = |key: &str| component.get(key).and_then(Value::as_str);
            if let (Some(name), Some(version)) =
                (field("Name").filter(|name| *name != "Engine"), field("Version"))
            {
                text.push_str(&line(name, version));
            }
        }
    }
    text
}
