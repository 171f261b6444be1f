//! Where cards are handed out: one lock over who holds what and who waits, never held while anything else is waited for.
//!
//! A gift of the line stays for a minute, and as long as the connection that asked. Used or not, it was a turn. A
//! refusal tells of those that wait in numbers alone.

use super::allocate::{Denied, History, Wanted, allocate};
use super::card::{Card, Holder};
use super::held::{By, Held, Holds};
use super::hours::Spell;
use super::queue::Line;
use crate::gateway::engine::ContainerId;
use crate::protocol::card::CardId;
use crate::protocol::told::{Told, told};
use jiff::{SignedDuration, Timestamp};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How long a container that was made may keep its cards before it is started, and who has come to the head of the line
/// may take to use what it was given.
const MOMENT: SignedDuration = SignedDuration::from_secs(60);
/// How many places in the line one user may have.
const MOST_TICKETS: usize = 8;

#[derive(Debug, Default)]
pub(in crate::gateway) struct Desk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    history: History,
    line: Line,
    holds: Holds,
    /// Somebody in the line was given something since that was asked.
    given: bool,
}

/// Cards that nobody else gets while this is held.
#[derive(Debug)]
pub(in crate::gateway) struct Claim {
    desk: Arc<Mutex<State>>,
    key: u64,
    cards: Vec<CardId>,
}

impl Claim {
    pub(in crate::gateway) fn cards(&self) -> &[CardId] {
        &self.cards
    }

    /// They are this container's, until it is started or a moment has passed.
    pub(in crate::gateway) fn for_container(self, id: &ContainerId, name: &str, now: Timestamp) {
        let mut state = lock(&self.desk);
        if let Some(held) = state.holds.get_mut(self.key) {
            held.by = By::Container(id.clone());
            held.holder.container = name.to_owned();
            held.until = moment_after(now);
        }
        drop(state);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let key = self.key;
        let mut state = lock(&self.desk);
        if state.holds.iter().any(|(held, what)| held == key && what.by == By::Create) {
            state.holds.end(key, Timestamp::now());
        }
    }
}

fn moment_after(now: Timestamp) -> Timestamp {
    now.saturating_add(MOMENT).unwrap_or(Timestamp::MAX)
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(in crate::gateway) struct Asker<'a> {
    pub(in crate::gateway) uid: u32,
    pub(in crate::gateway) login: &'a str,
}

/// What there is and who has it under a lease: the same in every decision.
#[derive(Debug, Clone, Copy)]
pub(in crate::gateway) struct Scene<'a> {
    pub(in crate::gateway) cards: &'a [Card],
    pub(in crate::gateway) leased: &'a [Holder],
    pub(in crate::gateway) now: Timestamp,
}

/// Why somebody who does not stand in line gets nothing.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::gateway) struct Refused {
    pub(in crate::gateway) why: Denied,
    /// How many of the wanted cards are kept for who waits, and how many would be before whoever asks.
    pub(in crate::gateway) promised: usize,
    pub(in crate::gateway) before: usize,
}

impl Desk {
    /// Cards for a new container: those the line gave its owner, or free ones that nobody in the line has a right to.
    pub(in crate::gateway) fn claim(
        &self,
        scene: Scene<'_>,
        asker: Asker<'_>,
        wanted: &Wanted,
    ) -> Result<Claim, Refused> {
        let mut state = self.lock(scene.now);
        let (cards, since) =
            match state.key_for(asker.uid, wanted, None).and_then(|key| state.holds.take(key)) {
                Some(held) => (held.holder.cards, held.since),
                None => (state.without_waiting(scene, asker, wanted)?, scene.now),
            };
        let holder = holder(asker, &cards, false);
        let key = state.holds.put(Held { holder, by: By::Create, since, until: Timestamp::MAX });
        Ok(Claim { desk: self.0.clone(), key, cards })
    }

