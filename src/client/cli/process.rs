//! The flags of the verbs that act on a container or its process.

use super::other::swap;
use super::refused::{OfRm, OfStart, OfUpdate, Refused};
use crate::client::keys::DetachKeys;
use crate::protocol::amount::{Bytes, Cpus, Span};
use clap::{ArgAction, Args};

/// Starts containers that have stopped
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ie-container start web db\n  ie-container start -ai shell")]
pub(crate) struct StartArgs {
    /// Attach to its output, pass signals on, and exit as it does
    #[arg(short, long)]
    pub(crate) attach: bool,
    /// Attach to its input too
    #[arg(short, long)]
    pub(crate) interactive: bool,
    /// The keys that leave the terminal: ctrl-p,ctrl-q unless said otherwise
    #[arg(long, value_name = "KEYS")]
    pub(crate) detach_keys: Option<DetachKeys>,
    /// Send signals on to the process, when it has no terminal
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, action = ArgAction::Set)]
    #[arg(default_value_t = true, default_missing_value = "true")]
    pub(crate) sig_proxy: bool,
    /// Stand in line if its GPUs are taken, for as long as it takes or for so long
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true)]
    pub(crate) wait: Option<Option<Span>>,
    #[command(flatten)]
    pub(crate) refused: Refused<OfStart>,
    #[arg(required = true, value_name = "CONTAINER")]
    pub(crate) containers: Vec<String>,
}

/// Stops running containers: a signal, a while, then a kill
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ie-container stop web\n  ie-container stop -t 60 train db")]
pub(crate) struct StopArgs {
    /// How long to wait before it is killed, 0 to 600
    #[arg(short, long, visible_alias = "timeout", value_name = "SECONDS", allow_negative_numbers = true)]
    pub(crate) time: Option<i64>,
    /// The signal to send instead of its own
    #[arg(short, long)]
    pub(crate) signal: Option<String>,
    #[arg(required = true, value_name = "CONTAINER")]
    pub(crate) containers: Vec<String>,
}

/// Stops containers, with a signal, a while and then a kill, and starts them again
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ie-container restart web\n  ie-container restart -t 60 train db")]
pub(crate) struct RestartArgs {
    #[command(flatten)]
    pub(crate) stop: StopArgs,
}

/// Attaches to a running container's streams
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ie-container attach web        # ctrl-p ctrl-q leaves again")]
pub(crate) struct AttachArgs {
    /// Leave its stdin alone
    #[arg(long)]
    pub(crate) no_stdin: bool,
    /// The keys that leave the terminal: ctrl-p,ctrl-q unless said otherwise
    #[arg(long, value_name = "KEYS")]
    pub(crate) detach_keys: Option<DetachKeys>,
    /// Send signals on to the process, when it has no terminal
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, action = ArgAction::Set)]
    #[arg(default_value_t = true, default_missing_value = "true")]
    pub(crate) sig_proxy: bool,
    pub(crate) container: String,
}

/// Removes containers
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ie-container rm old\n  ie-container rm -f $(ie-container ps -aq)")]
pub(crate) struct RmArgs {
    /// Kill it first if it runs; one that is not there is no error
    #[arg(short, long)]
    pub(crate) force: bool,
    /// Its anonymous volumes too
    #[arg(short, long)]
    pub(crate) volumes: bool,
    #[command(flatten)]
    pub(crate) refused: Refused<OfRm>,
    #[arg(required = true, value_name = "CONTAINER")]
    pub(crate) containers: Vec<String>,
}

/// Runs a command in a running container
#[derive(Debug, Args)]
#[command(override_usage = "ie-container exec [OPTIONS] CONTAINER COMMAND [ARG...]")]
#[command(after_help = "\
Examples:
  ie-container exec -it web bash
  ie-container exec web cat /etc/os-release")]
pub(crate) struct ExecArgs {
    /// Leave it running in the background
    #[arg(short, long)]
    pub(crate) detach: bool,
    /// Keep stdin open
    #[arg(short, long)]
    pub(crate) interactive: bool,
    /// Give the command a terminal
    #[arg(short, long)]
    pub(crate) tty: bool,
    /// NAME=VALUE, or NAME for the value it has here
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    pub(crate) env: Vec<String>,
    /// A file of such lines
    #[arg(long, value_name = "FILE")]
    pub(crate) env_file: Vec<std::path::PathBuf>,
    /// Where the command starts
    #[arg(short, long, value_name = "DIR")]
    pub(crate) workdir: Option<String>,
    /// The keys that leave the terminal: ctrl-p,ctrl-q unless said otherwise
    #[arg(long, value_name = "KEYS")]
    pub(crate) detach_keys: Option<DetachKeys>,
    #[arg(long, hide = true)]
    pub(crate) privileged: bool,
    #[arg(short, long, hide = true)]
    pub(crate) user: Option<String>,
    #[arg(required = true, num_args = 1.., trailing_var_arg = true, value_names = ["CONTAINER", "COMMAND"])]
    container_and_command: Vec<String>,
}

