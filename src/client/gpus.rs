//! `gpus`: each card, who holds it until when, and what it does.

use super::cli::site::GpusArgs;
use super::connect::parse;
use super::context::Context;
use super::error::Error;
use super::output::table::align;
use super::output::{json::pretty, print, size};
use super::route::{Route, container};
use crate::protocol::amount::Span;
use crate::protocol::escape::escape_line;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Answer {
    cards: Vec<Card>,
    waiting: usize,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Card {
    uuid: String,
    name: String,
    index: u32,
    share: u32,
    fault: Option<String>,
    holders: Vec<Holder>,
    load: Option<u32>,
    memory_used: Option<u64>,
    memory_total: Option<u64>,
    processes: Vec<Process>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Holder {
    login: String,
    container: String,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Process {
    pid: u32,
    memory: Option<u64>,
    login: Option<String>,
    container: Option<String>,
}

/// How often `--watch` looks.
const PAUSE: Duration = Duration::from_secs(2);
/// To the terminal's upper left, everything cleared.
const CLEAR: &str = "\u{1b}[2J\u{1b}[H";

pub(crate) async fn run(context: &Context, args: &GpusArgs) -> Result<ExitCode, Error> {
    loop {
        let answer = context.api.get(&Route::new("/ie/v1/gpus")).await?;
        let text = if context.wants_json() {
            pretty(&parse::<Box<RawValue>>(&answer)?)
        } else {
            shown(&parse(&answer)?)
        };
        let clear = if args.watch && std::io::stdout().is_terminal() { CLEAR } else { "" };
        print(&format!("{clear}{text}"))?;
        if !args.watch {
            return Ok(ExitCode::SUCCESS);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// `extend NAME TIME`.
pub(crate) async fn extend(context: &Context, name: &str, time: Span) -> Result<ExitCode, Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Extended {
        until: Timestamp,
    }
    let word = container(name)?;
    let route =
        Route::new("/ie/v1/containers").word(word.as_str()).then("extend").with("time", &time.to_string());
    let extended: Extended = parse(&context.api.post(&route).await?)?;
    print(&format!("{}\n", clock(extended.until)))?;
    Ok(ExitCode::SUCCESS)
}

fn shown(answer: &Answer) -> String {
    let headings =
        ["GPU", "NAME", "USER", "CONTAINER", "SINCE", "UNTIL", "LOAD", "MEMORY", "PROCESSES", "UUID"];
    let mut rows = vec![headings.map(str::to_owned).to_vec()];
    for card in &answer.cards {
        rows.extend(card.rows());
    }
    let waiting = match answer.waiting {
        0 => String::new(),
        waiting => format!("\n{waiting} waiting in line\n"),
    };
    align(&rows) + &waiting
}

impl Card {
    /// One row for each holder, or one for a card that nobody holds.
    fn rows(&self) -> Vec<Vec<String>> {
        let memory = match (self.memory_used, self.memory_total) {
            (Some(used), Some(total)) => format!("{} / {}", size::binary(used), size::binary(total)),
            _ => String::new(),
        };
        let row = |user: &str, name: &str, since: Option<Timestamp>, until: Option<Timestamp>| {
            [
                self.index.to_string(),
                if self.share > 1 {
                    format!("{} (shared by {})", self.name, self.share)
                } else {
                    self.name.clone()
                },
                user.to_owned(),
                name.to_owned(),
                since.map(clock).unwrap_or_default(),
                until.map(clock).unwrap_or_default(),
                self.load.map(|load| format!("{load}%")).unwrap_or_default(),
                memory.clone(),
                self.processes.iter().map(Process::shown).collect::<Vec<_>>().join(", "),
                self.uuid.clone(),
            ]
            .map(|cell| escape_line(&cell))
            .to_vec()
        };
        match (&self.fault, self.holders.as_slice()) {
            (Some(fault), []) => vec![row("-", &format!("out of order: {fault}"), None, None)],
            (None, []) => vec![row("-", "free", None, None)],
            (_, holders) => holders
                .iter()
                .map(|holder| row(&holder.login, &holder.container, holder.since, holder.until))
                .collect(),
        }
    }
}

impl Process {
    fn shown(&self) -> String {
        let whose = match (&self.login, &self.container) {
            (Some(login), Some(container)) => format!("{login}/{container}"),
            _ => "host".to_owned(),
        };
        let memory = self.memory.map(|bytes| format!(" {}", size::binary(bytes))).unwrap_or_default();
        format!("{} {whose}{memory}", self.pid)
    }
}

/// A time as it is here.
fn clock(time: Timestamp) -> String {
    time.to_zoned(TimeZone::system()).strftime("%m-%d %H:%M").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_card_says_who_has_it() {
        let answer = json!({"Waiting": 2, "Cards": [
            {"Uuid": "GPU-0", "Name": "A100", "Index": 0, "Share": 1, "Load": 97, "MemoryUsed": 1 << 30, "MemoryTotal": 1_u64 << 36,
             "Holders": [{"Login": "ann", "Container": "train", "Since": "2026-11-20T10:00:00Z", "Until": "2026-11-20T14:00:00Z"}],
             "Processes": [{"Pid": 12, "Memory": 1 << 20, "Login": "ann", "Container": "train"}, {"Pid": 7}]},
            {"Uuid": "GPU-1", "Name": "A100", "Index": 1, "Share": 2},
            {"Uuid": "GPU-2", "Name": "A\u{1b}[2J", "Index": 2, "Share": 1, "Fault": "it is gone"},
        ]});
        let text = shown(&serde_json::from_value(answer).unwrap());
        let lines: Vec<&str> = text.lines().collect();
        for words in ["ann", "train", "97%", "1GiB / 64GiB", "12 ann/train 1MiB, 7 host", "GPU-0"] {
            assert!(lines[1].contains(words), "{words} is not in {}", lines[1]);
        }
        assert!(lines[2].contains("(shared by 2)") && lines[2].contains("free"));
        assert!(lines[3].contains("out of order: it is gone") && !lines[3].contains('\u{1b}'));
        assert!(text.ends_with("2 waiting in line\n"));
    }
}
