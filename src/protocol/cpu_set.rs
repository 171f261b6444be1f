//! Sets of processors, in the words of Docker and the kernel: `0-3,8`.

use crate::protocol::told::Told;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// Processors by the kernel's numbers; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CpuSet(BTreeSet<u16>);

/// Why a word is no such set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Told)]
#[error("{0:?} is not a set of processors such as 0-3,8")]
pub struct CpuSetError(String);

/// The greatest id of a processor: Linux has 8192 at most.
const LAST: u16 = 8191;
/// Bytes of such a word, at the most.
const LONGEST: usize = 4096;

impl CpuSet {
    /// Whether all of another set's are among these.
    pub fn contains(&self, other: &Self) -> bool {
        other.0.is_subset(&self.0)
    }
}

impl FromStr for CpuSet {
    type Err = CpuSetError;

    fn from_str(word: &str) -> Result<Self, CpuSetError> {
        // Not told whole: it may be long.
        let wrong = || CpuSetError(word.chars().take(80).collect());
        let number = |digits: &str| {
            let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
            plain.then(|| digits.parse::<u16>().ok()).flatten().filter(|number| *number <= LAST)
        };
        let (mut all, mut said) = (BTreeSet::new(), 0_usize);
        if word.len() > LONGEST {
            return Err(wrong());
        }
        for part in word.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = number(first).zip(number(last)).ok_or_else(wrong)?;
            // Counted before: the same may be said again and again.
            said = said.saturating_add(usize::from(last.saturating_sub(first)) + 1);
            if first > last || said > usize::from(LAST) + 1 {
                return Err(wrong());
            }
            all.extend(first..=last);
        }
        Ok(Self(all))
    }
}

impl fmt::Display for CpuSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut numbers = self.0.iter().copied().peekable();
        let mut between = "";
        while let Some(first) = numbers.next() {
            let mut last = first;
            while let Some(next) = numbers.next_if(|next| last.checked_add(1) == Some(*next)) {
                last = next;
            }
            match first == last {
                true => write!(f, "{between}{first}")?,
                false => write!(f, "{between}{first}-{last}")?,
            }
            between = ",";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_numbers_and_ranges() {
        for (word, shown) in [
            ("0", "0"),
            ("0-3", "0-3"),
            ("3,1,2,8", "1-3,8"),
            ("0-1,2-3,8191", "0-3,8191"),
            ("00,1", "0-1"),
            ("5-5", "5"),
        ] {
            assert_eq!(word.parse::<CpuSet>().unwrap().to_string(), shown, "{word}");
        }
        let long = "0,".repeat(3000) + "0";
        for bad in
            ["", ",", "0,", "-", "3-1", "0-", "-1", "+1", "8192", "0-65536", "0x1", "0 1", "0-1:2/3", &long]
        {
            assert!(bad.parse::<CpuSet>().is_err(), "{bad}");
        }
    }

    #[test]
    fn one_lies_in_another() {
        let set = |word: &str| word.parse::<CpuSet>().unwrap();
        assert!(set("0-7").contains(&set("0,7")) && set("1,3").contains(&set("3")));
        assert!(!set("0-7").contains(&set("7-8")) && !set("1,3").contains(&set("1-3")));
    }
}
