//! `top`: the processes of a container, as the host's `ps` shows them to the engine.
//!
//! The engine runs `ps` as root with the caller's words, over every process of the host where the words make it, and keeps
//! the rows whose word below `PID` is one of the container's. A word too many in a column before it, and the row of any
//! process passes, with its arguments and environment. So the words are these and no others.
//!
//! The engine runs a program of the host's for it, so a user's own `top` runs two at a time.

use super::people::People;
use crate::gateway::api::words::Word;
use crate::gateway::bounds::permits::Permits;
use crate::gateway::caller::Caller;
use crate::gateway::engine::{Engine, EngineError};
use crate::gateway::error::Error;
use crate::gateway::task::to_the_end;
use crate::protocol::told::told;
use axum::Json;
use axum::extract::{Query, State};
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// Lists of processes that one user may ask for at once: another waits for its permit.
const TOPS: usize = 2;
/// How long it waits.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::gateway) struct TopQuery {
    ps_args: String,
}

/// Whole forms, in which at most the user's name comes before the pid.
const FORMS: [&str; 13] =
    ["-ef", "-e", "-f", "-eF", "-F", "-efww", "aux", "auxw", "auxww", "ax", "au", "u", "-A"];
/// What may come before a list of columns.
const LISTS: [&str; 4] = ["-o", "-eo", "-Ao", "-ao"];
/// Columns that may follow the pid. Those of more than a word, in the midst of a row, only shift what comes after them.
const COLUMNS: [&str; 44] = [
    "%cpu", "%mem", "args", "c", "cmd", "comm", "command", "cputime", "egid", "etime", "etimes", "euid",
    "euser", "gid", "maj_flt", "min_flt", "ni", "nice", "nlwp", "pcpu", "pgid", "pgrp", "pid", "pmem",
    "ppid", "pri", "psr", "rgid", "rss", "ruid", "s", "sid", "stat", "state", "thcount", "time", "tname",
    "tt", "tty", "ucmd", "uid", "user", "vsize", "vsz",
];

/// The words for the engine, if the caller's are among those that are served.
fn served(asked: &str) -> Option<String> {
    let words: Vec<&str> = asked.split_ascii_whitespace().collect();
    match words.as_slice() {
        [] => Some(String::new()),
        [form] if FORMS.contains(form) => Some((*form).to_owned()),
        [list, columns @ ..] if LISTS.contains(list) => {
            let columns = columns.join("");
            are_plain(&columns).then(|| format!("{list} {columns}"))
        }
        _ => None,
    }
}

/// The pid first: no other column can then stand in its place.
fn are_plain(columns: &str) -> bool {
    let mut columns = columns.split(',');
    columns.next() == Some("pid") && columns.all(|column| COLUMNS.contains(&column))
}

/// A permit for each list of processes, which the engine makes with a program of the host's, per uid.
#[derive(Debug)]
pub(in crate::gateway) struct TopPermits(Permits);

impl Default for TopPermits {
    fn default() -> Self {
        Self(Permits::new(TOPS))
    }
}

pub(in crate::gateway) async fn top(
    caller: Caller,
    State(engine): State<Arc<Engine>>,
    State(tops): State<Arc<TopPermits>>,
    Word(word): Word,
    Query(query): Query<TopQuery>,
) -> Result<Json<Value>, Error> {
    let Some(words) = served(&query.ps_args) else {
        return Err(Error::Bad(told!(
            "of ps's words -ef, aux and the like are served, and -o with columns of which pid is the first: -o pid,user,args"
        )));
    };
    let container = engine.owned(&caller, &word).await?;
    container.must_run()?;
    let mut target = container.target("/top");
    if !words.is_empty() {
        target = target.with("ps_args", &words);
    }
    // The engine goes on when the caller hangs up, and so does the permit.
    let permits = tops.0.of(caller.uid());
    let permit = tokio::time::timeout(PATIENCE, permits.acquire_owned()).await;
    let permit = permit.map_err(|_| {
        Error::Conflict(told!("{TOPS} lists of processes of yours are under way; try again in a while"))
    })?;
    let remap = caller.policy().remap();
    let processes = to_the_end(async move {
        let _permit = permit;
        Ok(engine.get(target).await)
    });
    match processes.await? {
        // The engine quotes what `ps` wrote, which may be of anybody's process.
        Err(EngineError::Said { status, .. }) if status.is_server_error() => {
            Err(Error::Internal(told!("the engine cannot list the processes of this container")))
        }
        processes => {
            let mut top = processes?;
            if let Some(remap) = remap {
                People::of(&caller, remap, &words).put_into(&mut top);
            }
            Ok(Json(top))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_that_keep_the_pid_in_its_place_are_served() {
        for (asked, words) in [
            ("", ""),
            ("-ef", "-ef"),
            (" aux ", "aux"),
            ("-o pid,user,args", "-o pid,user,args"),
            ("-eo pid,%cpu,rss, cmd", "-eo pid,%cpu,rss,cmd"),
        ] {
            assert_eq!(served(asked).as_deref(), Some(words), "{asked}");
        }
        for asked in [
            "axefww -o lstart,user,user,user,pid,args",
            "axef -o args,pid",
            "ef",
            "e",
            "aux e",
            "auxe",
            "-o lstart,pid",
            "-o user,pid",
            "-o pid,lstart",
            "-o pid,environ",
            "-o pid -o args e",
            "-o pid,args=X",
            "-o",
            "-opid,args",
            "--forest",
            "-ef --forest",
            "-C sh",
            "-p 1",
            "-H",
            "-eLf",
            "-o pid,lwp -L",
            "faux",
            "-o PID",
        ] {
            assert_eq!(served(asked), None, "{asked}");
        }
    }
}
