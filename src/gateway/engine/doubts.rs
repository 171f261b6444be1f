//! Creates that a user may have more containers by than anybody has been told.
//!
//! While one is under way, its container may be there already. One that was refused may have met a container that nobody
//! knew of, as a name is taken by it. And one that was not answered may still be done, whenever the engine comes to it.

use super::moment::Moment;
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

/// How long an engine may be at a create that nobody waits for any more.
const UNKNOWN: Duration = Duration::from_secs(600);

/// By uid.
#[derive(Debug, Default)]
pub(super) struct Doubts(HashMap<u32, Doubt>);

#[derive(Debug, Default)]
struct Doubt {
    under_way: usize,
    refused: Option<Moment>,
    unanswered: Option<Instant>,
}

/// What came of a create.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It was made and noted, or the engine was not even asked.
    Certain,
    Refused,
    Unanswered,
}

impl Doubt {
    fn holds(&self, listed: Moment) -> bool {
        self.under_way > 0
            || self.refused.is_some_and(|refused| refused >= listed)
            || self.unanswered.is_some_and(|since| since.elapsed() < UNKNOWN)
    }
}

impl Doubts {
    pub(super) fn begins(&mut self, uid: u32) {
        self.0.entry(uid).or_default().under_way += 1;
    }

    pub(super) fn ends(&mut self, uid: u32, end: End, at: Moment) {
        let doubt = self.0.entry(uid).or_default();
        doubt.under_way = doubt.under_way.saturating_sub(1);
        match end {
            End::Certain => {}
            End::Refused => doubt.refused = Some(at),
            End::Unanswered => doubt.unanswered = Some(Instant::now()),
        }
    }

    /// Whether this user may have a container that is not among those which a list that has begun then knew of, and those
    /// that were noted since.
    pub(super) fn of(&self, uid: u32, listed: Moment) -> bool {
        self.0.get(&uid).is_some_and(|doubt| doubt.holds(listed))
    }

    /// Lets go of those that are over.
    pub(super) fn tidy(&mut self, listed: Moment) {
        self.0.retain(|_, doubt| doubt.holds(listed));
    }
}

#[cfg(test)]
mod tests {
    use super::super::moment::Moments;
    use super::*;

    /// One create of 1000's that ends so, between two lists; who doubts later, after the first and after the second.
    async fn after(end: End, later: Duration) -> [bool; 2] {
        let (mut moments, mut doubts) = (Moments::default(), Doubts::default());
        let first = moments.next();
        doubts.begins(1000);
        doubts.ends(1000, end, moments.next());
        let second = moments.next();
        tokio::time::advance(later).await;
        assert!(!doubts.of(1001, first), "somebody else's");
        let doubted = [first, second].map(|listed| doubts.of(1000, listed));
        // Nobody lets go of what is in doubt.
        doubts.tidy(second);
        assert_eq!(doubts.of(1000, second), doubted[1]);
        doubted
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_refused_is_in_doubt_until_the_next_list() {
        assert_eq!(after(End::Refused, Duration::ZERO).await, [true, false]);
        assert_eq!(after(End::Refused, UNKNOWN * 2).await, [true, false]);
        assert_eq!(after(End::Certain, Duration::ZERO).await, [false, false]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_not_answered_is_in_doubt_for_as_long_as_an_engine_may_take() {
        assert_eq!(after(End::Unanswered, UNKNOWN - Duration::from_millis(1)).await, [true, true]);
        assert_eq!(after(End::Unanswered, UNKNOWN).await, [false, false]);
    }

    #[tokio::test(start_paused = true)]
    async fn each_that_is_under_way_is_waited_for() {
        let (mut moments, mut doubts) = (Moments::default(), Doubts::default());
        let listed = moments.next();
        doubts.begins(1000);
        doubts.begins(1000);
        tokio::time::advance(UNKNOWN * 2).await;
        for left in [true, false] {
            assert!(doubts.of(1000, listed));
            doubts.tidy(listed);
            doubts.ends(1000, End::Certain, moments.next());
            assert_eq!(doubts.of(1000, listed), left);
        }
        doubts.tidy(listed);
        assert!(doubts.0.is_empty());
    }
}
