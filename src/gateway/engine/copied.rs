//! What was copied into containers that do not run, as far as no measurement of the disk has seen it whole.
//!
//! The engine measures now and then, and a copy is as fast as the disk: without this, each copy would find all the room
//! that the last measurement has left.
//!
//! A copy counts until a measurement that began after it. A copy that a measurement saw in its midst counts once. What
//! the copy replaces is known to the next measurement alone.

use super::ContainerId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Debug, Default)]
pub(super) struct Copied(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    copies: u64,
    containers: HashMap<ContainerId, Filled>,
    /// What the copies of those users who have one under way have taken in all. It only grows.
    taken: HashMap<u32, u64>,
}

/// One container's copies, of which one at the most is under way: it has the container's lock.
#[derive(Debug)]
struct Filled {
    uid: u32,
    /// What the container held without these copies, as far as it was measured.
    base: u64,
    /// What those that have ended have left there.
    bytes: u64,
    under_way: Option<UnderWay>,
    /// The number of the last one.
    last: u64,
}

#[derive(Debug, Default, Clone, Copy)]
struct UnderWay {
    /// What it has announced.
    taken: u64,
    /// What the engine was given of it: of what was announced and never came, nothing is left.
    given: u64,
}

/// A copy under way. What it takes is its user's until it has been measured.
#[derive(Debug)]
pub(in crate::gateway) struct Copying {
    state: Arc<Mutex<State>>,
    uid: u32,
    id: ContainerId,
    number: u64,
    /// How far its user's copies may get together.
    most: u64,
}

/// How it stands when a measurement begins, which sees whole what has ended by then: the number of each container's last
/// copy, where that has ended, and what they have left there.
#[derive(Debug)]
pub(super) struct Before(HashMap<ContainerId, (Option<u64>, u64)>);

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    /// The copy, as long as it is its container's last.
    fn copy(&mut self, copying: &Copying) -> Option<&mut UnderWay> {
        let filled = self.containers.get_mut(&copying.id).filter(|filled| filled.last == copying.number);
        filled.and_then(|filled| filled.under_way.as_mut())
    }
}

impl Filled {
    fn holds(&self) -> u64 {
        self.base.saturating_add(self.bytes).saturating_add(self.under_way.map_or(0, |copy| copy.taken))
    }

    /// So much was measured, with all of the bytes that had ended before, and nobody knows how much of what came since.
    fn measured(&mut self, ended: u64, measured: u64) {
        let without = self.base.saturating_add(ended);
        self.bytes = self.bytes.saturating_sub(ended);
        let given = self.under_way.map_or(0, |copy| copy.given.min(copy.taken));
        let since = self.bytes.saturating_add(given);
        self.base = without.min(measured).max(measured.saturating_sub(since));
    }
}

impl Copied {
    /// A copy for which no room was found yet, into a container that holds so much.
    pub(super) fn begin(&self, uid: u32, id: &ContainerId, measured: u64) -> Copying {
        let mut state = lock(&self.0);
        state.copies += 1;
        let last = state.copies;
        let fresh = Filled { uid, base: measured, bytes: 0, under_way: None, last };
        let filled = state.containers.entry(id.clone()).or_insert(fresh);
        filled.last = last;
        // One whose end was not noted yet is over: this one has the lock.
        let late = filled.under_way.replace(UnderWay::default());
        filled.bytes = filled.bytes.saturating_add(late.map_or(0, |copy| copy.taken.min(copy.given)));
        let most = *state.taken.entry(uid).or_default();
        Copying { state: self.0.clone(), uid, id: id.clone(), number: last, most }
    }

    /// What a container holds of which so much was measured: a measurement may have seen a copy in its midst.
    pub(super) fn holds(&self, id: &ContainerId, measured: u64) -> u64 {
        lock(&self.0).containers.get(id).map_or(measured, |filled| filled.holds().max(measured))
    }

