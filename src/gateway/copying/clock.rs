//! How long a copy with a container that does not run may take, as it keeps that container from everybody.
//!
//! An engine tells nothing of a container while it copies. So such a copy has an end by the clock, and `rm -f` cuts it
//! off.

use std::time::{Duration, Instant};

/// A copy that stands still this long is cut off.
pub(super) const IDLE: Duration = Duration::from_secs(20);
/// And one that is slower than this, in bytes a second, but for its first minute.
const SLOWEST: u64 = 64 << 10;
/// A copy of which little has passed yet is not judged by its pace for so long.
const BEGINNING: Duration = Duration::from_secs(60);
/// And any, after this.
const LONGEST: Duration = Duration::from_secs(3600);

/// How long a copy has taken, for how much.
pub(super) struct Pace {
    begun: Instant,
    bytes: u64,
}

impl Pace {
    pub(super) fn begin() -> Self {
        Self { begun: Instant::now(), bytes: 0 }
    }

    pub(super) fn count(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    /// How long may be waited for what comes next.
    pub(super) fn patience(&self) -> Duration {
        patience(self.begun.elapsed(), self.bytes)
    }
}

fn patience(taken: Duration, bytes: u64) -> Duration {
    let allowed = BEGINNING.saturating_add(Duration::from_secs(bytes / SLOWEST)).min(LONGEST);
    allowed.saturating_sub(taken).min(IDLE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_goes_on_while_it_gets_on() {
        let seconds = Duration::from_secs;
        for (taken, bytes, left) in [
            (0, 0, IDLE),
            (50, 0, seconds(10)),
            (61, 0, Duration::ZERO),
            (150, SLOWEST * 100, seconds(10)),
            (161, SLOWEST * 100, Duration::ZERO),
            (3590, 1 << 40, seconds(10)),
            (3601, u64::MAX, Duration::ZERO),
        ] {
            assert_eq!(patience(seconds(taken), bytes), left, "{taken} {bytes}");
        }
    }
}
