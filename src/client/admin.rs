//! `admin`: everyone's containers, through the admin socket.

use super::cli::site::{AdminVerb, PolicyVerb};
use super::context::Context;
use super::error::Error;
use super::language;
use super::operands::{done, each};
use super::output::{print, say};
use super::route::{Route, container};
use super::{doctor, init, policy, ps};
use crate::protocol::escape::escape_line;
use crate::protocol::report::{InForce, Reloaded};
use crate::protocol::told::Told;
use std::process::ExitCode;

const CONTAINERS: &str = "/ie/v1/admin/containers";

pub(crate) async fn run(context: &Context, verb: &AdminVerb) -> Result<ExitCode, Error> {
    match verb {
        AdminVerb::Ps(args) => {
            let shown = ps::show(context, args, CONTAINERS, true).await?;
            warn_of_the_policy(context).await;
            Ok(shown)
        }
        AdminVerb::Stop { containers } => {
            each(context, containers, async |word| {
                let route = Route::new(CONTAINERS).word(container(word)?.as_str()).then("stop");
                context.api.post(&route).await?;
                done(word)
            })
            .await
        }
        AdminVerb::Rm { force, containers } => {
            each(context, containers, async |word| remove(context, *force, word).await).await
        }
        AdminVerb::Reload => {
            let route = Route::new("/ie/v1/admin/reload");
            let reloaded: Reloaded = super::connect::parse(&context.api.post(&route).await?)?;
            for warning in reloaded.warnings {
                say(&format!("WARNING: {}\n", escape_line(&warning)));
            }
            print("reloaded\n").map(|()| ExitCode::SUCCESS)
        }
        AdminVerb::Policy(PolicyVerb::Check { file }) => policy::check(file),
        AdminVerb::Policy(PolicyVerb::Explain(args)) => policy::explain(context, args),
        AdminVerb::Init(args) => init::run(context, args).await,
        AdminVerb::Doctor(args) => doctor::run(context, args).await,
    }
}

/// Beside what was asked for: whoever keeps house here should know that it is not by the rules that the file has.
async fn warn_of_the_policy(context: &Context) {
    let Ok(in_force) = context.api.get_json::<InForce>(&Route::new("/ie/v1/admin/policy")).await else {
        return;
    };
    if let Some(broken) = in_force.broken {
        let told = language::own().tell(&in_force.told.unwrap_or(Told::Text(broken)));
        say(&format!("WARNING: {}\n", escape_line(&told)));
    }
}

async fn remove(context: &Context, force: bool, word: &str) -> Result<String, Error> {
    let removed = match container(word) {
        Ok(container) => {
            let route = Route::new(CONTAINERS).word(container.as_str()).flag("force", force);
            context.api.delete(&route).await
        }
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if force && error.is_not_found() => Ok(String::new()),
        Err(error) => Err(error),
        Ok(()) => done(word),
    }
}
