//! The command line: every verb and flag, as clap types.

pub(crate) mod forbidden;
pub(crate) mod list;
pub(crate) mod other;
pub(crate) mod process;
pub(crate) mod run;
pub(crate) mod site;

use crate::client::keys::KeysError;
use crate::protocol::amount::AmountError;
use crate::protocol::name::NameError;
use crate::protocol::told::{Tell, Told};
use clap::{Parser, Subcommand};
use std::path::PathBuf;

/// Containers on a shared machine: yours alone, under the policy of the site
#[derive(Debug, Parser)]
#[command(name = "ie-container", version, disable_help_subcommand = true, arg_required_else_help = true)]
#[command(after_help = "\
Examples:
  ie-container run --rm -it ubuntu:24.04 bash
  ie-container ps -a
  ie-container quota")]
pub(crate) struct Cli {
    /// The gateway's socket (or IE_CONTAINER_SOCKET; for admin, IE_CONTAINER_ADMIN_SOCKET)
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,
    /// table, json or a template such as '{{.Names}}', where there is something to show; json for errors too
    #[arg(long, global = true, value_name = "FORMAT")]
    pub(crate) format: Option<String>,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// What can be asked for.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    #[command(visible_alias = "ls", alias = "list")]
    Ps(list::PsArgs),
    Run(Box<run::RunArgs>),
    Create(Box<run::CreateArgs>),
    Start(process::StartArgs),
    Stop(process::StopArgs),
    Attach(process::AttachArgs),
    #[command(visible_alias = "remove")]
    Rm(process::RmArgs),
    Cp(crate::client::cp::Cp),
    Exec(process::ExecArgs),
    Logs(process::LogsArgs),
    Inspect(list::InspectArgs),
    Wait(process::WaitArgs),
    Kill(process::KillArgs),
    Restart(process::RestartArgs),
    Pause(process::PauseArgs),
    Unpause(process::UnpauseArgs),
    Update(process::UpdateArgs),
    Rename(process::RenameArgs),
    Top(list::TopArgs),
    Stats(list::StatsArgs),
    Port(list::PortArgs),
    Pull(list::PullArgs),
    Images(list::ImagesArgs),
    Version(site::VersionArgs),
    Quota(site::QuotaArgs),
    Gpus(site::GpusArgs),
    Extend(site::ExtendArgs),
    Admin(site::AdminArgs),
    Completion(site::CompletionArgs),
}

impl Verb {
    /// Whether `--format` may be a template.
    pub(crate) fn shows_something(&self) -> bool {
        match self {
            Self::Ps(_) | Self::Inspect(_) | Self::Stats(_) | Self::Images(_) | Self::Version(_) => true,
            Self::Quota(_) => true,
            Self::Admin(args) => matches!(args.verb, site::AdminVerb::Ps(_)),
            _ => false,
        }
    }
}

/// What arguments of `main` mean in Docker's longer spelling: `container ls`, `image pull`, `images pull`.
pub(crate) fn shortened(argv: Vec<std::ffi::OsString>) -> Vec<std::ffi::OsString> {
    let word = |at: usize| argv.get(at).and_then(|word| word.to_str()).unwrap_or_default();
    let short: &[&str] = match (word(1), word(2)) {
        ("container", "") => return argv,
        ("container", verb) => &[verb],
        ("image", "ls" | "list") => &["images"],
        ("image" | "images", "pull") => &["pull"],
        _ => return argv,
    };
    let program = argv.first().cloned();
    let short: Vec<_> = short.iter().map(std::ffi::OsString::from).collect();
    program.into_iter().chain(short).chain(argv.into_iter().skip(3)).collect()
}

/// What is wrong with a value, where it is one of our errors that says so.
pub(crate) fn told_of(why: &(dyn std::error::Error + 'static)) -> Option<Told> {
    let amount = why.downcast_ref::<AmountError>().map(Tell::told);
    let name = || why.downcast_ref::<NameError>().map(Tell::told);
    let keys = || why.downcast_ref::<KeysError>().map(Tell::told);
    amount.or_else(name).or_else(keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_tree_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn docker_s_longer_spellings_are_known() {
        let short = |line: &str| {
            let argv = line.split(' ').map(Into::into).collect();
            shortened(argv).into_iter().map(|word| word.into_string().unwrap()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(short("ie container ls -a"), "ie ls -a");
        assert_eq!(short("ie image ls"), "ie images");
        assert_eq!(short("ie images pull x"), "ie pull x");
        assert_eq!(short("ie run container ls"), "ie run container ls");
    }
}
