//! The flags of the verbs of `volume`.

use super::refused::{OfVolumes, Refused};
use clap::{Args, Subcommand};

/// Your volumes: directories that stay when their containers go
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  ie-container volume create data
  ie-container run --rm -v data:/data busybox touch /data/x
  ie-container volume ls")]
pub(crate) enum VolumeVerb {
    Create(VolumeCreateArgs),
    #[command(visible_alias = "list")]
    Ls(VolumeLsArgs),
    Inspect(VolumeInspectArgs),
    #[command(visible_alias = "remove")]
    Rm(VolumeRmArgs),
    Prune(super::prune::VolumePruneArgs),
}

/// Makes a volume, with a name or without one
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ie-container volume create --label project=web data")]
pub(crate) struct VolumeCreateArgs {
    /// NAME=VALUE, to find it by
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub(crate) label: Vec<String>,
    /// Only local
    #[arg(short, long, value_name = "DRIVER", default_value = "local")]
    pub(crate) driver: String,
    #[arg(short, long, hide = true)]
    pub(crate) opt: Vec<String>,
    #[arg(long = "name", hide = true, conflicts_with = "name")]
    pub(crate) called: Option<String>,
    #[command(flatten)]
    pub(crate) refused: Refused<OfVolumes>,
    #[arg(value_name = "VOLUME")]
    pub(crate) name: Option<String>,
}

/// Lists your volumes
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ie-container volume ls\n  ie-container volume ls -q -f dangling=true")]
pub(crate) struct VolumeLsArgs {
    /// Only those that match, such as dangling=true
    #[arg(short, long, value_name = "KEY=VALUE")]
    pub(crate) filter: Vec<String>,
    /// Names only
    #[arg(short, long)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) refused: Refused<OfVolumes>,
}

/// Shows everything about volumes, as JSON
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ie-container volume inspect -f '{{.CreatedAt}}' data")]
pub(crate) struct VolumeInspectArgs {
    /// json or a template such as '{{.State.Status}}'
    #[arg(id = "template", short = 'f', value_name = "FORMAT")]
    pub(crate) format: Option<String>,
    #[arg(required = true, value_name = "VOLUME")]
    pub(crate) volumes: Vec<String>,
}

/// Removes volumes, and what is in them
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ie-container volume rm data")]
pub(crate) struct VolumeRmArgs {
    /// One that is not there is no error
    #[arg(short, long)]
    pub(crate) force: bool,
    #[arg(required = true, value_name = "VOLUME")]
    pub(crate) volumes: Vec<String>,
}
