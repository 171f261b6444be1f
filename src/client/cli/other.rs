//! The flags of `run` and `create` that are Docker's and seldom typed: the gateway judges them.

use super::grammar::duration;
use crate::protocol::amount::Bytes;
use clap::Args;
use jiff::SignedDuration;
use std::path::PathBuf;

/// What Docker's clients can ask for too.
#[derive(Debug, Default, Args)]
pub(crate) struct OtherArgs {
    /// Publish each port that the image exposes, at a free port of the host
    #[arg(short = 'P', long)]
    pub(crate) publish_all: bool,
    /// A port that others in its network may look for
    #[arg(long, value_name = "PORT[/PROTOCOL]")]
    pub(crate) expose: Vec<String>,
    /// One more name for it in its network
    #[arg(long, visible_alias = "net-alias", value_name = "NAME")]
    pub(crate) network_alias: Vec<String>,
    /// Its address in its network
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) ip: Option<String>,
    /// The MAC address of its interface there
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) mac_address: Option<String>,
    /// A container of yours under one more name
    #[arg(long, value_name = "CONTAINER[:NAME]")]
    pub(crate) link: Vec<String>,
    /// A container of yours whose volumes and directories it has, too
    #[arg(long, value_name = "CONTAINER[:ro]")]
    pub(crate) volumes_from: Vec<String>,
    /// A line of its /etc/hosts
    #[arg(long, value_name = "NAME:ADDRESS")]
    pub(crate) add_host: Vec<String>,
    /// A server that it asks for names
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) dns: Vec<String>,
    /// A domain in which it looks for a short name
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) dns_search: Vec<String>,
    /// How it asks, such as ndots:2 or rotate
    #[arg(long, visible_alias = "dns-opt", value_name = "OPTION")]
    pub(crate) dns_option: Vec<String>,
    /// The command that says whether it is well
    #[arg(long, value_name = "COMMAND")]
    pub(crate) health_cmd: Option<String>,
    /// How often, such as 30s; each 5s at the most
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) health_interval: Option<SignedDuration>,
    /// How long a check may take
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) health_timeout: Option<SignedDuration>,
    /// How long a check may fail at the beginning
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) health_start_period: Option<SignedDuration>,
    /// How often while it begins
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) health_start_interval: Option<SignedDuration>,
    /// How many checks must fail one after the other
    #[arg(long, value_name = "NUMBER")]
    pub(crate) health_retries: Option<u32>,
    /// Leave the image's health check out
    #[arg(long, conflicts_with = "health_cmd")]
    pub(crate) no_healthcheck: bool,
    /// json-file, local or none
    #[arg(long, value_name = "DRIVER")]
    pub(crate) log_driver: Option<String>,
    /// max-size=10m or max-file=3, or less
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) log_opt: Vec<String>,
    /// The machine's own
    #[arg(long, value_name = "PLATFORM")]
    pub(crate) platform: Option<String>,
    /// Containers have no capabilities anyhow
    #[arg(long, value_name = "CAPABILITY")]
    pub(crate) cap_drop: Vec<String>,
    /// Only no-new-privileges
    #[arg(long, value_name = "OPTION")]
    pub(crate) security_opt: Vec<String>,
    /// A setting of its own network
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) sysctl: Vec<String>,
    /// A group of yours, all of which it has anyhow
    #[arg(long, value_name = "GROUP")]
    pub(crate) group_add: Vec<String>,
    /// Without effect: use labels
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) annotation: Vec<String>,
    /// A file of labels, a line for each
    #[arg(long, value_name = "FILE")]
    pub(crate) label_file: Vec<PathBuf>,
    /// Its share of busy processors, of 1024
    #[arg(short, long, value_name = "NUMBER")]
    pub(crate) cpu_shares: Option<i64>,
    /// The processors that it runs on, such as 0-3,8
    #[arg(long, value_name = "CPUS")]
    pub(crate) cpuset_cpus: Option<String>,
    /// The time that --cpu-quota is of, in microseconds
    #[arg(long, value_name = "NUMBER")]
    pub(crate) cpu_period: Option<i64>,
    /// How many CPUs, in microseconds of each period
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub(crate) cpu_quota: Option<i64>,
    /// The memory that it keeps when the host has none
    #[arg(long, value_name = "AMOUNT")]
    pub(crate) memory_reservation: Option<Bytes>,
    /// As much as --memory, or -1: there is no swap
    #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true, value_parser = swap)]
    pub(crate) memory_swap: Option<i64>,
    /// Without effect: there is no swap
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub(crate) memory_swappiness: Option<i64>,
    /// Its weight at busy disks, 10 to 500
    #[arg(long, value_name = "NUMBER")]
    pub(crate) blkio_weight: Option<u16>,
    /// How soon the kernel ends it when memory is short, from 0 to 1000
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub(crate) oom_score_adj: Option<i64>,
    /// Taken as Docker takes it, whose signatures nobody looks at any more
    #[arg(long, hide = true)]
    pub(crate) disable_content_trust: bool,
}

/// Bytes, or -1.
pub(super) fn swap(word: &str) -> Result<i64, crate::protocol::amount::AmountError> {
    match word {
        "-1" => Ok(-1),
        _ => word.parse().map(|bytes: Bytes| i64::try_from(bytes.0).unwrap_or(i64::MAX)),
    }
}
