//! The flags of the verbs about the machine and its rules.

use super::list::PsArgs;
use super::refused::{OfVersion, Refused};
use crate::protocol::amount::Span;
use clap::{Args, Subcommand};

/// Shows versions
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ie-container version --format '{{.Client.Version}}'")]
pub(crate) struct VersionArgs {
    /// json or a template such as '{{.State.Status}}'
    #[arg(id = "template", short = 'f', value_name = "FORMAT")]
    pub(crate) format: Option<String>,
    #[command(flatten)]
    pub(crate) refused: Refused<OfVersion>,
}

/// Shows what you may have, what you use, and what is left
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ie-container quota\n  ie-container quota --format json")]
pub(crate) struct QuotaArgs {}

/// Shows each GPU: who holds it, since when, until when, and what it does
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ie-container gpus\n  ie-container gpus --watch")]
pub(crate) struct GpusArgs {
    /// Show it again every two seconds
    #[arg(short, long)]
    pub(crate) watch: bool,
}

/// Keeps a running container's GPUs for longer
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ie-container extend train 2h")]
pub(crate) struct ExtendArgs {
    pub(crate) container: String,
    /// How much later its lease ends, such as 2h
    pub(crate) time: Span,
}

/// Prints a completion script
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  source <(ie-container completion bash)")]
pub(crate) struct CompletionArgs {
    pub(crate) shell: clap_complete::Shell,
}

/// For admins: everyone's containers, and the policy (with sudo)
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  sudo ie-container admin ps\n  sudo ie-container admin stop 3f2a91c07b55\n  ie-container admin policy check policy.toml"
)]
pub(crate) struct AdminArgs {
    #[command(subcommand)]
    pub(crate) verb: AdminVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AdminVerb {
    /// Lists everyone's containers
    Ps(PsArgs),
    /// Stops containers of anyone
    Stop {
        #[arg(required = true, value_name = "CONTAINER")]
        containers: Vec<String>,
    },
    /// Removes containers of anyone
    Rm {
        /// Kill it first if it runs; one that is not there is no error
        #[arg(short, long)]
        force: bool,
        #[arg(required = true, value_name = "CONTAINER")]
        containers: Vec<String>,
    },
    /// Has the gateway read the policy again
    Reload,
    /// Looks at a policy file; needs no gateway
    #[command(subcommand)]
    Policy(PolicyVerb),
    Init(InitArgs),
    Doctor(DoctorArgs),
}

/// Sets this host up: looks at it, writes a policy that works as it stands, and starts what is needed
///
/// What is there already is kept: a policy is never written over. It may be called as often as you like.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  sudo ie-container admin init\n  sudo ie-container admin init --print >policy.toml"
)]
pub(crate) struct InitArgs {
    /// Only show the policy that this host would get
    #[arg(long)]
    pub(crate) print: bool,
    /// Start nothing: for an image of a machine, whose first boot does
    #[arg(long)]
    pub(crate) no_start: bool,
}

/// Looks for what on this host makes the walls between users worth less; needs no gateway
///
/// The exit code is that of the worst finding: 0 for ok and notice, 1 for a warning, 2 for danger.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  sudo ie-container admin doctor\n  sudo ie-container admin doctor --all --format json"
)]
pub(crate) struct DoctorArgs {
    /// Show what is well, too
    #[arg(short, long)]
    pub(crate) all: bool,
    /// The policy file, which names the engine's socket and the homes
    #[arg(long, value_name = "FILE", default_value = crate::protocol::layout::POLICY)]
    pub(crate) policy: std::path::PathBuf,
    /// Look, for the doctor that has started this process
    #[arg(long, hide = true)]
    pub(crate) look: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyVerb {
    /// Says everything that is wrong with a file, and fails if anything is
    #[command(after_help = "Example:\n  ie-container admin policy check /etc/ie-container/policy.toml")]
    Check { file: std::path::PathBuf },
    /// Shows what somebody may have today, and the line of the file that says so
    #[command(
        after_help = "Examples:\n  ie-container admin policy explain --user alice\n  ie-container admin policy explain --groups os2026,staff --policy draft.toml"
    )]
    Explain(ExplainArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// Whose limits; without it, those of anybody who has no table of their own
    #[arg(long, value_name = "LOGIN")]
    pub(crate) user: Option<String>,
    /// The groups to count; without it, those the user is in on this machine
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub(crate) groups: Option<Vec<String>>,
    /// The policy file; a draft need not be root's yet
    #[arg(long, value_name = "FILE", default_value = crate::protocol::layout::POLICY)]
    pub(crate) policy: std::path::PathBuf,
}
