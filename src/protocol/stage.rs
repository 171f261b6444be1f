//! The messages between the gateway and ie-mountd: one JSON object a message, length first.

use super::told::Told;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The longest message either side accepts, in bytes.
/// A `keep` of a hundred thousand stages fits.
pub const LONGEST: u32 = 4 * 1024 * 1024;

/// A stage's name: 32 lower-case hexadecimal digits, chosen by the gateway at create.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Token(String);

impl Token {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A token out of 16 random bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes.iter().map(|b| format!("{b:02x}")).collect())
    }
}

impl TryFrom<String> for Token {
    type Error = &'static str;

    fn try_from(word: String) -> Result<Self, Self::Error> {
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if word.len() == 32 && word.bytes().all(hex) {
            Ok(Self(word))
        } else {
            Err("a stage's token is 32 lower-case hexadecimal digits")
        }
    }
}

impl From<Token> for String {
    fn from(token: Token) -> Self {
        token.0
    }
}

/// Whether a stage may be written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Access {
    #[serde(rename = "ro")]
    ReadOnly,
    #[serde(rename = "rw")]
    ReadWrite,
}

/// What a stage shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    #[default]
    Directory,
    /// A plain one.
    File,
}

/// One directory or file to stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    pub token: Token,
    /// The user it is staged for; must own what is staged when it lies below a home root.
    pub uid: u32,
    /// The user's gids that map to themselves, the primary one first.
    pub gids: Vec<u32>,
    /// One of the policy's roots (`gateway.homes`, or a `mounts` source), exactly as written there.
    pub root: PathBuf,
    /// What lies below the root; empty for the root itself. No `.`, no `..`, not absolute.
    pub relative: PathBuf,
    pub access: Access,
    /// What it must be, as it was the first time; none the first time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<Shape>,
    /// As the gateway sees policy and engine: where the helper sees it otherwise, neither is followed.
    pub map: Map,
}

/// Whose ids a stage shows a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Map {
    /// Everybody's, as they are on disk: `idmap = "off"` in the policy.
    Off,
    /// The user's own as they are, and nobody else's: for a container in the host's user namespace.
    Same,
    /// The user's own, higher by so much, and nobody else's: for a container in a user namespace of its own.
    Shifted(Shift),
    /// The same, and owners who are none of the container's, so that what a group may write is written.
    Group(Shift),
}

/// The host's ids of uid 0 and gid 0 of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shift {
    pub uid: u32,
    pub gid: u32,
}

/// What the gateway may ask of ie-mountd.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "lowercase", deny_unknown_fields)]
pub enum Request {
    /// Makes the stage, or confirms that it is there with the flags it must have.
    Stage(Stage),
    /// Puts an empty directory and file, root's and read-only, in the stage's place: the engine wants to see one while it
    /// copies with a stopped container, and must not find there what somebody can change meanwhile.
    Hollow {
        token: Token,
        /// Where the engine mounts something inside it, which is to be there.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        inside: Vec<Place>,
    },
    /// Takes one stage away; one that is not there is no error.
    Unstage { token: Token },
    /// Takes every stage away but these: what the gateway asks when it starts.
    Keep { tokens: Vec<Token> },
}

/// A place inside a hollow stage. No `.`, no `..`, not absolute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    pub path: PathBuf,
    pub shape: Shape,
}

/// What ie-mountd answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "lowercase", deny_unknown_fields)]
pub enum Answer {
    /// The directory or file to bind. It exists only where the stage's mounts are seen.
    Staged {
        path: PathBuf,
        #[serde(default)]
        shape: Shape,
    },
    /// How many stages were taken away.
    Unstaged { count: usize },
    /// Not done; `message` is one sentence for the user.
    Refused { reason: Reason, message: Told },
}

/// Why a stage was refused, for the gateway to choose a status by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The path does not exist, or is not what it was.
    Missing,
    /// The path is not one this user may have staged.
    NotAllowed,
    /// The file system cannot be idmapped.
    NoIdmap,
    /// The request does not parse or names nothing known.
    BadRequest,
    /// Something of the system's failed.
    System,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_32_hex_digits() {
        let token = Token::from_bytes([0xab; 16]);
        assert_eq!(Token::try_from(token.as_str().to_owned()), Ok(token));
        for bad in ["", "../x", "ABABABABABABABABABABABABABABABAB", "abababababababababababababababa"] {
            assert!(Token::try_from(bad.to_owned()).is_err());
        }
    }

    #[test]
    fn unknown_fields_are_refused() {
        let json = r#"{"verb":"unstage","token":"abababababababababababababababab","path":"/etc"}"#;
        assert!(serde_json::from_str::<Request>(json).is_err());
    }
}
