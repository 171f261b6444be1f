//! The groups that have few verbs of their own, and the flags of those about the whole of it.

use super::prune::{ContainerPruneArgs, ImagePruneArgs, SystemPruneArgs};
use super::refused::{OfOneImage, Refused};
use clap::{ArgAction, Args, Subcommand};

/// Your containers; the plain verbs stand here, too
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  ie-container container ls -a
  ie-container container prune")]
pub(crate) enum ContainerVerb {
    Prune(ContainerPruneArgs),
}

/// Images; ls, pull, history and inspect stand here, too
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  ie-container image ls
  ie-container image inspect ubuntu:24.04")]
pub(crate) enum ImageVerb {
    Prune(ImagePruneArgs),
}

/// What is yours here; info and events stand here, too
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  ie-container system df
  ie-container system prune")]
pub(crate) enum SystemVerb {
    Df(DfArgs),
    Prune(SystemPruneArgs),
}

/// Shows what your things hold on the engine's disk
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ie-container system df\n  ie-container system df -v")]
pub(crate) struct DfArgs {
    /// Thing by thing
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

/// Shows what the engine is, and how much of it is yours
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ie-container info\n  ie-container info -f '{{.ContainersRunning}}'")]
pub(crate) struct InfoArgs {
    /// json or a template such as '{{.State.Status}}'
    #[arg(id = "template", short = 'f', value_name = "FORMAT")]
    pub(crate) format: Option<String>,
}

/// Shows what happens to your things, as it happens
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ie-container events
  ie-container events --since 1h --until 0s -f event=die")]
pub(crate) struct EventsArgs {
    /// Only those that match, such as event=die
    #[arg(short, long, value_name = "KEY=VALUE")]
    pub(crate) filter: Vec<String>,
    /// From this time, or this long ago (10m)
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Up to this time, or this long ago (10m)
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
}

/// Shows what an image was made by
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ie-container history ubuntu:24.04")]
pub(crate) struct HistoryArgs {
    /// Sizes and times as people read them
    #[arg(short = 'H', long, value_name = "BOOL", num_args = 0..=1, require_equals = true)]
    #[arg(action = ArgAction::Set, default_value_t = true, default_missing_value = "true")]
    pub(crate) human: bool,
    /// Cut nothing short
    #[arg(long)]
    pub(crate) no_trunc: bool,
    /// Ids only
    #[arg(short, long)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) refused: Refused<OfOneImage>,
    pub(crate) image: String,
}
