//! The flags of the prunes: of each group, and of `system`.

use clap::Args;

/// Removes your containers that have ended
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ie-container container prune -f --filter label=project=web")]
pub(crate) struct ContainerPruneArgs {
    /// Only those that match, such as label=project=web
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) filter: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) force: bool,
}

/// Removes your networks that no container is in
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ie-container network prune -f")]
pub(crate) struct NetworkPruneArgs {
    /// Only those that match, such as label=project=web
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) filter: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) force: bool,
}

/// Removes your volumes without a name that no container has
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ie-container volume prune -f\n  ie-container volume prune -af")]
pub(crate) struct VolumePruneArgs {
    /// Those with a name too
    #[arg(short, long)]
    pub(crate) all: bool,
    /// Only those that match, such as label=project=web
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) filter: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) force: bool,
}

/// Removes images of your own that nothing uses: so far nobody has any
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ie-container image prune -f")]
pub(crate) struct ImagePruneArgs {
    /// Those with a name too
    #[arg(short, long)]
    pub(crate) all: bool,
    /// Only those that match, such as label=project=web
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) filter: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) force: bool,
}

/// Removes of your containers, networks and images what nothing uses
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ie-container system prune -f\n  ie-container system prune -f --volumes")]
pub(crate) struct SystemPruneArgs {
    /// Images with a name too
    #[arg(short, long)]
    pub(crate) all: bool,
    /// Volumes without a name too
    #[arg(long)]
    pub(crate) volumes: bool,
    /// Only those that match, such as label=project=web
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) filter: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) force: bool,
}
