//! Docker's flags that no container here can have, so that they are answered with a reason and not as unknown.

use crate::client::error::Error;
use crate::protocol::told::{Phrase, phrase, told};
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, parser::ValueSource};

/// Does the flag take a value?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    Value,
    Nothing,
}
use Takes::{Nothing, Value};

struct Flag {
    name: &'static str,
    short: Option<char>,
    takes: Takes,
    reason: Phrase,
}

const fn flag(name: &'static str, takes: Takes, reason: Phrase) -> Flag {
    Flag { name, short: None, takes, reason }
}

const fn short(name: &'static str, short: char, takes: Takes, reason: Phrase) -> Flag {
    Flag { name, short: Some(short), takes, reason }
}

const POWERS: Phrase = phrase!("containers run with your own rights and no more");
const USER: Phrase = phrase!("every container runs as you");
const SHARED: Phrase = phrase!("containers share no namespaces with the host or each other");
const DEVICES: Phrase = phrase!("devices are handed out with --gpus only");
const NETWORK: Phrase = phrase!("your containers have a network of their own, managed by the gateway");
const ENGINE: Phrase = phrase!("this belongs to the engine, which all users of this machine share");
const LIMITS: Phrase = phrase!("limits are set with --memory, --cpus, --pids-limit and --shm-size");
const MOUNTS: Phrase = phrase!("only your own directories can be mounted, with -v or --mount");

const FLAGS: [Flag; 28] = [
    flag("privileged", Nothing, POWERS),
    flag("cap-add", Value, POWERS),
    short("user", 'u', Value, USER),
    flag("userns", Value, USER),
    flag("pid", Value, SHARED),
    flag("ipc", Value, SHARED),
    flag("uts", Value, SHARED),
    flag("cgroupns", Value, SHARED),
    flag("device", Value, DEVICES),
    flag("device-cgroup-rule", Value, DEVICES),
    flag("device-read-bps", Value, DEVICES),
    flag("device-read-iops", Value, DEVICES),
    flag("device-write-bps", Value, DEVICES),
    flag("device-write-iops", Value, DEVICES),
    flag("domainname", Value, NETWORK),
    flag("ip6", Value, NETWORK),
    flag("link-local-ip", Value, NETWORK),
    flag("volume-driver", Value, MOUNTS),
    flag("storage-opt", Value, ENGINE),
    flag("cgroup-parent", Value, ENGINE),
    flag("runtime", Value, ENGINE),
    flag("isolation", Value, ENGINE),
    flag("use-api-socket", Nothing, ENGINE),
    flag("annotation", Value, ENGINE),
    flag("oom-kill-disable", Nothing, LIMITS),
    flag("cpu-rt-period", Value, LIMITS),
    flag("cpu-rt-runtime", Value, LIMITS),
    flag("cpuset-mems", Value, LIMITS),
];

/// Whether a word for `--user` is what everything runs as anyway: scripts say `$(id -u):$(id -g)`.
pub(crate) fn is_oneself(word: &str) -> bool {
    let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    word == uid.to_string() || word == format!("{uid}:{gid}")
}

/// The first such flag on the line, and why it is refused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Forbidden(Option<(&'static str, Phrase)>);

impl Forbidden {
    pub(crate) fn refuse(&self) -> Result<(), Error> {
        match self.0 {
            None => Ok(()),
            Some((name, reason)) => Err(Error::usage(told!("--{name} is not allowed here: {reason}"))),
        }
    }
}

impl Args for Forbidden {
    fn augment_args(command: Command) -> Command {
        FLAGS.iter().fold(command, |command, flag| {
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

impl FromArgMatches for Forbidden {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let own = |flag: &Flag| {
            flag.name == "user"
                && matches.get_many::<String>("user").into_iter().flatten().all(|word| is_oneself(word))
        };
        let typed =
            |flag: &&Flag| matches.value_source(flag.name) == Some(ValueSource::CommandLine) && !own(flag);
        Ok(Self(FLAGS.iter().find(typed).map(|flag| (flag.name, flag.reason))))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
