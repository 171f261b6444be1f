//! What was copied into containers that do not run, as far as no measurement of the disk has seen it whole.
//!
//! The engine measures now and then, and a copy is as fast as the disk: without this, each copy would find all the room
//! that the last measurement has left.

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
    /// What the container held, by the last measurement before the first of these copies.
    base: u64,
    /// What those that have ended have left there.
    bytes: u64,
    /// What the one under way has taken.
    under_way: Option<u64>,
    /// The number of the last one.
    last: u64,
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
    /// What the engine was given of it.
    given: u64,
}

/// The containers whose copies had all ended before a measurement began, each with its last: it sees them whole.
#[derive(Debug)]
pub(super) struct Ended(HashMap<ContainerId, u64>);

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    /// The container, as long as this is the last copy into it.
    fn copy(&mut self, copying: &Copying) -> Option<&mut Filled> {
        self.containers.get_mut(&copying.id).filter(|into| into.last == copying.number)
    }
}

impl Filled {
    fn holds(&self) -> u64 {
        self.base.saturating_add(self.bytes).saturating_add(self.under_way.unwrap_or(0))
    }
}

impl Copied {
    /// A copy for which no room was found yet, into a container that holds so much.
    pub(super) fn begin(&self, uid: u32, id: &ContainerId, measured: u64) -> Copying {
        let mut state = lock(&self.0);
        state.copies += 1;
        let last = state.copies;
        let fresh = Filled { uid, base: measured, bytes: 0, under_way: None, last };
        let into = state.containers.entry(id.clone()).or_insert(fresh);
        into.last = last;
        // One whose end was not noted yet is over: this one has the lock.
        into.bytes = into.bytes.saturating_add(into.under_way.replace(0).unwrap_or(0));
        let most = *state.taken.entry(uid).or_default();
        Copying { state: self.0.clone(), uid, id: id.clone(), number: last, most, given: 0 }
    }

    /// What a container holds of which so much was measured: a measurement may have seen a copy in its midst.
    pub(super) fn holds(&self, id: &ContainerId, measured: u64) -> u64 {
        lock(&self.0).containers.get(id).map_or(measured, |into| into.holds().max(measured))
    }

    pub(super) fn ended(&self) -> Ended {
        let state = lock(&self.0);
        let ended = state.containers.iter().filter(|(_, into)| into.under_way.is_none());
        Ended(ended.map(|(id, into)| (id.clone(), into.last)).collect())
    }

    /// They were measured, unless there was another copy since.
    pub(super) fn measured(&self, ended: &Ended) {
        lock(&self.0).containers.retain(|id, into| ended.0.get(id) != Some(&into.last));
    }
}

impl Copying {
    /// There is room for so many bytes more than its user's copies have taken by now.
    pub(in crate::gateway) fn allow(&mut self, room: u64) {
        let taken = lock(&self.state).taken.get(&self.uid).copied().unwrap_or_default();
        self.most = taken.saturating_add(room);
    }

    /// Takes room until this copy has so many bytes in all; nothing if there is none left.
    #[must_use]
    pub(in crate::gateway) fn reach(&mut self, bytes: u64) -> bool {
        let mut state = lock(&self.state);
        let Some(so_far) = state.copy(self).and_then(|into| into.under_way) else { return false };
        if bytes <= so_far {
            return true;
        }
        let taken = state.taken.get(&self.uid).copied().unwrap_or_default().saturating_add(bytes - so_far);
        if taken > self.most {
            return false;
        }
        state.taken.insert(self.uid, taken);
        if let Some(into) = state.copy(self) {
            into.under_way = Some(bytes);
        }
        true
    }

    /// The engine was given so many bytes more: of what was announced and never came, nothing is left.
    pub(in crate::gateway) fn give(&mut self, bytes: usize) {
        self.given = self.given.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }
}

impl Drop for Copying {
    fn drop(&mut self) {
        let mut state = lock(&self.state);
        if let Some(into) = state.copy(self) {
            let left = into.under_way.take().unwrap_or(0).min(self.given);
            into.bytes = into.bytes.saturating_add(left);
            // Nothing of it is to be measured.
            if into.bytes == 0 {
                state.containers.remove(&self.id);
            }
        }
        if !state.containers.values().any(|into| into.uid == self.uid && into.under_way.is_some()) {
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

    /// A copy that has found so much room and was given all that it takes.
    fn begun(copied: &Copied, uid: u32, digit: char, room: u64) -> Copying {
        let mut copy = copied.begin(uid, &id(digit), 0);
        copy.allow(room);
        copy.give(1000);
        copy
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
        assert_eq!(['a', 'b', 'c'].map(|digit| copied.holds(&id(digit), 0)), [12, 8, 20]);
        // Who looks again finds what there is by then.
        one.allow(5);
        assert!(one.reach(17) && !one.reach(18) && !two.reach(9));
    }

    #[test]
    fn a_copy_counts_until_a_measurement_that_began_after_it() {
        let copied = Copied::default();
        let mut one = begun(&copied, 1, 'a', 20);
        assert!(one.reach(12));
        let early = copied.ended();
        drop(one);
        copied.measured(&early);
        assert_eq!(copied.holds(&id('a'), 0), 12);
        let late = copied.ended();
        let again = begun(&copied, 1, 'a', 20);
        copied.measured(&late);
        assert_eq!(copied.holds(&id('a'), 0), 12, "another has begun since");
        drop(again);
        copied.measured(&copied.ended());
        let state = lock(&copied.0);
        assert!(state.containers.is_empty() && state.taken.is_empty());
    }

    #[test]
    fn one_that_ends_late_ends_itself_alone() {
        let copied = Copied::default();
        let mut one = begun(&copied, 1, 'a', 20);
        assert!(one.reach(5));
        let mut two = begun(&copied, 1, 'a', 20);
        assert!(two.reach(7) && !one.reach(6));
        drop(one);
        assert_eq!(copied.holds(&id('a'), 0), 12);
        assert!(two.reach(8));
        drop(two);
        assert_eq!(copied.holds(&id('a'), 0), 13);
    }

    #[test]
    fn what_a_measurement_saw_in_the_midst_counts_once() {
        let copied = Copied::default();
        let mut copy = copied.begin(1, &id('a'), 5);
        copy.allow(20);
        copy.give(20);
        assert!(copy.reach(12));
        assert_eq!([5, 11, 17, 18].map(|measured| copied.holds(&id('a'), measured)), [17, 17, 17, 18]);
    }

    #[test]
    fn what_was_announced_and_never_came_is_not_kept() {
        let copied = Copied::default();
        for (given, holds) in [(0, 0), (3, 3), (100, 12)] {
            let mut copy = copied.begin(1, &id('a'), 0);
            copy.allow(20);
            copy.give(given);
            assert!(copy.reach(12));
            assert_eq!(copied.holds(&id('a'), 0), 12);
            drop(copy);
            assert_eq!(copied.holds(&id('a'), 0), holds);
            copied.measured(&copied.ended());
        }
        let state = lock(&copied.0);
        assert!(state.containers.is_empty() && state.taken.is_empty());
    }
}
