//! Docker's flags that no container here can have, so that they are answered with a reason and not as unknown.

use super::refused::{Flag, Nothing, Refused, Table, Value, flag, short};
use crate::protocol::told::{Phrase, phrase};
use nix::unistd::{Gid, Group, Uid, User, getgid, getuid};

const POWERS: Phrase = phrase!("containers run with your own rights and no more");
const USER: Phrase = phrase!("every container runs as you");
const SHARED: Phrase = phrase!("containers share no namespaces with the host or each other");
const DEVICES: Phrase = phrase!("devices are handed out with --gpus only");
const NETWORK: Phrase = phrase!("your containers have a network of their own, managed by the gateway");
const ENGINE: Phrase = phrase!("this belongs to the engine, which all users of this machine share");
const LIMITS: Phrase = phrase!("limits are set with --memory, --cpus, --pids-limit and --shm-size");
const MOUNTS: Phrase = phrase!("only your own directories can be mounted, with -v or --mount");
const WINDOWS: Phrase = phrase!("it is of Windows");

const FLAGS: &[Flag] = &[
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
    flag("oom-kill-disable", Nothing, LIMITS),
    flag("cpu-rt-period", Value, LIMITS),
    flag("cpu-rt-runtime", Value, LIMITS),
    flag("cpuset-mems", Value, LIMITS),
    flag("kernel-memory", Value, LIMITS),
    flag("blkio-weight-device", Value, DEVICES),
    flag("cpu-count", Value, WINDOWS),
    flag("cpu-percent", Value, WINDOWS),
    flag("io-maxbandwidth", Value, WINDOWS),
    flag("io-maxiops", Value, WINDOWS),
];

/// Of `run` and `create`.
#[derive(Debug)]
pub(crate) struct OfRun;

pub(crate) type Forbidden = Refused<OfRun>;

impl Table for OfRun {
    const FLAGS: &'static [Flag] = FLAGS;

    fn is_so_anyhow(name: &str, value: &str) -> bool {
        match name {
            "user" => is_oneself(value),
            "ipc" | "cgroupns" => value == "private",
            "isolation" | "userns" => value == "default",
            "runtime" => value == "runc",
            "volume-driver" => value == "local",
            _ => false,
        }
    }

    fn instead(name: &str, value: &str) -> Option<Phrase> {
        Some(match (name, value) {
            ("privileged", _) => phrase!("--gpus gives cards, -v directories of yours, -p ports"),
            ("user", "0" | "root" | "0:0" | "root:root") => {
                phrase!(
                    "install into your home (pip install --user, conda), or have an image built that has it"
                )
            }
            ("ipc", "host" | "shareable") => phrase!("--shm-size 8g makes /dev/shm larger"),
            ("pid", "host") => phrase!("ie-container top NAME shows the processes of a container"),
            ("uts", "host") => phrase!("--hostname gives it a name"),
            ("runtime", "nvidia") => phrase!("--gpus 1, or --gpus all, gives it cards"),
            ("device", device) if device.starts_with("/dev/nvidia") || device.starts_with("nvidia.com/") => {
                phrase!("--gpus 1, or --gpus all, gives it cards")
            }
            _ => return None,
        })
    }
}

/// Whether a word for `--user` is what everything runs as anyway: scripts say `$(id -u):$(id -g)`.
pub(crate) fn is_oneself(word: &str) -> bool {
    let (uid, gid) = (getuid(), getgid());
    let (user, group) = word.split_once(':').map_or((word, None), |(user, group)| (user, Some(group)));
    let is_user = user == uid.to_string() || is_login(user, uid);
    is_user && group.is_none_or(|group| group == gid.to_string() || is_group(group, gid))
}

fn is_login(word: &str, uid: Uid) -> bool {
    !word.is_empty() && User::from_uid(uid).ok().flatten().is_some_and(|own| own.name == word)
}

fn is_group(word: &str, gid: Gid) -> bool {
    !word.is_empty() && Group::from_gid(gid).ok().flatten().is_some_and(|own| own.name == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_s_own_is_no_other_user() {
        let (uid, gid) = (getuid(), getgid());
        let login = User::from_uid(uid).unwrap().map(|own| own.name);
        let words = [Some(uid.to_string()), Some(format!("{uid}:{gid}")), login.clone()];
        for word in words.into_iter().flatten().chain(login.map(|login| format!("{login}:{gid}"))) {
            assert!(is_oneself(&word), "{word}");
        }
        for word in ["", ":", "12345", "nobody-of-this-name", &format!("{uid}:12345"), &format!("{uid}:")] {
            assert!(!is_oneself(word), "{word}");
        }
        for word in ["0", "root", "0:0"] {
            assert!(OfRun::instead("user", word).unwrap().english().contains("pip install"), "{word}");
        }
    }
}
