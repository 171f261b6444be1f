//! `top`: the processes of a container.

use super::cli::list::TopArgs;
use super::context::Context;
use super::error::Error;
use super::output::print;
use super::output::table::align_from;
use super::route::{Route, container};
use crate::protocol::escape::escape_line;
use serde::Deserialize;
use std::process::ExitCode;

/// Docker's columns of this table are this wide.
const NARROWEST: u16 = 20;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Processes {
    titles: Vec<String>,
    processes: Option<Vec<Vec<String>>>,
}

pub(crate) async fn run(context: &Context, args: &TopArgs) -> Result<ExitCode, Error> {
    let options = args.options.join(" ");
    let route = Route::container(&container(&args.container)?, "top")
        .given("ps_args", Some(options.as_str()).filter(|options| !options.is_empty()));
    let found: Processes = context.api.get_json(&route).await?;
    let mut rows = vec![found.titles];
    rows.extend(found.processes.unwrap_or_default());
    for cell in rows.iter_mut().flatten() {
        *cell = escape_line(cell);
    }
    print(&align_from(&rows, NARROWEST))?;
    Ok(ExitCode::SUCCESS)
}
