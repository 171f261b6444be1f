//! A rate limit for each user, on what costs the gateway something each time.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// No longer than this is anything kept waiting.
const LONGEST: Duration = Duration::from_secs(10);

/// When each user's next thing is due, of those who were fast just now.
#[derive(Debug)]
pub(in crate::gateway) struct RateLimit {
    /// What is done at once, after a while of little.
    burst: u32,
    /// The time between two things from then on.
    step: Duration,
    due: Mutex<HashMap<u32, Instant>>,
}

impl RateLimit {
    pub(in crate::gateway) fn new(burst: u32, each_second: u32) -> Self {
        let step = Duration::from_secs(1).checked_div(each_second).unwrap_or(Duration::from_secs(1));
        Self { burst, step, due: Mutex::default() }
    }

    /// Of what changes something: each decision is a line in the log, and whoever writes the most of those would have
    /// everybody else's rotated away. A large Compose project comes to a few hundred.
    pub(in crate::gateway) fn of_changes() -> Self {
        Self::new(500, 100)
    }

    /// Of what only looks: it is not written down, and takes the gateway and the engine a millisecond. Whoever asks on many
    /// connections as fast as it is answered would have the processors of everybody.
    pub(in crate::gateway) fn of_looks() -> Self {
        Self::new(1000, 300)
    }

    /// Of starts that nobody asks for just now: what ends each ten seconds starts each ten seconds, and a user may have many.
    pub(in crate::gateway) fn of_restarts() -> Self {
        Self::new(10, 1)
    }

    /// Waits for one user's turn.
    pub(in crate::gateway) async fn wait(&self, uid: u32) {
        let wait = self.due(uid, Instant::now());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }

    /// How long the next thing waits. What is due lies as far ahead as a burst reaches, and then things wait for it.
    fn due(&self, uid: u32, now: Instant) -> Duration {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        due.retain(|_, at| *at > now);
        let at = due.entry(uid).or_insert(now);
        let ahead = at.saturating_duration_since(now);
        let wait = ahead.saturating_sub(self.step * self.burst);
        // Who gives up waiting, again and again, is not kept out for hours.
        if wait < LONGEST {
            *at += self.step;
        }
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_served_at_once_and_then_so_many_a_second() {
        let (rate_limit, now) = (RateLimit::new(500, 100), Instant::now());
        for _ in 0..=500 {
            assert_eq!(rate_limit.due(1, now), Duration::ZERO);
        }
        let waits: Vec<Duration> = (0..100).map(|_| rate_limit.due(1, now)).collect();
        assert_eq!((waits[0], waits[99]), (Duration::from_millis(10), Duration::from_secs(1)));
        assert_eq!(rate_limit.due(2, now), Duration::ZERO);
        // A second later a second's worth has been served.
        assert_eq!(rate_limit.due(1, now + Duration::from_secs(1)), Duration::from_millis(10));
        assert_eq!(rate_limit.due(1, now + Duration::from_secs(60)), Duration::ZERO);
        assert_eq!(rate_limit.due.lock().unwrap().len(), 1);
        let last = (0..2500).map(|_| rate_limit.due(3, now)).last();
        assert_eq!(last, Some(LONGEST));
    }
}
