//! GPUs by the only name that stays: their UUID.

use crate::protocol::told::Told;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A GPU (`GPU-…`) or an instance of one (`MIG-…`), as NVML and the container toolkit name it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CardId(String);

/// Why a word is no card's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Told)]
#[error("{0:?} is not a GPU's UUID such as GPU-8f3c1b2a-…, ie-container gpus lists them")]
pub struct CardError(String);

/// More bytes than any UUID has with its prefix.
const LONGEST: usize = 80;

impl CardId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for CardId {
    type Err = CardError;

    /// Nothing that could be an index, a list, or an option of a hook's gets through.
    fn from_str(word: &str) -> Result<Self, CardError> {
        let body = word.strip_prefix("GPU-").or_else(|| word.strip_prefix("MIG-"));
        let good = |body: &&str| {
            !body.is_empty()
                && body.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && word.len() <= LONGEST
        };
        body.filter(good).map(|_| Self(word.to_owned())).ok_or_else(|| CardError(word.to_owned()))
    }
}

/// A card as people say it: by its UUID, or by the number that `gpus` shows, which changes from boot to boot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum CardWord {
    Uuid(CardId),
    Number(u32),
}

/// Why a word names no card.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Told)]
#[error("{0:?} is neither a GPU's number nor its UUID such as GPU-8f3c1b2a-…, ie-container gpus shows both")]
pub struct CardWordError(String);

impl std::str::FromStr for CardWord {
    type Err = CardWordError;

    fn from_str(word: &str) -> Result<Self, CardWordError> {
        let number = || word.bytes().all(|b| b.is_ascii_digit()).then(|| word.parse().ok()).flatten();
        let uuid = word.parse().ok().map(Self::Uuid);
        uuid.or_else(|| number().map(Self::Number)).ok_or_else(|| CardWordError(word.to_owned()))
    }
}

impl TryFrom<String> for CardId {
    type Error = CardError;

    fn try_from(word: String) -> Result<Self, CardError> {
        word.parse()
    }
}

impl From<CardId> for String {
    fn from(card: CardId) -> Self {
        card.0
    }
}

impl fmt::Display for CardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_named_by_its_uuid_and_by_nothing_else() {
        for good in ["GPU-8f3c1b2a-0000-1111-2222-333344445555", "MIG-1b2a", "GPU-0"] {
            assert_eq!(good.parse::<CardId>().unwrap().as_str(), good);
        }
        for bad in [
            "",
            "0",
            "all",
            "void",
            "none",
            "GPU-",
            "GPU-a,GPU-b",
            "GPU-a b",
            "GPU-a/0",
            "gpu-a",
            "GPU-\u{e9}",
        ] {
            assert!(bad.parse::<CardId>().is_err(), "{bad:?}");
        }
        assert!(format!("GPU-{}", "a".repeat(100)).parse::<CardId>().is_err());
    }

    #[test]
    fn people_say_a_number_too() {
        assert_eq!("0".parse(), Ok(CardWord::Number(0)));
        assert_eq!("GPU-a".parse(), Ok(CardWord::Uuid("GPU-a".parse().unwrap())));
        for bad in ["", "+1", "-1", "1.0", "0:1", "all", "4294967296", "GPU-a,GPU-b", " 1"] {
            assert!(bad.parse::<CardWord>().is_err(), "{bad:?}");
        }
    }
}
