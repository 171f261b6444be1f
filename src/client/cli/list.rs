//! The flags of the verbs that show something.

use super::refused::{OfImages, OfOneImage, OfPull, Refused};
use clap::{Args, ValueEnum};

/// Lists your containers
#[derive(Debug, Default, Args)]
#[command(after_help = "\
Examples:
  ie-container ps -a
  ie-container ps -aq -f status=exited
  ie-container ps --format '{{.Names}}\\t{{.Status}}'")]
pub(crate) struct PsArgs {
    /// Stopped ones too
    #[arg(short, long)]
    pub(crate) all: bool,
    /// Only those that match, such as status=exited or name=web
    #[arg(short, long, value_name = "KEY=VALUE")]
    pub(crate) filter: Vec<String>,
    /// The last ones made, in whatever state
    #[arg(short = 'n', long, value_name = "NUMBER")]
    pub(crate) last: Option<i64>,
    /// The last one made, in whatever state
    #[arg(short, long)]
    pub(crate) latest: bool,
    /// Cut nothing short
    #[arg(long)]
    pub(crate) no_trunc: bool,
    /// Ids only
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// Sizes too
    #[arg(short, long)]
    pub(crate) size: bool,
    /// What each was granted too
    #[arg(long)]
    pub(crate) wide: bool,
}

/// Shows everything about containers, images, networks or volumes, as JSON
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ie-container inspect web
  ie-container inspect --type image ubuntu:24.04
  ie-container inspect -f '{{.State.Status}} {{json .Config.Env}}' web")]
pub(crate) struct InspectArgs {
    /// json or a template such as '{{.State.Status}}'
    #[arg(id = "template", short = 'f', value_name = "FORMAT")]
    pub(crate) format: Option<String>,
    /// Sizes too, of containers
    #[arg(short, long)]
    pub(crate) size: bool,
    /// What it is; whatever has the name unless said otherwise
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) kind: Option<Kind>,
    #[command(flatten)]
    pub(crate) refused: Refused<OfOneImage>,
    #[arg(required = true, value_name = "NAME")]
    pub(crate) words: Vec<String>,
}

/// What can be looked at, in the order in which a word is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    Container,
    Image,
    Network,
    Volume,
}

/// Shows the processes of a container
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ie-container top web\n  ie-container top web -o pid,rss,args")]
pub(crate) struct TopArgs {
    pub(crate) container: String,
    /// Options of ps
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "PS OPTIONS")]
    pub(crate) options: Vec<String>,
}

/// Shows what containers use, as it changes
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ie-container stats\n  ie-container stats --no-stream web")]
pub(crate) struct StatsArgs {
    /// Stopped ones too
    #[arg(short, long)]
    pub(crate) all: bool,
    /// Once, and not again
    #[arg(long)]
    pub(crate) no_stream: bool,
    /// Cut nothing short
    #[arg(long)]
    pub(crate) no_trunc: bool,
    #[arg(value_name = "CONTAINER")]
    pub(crate) containers: Vec<String>,
}

/// Shows which ports of the host lead into a container
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ie-container port web\n  ie-container port web 80/tcp")]
pub(crate) struct PortArgs {
    pub(crate) container: String,
    #[arg(value_name = "PORT[/PROTOCOL]")]
    pub(crate) port: Option<String>,
}

/// Fetches an image
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ie-container pull ubuntu:24.04")]
pub(crate) struct PullArgs {
    /// Say only what was fetched
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// The machine's own
    #[arg(long, value_name = "PLATFORM")]
    pub(crate) platform: Option<String>,
    /// Taken as Docker takes it, whose signatures nobody looks at any more
    #[arg(long, hide = true)]
    pub(crate) disable_content_trust: bool,
    #[command(flatten)]
    pub(crate) refused: Refused<OfPull>,
    pub(crate) image: String,
}

/// Lists images
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ie-container images
  ie-container images --format '{{.Repository}}:{{.Tag}}' ubuntu
  ie-container images pull ubuntu:24.04      # the same as pull")]
pub(crate) struct ImagesArgs {
    /// Intermediate ones too
    #[arg(short, long)]
    pub(crate) all: bool,
    /// Only those that match, such as dangling=true
    #[arg(short, long, value_name = "KEY=VALUE")]
    pub(crate) filter: Vec<String>,
    /// Cut nothing short
    #[arg(long)]
    pub(crate) no_trunc: bool,
    /// Ids only
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// Digests too
    #[arg(long)]
    pub(crate) digests: bool,
    #[command(flatten)]
    pub(crate) refused: Refused<OfImages>,
    #[arg(value_name = "REPOSITORY[:TAG]")]
    pub(crate) reference: Option<String>,
}
