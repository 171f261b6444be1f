//! The flags of the verbs of `network`.

use clap::{Args, Subcommand};

/// Your networks, apart from the one of all your containers
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  ie-container network create lab
  ie-container run -d --network lab --name db postgres
  ie-container network ls")]
pub(crate) enum NetworkVerb {
    Create(NetworkCreateArgs),
    Connect(ConnectArgs),
    Disconnect(DisconnectArgs),
    #[command(visible_alias = "list")]
    Ls(NetworkLsArgs),
    Inspect(NetworkInspectArgs),
    #[command(visible_alias = "remove")]
    Rm(NetworkRmArgs),
    Prune(super::prune::NetworkPruneArgs),
}

/// Makes a network
#[derive(Debug, Default, Args)]
#[command(after_help = "\
Examples:
  ie-container network create lab
  ie-container network create --internal --label project=web back")]
pub(crate) struct NetworkCreateArgs {
    /// Without a way out of the host
    #[arg(long)]
    pub(crate) internal: bool,
    /// NAME=VALUE, to find it by
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub(crate) label: Vec<String>,
    /// An option of the driver's, such as com.docker.network.driver.mtu=1450
    #[arg(short, long, value_name = "NAME=VALUE")]
    pub(crate) opt: Vec<String>,
    /// Only bridge
    #[arg(short, long, value_name = "DRIVER", default_value = "bridge")]
    pub(crate) driver: String,
    /// Its addresses, such as 10.1.2.0/24
    #[arg(long, value_name = "SUBNET", value_delimiter = ',')]
    pub(crate) subnet: Vec<String>,
    /// The address of its way out
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    pub(crate) gateway: Vec<String>,
    /// The part of the subnet that containers have
    #[arg(long, value_name = "SUBNET", value_delimiter = ',')]
    pub(crate) ip_range: Vec<String>,
    #[arg(long, hide = true)]
    pub(crate) aux_address: Vec<String>,
    /// Without effect: containers may join it anyhow
    #[arg(long)]
    pub(crate) attachable: bool,
    #[arg(long, hide = true)]
    pub(crate) config_from: Option<String>,
    #[arg(long, hide = true)]
    pub(crate) config_only: bool,
    #[arg(long, hide = true)]
    pub(crate) ingress: bool,
    #[arg(long, hide = true, default_value = "default")]
    pub(crate) ipam_driver: String,
    #[arg(long, hide = true)]
    pub(crate) ipam_opt: Vec<String>,
    #[arg(long, hide = true, value_name = "BOOL", num_args = 0..=1, require_equals = true)]
    #[arg(action = clap::ArgAction::Set, default_value_t = true, default_missing_value = "true")]
    pub(crate) ipv4: bool,
    /// With IPv6 addresses, if the policy has some
    #[arg(long)]
    pub(crate) ipv6: bool,
    #[arg(long, hide = true)]
    pub(crate) scope: Option<String>,
    #[arg(value_name = "NETWORK")]
    pub(crate) name: String,
}

/// Lets a container into a network
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ie-container network connect --alias db lab postgres1")]
pub(crate) struct ConnectArgs {
    /// One more name for it in this network
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) alias: Vec<String>,
    /// Its address in this network
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) ip: Option<String>,
    #[arg(long, hide = true)]
    pub(crate) ip6: Option<String>,
    #[arg(long, hide = true)]
    pub(crate) link: Vec<String>,
    #[arg(long, hide = true, value_delimiter = ',')]
    pub(crate) link_local_ip: Vec<String>,
    #[arg(long, hide = true, value_delimiter = ',')]
    pub(crate) driver_opt: Vec<String>,
    #[arg(long, hide = true)]
    pub(crate) gw_priority: Option<i64>,
    pub(crate) network: String,
    pub(crate) container: String,
}

/// Takes a container out of a network
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ie-container network disconnect lab postgres1")]
pub(crate) struct DisconnectArgs {
    /// Also one that ends meanwhile
    #[arg(short, long)]
    pub(crate) force: bool,
    pub(crate) network: String,
    pub(crate) container: String,
}

/// Lists your networks
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ie-container network ls\n  ie-container network ls -q -f name=lab")]
pub(crate) struct NetworkLsArgs {
    /// Only those that match, such as name=lab
    #[arg(short, long, value_name = "KEY=VALUE")]
    pub(crate) filter: Vec<String>,
    /// Cut nothing short
    #[arg(long)]
    pub(crate) no_trunc: bool,
    /// Ids only
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// Shows everything about networks, as JSON
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ie-container network inspect -f '{{json .Containers}}' lab")]
pub(crate) struct NetworkInspectArgs {
    /// json or a template such as '{{.State.Status}}'
    #[arg(id = "template", short = 'f', value_name = "FORMAT")]
    pub(crate) format: Option<String>,
    /// Of a swarm's, of which there are none
    #[arg(short, long, hide = true)]
    pub(crate) verbose: bool,
    #[arg(required = true, value_name = "NETWORK")]
    pub(crate) networks: Vec<String>,
}

/// Removes networks
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ie-container network rm lab")]
pub(crate) struct NetworkRmArgs {
    /// One that is not there is no error
    #[arg(short, long)]
    pub(crate) force: bool,
    #[arg(required = true, value_name = "NETWORK")]
    pub(crate) networks: Vec<String>,
}
