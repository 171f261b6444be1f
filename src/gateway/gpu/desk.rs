//! Where cards are handed out: one lock over who holds what and who waits, never held while anything else is waited for.

use super::allocate::{Denied, History, Wanted, allocate};
use super::card::{Card, Holder};
use super::queue::Line;
use crate::gateway::engine::ContainerId;
use crate::protocol::card::CardId;
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;
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
    next: u64,
    held: HashMap<u64, Held>,
}

/// Cards that are spoken for and not leased yet.
#[derive(Debug)]
struct Held {
    holder: Holder,
    by: By,
    until: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum By {
    /// A create that is under way.
    Create,
    Container(ContainerId),
    Ticket(u64),
}

impl Held {
    /// As its user is told of it.
    fn shown(&self) -> String {
        match self.by {
            By::Create => "a create under way".to_owned(),
            By::Container(_) => self.holder.container.clone(),
            By::Ticket(_) => "a place in line".to_owned(),
        }
    }
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
        if let Some(held) = state.held.get_mut(&self.key) {
            held.by = By::Container(id.clone());
            held.holder.container = name.to_owned();
            held.until = now.saturating_add(MOMENT).unwrap_or(Timestamp::MAX);
        }
        drop(state);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut state = lock(&self.desk);
        if state.held.get(&self.key).is_some_and(|held| held.by == By::Create) {
            state.held.remove(&self.key);
        }
    }
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

impl Desk {
    /// Cards for a new container: those the line gave its owner, or free ones that nobody in the line waits for.
    pub(in crate::gateway) fn claim(
        &self,
        scene: Scene<'_>,
        asker: Asker<'_>,
        wanted: &Wanted,
    ) -> Result<Claim, Denied> {
        let mut state = self.lock(scene.now);
        let cards = match state.key_for(asker.uid, wanted, None).and_then(|key| state.held.remove(&key)) {
            Some(held) => held.holder.cards,
            None => {
                let holders = state.line.with_claims(scene.cards, &state.holders(scene.leased));
                let granted = allocate(scene.cards, &holders, &state.history, asker.uid, wanted);
                granted.map_err(without_claims)?
            }
        };
        let key = state.hold(asker, &cards, By::Create, Timestamp::MAX);
        Ok(Claim { desk: self.0.clone(), key, cards })
    }

