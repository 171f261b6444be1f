//! The room's rules, read from outside, and what the tests of its files share.

mod example;
mod gateway;
mod keys;
mod laws;
mod layers;
mod lease;
mod mounts;
mod ports;
mod problems;
mod quota;
mod rules;
mod stopped;
mod trusted;

use super::*;
use crate::protocol::report::Refusal;
use crate::protocol::stage::Access;
use jiff::civil::{Date, date};

/// What is wrong with a text, line by line.
pub(super) fn problems(text: &str) -> Vec<String> {
    Policy::parse("p.toml", text).unwrap_err().iter().map(ToString::to_string).collect()
}

/// A policy whose tables follow a plain `[gateway]`; they begin at line 4.
fn policy(tables: &str) -> Policy {
    let text = format!("[gateway]\nuids = '1000-59999'\nhomes = ['/home', '/nfs/home']\n{tables}");
    Policy::parse("policy.toml", &text).unwrap_or_else(|wrong| panic!("{wrong}"))
}

const TODAY: Date = date(2026, 11, 20);

/// The limits of ann, who is in the groups named.
fn limits(tables: &str, groups: &[&str]) -> Limits {
    limits_on(TODAY, tables, groups)
}

fn limits_on(today: Date, tables: &str, groups: &[&str]) -> Limits {
    let groups: Vec<_> = groups.iter().map(ToString::to_string).collect();
    policy(tables).limits(&Who { login: "ann", groups: &groups, home: Path::new("/home/ann"), today })
}

/// Running containers, each with its memory.
fn running(containers: &[(&str, &str)]) -> Usage {
    let used = |(name, memory): &(&str, &str)| Used {
        name: (*name).into(),
        running: true,
        memory: memory.parse().unwrap(),
        ..Used::default()
    };
    Usage { containers: containers.iter().map(used).collect(), ..Usage::default() }
}

fn ubuntu() -> Ask {
    let references = vec!["docker.io/library/ubuntu:latest".to_owned()];
    Ask { image: ImageAsk { shown: "ubuntu".into(), references, own: false }, ..Ask::default() }
}

fn memory(amount: &str) -> Ask {
    Ask { memory: Some(amount.parse().unwrap()), ..ubuntu() }
}

fn port(host: impl Into<Option<u16>>) -> PortAsk {
    PortAsk { container: 80, protocol: Protocol::Tcp, host: HostPort::from(host.into()), address: None }
}

fn mount(source: &str, target: &str, access: Access) -> MountAsk {
    MountAsk { source: source.into(), target: target.into(), access }
}

/// "yes", or the sentence of the refusal.
fn told<T>(decision: Result<T, Refusal>) -> String {
    decision.map_or_else(|no| no.message.to_string(), |_| "yes".to_owned())
}
