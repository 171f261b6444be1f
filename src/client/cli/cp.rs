//! The flags of `cp`.

use clap::Args;

/// Copies files between a container and here
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ie-container cp web:/var/log/app.log .
  ie-container cp -a ./data train:/data
  ie-container cp web:/srv - | tar t")]
#[allow(dead_code, reason = "the verb is registered together with its module")]
pub(crate) struct CpArgs {
    /// Keep owners and groups
    #[arg(short, long)]
    pub(crate) archive: bool,
    /// Follow a symbolic link that is the source
    #[arg(short = 'L', long)]
    pub(crate) follow_link: bool,
    /// Say nothing while copying
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// CONTAINER:PATH, a path here, or - for a tar on stdin
    #[arg(value_name = "SOURCE")]
    pub(crate) source: String,
    /// CONTAINER:PATH, a path here, or - for a tar on stdout
    #[arg(value_name = "DESTINATION")]
    pub(crate) destination: String,
}
