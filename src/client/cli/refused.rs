//! Docker's flags that a verb does not have here: each is read, and answered with a reason and not as unknown.

use crate::client::error::Error;
use crate::protocol::told::{Phrase, phrase, told};
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use std::marker::PhantomData;

/// Does the flag take a value?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    Value,
    Nothing,
}
pub(super) use Takes::{Nothing, Value};

pub(crate) struct Flag {
    name: &'static str,
    short: Option<char>,
    takes: Takes,
    reason: Phrase,
}

pub(super) const fn flag(name: &'static str, takes: Takes, reason: Phrase) -> Flag {
    Flag { name, short: None, takes, reason }
}

pub(super) const fn short(name: &'static str, short: char, takes: Takes, reason: Phrase) -> Flag {
    Flag { name, short: Some(short), takes, reason }
}

/// Those of one verb.
pub(crate) trait Table {
    const FLAGS: &'static [Flag];

    /// Whether a value asks for what is so anyhow. One without a letter does with every flag.
    fn is_so_anyhow(_name: &str, _value: &str) -> bool {
        false
    }

    /// What to say or do in its place.
    fn instead(_name: &str, _value: &str) -> Option<Phrase> {
        None
    }
}

/// The first such flag on the line, and why it is refused.
#[derive(Debug)]
pub(crate) struct Refused<T>(Option<Typed>, PhantomData<T>);

#[derive(Debug, Clone, Copy)]
struct Typed {
    name: &'static str,
    reason: Phrase,
    instead: Option<Phrase>,
}

impl<T> Default for Refused<T> {
    fn default() -> Self {
        Self(None, PhantomData)
    }
}

impl<T> Refused<T> {
    pub(crate) fn refuse(&self) -> Result<(), Error> {
        let Some(Typed { name, reason, instead }) = self.0 else { return Ok(()) };
        let message = told!("--{name} is not allowed here: {reason}");
        Err(match instead {
            Some(instead) => Error::usage_hint(message, instead),
            None => Error::usage(message),
        })
    }
}

impl<T: Table> Args for Refused<T> {
    fn augment_args(command: Command) -> Command {
        T::FLAGS.iter().fold(command, |command, flag| {
            let action = if flag.takes == Value { ArgAction::Append } else { ArgAction::SetTrue };
            let arg = Arg::new(flag.name).long(flag.name).hide(true).action(action);
            command.arg(match flag.short {
                Some(letter) => arg.short(letter),
                None => arg,
            })
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<T: Table> FromArgMatches for Refused<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let values = |flag: &Flag| matches.get_many::<String>(flag.name).into_iter().flatten();
        let typed = |flag: &Flag| {
            let value = match flag.takes {
                Nothing => matches.get_flag(flag.name).then_some(""),
                Value => values(flag)
                    .find(|value| !value.is_empty() && !T::is_so_anyhow(flag.name, value))
                    .map(String::as_str),
            };
            let (name, reason) = (flag.name, flag.reason);
            value.map(|value| Typed { name, reason, instead: T::instead(name, value) })
        };
        Ok(Self(T::FLAGS.iter().find_map(typed), PhantomData))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

const LINKS: Phrase = phrase!("a link is a name in one container, and goes with it");
const CHECKPOINTS: Phrase = phrase!("a process is not written to disk");
const LIMITS: Phrase = phrase!("limits are set with --memory, --cpus, --pids-limit and --shm-size");
const ONE_MACHINE: Phrase = phrase!("it is of a swarm's volumes, and there is no swarm");
const ONE_GATEWAY: Phrase = phrase!("the gateway is on this machine, behind a socket");

/// Of all verbs.
#[derive(Debug)]
pub(crate) struct OfAll;

impl Table for OfAll {
    const FLAGS: &'static [Flag] = &[
        short("host", 'H', Value, ONE_GATEWAY),
        short("context", 'c', Value, ONE_GATEWAY),
        flag("tls", Nothing, ONE_GATEWAY),
        flag("tlscacert", Value, ONE_GATEWAY),
        flag("tlscert", Value, ONE_GATEWAY),
        flag("tlskey", Value, ONE_GATEWAY),
        flag("tlsverify", Nothing, ONE_GATEWAY),
        flag("config", Value, phrase!("it is ~/.config/ie-container/config.toml")),
        short("debug", 'D', Nothing, phrase!("journalctl -u ie-containerd says what the gateway does")),
        short("log-level", 'l', Value, phrase!("journalctl -u ie-containerd says what the gateway does")),
    ];

    fn instead(name: &str, _: &str) -> Option<Phrase> {
        matches!(name, "host" | "context").then_some(phrase!("--socket or IE_CONTAINER_SOCKET says where"))
    }
}

#[derive(Debug)]
pub(crate) struct OfRm;

impl Table for OfRm {
    const FLAGS: &'static [Flag] = &[short("link", 'l', Nothing, LINKS)];
}

#[derive(Debug)]
pub(crate) struct OfStart;

impl Table for OfStart {
    const FLAGS: &'static [Flag] =
        &[flag("checkpoint", Value, CHECKPOINTS), flag("checkpoint-dir", Value, CHECKPOINTS)];
}

#[derive(Debug)]
pub(crate) struct OfUpdate;

impl Table for OfUpdate {
    const FLAGS: &'static [Flag] = &[
        flag("cpu-rt-period", Value, LIMITS),
        flag("cpu-rt-runtime", Value, LIMITS),
        flag("cpuset-cpus", Value, phrase!("a container is bound to processors when it is made")),
        flag("cpuset-mems", Value, LIMITS),
        flag("kernel-memory", Value, LIMITS),
    ];
}

#[derive(Debug)]
pub(crate) struct OfPull;

impl Table for OfPull {
    const FLAGS: &'static [Flag] =
        &[short("all-tags", 'a', Nothing, phrase!("one image is pulled at a time"))];
}

#[derive(Debug)]
pub(crate) struct OfImages;

impl Table for OfImages {
    const FLAGS: &'static [Flag] = &[flag("tree", Nothing, phrase!("images are of this machine's kind"))];
}

#[derive(Debug)]
pub(crate) struct OfOneImage;

impl Table for OfOneImage {
    const FLAGS: &'static [Flag] = &[flag("platform", Value, phrase!("images are of this machine's kind"))];
}

#[derive(Debug)]
pub(crate) struct OfVersion;

impl Table for OfVersion {
    const FLAGS: &'static [Flag] = &[flag("kubeconfig", Value, phrase!("there is no Kubernetes here"))];
}

/// Of volumes, which swarms have others of.
#[derive(Debug)]
pub(crate) struct OfVolumes;

impl Table for OfVolumes {
    const FLAGS: &'static [Flag] = &[
        flag("availability", Value, ONE_MACHINE),
        flag("cluster", Nothing, ONE_MACHINE),
        flag("group", Value, ONE_MACHINE),
        flag("limit-bytes", Value, ONE_MACHINE),
        flag("required-bytes", Value, ONE_MACHINE),
        flag("scope", Value, ONE_MACHINE),
        flag("secret", Value, ONE_MACHINE),
        flag("sharing", Value, ONE_MACHINE),
        flag("topology-preferred", Value, ONE_MACHINE),
        flag("topology-required", Value, ONE_MACHINE),
        flag("type", Value, ONE_MACHINE),
    ];
}
