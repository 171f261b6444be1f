//! Whose user namespace a container's processes are in, and whether the engine gives them one of their own.

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
