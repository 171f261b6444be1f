//! `events`: what happens to the caller's things, line by line.

use super::cli::system::EventsArgs;
use super::context::Context;
use super::error::Error;
use super::filters;
use super::lines::Lines;
use super::logs::time;
use super::output::template::{Source, Template};
use super::output::{age, print};
use super::route::Route;
use crate::protocol::escape::{escape_json, escape_line};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::ExitCode;

/// One event, leniently.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Event {
    #[serde(rename = "status")]
    status: String,
    #[serde(rename = "id")]
    id: String,
    #[serde(rename = "from")]
    from: String,
    #[serde(rename = "Type")]
    kind: String,
    action: String,
    actor: Actor,
    #[serde(rename = "scope")]
    scope: String,
    #[serde(rename = "time")]
    time: i64,
    #[serde(rename = "timeNano")]
    time_nano: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Actor {
    #[serde(rename = "ID")]
    id: String,
    #[serde(rename = "Attributes")]
    attributes: BTreeMap<String, String>,
}

/// What is made of each event.
enum Form {
    Line,
    Json,
    Filled(Template),
}

impl Form {
    fn parse(format: Option<&str>) -> Result<Self, Error> {
        match format {
            None | Some("") => Ok(Self::Line),
            // The names of an event's fields in JSON are others than in templates.
            Some("json" | "{{json .}}") => Ok(Self::Json),
            Some(text) => Template::parse(text).map(Self::Filled),
        }
    }

    fn of(&self, line: &[u8]) -> Result<String, Error> {
        if matches!(self, Self::Json) {
            return Ok(escape_json(&String::from_utf8_lossy(line)) + "\n");
        }
        let event: Event = super::connect::parse(line)?;
        match self {
            Self::Filled(template) => {
                Ok(template.fill(Source { root: &event.fields(), labels: &Value::Null })? + "\n")
            }
            Self::Line | Self::Json => Ok(escape_line(&event.line()) + "\n"),
        }
    }
}

impl Event {
    fn line(&self) -> String {
        let when = match self.time_nano {
            0 => age::rfc3339_nano(i128::from(self.time) * 1_000_000_000),
            nanoseconds => age::rfc3339_nano(nanoseconds.into()),
        };
        let told: Vec<String> =
            self.actor.attributes.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let told = if told.is_empty() { String::new() } else { format!(" ({})", told.join(", ")) };
        format!("{when} {} {} {}{told}", self.kind, self.action, self.actor.id)
    }

    /// By the names that templates have for them.
    fn fields(&self) -> Value {
        json!({
            "Status": self.status, "ID": self.id, "From": self.from, "Type": self.kind, "Action": self.action,
            "Actor": {"ID": self.actor.id, "Attributes": self.actor.attributes},
            "Scope": self.scope, "Time": self.time, "TimeNano": self.time_nano,
        })
    }
}

pub(crate) async fn run(context: &Context, args: &EventsArgs) -> Result<ExitCode, Error> {
    let form = Form::parse(context.format.as_deref())?;
    let route = Route::new("/events")
        .given("since", time("--since", args.since.as_deref())?.as_deref())
        .given("until", time("--until", args.until.as_deref())?.as_deref())
        .given("filters", filters::json(&args.filter)?.as_deref());
    let mut lines = Lines::of(context.api.get_stream(&route).await?);
    while let Some(line) = lines.next().await? {
        print(&form.of(&line)?)?;
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = r#"{"status":"start","id":"0f3c","from":"img","Type":"container","Action":"start","Actor":{"ID":"0f3c",
        "Attributes":{"name":"web","image":"img\u001b"}},"scope":"local","time":1,"timeNano":1000000002}"#;

    fn shown(format: Option<&str>) -> String {
        Form::parse(format).unwrap().of(EVENT.replace("\n        ", "").as_bytes()).unwrap()
    }

    #[test]
    fn an_event_is_a_line_a_template_or_json() {
        let line = shown(None);
        assert!(line.ends_with(" container start 0f3c (image=img\\u{1b}, name=web)\n"), "{line}");
        assert!(line.contains(":01.000000002"), "{line}");
        assert_eq!(shown(Some("{{.Type}} {{.Actor.Attributes.name}} {{.Status}}")), "container web start\n");
        assert_eq!(shown(Some("{{.Actor.Attributes.none}}|{{.TimeNano}}")), "<no value>|1000000002\n");
        for json in ["json", "{{json .}}"] {
            let read: Value = serde_json::from_str(&shown(Some(json))).unwrap();
            assert_eq!((&read["status"], &read["timeNano"]), (&json!("start"), &json!(1_000_000_002)));
        }
        assert!(Form::parse(Some("{{.Typ}}")).unwrap().of(b"{}").is_err());
    }
}
