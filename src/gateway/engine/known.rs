//! What engines say of a failure, as moby, libnetwork, containerd and runc write it from 20.10 to 29, and what that means.
//!
//! An engine speaks to whoever runs it. The first line of the table all of whose words are said holds; so what names a
//! cause stands before what only names a consequence.

use crate::protocol::told::{Phrase, phrase};

/// A failure that is understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Known {
    /// All of them are in what was said, in small letters.
    words: &'static [&'static str],
    pub(super) code: &'static str,
    pub(super) sentence: Phrase,
    pub(super) hint: Phrase,
}

pub(super) fn known(said: &str) -> Option<&'static Known> {
    let said = said.to_lowercase();
    KNOWN.iter().find(|known| known.words.iter().all(|word| said.contains(word)))
}

const fn known_as(
    words: &'static [&'static str],
    code: &'static str,
    sentence: Phrase,
    hint: Phrase,
) -> Known {
    Known { words, code, sentence, hint }
}

/// A failure of the host's that its administrator mends.
const fn host(words: &'static [&'static str], sentence: Phrase, hint: Phrase) -> Known {
    known_as(words, "engine", sentence, hint)
}

const FIREWALL: (Phrase, Phrase) = (
    phrase!("the engine's firewall rules are gone, so it can publish no port and make no network"),
    phrase!(
        "tell your administrator: the firewall was flushed, and `systemctl restart` of the engine makes the rules again"
    ),
);
const NETWORK: (Phrase, Phrase) = (
    phrase!("the engine has lost a network of the container's when it was started"),
    phrase!("tell your administrator: `systemctl restart` of the engine makes the network again"),
);
const CARD: (Phrase, Phrase) = (
    phrase!("a device that the container needs is not there any more"),
    phrase!("tell your administrator; `ie-container gpus` shows the cards that are there"),
);
const DRIVER: (Phrase, Phrase) = (
    phrase!("the engine cannot hand out GPUs just now"),
    phrase!(
        "tell your administrator: the NVIDIA driver or its container toolkit is missing or was changed, `nvidia-smi` says more"
    ),
);
const RESOLVE: (Phrase, Phrase) = (
    phrase!("the name of the registry cannot be resolved on this host"),
    phrase!(
        "look whether the image's name is right; if it is, tell your administrator that the host's name service does not know it"
    ),
);
const UNREACHED: (Phrase, Phrase) = (
    phrase!("the registry does not answer"),
    phrase!("try again later; if it stays so, tell your administrator that the engine does not reach it"),
);
const UNMAPPED: (Phrase, Phrase) = (
    phrase!(
        "the image, or the container, has a user or group whose id lies outside of the range that containers have here"
    ),
    phrase!(
        "use an image with smaller ids, or ask your administrator for a larger range in /etc/subuid and /etc/subgid"
    ),
);
const PORT: (Phrase, Phrase) = (
    phrase!("a port that is to be published is in use on this host"),
    phrase!("choose another one, or leave the choice to the engine with `-P`"),
);
const RUNTIME: (Phrase, Phrase) = (
    phrase!("the engine's runtime ended before it could say why"),
    phrase!("try again; if it stays so, tell your administrator to look into the engine's log"),
);
const AWAY: (Phrase, Phrase) = (
    phrase!("the engine does not reach its containerd, or gets no answer in time"),
    phrase!("try again in a moment; if it stays so, tell your administrator to look into the engine's log"),
);
const PROCESSES: (Phrase, Phrase) = (
    phrase!("there is no room for another process"),
    phrase!(
        "end processes of yours, or ask for more with `--pids-limit`; else tell your administrator that the host is full"
    ),
);
const ADDRESSES: (Phrase, Phrase) = (
    phrase!("no addresses are left for another network, or in this one"),
    phrase!("remove networks and containers that you do not need; else tell your administrator"),
);
const KERNEL: (Phrase, Phrase) = (
    phrase!("the host's kernel lacks a module that containers need"),
    phrase!("tell your administrator: after an update of the kernel the host has to be restarted"),
);
const DISK: (Phrase, Phrase) = (
    phrase!("the engine's disk does not work as it should"),
    phrase!("tell your administrator: the kernel's log says what is wrong with it"),
);