impl ExecArgs {
    pub(crate) fn container(&self) -> &str {
        self.container_and_command.first().map_or("", String::as_str)
    }

    pub(crate) fn command(&self) -> &[String] {
        self.container_and_command.get(1..).unwrap_or_default()
    }
}

/// Shows what a container has written
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  ie-container logs --tail 20 web\n  ie-container logs -f --since 10m train"
)]
pub(crate) struct LogsArgs {
    /// Go on as more is written
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Only the last lines
    #[arg(short = 'n', long, value_name = "LINES")]
    pub(crate) tail: Option<String>,
    /// From this time, or this long ago (10m)
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Up to this time, or this long ago (10m)
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// With the time of each line
    #[arg(short, long)]
    pub(crate) timestamps: bool,
    /// With the variables and labels that --log-opt names
    #[arg(long)]
    pub(crate) details: bool,
    pub(crate) container: String,
}

/// Waits until containers stop and prints their exit codes
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ie-container wait train")]
pub(crate) struct WaitArgs {
    #[arg(required = true, value_name = "CONTAINER")]
    pub(crate) containers: Vec<String>,
}

/// Sends running containers a signal
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ie-container kill web\n  ie-container kill -s HUP web")]
pub(crate) struct KillArgs {
    /// Which signal; KILL unless said otherwise
    #[arg(short, long)]
    pub(crate) signal: Option<String>,
    #[arg(required = true, value_name = "CONTAINER")]
    pub(crate) containers: Vec<String>,
}

/// Makes running containers stand still: they hold all that they have
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ie-container pause train")]
pub(crate) struct PauseArgs {
    #[arg(required = true, value_name = "CONTAINER")]
    pub(crate) containers: Vec<String>,
}

/// Lets paused containers go on
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ie-container unpause train")]
pub(crate) struct UnpauseArgs {
    #[arg(required = true, value_name = "CONTAINER")]
    pub(crate) containers: Vec<String>,
}

/// Gives containers other limits, while they run or not
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ie-container update -m 8g --cpus 4 train")]
pub(crate) struct UpdateArgs {
    /// The most memory, such as 8g
    #[arg(short, long, value_name = "AMOUNT")]
    pub(crate) memory: Option<Bytes>,
    /// How many CPUs, such as 2 or 0.5
    #[arg(long, value_name = "NUMBER")]
    pub(crate) cpus: Option<Cpus>,
    /// The most processes
    #[arg(long, value_name = "NUMBER")]
    pub(crate) pids_limit: Option<i64>,
    /// Its share of busy processors, of 1024
    #[arg(short, long, value_name = "NUMBER")]
    pub(crate) cpu_shares: Option<i64>,
    /// The time that --cpu-quota is of, in microseconds
    #[arg(long, value_name = "NUMBER")]
    pub(crate) cpu_period: Option<i64>,
    /// How many CPUs, in microseconds of each period
    #[arg(long, value_name = "NUMBER")]
    pub(crate) cpu_quota: Option<i64>,
    /// The memory that it keeps when the host has none
    #[arg(long, value_name = "AMOUNT")]
    pub(crate) memory_reservation: Option<Bytes>,
    /// As much as --memory, or -1: there is no swap
    #[arg(long, value_name = "AMOUNT", value_parser = swap)]
    pub(crate) memory_swap: Option<i64>,
    /// Its weight at busy disks, 10 to 500
    #[arg(long, value_name = "NUMBER")]
    pub(crate) blkio_weight: Option<u16>,
    /// When it starts again by itself: no, always, unless-stopped, on-failure or on-failure:N
    #[arg(long, value_name = "POLICY")]
    pub(crate) restart: Option<String>,
    #[command(flatten)]
    pub(crate) refused: Refused<OfUpdate>,
    #[arg(required = true, value_name = "CONTAINER")]
    pub(crate) containers: Vec<String>,
}

/// Writes a container's own files as one tar, without what is mounted
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  ie-container export -o web.tar web\n  ie-container export web | gzip >web.tar.gz"
)]
pub(crate) struct ExportArgs {
    /// Into this file, not to the standard output
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<std::path::PathBuf>,
    pub(crate) container: String,
}

/// Gives a container another name
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ie-container rename brave_curie train")]
pub(crate) struct RenameArgs {
    pub(crate) container: String,
    pub(crate) name: crate::protocol::name::ContainerName,
}
