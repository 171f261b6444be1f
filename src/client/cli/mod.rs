//! The command line: every verb and flag, as clap types.

pub(crate) mod forbidden;
pub(crate) mod grammar;
pub(crate) mod list;
pub(crate) mod network;
pub(crate) mod other;
pub(crate) mod process;
pub(crate) mod prune;
pub(crate) mod refused;
pub(crate) mod run;
pub(crate) mod site;
pub(crate) mod spelling;
pub(crate) mod system;
pub(crate) mod unserved;
pub(crate) mod volume;

use crate::client::keys::KeysError;
use crate::protocol::amount::AmountError;
use crate::protocol::name::NameError;
use crate::protocol::told::{Tell, Told};
use clap::{Parser, Subcommand};
use std::path::PathBuf;

/// Containers on a shared machine: yours alone, under the policy of the site
#[derive(Debug, Parser)]
#[command(name = "ie-container", version, disable_version_flag = true)]
#[command(disable_help_subcommand = true, arg_required_else_help = true)]
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
    /// Print version
    #[arg(short, long, short_alias = 'V', action = clap::ArgAction::Version)]
    pub(crate) version: Option<bool>,
    #[command(flatten)]
    pub(crate) refused: refused::Refused<refused::OfAll>,
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
    Export(process::ExportArgs),
    Rename(process::RenameArgs),
    Top(list::TopArgs),
    Stats(list::StatsArgs),
    Port(list::PortArgs),
    Pull(list::PullArgs),
    Images(list::ImagesArgs),
    History(system::HistoryArgs),
    #[command(subcommand)]
    Network(network::NetworkVerb),
    #[command(subcommand)]
    Volume(volume::VolumeVerb),
    #[command(subcommand)]
    Container(system::ContainerVerb),
    #[command(subcommand)]
    Image(system::ImageVerb),
    #[command(subcommand)]
    System(system::SystemVerb),
    Info(system::InfoArgs),
    Events(system::EventsArgs),
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
            Self::Quota(_) | Self::History(_) | Self::Info(_) | Self::Events(_) => true,
            Self::Network(network::NetworkVerb::Ls(_) | network::NetworkVerb::Inspect(_)) => true,
            Self::Volume(volume::VolumeVerb::Ls(_) | volume::VolumeVerb::Inspect(_)) => true,
            Self::System(system::SystemVerb::Df(_)) => true,
            Self::Admin(args) => matches!(args.verb, site::AdminVerb::Ps(_)),
            _ => false,
        }
    }
}

/// A line as Docker's clients would read it.
#[cfg(test)]
pub(crate) fn read<'w>(words: impl IntoIterator<Item = &'w str>) -> Result<Cli, clap::Error> {
    use clap::{CommandFactory, FromArgMatches};
    let found = grammar::docker_s(Cli::command()).try_get_matches_from(words)?;
    Cli::from_arg_matches(&found)
}

/// What is wrong with a value, where it is one of our errors that says so.
pub(crate) fn told_of(why: &(dyn std::error::Error + 'static)) -> Option<Told> {
    let amount = why.downcast_ref::<AmountError>().map(Tell::told);
    let name = || why.downcast_ref::<NameError>().map(Tell::told);
    let keys = || why.downcast_ref::<KeysError>().map(Tell::told);
    let truth = || why.downcast_ref::<grammar::TruthError>().map(Tell::told);
    let duration = || why.downcast_ref::<grammar::DurationError>().map(Tell::told);
    amount.or_else(name).or_else(keys).or_else(truth).or_else(duration)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_tree_is_sound() {
        Cli::command().debug_assert();
    }
}