    /// Whether a container that exists can have its own cards again; its place is then the lease's to keep.
    pub(in crate::gateway) fn reclaim(
        &self,
        scene: Scene<'_>,
        asker: Asker<'_>,
        id: &ContainerId,
        cards: &[CardId],
    ) -> Result<(), Refused> {
        let mut state = self.lock(scene.now);
        let wanted = Wanted::These(cards.to_vec());
        let kept = state.key_for(asker.uid, &wanted, Some(id));
        if kept.and_then(|key| state.holds.end(key, scene.now)).is_none() {
            state.without_waiting(scene, asker, &wanted)?;
        } else {
            wanted.possible(scene.cards).map_err(|why| Refused { why, promised: 0, before: 0 })?;
        }
        for card in cards {
            state.history.note(asker.uid, card, scene.now);
        }
        Ok(())
    }

    /// What a user keeps without a lease, besides what serves this wish: for whom, and how many cards.
    pub(in crate::gateway) fn kept(
        &self,
        uid: u32,
        wanted: &Wanted,
        by: Option<&ContainerId>,
        now: Timestamp,
    ) -> Vec<(String, usize)> {
        let state = self.lock(now);
        let serves = state.key_for(uid, wanted, by);
        let others = state.holds.iter().filter(|(key, held)| held.holder.uid == uid && Some(*key) != serves);
        others.map(|(_, held)| (held.shown(), held.holder.cards.len())).collect()
    }

    /// The container has another short name.
    pub(in crate::gateway) fn renamed(&self, id: &ContainerId, name: &str) {
        let mut state = lock(&self.0);
        for held in state.holds.all_mut().filter(|held| held.by == By::Container(id.clone())) {
            held.holder.container = name.to_owned();
        }
    }

    /// The container is gone: what it kept is free.
    pub(in crate::gateway) fn forget(&self, id: &ContainerId, now: Timestamp) {
        lock(&self.0).holds.end_where(now, |held| held.by == By::Container(id.clone()));
    }

    /// A place in the line, unless the user has enough of them.
    pub(in crate::gateway) fn join(
        &self,
        asker: Asker<'_>,
        wanted: Wanted,
        most: Option<u64>,
    ) -> Result<u64, Told> {
        let mut state = lock(&self.0);
        let waiting = state.line.waiting_of(asker.uid);
        if waiting >= MOST_TICKETS {
            return Err(told!("{waiting} of yours wait for gpus already, the most is {MOST_TICKETS}"));
        }
        Ok(state.line.join(asker.uid, asker.login, wanted, most))
    }

    /// The caller went: neither the place is kept nor what it was given and nobody has used.
    pub(in crate::gateway) fn leave(&self, ticket: u64, now: Timestamp) {
        let mut state = lock(&self.0);
        state.line.leave(ticket);
        state.pass_over(now, |held| held.by == By::Ticket(ticket));
    }

    /// Where a ticket stands.
    pub(in crate::gateway) fn stands(&self, ticket: u64, scene: Scene<'_>) -> Standing {
        let state = self.lock(scene.now);
        if let Some((waits, before)) = state.line.find(ticket).zip(state.line.before(ticket)) {
            let own = waits.waits_for_own(scene.cards, &state.holders(scene.leased));
            return if own { Standing::HasEnough } else { Standing::Waits(before) };
        }
        let given = state.holds.iter().find(|(_, held)| held.by == By::Ticket(ticket));
        given.map_or(Standing::Gone, |(_, held)| Standing::Given(held.holder.cards.clone()))
    }

    /// Gives what is free to those whose turns have come; says whether anything was given since this was asked.
    pub(in crate::gateway) fn serve(&self, scene: Scene<'_>) -> bool {
        let mut state = self.lock(scene.now);
        state.serve(scene);
        std::mem::take(&mut state.given)
    }

    /// Everybody who holds a card, with or without a lease.
    pub(in crate::gateway) fn holders(&self, leased: &[Holder], now: Timestamp) -> Vec<Holder> {
        self.lock(now).holders(leased)
    }

    /// For how long cards were kept without a lease, what is over by now and was not told yet.
    pub(in crate::gateway) fn spells(&self, now: Timestamp) -> Vec<Spell> {
        self.lock(now).holds.spells()
    }

    /// How many are in the line.
    pub(in crate::gateway) fn waiting(&self) -> usize {
        lock(&self.0).line.len()
    }

    /// Whether nobody waits, and who did knows what came of it.
    pub(in crate::gateway) fn is_idle(&self) -> bool {
        let state = lock(&self.0);
        state.line.is_empty() && !state.given
    }

