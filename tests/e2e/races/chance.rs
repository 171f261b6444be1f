//! Chance that can be had again: it begins with a number that is printed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A row of numbers, each after the one before it.
pub(super) struct Chance(u64);

impl Chance {
    /// Another row each time, or the one that `IE_CHANCE` names.
    pub(super) fn new(what: &str) -> Self {
        let named = std::env::var("IE_CHANCE").ok().and_then(|word| word.parse().ok());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let seed: u64 = named.unwrap_or(now);
        eprintln!("{what}: IE_CHANCE={seed} has this row again");
        Self::from(seed)
    }

    pub(super) fn from(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `end`.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % end
    }

    pub(super) fn milliseconds(&mut self, end: u64) -> Duration {
        Duration::from_millis(self.below(end))
    }
}