const KNOWN: &[Known] = &[
    // It names a missing program, and not one of the container's.
    host(
        &["apparmor_parser"],
        phrase!("the engine cannot load the AppArmor profile of containers"),
        phrase!("tell your administrator: the package apparmor is missing, or its parser does not run"),
    ),
    host(
        &["apparmor", "/attr/"],
        phrase!("the AppArmor profile of containers is not loaded"),
        phrase!("tell your administrator: `systemctl restart` of the engine loads it again"),
    ),
    host(
        &["memlock"],
        phrase!("the engine may lock too little memory to set up a container's devices"),
        phrase!("tell your administrator: its unit needs LimitMEMLOCK=infinity"),
    ),
    host(
        &["setting rlimit type 8"],
        phrase!("the engine may lock too little memory for what the container asks"),
        phrase!(
            "ask for less with `--ulimit memlock`, or tell your administrator that its unit needs LimitMEMLOCK=infinity"
        ),
    ),
    host(
        &["setting rlimit"],
        phrase!("the engine has less of a limit than the container asks for"),
        phrase!("ask for less with `--ulimit`, or tell your administrator to raise the limits of its unit"),
    ),
    // Three that the kernel calls a full disk.
    host(
        &["session key"],
        phrase!("the kernel keeps no more keyrings for containers"),
        phrase!(
            "tell your administrator: kernel.keys.maxkeys and kernel.keys.maxbytes are too small for so many containers"
        ),
    ),
    host(
        &["unshare", "no space left on device"],
        phrase!("the kernel makes no more namespaces for containers"),
        phrase!(
            "tell your administrator: the sysctls user.max_*_namespaces are too small for so many containers"
        ),
    ),
    host(
        &["clone", "no space left on device"],
        phrase!("the kernel makes no more namespaces for containers"),
        phrase!(
            "tell your administrator: the sysctls user.max_*_namespaces are too small for so many containers"
        ),
    ),
    host(
        &["inotify", "no space left on device"],
        phrase!("the kernel keeps no more watchers of files"),
        phrase!("tell your administrator: fs.inotify.max_user_watches is too small"),
    ),
    known_as(
        &["no space left on device"],
        "disk-full",
        phrase!("no space left on the engine's disk"),
        phrase!("`ie-container ps -a` shows containers of yours to remove; else tell the admin"),
    ),
    known_as(
        &["disk quota exceeded"],
        "disk-full",
        phrase!("no space left on the engine's disk"),
        phrase!("`ie-container ps -a` shows containers of yours to remove; else tell the admin"),
    ),
    host(&["iptables", "no chain/target/match"], FIREWALL.0, FIREWALL.1),
    host(&["iptables", "chain", "does not exist"], FIREWALL.0, FIREWALL.1),
    host(&["nftables", "no such file or directory"], FIREWALL.0, FIREWALL.1),
    host(&["nft", "could not process rule"], FIREWALL.0, FIREWALL.1),
    host(&["failed to create endpoint", "network", "does not exist"], NETWORK.0, NETWORK.1),
    known_as(&["port is already allocated"], "conflict", PORT.0, PORT.1),
    known_as(&["address already in use"], "conflict", PORT.0, PORT.1),
    host(&["iptables failed"], phrase!("the engine cannot change the host's firewall"), FIREWALL.1),
    host(
        &["exchange full"],
        phrase!("the network has as many containers as a bridge can hold"),
        phrase!("remove containers that you do not need"),
    ),
    host(&["non-overlapping ipv4 address pool"], ADDRESSES.0, ADDRESSES.1),
    host(&["address pools have been fully subnetted"], ADDRESSES.0, ADDRESSES.1),
    host(&["no available ipv4 addresses"], ADDRESSES.0, ADDRESSES.1),
    host(&["pool overlaps with other one"], ADDRESSES.0, ADDRESSES.1),
    host(&["veth", "operation not supported"], KERNEL.0, KERNEL.1),
    host(&["overlay", "no such device"], KERNEL.0, KERNEL.1),
    host(&["cannot be mapped to a"], UNMAPPED.0, UNMAPPED.1),
    host(&["unmapped user"], UNMAPPED.0, UNMAPPED.1),
    host(&["unmapped gid"], UNMAPPED.0, UNMAPPED.1),
    host(&["insufficient uids or gids"], UNMAPPED.0, UNMAPPED.1),
    host(&["lchown", "invalid argument"], UNMAPPED.0, UNMAPPED.1),
    host(&["setgroups", "invalid argument"], UNMAPPED.0, UNMAPPED.1),
    host(&["could not select device driver"], DRIVER.0, DRIVER.1),
    host(&["nvidia-container-cli", "unknown device"], CARD.0, CARD.1),
    host(&["nvidia-container"], DRIVER.0, DRIVER.1),
    host(&["nvml error"], DRIVER.0, DRIVER.1),
    host(&["unresolvable cdi devices"], CARD.0, CARD.1),
    host(&["gathering device information"], CARD.0, CARD.1),
    host(&["adding custom device"], CARD.0, CARD.1),
    host(&["no such host"], RESOLVE.0, RESOLVE.1),
    host(&["server misbehaving"], RESOLVE.0, RESOLVE.1),
    host(&["failure in name resolution"], RESOLVE.0, RESOLVE.1),
    host(&["lookup ", "i/o timeout"], RESOLVE.0, RESOLVE.1),
    host(
        &["x509: "],
        phrase!("the certificate of the registry is not trusted here"),
        phrase!(
            "tell your administrator: the engine needs the registry's authority in /etc/docker/certs.d, and the right time"
        ),
    ),
    host(
        &["toomanyrequests"],
        phrase!("the registry serves no more to this host for now"),
        phrase!("try again later, or use an image that is here: `ie-container images`"),
    ),
    host(&["dial tcp"], UNREACHED.0, UNREACHED.1),
    host(&["request canceled while waiting for connection"], UNREACHED.0, UNREACHED.1),
    host(&["client.timeout exceeded"], UNREACHED.0, UNREACHED.1),
    host(
        &["container init was oom-killed"],
        phrase!("the container has too little memory to start"),
        phrase!("give it more with `--memory`"),
    ),
    host(
        &["unable to set memory limit"],
        phrase!("the container has too little memory to start"),
        phrase!("give it more with `--memory`"),
    ),
    host(&["failed to create new os thread"], PROCESSES.0, PROCESSES.1),
    host(&["resource temporarily unavailable"], PROCESSES.0, PROCESSES.1),
    host(
        &["cannot allocate memory"],
        phrase!("the host has no memory left to start a container"),
        phrase!("try again when there is less to do; else tell your administrator"),
    ),
    host(
        &["too many open files"],
        phrase!("the engine has as many files open as it may"),
        phrase!(
            "tell your administrator: its unit needs a larger LimitNOFILE, or fs.inotify.max_user_instances is too small"
        ),
    ),
    host(
        &["cgroup", "unit"],
        phrase!("systemd made no control group for the container"),
        phrase!(
            "try again; if it stays so, tell your administrator: `systemctl status` and the log of systemd say more"
        ),
    ),
    host(
        &["cgroup mountpoint does not exist"],
        phrase!("the host's control groups are not mounted"),
        phrase!("tell your administrator: the engine cannot limit containers without them"),
    ),
    host(
        &["error adding seccomp"],
        phrase!("the engine's seccomp profile does not fit its runtime"),
        phrase!("tell your administrator: runc and libseccomp are of another time than the engine"),
    ),
    host(
        &["unshare", "operation not permitted"],
        phrase!("the kernel lets the engine make no namespaces"),
        phrase!("tell your administrator: a sysctl or a sandbox around the engine forbids it"),
    ),
    host(
        &["value too large for defined data type"],
        phrase!(
            "the working directory, or a path that a mount needs, does not exist in the home, and the engine may not make it \
         there"
        ),
        phrase!("make it first"),
    ),
    host(
        &["bind source path does not exist"],
        phrase!("the engine does not see the staged directories: nothing was started"),
        phrase!("tell your administrator: `ie-container admin doctor` says why"),
    ),
    host(&["input/output error"], DISK.0, DISK.1),
    host(&["structure needs cleaning"], DISK.0, DISK.1),
    host(&["/docker/", "read-only file system"], DISK.0, DISK.1),
    host(&["unable to retrieve oci runtime error"], RUNTIME.0, RUNTIME.1),
    host(&["fork/exec", "runc"], RUNTIME.0, RUNTIME.1),
    host(&["ttrpc: closed"], RUNTIME.0, RUNTIME.1),
    host(&["containerd.sock"], AWAY.0, AWAY.1),
    host(&["context deadline exceeded"], AWAY.0, AWAY.1),
    host(&["transport is closing"], AWAY.0, AWAY.1),
];

#[cfg(test)]
mod tests;
