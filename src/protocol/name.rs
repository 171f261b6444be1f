//! The words people use for containers, checked once at the edge.

use crate::protocol::told::Told;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a word is not a container's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Told)]
pub enum NameError {
    #[error("a container's name has 1 to 63 characters, this one has {0}")]
    Length(usize),
    #[error(
        "a container's name starts with a letter or a digit and holds only a-z, A-Z, 0-9, '_', '.' and '-'"
    )]
    Characters,
    #[error("a name of 12 or more hexadecimal digits alone could be read as an id, add another character")]
    LooksLikeId,
    #[error("no such container")]
    NotAReference,
}

/// A container's short name: `[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}`, and never 64 hexadecimal digits only.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContainerName(String);

impl ContainerName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ContainerName {
    type Error = NameError;

    fn try_from(word: String) -> Result<Self, NameError> {
        if word.is_empty() || word.len() > 63 {
            return Err(NameError::Length(word.chars().count()));
        }
        let mut bytes = word.bytes();
        let first = bytes.next().is_some_and(|b| b.is_ascii_alphanumeric());
        let rest = bytes.all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
        if !first || !rest {
            return Err(NameError::Characters);
        }
        if word.len() >= 12 && word.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(NameError::LooksLikeId);
        }
        Ok(Self(word))
    }
}

impl std::str::FromStr for ContainerName {
    type Err = NameError;

    fn from_str(word: &str) -> Result<Self, NameError> {
        Self::try_from(word.to_owned())
    }
}

impl From<ContainerName> for String {
    fn from(name: ContainerName) -> Self {
        name.0
    }
}

impl fmt::Display for ContainerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A network's or a volume's short name: `[a-zA-Z0-9][a-zA-Z0-9_.-]{0,99}`, and never 12 or more hexadecimal digits only.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ThingName(String);

/// Why a word is not a network's or a volume's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Told)]
#[error(
    "{0:?} is no name: letters, digits, '_', '.' and '-', at most 100, a letter or digit first, and not like an id"
)]
pub struct ThingNameError(String);

impl ThingName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for ThingName {
    type Err = ThingNameError;

    fn from_str(word: &str) -> Result<Self, ThingNameError> {
        let first = word.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
        let rest = word.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
        let like_id = word.len() == 64 && word.bytes().all(|b| b.is_ascii_hexdigit());
        if first && rest && word.len() <= 100 && !like_id {
            Ok(Self(word.to_owned()))
        } else {
            Err(ThingNameError(word.chars().take(120).collect()))
        }
    }
}

impl fmt::Display for ThingName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a caller may use for a container: a short name, a full id, or the beginning of an id.
///
/// It is looked up among the caller's own containers and never reaches an engine.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContainerRef(String);

impl ContainerRef {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ContainerRef {
    type Error = NameError;

    fn try_from(word: String) -> Result<Self, NameError> {
        // Docker accepts "/name" wherever it accepts "name".
        let bare = word.strip_prefix('/').unwrap_or(&word);
        let is_id = !bare.is_empty() && bare.len() <= 64 && bare.bytes().all(|b| b.is_ascii_hexdigit());
        if is_id {
            return Ok(Self(bare.to_owned()));
        }
        match ContainerName::try_from(bare.to_owned()) {
            Ok(name) => Ok(Self(name.0)),
            Err(_) => Err(NameError::NotAReference),
        }
    }
}

impl std::str::FromStr for ContainerRef {
    type Err = NameError;

    fn from_str(word: &str) -> Result<Self, NameError> {
        Self::try_from(word.to_owned())
    }
}

impl From<ContainerRef> for String {
    fn from(reference: ContainerRef) -> Self {
        reference.0
    }
}

impl fmt::Display for ContainerRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_words() {
        for good in
            ["a", "web", "0", "train-1", "a_b.c-d", "deadbeef", "cafe12345678x", "Web_1", &"a".repeat(11)]
        {
            assert_eq!(good.parse::<ContainerName>().map(String::from), Ok(good.to_owned()));
        }
        for bad in ["", "-a", ".a", "a/b", "a b", "é", "../x", "a\n", "%2e", &"z".repeat(64)] {
            assert!(bad.parse::<ContainerName>().is_err(), "{bad:?}");
        }
        for id in ["0123456789ab", "0123456789AB"] {
            assert_eq!(id.parse::<ContainerName>(), Err(NameError::LooksLikeId));
        }
    }

    #[test]
    fn references_are_names_or_ids() {
        assert_eq!("/web".parse::<ContainerRef>().unwrap().as_str(), "web");
        assert_eq!("0F3C".parse::<ContainerRef>().unwrap().as_str(), "0F3C");
        assert_eq!("0123456789abcdef".parse::<ContainerRef>().unwrap().as_str(), "0123456789abcdef");
        for bad in ["", "/", "//web", "x/kill?signal=KILL&y=", "..", &"a".repeat(65), "web\0"] {
            assert_eq!(bad.parse::<ContainerRef>(), Err(NameError::NotAReference), "{bad:?}");
        }
    }
}
