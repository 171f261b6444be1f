//! `update`: other limits for containers that are there.

use super::body::restart;
use super::cli::process::UpdateArgs;
use super::context::Context;
use super::error::Error;
use super::operands::{done, each};
use super::output::say;
use super::route::{Route, container};
use crate::protocol::escape::escape_line;
use crate::protocol::told::told;
use bollard_stubs::models::RestartPolicy;
use serde::{Deserialize, Serialize};
use std::process::ExitCode;

/// What is not said stays as it is.
#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Limits {
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nano_cpus: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pids_limit: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    restart_policy: Option<RestartPolicy>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Updated {
    warnings: Option<Vec<String>>,
}

pub(crate) async fn run(context: &Context, args: &UpdateArgs) -> Result<ExitCode, Error> {
    let limits = Limits {
        memory: args.memory.map(|memory| memory.0),
        nano_cpus: args.cpus.map(|cpus| cpus.0),
        pids_limit: args.pids_limit,
        restart_policy: args.restart.as_deref().map(restart).transpose()?,
    };
    if limits == Limits::default() {
        return Err(Error::usage(told!(
            "say what is to change: --memory, --cpus, --pids-limit or --restart"
        )));
    }
    each(context, &args.containers, async |word| {
        let route = Route::container(&container(word)?, "update");
        let updated: Updated = context.api.post_json(&route, &limits).await?;
        for warning in updated.warnings.unwrap_or_default() {
            say(&format!("WARNING: {}\n", escape_line(&warning)));
        }
        done(word)
    })
    .await
}
