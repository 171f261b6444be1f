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
    pids_limit: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_shares: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_period: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_quota: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_reservation: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_swap: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blkio_weight: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    restart_policy: Option<RestartPolicy>,
}

impl Limits {
    fn of(args: &UpdateArgs) -> Result<Self, Error> {
        Ok(Self {
            memory: args.memory.map(|memory| memory.0),
            nano_cpus: args.cpus.map(|cpus| cpus.0),
            pids_limit: args.pids_limit,
            cpu_shares: args.cpu_shares,
            cpu_period: args.cpu_period,
            cpu_quota: args.cpu_quota,
            memory_reservation: args.memory_reservation.map(|memory| memory.0),
            memory_swap: args.memory_swap,
            blkio_weight: args.blkio_weight,
            restart_policy: args.restart.as_deref().map(restart).transpose()?,
        })
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Updated {
    warnings: Option<Vec<String>>,
}

pub(crate) async fn run(context: &Context, args: &UpdateArgs) -> Result<ExitCode, Error> {
    args.refused.refuse()?;
    let limits = Limits::of(args)?;
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
