//! Docker's flags that are seldom typed: said as they are, for the gateway to judge.

use super::given::some;
use crate::client::cli::other::OtherArgs;
use crate::client::error::Error;
use crate::protocol::told::told;
use bollard_stubs::models::{HealthConfig, HostConfig, HostConfigLogConfig};
use jiff::SignedDuration;
use std::collections::HashMap;

/// The health check that is asked for, if one is.
pub(super) fn health(args: &OtherArgs) -> Result<Option<HealthConfig>, Error> {
    if args.no_healthcheck {
        return Ok(Some(HealthConfig { test: Some(vec!["NONE".to_owned()]), ..HealthConfig::default() }));
    }
    let test = args.health_cmd.as_ref().map(|line| vec!["CMD-SHELL".to_owned(), line.clone()]);
    let health = HealthConfig {
        test,
        interval: nanoseconds(args.health_interval)?,
        timeout: nanoseconds(args.health_timeout)?,
        start_period: nanoseconds(args.health_start_period)?,
        start_interval: nanoseconds(args.health_start_interval)?,
        retries: args.health_retries.map(i64::from),
    };
    Ok(Some(health).filter(|health| *health != HealthConfig::default()))
}

fn nanoseconds(time: Option<SignedDuration>) -> Result<Option<i64>, Error> {
    let number = |time: SignedDuration| {
        i64::try_from(time.as_nanos()).map_err(|_| Error::usage(told!("{time} is too long a time")))
    };
    time.map(number).transpose()
}

/// What of it is the host's.
pub(super) fn host(args: &OtherArgs, host: HostConfig) -> Result<HostConfig, Error> {
    let log = HostConfigLogConfig { typ: args.log_driver.clone(), config: some(pairs(&args.log_opt)?) };
    Ok(HostConfig {
        annotations: some(pairs(&args.annotation)?),
        publish_all_ports: args.publish_all.then_some(true),
        links: some(args.link.clone()),
        volumes_from: some(args.volumes_from.clone()),
        extra_hosts: some(args.add_host.clone()),
        dns: some(args.dns.clone()),
        dns_search: some(args.dns_search.clone()),
        dns_options: some(args.dns_option.clone()),
        log_config: Some(log).filter(|log| *log != HostConfigLogConfig::default()),
        cap_drop: some(args.cap_drop.clone()),
        security_opt: some(args.security_opt.clone()),
        sysctls: some(pairs(&args.sysctl)?),
        group_add: some(args.group_add.clone()),
        cpuset_cpus: args.cpuset_cpus.clone(),
        cpu_shares: args.cpu_shares,
        cpu_period: args.cpu_period,
        cpu_quota: args.cpu_quota,
        memory_reservation: args.memory_reservation.and_then(|bytes| i64::try_from(bytes.0).ok()),
        memory_swap: args.memory_swap,
        memory_swappiness: args.memory_swappiness,
        blkio_weight: args.blkio_weight,
        oom_score_adj: args.oom_score_adj,
        ..host
    })
}

/// `NAME=VALUE`, each of them.
pub(crate) fn pairs(words: &[String]) -> Result<HashMap<String, String>, Error> {
    let pair = |word: &String| match word.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(Error::usage(told!("{word:?} is not NAME=VALUE"))),
    };
    words.iter().map(pair).collect()
}
