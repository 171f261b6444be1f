//! What was copied into containers that do not run since the disk was last measured.
//!
//! The engine measures now and then, and a copy is as fast as the disk: without this, each copy would find all the room
//! that the last measurement has left.

use super::ContainerId;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Debug, Default)]
pub(super) struct Copied(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    next: u64,
    /// By number: those under way, and those that no measurement has seen yet.
    copies: HashMap<u64, Copy>,
    /// What the copies of those users who have one under way have taken in all. It only grows.
    taken: HashMap<u32, u64>,
}

#[derive(Debug)]
struct Copy {
    uid: u32,
    id: ContainerId,
    bytes: u64,
    under_way: bool,
}

/// A copy under way. What it takes is its user's until it has been measured.
#[derive(Debug)]
pub(in crate::gateway) struct Copying {
    state: Arc<Mutex<State>>,
    number: u64,
    uid: u32,
    /// How far its user's copies may get together.
    most: u64,
}

/// The copies that had ended before a measurement began: it sees all of them.
#[derive(Debug)]
pub(super) struct Ended(HashSet<u64>);

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Copied {
    /// A copy for which there is no room yet: that is looked for after this, so that two find it once.
    pub(super) fn begin(&self, uid: u32, id: &ContainerId) -> Copying {
        let mut state = lock(&self.0);
        let number = state.next;
        state.next += 1;
        state.copies.insert(number, Copy { uid, id: id.clone(), bytes: 0, under_way: true });
        let most = *state.taken.entry(uid).or_default();
        Copying { state: self.0.clone(), number, uid, most }
    }

    /// What no measurement has seen yet, of one container.
    pub(super) fn unmeasured(&self, id: &ContainerId) -> u64 {
        let state = lock(&self.0);
        state.copies.values().filter(|copy| copy.id == *id).map(|copy| copy.bytes).sum()
    }

    pub(super) fn ended(&self) -> Ended {
        let state = lock(&self.0);
        let ended = state.copies.iter().filter(|(_, copy)| !copy.under_way);
        Ended(ended.map(|(number, _)| *number).collect())
    }

    pub(super) fn measured(&self, ended: &Ended) {
        lock(&self.0).copies.retain(|number, _| !ended.0.contains(number));
    }
}

impl Copying {
    /// There is room for so many bytes more than its user's copies had taken when this one began.
    pub(in crate::gateway) fn allow(&mut self, room: u64) {
        self.most = self.most.saturating_add(room);
    }

    /// Takes room until this copy has so many bytes in all; nothing if there is none left.
    #[must_use]
    pub(in crate::gateway) fn reach(&mut self, bytes: u64) -> bool {
        let mut state = lock(&self.state);
        let so_far = state.copies.get(&self.number).map_or(0, |copy| copy.bytes);
        if bytes <= so_far {
            return true;
        }
        let taken = state.taken.get(&self.uid).copied().unwrap_or_default();
        let taken = taken.saturating_add(bytes - so_far);
        if taken > self.most {
            return false;
        }
        state.taken.insert(self.uid, taken);
        if let Some(copy) = state.copies.get_mut(&self.number) {
            copy.bytes = bytes;
        }
        true
    }
}

impl Drop for Copying {
    fn drop(&mut self) {
        let mut state = lock(&self.state);
        match state.copies.get_mut(&self.number) {
            // Nothing of it is to be measured.
            Some(copy) if copy.bytes == 0 => drop(state.copies.remove(&self.number)),
            Some(copy) => copy.under_way = false,
            None => {}
        }
        if !state.copies.values().any(|copy| copy.uid == self.uid && copy.under_way) {
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

    #[test]
    fn two_copies_at_once_share_the_room() {
        let copied = Copied::default();
        let (mut one, mut two) = (copied.begin(1, &id('a')), copied.begin(1, &id('b')));
        assert!(!one.reach(1), "no room was found yet");
        one.allow(20);
        two.allow(20);
        assert!(one.reach(12) && two.reach(8));
        assert!(!one.reach(13) && !two.reach(9));
        assert!(one.reach(12), "what it has it keeps");
        let mut bobs = copied.begin(2, &id('c'));
        bobs.allow(20);
        assert!(bobs.reach(20));
        assert_eq!(['a', 'b', 'c'].map(|digit| copied.unmeasured(&id(digit))), [12, 8, 20]);
    }

    #[test]
    fn what_one_took_before_another_began_is_in_the_others_room() {
        let copied = Copied::default();
        let mut one = copied.begin(1, &id('a'));
        one.allow(20);
        assert!(one.reach(5));
        let mut two = copied.begin(1, &id('b'));
        // As who looks now finds it: five of twenty are taken.
        two.allow(15);
        assert!(two.reach(10) && one.reach(10) && !two.reach(11) && !one.reach(11));
    }

    #[test]
    fn a_copy_counts_until_a_measurement_that_began_after_it() {
        let copied = Copied::default();
        let mut one = copied.begin(1, &id('a'));
        one.allow(20);
        assert!(one.reach(12));
        let early = copied.ended();
        drop(one);
        copied.measured(&early);
        assert_eq!(copied.unmeasured(&id('a')), 12);
        copied.measured(&copied.ended());
        assert_eq!(copied.unmeasured(&id('a')), 0);
        let state = lock(&copied.0);
        assert!(state.copies.is_empty() && state.taken.is_empty());
    }

    #[test]
    fn what_took_nothing_leaves_nothing() {
        let copied = Copied::default();
        drop(copied.begin(1, &id('a')));
        let state = lock(&copied.0);
        assert!(state.copies.is_empty() && state.taken.is_empty());
    }
}