    /// A measurement begins.
    pub(super) fn before(&self) -> Before {
        let state = lock(&self.0);
        let stands = |filled: &Filled| (filled.under_way.is_none().then_some(filled.last), filled.bytes);
        Before(state.containers.iter().map(|(id, filled)| (id.clone(), stands(filled))).collect())
    }

    /// It has ended, and says so much of each container that it could measure.
    pub(super) fn measured(&self, before: &Before, measured: impl Fn(u32, &ContainerId) -> Option<u64>) {
        lock(&self.0).containers.retain(|id, filled| {
            let (last, ended) = before.0.get(id).copied().unwrap_or_default();
            let seen_whole = last == Some(filled.last);
            if let Some(measured) = measured(filled.uid, id).filter(|_| !seen_whole) {
                filled.measured(ended, measured);
            }
            !seen_whole
        });
    }
}

impl Copying {
    /// What its user's copies have taken by now: asked before the room is looked for, so that what is taken meanwhile
    /// costs room and gives none.
    pub(in crate::gateway) fn taken(&self) -> u64 {
        lock(&self.state).taken.get(&self.uid).copied().unwrap_or_default()
    }

    /// There is room for so many bytes more than had been taken.
    pub(in crate::gateway) fn allow(&mut self, taken: u64, room: u64) {
        self.most = taken.saturating_add(room);
    }

    /// Takes room until this copy has so many bytes in all; nothing if there is none left.
    #[must_use]
    pub(in crate::gateway) fn reach(&mut self, bytes: u64) -> bool {
        let mut state = lock(&self.state);
        let Some(so_far) = state.copy(self).map(|copy| copy.taken) else { return false };
        if bytes <= so_far {
            return true;
        }
        let taken = state.taken.get(&self.uid).copied().unwrap_or_default().saturating_add(bytes - so_far);
        if taken > self.most {
            return false;
        }
        state.taken.insert(self.uid, taken);
        if let Some(copy) = state.copy(self) {
            copy.taken = bytes;
        }
        true
    }

    /// The engine is given so many bytes more.
    pub(in crate::gateway) fn give(&self, bytes: usize) {
        if let Some(copy) = lock(&self.state).copy(self) {
            copy.given = copy.given.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        }
    }
}

