//! Ids as the engine gives them: 64 hexadecimal digits, and nothing else reaches an engine's URL.

use super::Target;
use std::fmt;

/// A container's full id, out of the engine's own answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::gateway) struct ContainerId(String);

/// An exec instance's full id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::gateway) struct ExecId(String);

/// A network's full id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::gateway) struct NetworkId(String);

/// An image's full id, `sha256:` and its digits: which files and words it has, whatever a tag means by now.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::gateway) struct ImageId(String);

impl ImageId {
    pub(in crate::gateway) fn parse(word: &str) -> Option<Self> {
        word.strip_prefix("sha256:").is_some_and(is_full_id).then(|| Self(word.to_owned()))
    }

    pub(in crate::gateway) fn as_str(&self) -> &str {
        &self.0
    }

    /// Without the algorithm.
    pub(in crate::gateway) fn digits(&self) -> &str {
        self.0.trim_start_matches("sha256:")
    }
}

impl NetworkId {
    pub(in crate::gateway) fn parse(word: &str) -> Option<Self> {
        is_full_id(word).then(|| Self(word.to_owned()))
    }

    pub(in crate::gateway) fn as_str(&self) -> &str {
        &self.0
    }
}

/// 64 hexadecimal digits, as the engine names what nobody has named.
pub(super) fn is_full_id(word: &str) -> bool {
    word.len() == 64 && word.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

impl ContainerId {
    pub(in crate::gateway) fn parse(word: &str) -> Option<Self> {
        is_full_id(word).then(|| Self(word.to_owned()))
    }

    pub(in crate::gateway) fn as_str(&self) -> &str {
        &self.0
    }
}

impl ExecId {
    pub(in crate::gateway) fn parse(word: &str) -> Option<Self> {
        is_full_id(word).then(|| Self(word.to_owned()))
    }

    /// The engine's path of this exec instance, and `tail` after it.
    pub(in crate::gateway) fn target(&self, tail: &str) -> Target {
        Target::new(format!("/exec/{}{tail}", self.0))
    }

    pub(in crate::gateway) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_64_lower_case_hex_digits() {
        assert!(ContainerId::parse(&"0f".repeat(32)).is_some());
        for bad in [
            "",
            "web",
            &"0F".repeat(32),
            &"0f".repeat(31),
            "../../images/x",
            &format!("{}?", "0f".repeat(32)),
        ] {
            assert_eq!(ContainerId::parse(bad), None);
            assert_eq!(ExecId::parse(bad), None);
            assert_eq!(NetworkId::parse(bad), None);
            assert_eq!(ImageId::parse(&format!("sha256:{bad}")), None);
        }
        assert_eq!(ImageId::parse(&"0f".repeat(32)), None);
        let image = format!("sha256:{}", "0f".repeat(32));
        assert_eq!(ImageId::parse(&image).unwrap().as_str(), image);
    }
}
