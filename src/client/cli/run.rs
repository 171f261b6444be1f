//! The flags of `run` and `create`.

use super::forbidden::Forbidden;
use super::other::OtherArgs;
use crate::client::keys::DetachKeys;
use crate::protocol::amount::{Bytes, Cpus, Span};
use crate::protocol::name::ContainerName;
use clap::{ArgAction, Args, ValueEnum};
use std::path::PathBuf;

/// Makes a container from an image and starts it
#[derive(Debug, Args)]
#[command(disable_help_flag = true, override_usage = "ie-container run [OPTIONS] IMAGE [COMMAND [ARG...]]")]
#[command(after_help = "\
Examples:
  ie-container run --rm -it ubuntu:24.04 bash
  ie-container run -d --name web -p 40080:80 -v ~/site:/usr/share/nginx/html:ro nginx
  ie-container run --rm -m 8g --cpus 4 pytorch/pytorch python train.py
  ie-container run --dry-run -m 64g ubuntu      # what would be granted, or why not")]
pub(crate) struct RunArgs {
    /// Leave it running in the background and print its id
    #[arg(short, long)]
    pub(crate) detach: bool,
    /// Send signals on to the process, when it has no terminal
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, action = ArgAction::Set)]
    #[arg(default_value_t = true, default_missing_value = "true")]
    pub(crate) sig_proxy: bool,
    /// The keys that leave the terminal: ctrl-p,ctrl-q unless said otherwise
    #[arg(long, value_name = "KEYS")]
    pub(crate) detach_keys: Option<DetachKeys>,
    #[command(flatten)]
    pub(crate) create: CreateArgs,
}

/// When to fetch an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Pull {
    Missing,
    Always,
    Never,
}

/// One of a process's streams, as `-a` names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "lower")]
pub(crate) enum StreamName {
    Stdin,
    Stdout,
    Stderr,
}

/// Makes a container from an image and leaves it to be started
#[derive(Debug, Args)]
#[command(
    disable_help_flag = true,
    override_usage = "ie-container create [OPTIONS] IMAGE [COMMAND [ARG...]]"
)]
#[command(after_help = "\
Example:
  ie-container create --name job ubuntu:24.04 make && ie-container start -a job")]
pub(crate) struct CreateArgs {
    /// Keep stdin open
    #[arg(short, long)]
    pub(crate) interactive: bool,
    /// Give the process a terminal
    #[arg(short, long)]
    pub(crate) tty: bool,
    /// Attach to stdin, stdout or stderr only
    #[arg(short, long, value_name = "STREAM", ignore_case = true)]
    pub(crate) attach: Vec<StreamName>,
    /// Remove the container when it ends
    #[arg(long)]
    pub(crate) rm: bool,
    /// Its name; two words are chosen if there is none
    #[arg(long)]
    pub(crate) name: Option<ContainerName>,
    /// The name it has for itself
    #[arg(short = 'h', long)]
    pub(crate) hostname: Option<String>,
    /// NAME=VALUE, or NAME for the value it has here
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    pub(crate) env: Vec<String>,
    /// A file of such lines
    #[arg(long, value_name = "FILE")]
    pub(crate) env_file: Vec<PathBuf>,
    /// Where the process starts; the current directory if the container has it
    #[arg(short, long, value_name = "DIR")]
    pub(crate) workdir: Option<String>,
    /// Run this instead of the image's entry point
    #[arg(long, value_name = "COMMAND")]
    pub(crate) entrypoint: Option<String>,
    /// A directory of yours and where it appears
    #[arg(short, long, value_name = "SOURCE:TARGET[:ro]")]
    pub(crate) volume: Vec<String>,
    /// type=bind,source=…,target=…,readonly or type=tmpfs,target=…
    #[arg(long, value_name = "MOUNT")]
    pub(crate) mount: Vec<String>,
    /// A directory in memory
    #[arg(long, value_name = "TARGET[:OPTIONS]")]
    pub(crate) tmpfs: Vec<String>,
    /// A port of the host and the container's port behind it
    #[arg(short, long, value_name = "[[IP:]HOST:]PORT[/PROTOCOL]")]
    pub(crate) publish: Vec<String>,
    /// A number of GPUs, all, or device=NUMBER|UUID[,…]
    #[arg(long, value_name = "GPUS")]
    pub(crate) gpus: Option<String>,
    /// How long the GPUs are wanted for, such as 4h; without it as long as you may have them
    #[arg(long, value_name = "TIME", requires = "gpus")]
    pub(crate) time: Option<Span>,
    /// Stand in line if the GPUs are taken, for as long as it takes or for so long
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, requires = "gpus")]
    pub(crate) wait: Option<Option<Span>>,
    /// The most memory, such as 8g
    #[arg(short, long, value_name = "AMOUNT")]
    pub(crate) memory: Option<Bytes>,
    /// How many CPUs, such as 2 or 0.5
    #[arg(long, value_name = "NUMBER")]
    pub(crate) cpus: Option<Cpus>,
    /// The size of /dev/shm
    #[arg(long, value_name = "AMOUNT")]
    pub(crate) shm_size: Option<Bytes>,
    /// The most processes
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub(crate) pids_limit: Option<i64>,
    /// A limit such as nofile=1024:2048
    #[arg(long, value_name = "NAME=SOFT[:HARD]")]
    pub(crate) ulimit: Vec<String>,
    /// An init that reaps processes and passes signals on
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, action = ArgAction::Set)]
    #[arg(default_value_t = true, default_missing_value = "true")]
    pub(crate) init: bool,
    /// NAME=VALUE, to find it by
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    pub(crate) label: Vec<String>,
    /// own (with your other containers), none, or a network of yours by its name; several for several
    #[arg(long, visible_alias = "net", value_name = "NETWORK")]
    pub(crate) network: Vec<String>,
    /// When it starts again by itself: no, always, unless-stopped, on-failure or on-failure:N
    #[arg(long, value_name = "POLICY")]
    pub(crate) restart: Option<String>,
    /// When to fetch the image
    #[arg(long, value_name = "WHEN", default_value = "missing")]
    pub(crate) pull: Pull,
    /// Say nothing while fetching the image
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// Write the container's id to this new file
    #[arg(long, value_name = "FILE")]
    pub(crate) cidfile: Option<PathBuf>,
    /// Make the container's own files read-only
    #[arg(long)]
    pub(crate) read_only: bool,
    /// The signal that `stop` sends
    #[arg(long, value_name = "SIGNAL")]
    pub(crate) stop_signal: Option<String>,
    /// How long `stop` waits before it kills, in seconds
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    pub(crate) stop_timeout: Option<i64>,
    /// Say what would be granted, or why not, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print help
    #[arg(long, action = ArgAction::Help)]
    pub(crate) help: Option<bool>,
    #[command(flatten)]
    pub(crate) other: OtherArgs,
    #[command(flatten)]
    pub(crate) forbidden: Forbidden,
    #[arg(required = true, num_args = 1.., trailing_var_arg = true, value_names = ["IMAGE", "COMMAND"])]
    image_and_command: Vec<String>,
}

impl CreateArgs {
    pub(crate) fn image(&self) -> &str {
        self.image_and_command.first().map_or("", String::as_str)
    }

    pub(crate) fn command(&self) -> &[String] {
        self.image_and_command.get(1..).unwrap_or_default()
    }
}
