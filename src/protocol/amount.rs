//! Amounts as people write them: memory, CPUs, spans of time.

use crate::protocol::told::{Phrase, Told, phrase};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a word is not an amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Told)]
#[error("{word:?} is not {wanted}")]
pub struct AmountError {
    word: String,
    wanted: Phrase,
}

fn wrong(word: &str, wanted: Phrase) -> AmountError {
    AmountError { word: word.to_owned(), wanted }
}

/// A number of bytes; `k m g t` are powers of 1024, as in Docker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Bytes(pub u64);

const BYTES: Phrase = phrase!("an amount of memory such as 512m or 4g");

impl std::str::FromStr for Bytes {
    type Err = AmountError;

    fn from_str(word: &str) -> Result<Self, AmountError> {
        let lower = word.trim().to_ascii_lowercase();
        let unit = lower.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let number = lower.strip_suffix(unit).unwrap_or(&lower);
        let shift = match unit {
            "" | "b" => 0,
            "k" | "kb" | "kib" => 10,
            "m" | "mb" | "mib" => 20,
            "g" | "gb" | "gib" => 30,
            "t" | "tb" | "tib" => 40,
            _ => return Err(wrong(word, BYTES)),
        };
        decimal(number, 1u64 << shift).map(Bytes).ok_or_else(|| wrong(word, BYTES))
    }
}

/// `number` (digits, at most one point) times `unit`, rounded down, without floating point.
fn decimal(number: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || fraction.len() > 9 || !digits(whole) || !digits(fraction) {
        return None;
    }
    let scale = 10u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let part: u128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    let unit = u128::from(unit);
    let total = u128::from(whole.parse::<u64>().ok()?).checked_mul(unit)?.checked_add(part * unit / scale)?;
    u64::try_from(total).ok()
}

impl TryFrom<String> for Bytes {
    type Error = AmountError;

    fn try_from(word: String) -> Result<Self, AmountError> {
        word.parse()
    }
}

impl From<Bytes> for String {
    fn from(amount: Bytes) -> Self {
        amount.to_string()
    }
}

impl fmt::Display for Bytes {
    /// The shortest exact form, with one decimal where a unit does not divide it: `4g`, `1.5g`, `100m`, `17`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (shift, letter) in [(40, 't'), (30, 'g'), (20, 'm'), (10, 'k')] {
            let unit = 1u64 << shift;
            if self.0 >= unit {
                let tenths = u128::from(self.0) * 10 / u128::from(unit);
                return match (tenths / 10, tenths % 10) {
                    (whole, 0) => write!(f, "{whole}{letter}"),
                    (whole, tenth) => write!(f, "{whole}.{tenth}{letter}"),
                };
            }
        }
        write!(f, "{}", self.0)
    }
}

/// CPUs in billionths, as the engine counts them (`NanoCpus`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Cpus(pub u64);

impl Cpus {
    /// One processor, all the time, in billionths.
    pub const ONE: u64 = 1_000_000_000;
}

impl std::str::FromStr for Cpus {
    type Err = AmountError;

    fn from_str(word: &str) -> Result<Self, AmountError> {
        decimal(word.trim(), Self::ONE)
            .map(Cpus)
            .ok_or_else(|| wrong(word, phrase!("a number of cpus such as 2 or 0.5")))
    }
}

impl fmt::Display for Cpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / Self::ONE, self.0 % Self::ONE);
        if rest == 0 {
            return write!(f, "{whole}");
        }
        let digits = format!("{rest:09}");
        write!(f, "{whole}.{}", digits.trim_end_matches('0'))
    }
}

/// A span of time in seconds: `90`, `30m`, `1.5h`, `7d`, `1h30m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(pub u64);

const SPAN: Phrase = phrase!("a span of time such as 30m, 24h or 7d");

impl std::str::FromStr for Span {
    type Err = AmountError;

    fn from_str(word: &str) -> Result<Self, AmountError> {
        let mut rest = word.trim();
        if rest.is_empty() {
            return Err(wrong(word, SPAN));
        }
        let mut total = 0u64;
        while !rest.is_empty() {
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            let (number, tail) = rest.split_at(end);
            let unit = tail.chars().next();
            let seconds = match unit {
                None | Some('s') => 1,
                Some('m') => 60,
                Some('h') => 3600,
                Some('d') => 86400,
                Some(_) => return Err(wrong(word, SPAN)),
            };
            total = decimal(number, seconds)
                .and_then(|more| total.checked_add(more))
                .ok_or_else(|| wrong(word, SPAN))?;
            rest = tail.get(unit.map_or(0, char::len_utf8)..).unwrap_or("");
        }
        Ok(Self(total))
    }
}

impl TryFrom<String> for Span {
    type Error = AmountError;

    fn try_from(word: String) -> Result<Self, AmountError> {
        word.parse()
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.to_string()
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = self.0;
        let mut any = false;
        for (unit, letter) in [(86400, 'd'), (3600, 'h'), (60, 'm')] {
            if left >= unit {
                write!(f, "{}{letter}", left / unit)?;
                left %= unit;
                any = true;
            }
        }
        if left > 0 || !any { write!(f, "{left}s") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_counted_in_powers_of_1024() {
        for (word, bytes, shown) in [
            ("4g", 4 << 30, "4g"),
            ("512m", 512 << 20, "512m"),
            ("1.5g", 3 << 29, "1.5g"),
            ("17", 17, "17"),
            ("1KiB", 1024, "1k"),
            ("0", 0, "0"),
        ] {
            assert_eq!(word.parse::<Bytes>().unwrap().0, bytes);
            assert_eq!(Bytes(bytes).to_string(), shown);
        }
        for bad in ["", "g", "-1g", "4x", "1.2.3g", "99999999999t", "1e3"] {
            assert!(bad.parse::<Bytes>().is_err(), "{bad}");
        }
    }

    #[test]
    fn cpus_are_decimal() {
        assert_eq!("0.5".parse::<Cpus>().unwrap().0, 500_000_000);
        assert_eq!("2".parse::<Cpus>().unwrap().to_string(), "2");
        assert_eq!("1.25".parse::<Cpus>().unwrap().to_string(), "1.25");
        assert!("-1".parse::<Cpus>().is_err());
        assert!("two".parse::<Cpus>().is_err());
    }

    #[test]
    fn spans_add_their_parts() {
        for (word, seconds, shown) in [
            ("30m", 1800, "30m"),
            ("24h", 86400, "1d"),
            ("1h30m", 5400, "1h30m"),
            ("1.5h", 5400, "1h30m"),
            ("42.5s", 42, "42s"),
            ("90", 90, "1m30s"),
        ] {
            assert_eq!(word.parse::<Span>().unwrap().0, seconds);
            assert_eq!(Span(seconds).to_string(), shown);
        }
        for bad in ["", "h", "3w", "-1h", "1h m", ".h", "1.2.3h", "300ms"] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
    }
}
