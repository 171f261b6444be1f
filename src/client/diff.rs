//! `diff`: what a container has changed of its image's files.

use super::cli::list::DiffArgs;
use super::context::Context;
use super::error::Error;
use super::output::print;
use super::route::{Route, container};
use crate::protocol::escape::escape_line;
use serde::Deserialize;
use std::process::ExitCode;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Change {
    path: String,
    kind: u8,
}

/// Docker's letters: changed, added, deleted.
const LETTERS: [char; 3] = ['C', 'A', 'D'];

pub(crate) async fn run(context: &Context, args: &DiffArgs) -> Result<ExitCode, Error> {
    let route = Route::container(&container(&args.container)?, "changes");
    let changes: Option<Vec<Change>> = context.api.get_json(&route).await?;
    let line = |change: &Change| {
        let letter = LETTERS.get(usize::from(change.kind)).copied().unwrap_or('?');
        format!("{letter} {}\n", escape_line(&change.path))
    };
    print(&changes.unwrap_or_default().iter().map(line).collect::<String>())?;
    Ok(ExitCode::SUCCESS)
}