    /// Whether a container that exists can have its own cards again; its place is then the lease's to keep.
    pub(in crate::gateway) fn reclaim(
        &self,
        scene: Scene<'_>,
        asker: Asker<'_>,
        id: &ContainerId,
        cards: &[CardId],
    ) -> Result<(), Denied> {
        let mut state = self.lock(scene.now);
        let wanted = Wanted::These(cards.to_vec());
        let kept = state.key_for(asker.uid, &wanted, Some(id)).and_then(|key| state.held.remove(&key));
        if kept.is_none() {
            let holders = state.line.with_claims(scene.cards, &state.holders(scene.leased));
            allocate(scene.cards, &holders, &state.history, asker.uid, &wanted).map_err(without_claims)?;
        } else {
            wanted.possible(scene.cards)?;
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
        let others = state.held.iter().filter(|(key, held)| held.holder.uid == uid && Some(**key) != serves);
        others.map(|(_, held)| (held.shown(), held.holder.cards.len())).collect()
    }

    /// The container has another short name.
    pub(in crate::gateway) fn renamed(&self, id: &ContainerId, name: &str) {
        let mut state = lock(&self.0);
        for held in state.held.values_mut().filter(|held| held.by == By::Container(id.clone())) {
            held.holder.container = name.to_owned();
        }
    }

    /// The container is gone: what it kept is free.
    pub(in crate::gateway) fn forget(&self, id: &ContainerId) {
        let mut state = lock(&self.0);
        state.held.retain(|_, held| held.by != By::Container(id.clone()));
    }

    /// A place in the line, unless the user has enough of them.
    pub(in crate::gateway) fn join(
        &self,
        asker: Asker<'_>,
        wanted: Wanted,
        most: Option<u64>,
    ) -> Result<u64, String> {
        let mut state = lock(&self.0);
        let waiting = state.line.waiting_of(asker.uid);
        if waiting >= MOST_TICKETS {
            return Err(format!("{waiting} of yours wait for gpus already, the most is {MOST_TICKETS}"));
        }
        Ok(state.line.join(asker.uid, asker.login, wanted, most))
    }

    /// The caller went: the place is not kept. What it was given is, for a moment: a create comes on its own connection.
    pub(in crate::gateway) fn leave(&self, ticket: u64) {
        lock(&self.0).line.leave(ticket);
    }

    /// Where a ticket stands.
    pub(in crate::gateway) fn stands(&self, ticket: u64, leased: &[Holder]) -> Standing {
        let state = lock(&self.0);
        if let Some(before) = state.line.before(ticket) {
            let own = state.line.held_up_by_own(ticket, &state.holders(leased));
            return if own { Standing::HasEnough } else { Standing::Waits(before) };
        }
        let given = state.held.values().find(|held| held.by == By::Ticket(ticket));
        given.map_or(Standing::Gone, |held| Standing::Given(held.holder.cards.clone()))
    }

    /// Gives what is free to those who are first; says whether anything was given, and who can never be served.
    pub(in crate::gateway) fn serve(&self, scene: Scene<'_>) -> (bool, Vec<(u64, String)>) {
        let mut state = self.lock(scene.now);
        let hopeless = state.line.hopeless(scene.cards);
        for (ticket, _) in &hopeless {
            state.line.leave(*ticket);
        }
        let mut any = false;
        while let Some((ticket, cards)) =
            state.line.serve(scene.cards, &state.holders(scene.leased), &state.history)
        {
            state.line.served(&ticket);
            let asker = Asker { uid: ticket.uid, login: &ticket.login };
            let until = scene.now.saturating_add(MOMENT).unwrap_or(Timestamp::MAX);
            state.hold(asker, &cards, By::Ticket(ticket.number), until);
            any = true;
        }
        (any, hopeless)
    }

    /// Everybody who holds a card, with or without a lease.
    pub(in crate::gateway) fn holders(&self, leased: &[Holder], now: Timestamp) -> Vec<Holder> {
        self.lock(now).holders(leased)
    }

    /// How many are in the line.
    pub(in crate::gateway) fn waiting(&self) -> usize {
        lock(&self.0).line.len()
    }

    pub(in crate::gateway) fn nobody_waits(&self) -> bool {
        lock(&self.0).line.is_empty()
    }

    fn lock(&self, now: Timestamp) -> MutexGuard<'_, State> {
        let mut state = lock(&self.0);
        state.held.retain(|_, held| held.until > now);
        state
    }
}

/// Where a ticket stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::gateway) enum Standing {
    /// So many are before it.
    Waits(usize),
    /// Its user holds as many cards as may be, and must let go of some first.
    HasEnough,
    Given(Vec<CardId>),
    /// It can never be served, or took too long.
    Gone,
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn hold(&mut self, asker: Asker<'_>, cards: &[CardId], by: By, until: Timestamp) -> u64 {
        let key = self.next;
        self.next += 1;
        let holder = Holder {
            uid: asker.uid,
            login: asker.login.to_owned(),
            container: String::new(),
            cards: cards.to_vec(),
            until: None,
        };
        self.held.insert(key, Held { holder, by, until });
        key
    }

    /// What is kept for this container, or else was given in the line to serve the wish.
    fn key_for(&self, uid: u32, wanted: &Wanted, by: Option<&ContainerId>) -> Option<u64> {
        let own = by.map(|id| By::Container(id.clone()));
        let own = own.and_then(|by| self.held.iter().find(|(_, held)| held.by == by));
        own.map(|(key, _)| *key).or_else(|| self.given(uid, wanted))
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
        self.held.iter().filter(|(_, held)| serves(held)).map(|(key, _)| *key).min()
    }

    fn holders(&self, leased: &[Holder]) -> Vec<Holder> {
        leased.iter().cloned().chain(self.held.values().map(|held| held.holder.clone())).collect()
    }
}

/// Those in the line hold nothing; a refusal names who does.
fn without_claims(denied: Denied) -> Denied {
    match denied {
        Denied::Taken(holders) => {
            Denied::Taken(holders.into_iter().filter(|holder| !holder.login.is_empty()).collect())
        }
        never => never,
    }
}

#[cfg(test)]
mod tests;
