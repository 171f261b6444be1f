//! `info`: what the engine is, and how much of it is the caller's.

use super::cli::system::InfoArgs;
use super::context::Context;
use super::error::Error;
use super::output::template::{Source, Template};
use super::output::{print, size};
use super::route::Route;
use crate::protocol::escape::{escape_json, escape_line};
use serde_json::Value;
use std::process::ExitCode;

/// The fields of the usual form, in Docker's order and words.
const LINES: [(&str, &str); 18] = [
    ("Containers", "Containers"),
    ("ContainersRunning", " Running"),
    ("ContainersPaused", " Paused"),
    ("ContainersStopped", " Stopped"),
    ("Images", "Images"),
    ("ServerVersion", "Server Version"),
    ("Driver", "Storage Driver"),
    ("LoggingDriver", "Logging Driver"),
    ("CgroupDriver", "Cgroup Driver"),
    ("CgroupVersion", "Cgroup Version"),
    ("DefaultRuntime", "Default Runtime"),
    ("KernelVersion", "Kernel Version"),
    ("OperatingSystem", "Operating System"),
    ("OSType", "OSType"),
    ("Architecture", "Architecture"),
    ("NCPU", "CPUs"),
    ("MemTotal", "Total Memory"),
    ("Name", "Name"),
];

pub(crate) async fn run(context: &Context, args: &InfoArgs) -> Result<ExitCode, Error> {
    let format = args.format.as_deref().or(context.format.as_deref());
    let template = match format {
        None | Some("" | "json") => None,
        Some(text) => Some(Template::parse_literal(text)?),
    };
    let told: Value = context.api.get_json(&Route::new("/info")).await?;
    let text = match template {
        Some(template) => template.fill(Source { root: &told, labels: &Value::Null })? + "\n",
        None if format == Some("json") => escape_json(&told.to_string()) + "\n",
        None => format!("Client:\n Version: {}\n\nServer:\n{}", env!("CARGO_PKG_VERSION"), shown(&told)),
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn shown(told: &Value) -> String {
    let text = |field: &str, value: &Value| match value {
        Value::Number(bytes) if field == "MemTotal" => {
            bytes.as_u64().map_or_else(|| bytes.to_string(), size::binary)
        }
        Value::String(text) => escape_line(text),
        other => escape_line(&other.to_string()),
    };
    let line = |(field, words): &(&str, &str)| {
        told.get(*field).map(|value| format!(" {words}: {}\n", text(field, value)))
    };
    LINES.iter().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_told_is_shown_in_docker_s_words() {
        let told = json!({"Containers": 3, "ContainersRunning": 1, "MemTotal": 25_276_000_000_u64, "Name": "lab\u{1b}"});
        let expected = " Containers: 3\n  Running: 1\n Total Memory: 23.54GiB\n Name: lab\\u{1b}\n";
        assert_eq!(shown(&told), expected);
    }
}