    fn lock(&self, now: Timestamp) -> MutexGuard<'_, State> {
        let mut state = lock(&self.0);
        state.pass_over(now, |held| held.until <= now);
        state
    }
}

/// Where a ticket stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::gateway) enum Standing {
    /// So many are before it.
    Waits(usize),
    /// Its user must let go of something first.
    HasEnough,
    Given(Vec<CardId>),
    /// What it was given is used, or was not in time; or it can never be served.
    Gone,
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn holder(asker: Asker<'_>, cards: &[CardId], promised: bool) -> Holder {
    let (uid, login) = (asker.uid, asker.login.to_owned());
    Holder { uid, login, container: String::new(), cards: cards.to_vec(), until: None, promised }
}

impl State {
    /// Ends what this says. Who let a turn pass has had it all the same, or two of one user's would take turns for ever.
    fn pass_over(&mut self, now: Timestamp, over: impl Fn(&Held) -> bool) {
        for held in self.holds.end_where(now, over) {
            if matches!(held.by, By::Ticket(_)) {
                self.line.behind_all(held.holder.uid);
            }
        }
    }

    /// Serves the line; what is held back then for whoever is the first.
    fn serve(&mut self, scene: Scene<'_>) -> Option<Holder> {
        for (ticket, _) in self.line.hopeless(scene.cards) {
            self.line.leave(ticket);
        }
        let holders = self.holders(scene.leased);
        let pass = self.line.pass(scene.cards, &holders, &self.history, scene.now);
        for (ticket, cards) in pass.gifts {
            let asker = Asker { uid: ticket.uid, login: &ticket.login };
            let (holder, by) = (holder(asker, &cards, true), By::Ticket(ticket.number));
            self.holds.put(Held { holder, by, since: scene.now, until: moment_after(scene.now) });
            self.given = true;
        }
        pass.held_back
    }

    /// What is free once the line has had what it has a right to.
    fn without_waiting(
        &mut self,
        scene: Scene<'_>,
        asker: Asker<'_>,
        wanted: &Wanted,
    ) -> Result<Vec<CardId>, Refused> {
        let held_back = self.serve(scene);
        let holders: Vec<Holder> = self.holders(scene.leased).into_iter().chain(held_back).collect();
        let granted = allocate(scene.cards, &holders, &self.history, asker.uid, wanted);
        granted.map_err(|why| {
            let (promised, why) = apart(why);
            Refused { why, promised, before: self.line.before_another_of(asker.uid) }
        })
    }

    /// What is kept for this container, or else was given in the line to serve the wish.
    fn key_for(&self, uid: u32, wanted: &Wanted, by: Option<&ContainerId>) -> Option<u64> {
        let own = by.map(|id| By::Container(id.clone()));
        let own = own.and_then(|by| self.holds.iter().find(|(_, held)| held.by == by));
        own.map(|(key, _)| key).or_else(|| self.given(uid, wanted))
    }

    /// What the line has given this user that serves the wish.
    fn given(&self, uid: u32, wanted: &Wanted) -> Option<u64> {
        let serves = |held: &Held| {
            let cards = &held.holder.cards;
            matches!(held.by, By::Ticket(_))
                && held.holder.uid == uid
                && match wanted {
                    Wanted::Some(count) => cards.len() == *count,
                    Wanted::These(wanted) => {
                        cards.len() == wanted.len() && wanted.iter().all(|card| cards.contains(card))
                    }
                }
        };
        self.holds.iter().filter(|(_, held)| serves(held)).map(|(key, _)| key).min()
    }

    fn holders(&self, leased: &[Holder]) -> Vec<Holder> {
        leased.iter().cloned().chain(self.holds.iter().map(|(_, held)| held.holder.clone())).collect()
    }
}

/// Who waits is told of in numbers alone: how many cards are promised, and who else holds some.
fn apart(denied: Denied) -> (usize, Denied) {
    match denied {
        Denied::Taken(holders) => {
            let (promised, held): (Vec<_>, Vec<_>) = holders.into_iter().partition(|holder| holder.promised);
            (promised.iter().map(|holder| holder.cards.len()).sum(), Denied::Taken(held))
        }
        never @ Denied::Never(_) => (0, never),
    }
}

#[cfg(test)]
mod tests;