impl Drop for Copying {
    fn drop(&mut self) {
        let mut state = lock(&self.state);
        let filled = state.containers.get_mut(&self.id).filter(|filled| filled.last == self.number);
        if let Some(filled) = filled {
            let copy = filled.under_way.take().unwrap_or_default();
            filled.bytes = filled.bytes.saturating_add(copy.taken.min(copy.given));
            // Nothing of it is to be measured.
            if filled.bytes == 0 {
                state.containers.remove(&self.id);
            }
        }
        if !state.containers.values().any(|filled| filled.uid == self.uid && filled.under_way.is_some()) {
            state.taken.remove(&self.uid);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(digit: char) -> ContainerId {
        ContainerId::parse(&digit.to_string().repeat(64)).unwrap()
    }

    /// A copy that has found so much room, and of which the engine is given all.
    fn begun(copied: &Copied, uid: u32, digit: char, room: u64) -> Copying {
        let mut copy = copied.begin(uid, &id(digit), 0);
        copy.allow(copy.taken(), room);
        copy.give(1000);
        copy
    }

    fn holds(copied: &Copied, digit: char) -> u64 {
        copied.holds(&id(digit), 0)
    }

    fn is_empty(copied: &Copied) -> bool {
        let state = lock(&copied.0);
        state.containers.is_empty() && state.taken.is_empty()
    }

    #[test]
    fn two_copies_at_once_share_the_room() {
        let copied = Copied::default();
        assert!(!copied.begin(1, &id('a'), 0).reach(1), "no room was found yet");
        let (mut one, mut two) = (begun(&copied, 1, 'a', 20), begun(&copied, 1, 'b', 20));
        assert!(one.reach(12) && two.reach(8));
        assert!(!one.reach(13) && !two.reach(9));
        assert!(one.reach(12), "what it has it keeps");
        let mut bobs = begun(&copied, 2, 'c', 20);
        assert!(bobs.reach(20));
        assert_eq!(['a', 'b', 'c'].map(|digit| holds(&copied, digit)), [12, 8, 20]);
        // Who looks again finds what there is by then; what another takes while it looks is not given twice.
        let taken = one.taken();
        two.allow(two.taken(), 3);
        assert!(two.reach(11));
        one.allow(taken, 5);
        assert!(one.reach(14) && !one.reach(15) && !two.reach(12));
    }

    #[test]
    fn a_copy_counts_until_a_measurement_that_began_after_it() {
        let copied = Copied::default();
        let mut one = begun(&copied, 1, 'a', 20);
        assert!(one.reach(12));
        let early = copied.before();
        drop(one);
        copied.measured(&early, |_, _| Some(0));
        assert_eq!(holds(&copied, 'a'), 12);
        copied.measured(&copied.before(), |_, _| Some(12));
        assert!(is_empty(&copied));
    }

    #[test]
    fn what_a_measurement_saw_in_the_midst_counts_once() {
        let copied = Copied::default();
        let mut copy = copied.begin(1, &id('a'), 5);
        copy.allow(0, 20);
        copy.give(6);
        assert!(copy.reach(12));
        assert_eq!([5, 11, 17, 18].map(|measured| copied.holds(&id('a'), measured)), [17, 17, 17, 18]);
        copied.measured(&copied.before(), |_, _| Some(11));
        assert_eq!(copied.holds(&id('a'), 11), 17);
        // What was there and had not been measured does not hide behind the copy.
        copied.measured(&copied.before(), |_, _| Some(21));
        assert_eq!(copied.holds(&id('a'), 21), 27);
    }

    #[test]
    fn what_was_replaced_is_known_to_the_next_measurement() {
        let copied = Copied::default();
        let first = |copied: &Copied| {
            let mut copy = copied.begin(1, &id('a'), 40);
            copy.allow(copy.taken(), 100);
            copy.give(40);
            assert!(copy.reach(40));
        };
        first(&copied);
        assert_eq!(holds(&copied, 'a'), 80);
        // Though another one has begun.
        let mut second = begun(&copied, 1, 'a', 60);
        let before = copied.before();
        assert!(second.reach(10));
        copied.measured(&before, |_, _| Some(40));
        assert_eq!(holds(&copied, 'a'), 50);
        // Or one began and ended since.
        drop(second);
        first(&copied);
        let before = copied.before();
        first(&copied);
        copied.measured(&before, |_, _| Some(50));
        assert_eq!(holds(&copied, 'a'), 90);
        copied.measured(&copied.before(), |_, _| None);
        assert!(is_empty(&copied));
    }

    #[test]
    fn one_that_ends_late_ends_itself_alone() {
        let copied = Copied::default();
        let mut one = begun(&copied, 1, 'a', 20);
        assert!(one.reach(5));
        let mut two = begun(&copied, 1, 'a', 20);
        assert!(two.reach(7) && !one.reach(6));
        drop(one);
        assert_eq!(holds(&copied, 'a'), 12);
        assert!(two.reach(8));
        drop(two);
        assert_eq!(holds(&copied, 'a'), 13);
    }

    #[test]
    fn what_was_announced_and_never_came_is_not_kept() {
        let copied = Copied::default();
        for (given, left) in [(0, 0), (3, 3), (100, 12)] {
            let mut copy = copied.begin(1, &id('a'), 0);
            copy.allow(0, 20);
            copy.give(given);
            assert!(copy.reach(12));
            assert_eq!(holds(&copied, 'a'), 12);
            drop(copy);
            assert_eq!(holds(&copied, 'a'), left);
            copied.measured(&copied.before(), |_, _| Some(left));
        }
        assert!(is_empty(&copied));
    }
}
