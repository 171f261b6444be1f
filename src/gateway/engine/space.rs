//! Whose user namespace a container's processes are in, and whether the engine gives them one of their own.
//!
//! The engine is `ie-engine`, beside the host's own Docker, with `userns-remap`: uid X of a container is R+X on the
//! host. A process that becomes root inside is R+0, and nobody outside. The container's processes have another uid than
//! their owner's shell on the host, so `/proc/PID/root` is closed to that shell.
//!
//! All users share one map, and are kept apart as without one. What the gateway looks at and refuses stays, as the
//! second wall.
//!
//! The gateway reads R off the engine: `name=userns`, and the last part of `DockerRootDir`. `policy/remap.rs` reads R
//! out of root's files.
//!
//! runc opens what is bound with root's own rights and hands it into the namespace. So the directories on the way to
//! stages, helper and account files stay closed (0700). What is bound must itself be readable by all: the helper and
//! the account files are, and the channel's directories can be passed.
//!
//! Hooks run as the container's root. So the engine has a containerd of its own, whose state directory can be passed
//! (0711).
//!
//! The kernel says R+U of a process inside, and nobody is known by that. The user socket refuses uids of the range, and
//! the copy channel goes by its container and its mark.
//!
//! `gateway.userns = "host"` serves an engine without `userns-remap`, and the doctor warns of it.

use crate::protocol::stage::{Map, Shift};

/// The user namespace of one container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gateway) enum Space {
    /// The host's: root inside is root.
    Host,
    /// The engine's own: its ids begin here on the host, and root inside is nobody there.
    Own(Shift),
}

impl Space {
    /// Whose ids a stage shows inside, where the policy has it idmapped.
    pub(in crate::gateway) fn map(self) -> Map {
        match self {
            Self::Host => Map::Same,
            Self::Own(shift) => Map::Shifted(shift),
        }
    }

    /// The engine's word: an engine without user namespaces takes the host's without minding.
    pub(super) fn mode(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Own(_) => "",
        }
    }

    /// As a label.
    pub(super) fn word(self) -> String {
        match self {
            Self::Host => "host".to_owned(),
            Self::Own(Shift { uid, gid }) => format!("{uid}.{gid}"),
        }
    }

    pub(super) fn parse(word: &str) -> Option<Self> {
        match word {
            "host" => Some(Self::Host),
            own => ids(own).map(Self::Own),
        }
    }
}

pub(super) fn ids(word: &str) -> Option<Shift> {
    let number =
        |word: &str| word.bytes().all(|byte| byte.is_ascii_digit()).then(|| word.parse().ok()).flatten();
    let (uid, gid) = word.split_once('.')?;
    Some(Shift { uid: number(uid)?, gid: number(gid)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_read_as_it_was_written() {
        for space in [Space::Host, Space::Own(Shift { uid: 7, gid: 8 })] {
            assert_eq!(Space::parse(&space.word()), Some(space));
        }
        assert_eq!(Space::parse(""), None);
    }
}
