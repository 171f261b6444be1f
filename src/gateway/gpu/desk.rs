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
        let given = state.given(asker.uid, wanted);
        let cards = match given.and_then(|key| state.held.remove(&key)) {
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
        let own = state.key_of(&By::Container(id.clone()));
        let wanted = Wanted::These(cards.to_vec());
        let given = state.given(asker.uid, &wanted);
        let kept = own.or(given).and_then(|key| state.held.remove(&key));
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
    pub(in crate::gateway) fn join(&self, asker: Asker<'_>, wanted: Wanted) -> Result<u64, String> {
        let mut state = lock(&self.0);
        let waiting = state.line.waiting_of(asker.uid);
        if waiting >= MOST_TICKETS {
            return Err(format!("{waiting} of yours wait for gpus already, the most is {MOST_TICKETS}"));
        }
        Ok(state.line.join(asker.uid, asker.login, wanted))
    }

    /// The caller went: neither the place nor what it was given is kept.
    pub(in crate::gateway) fn leave(&self, ticket: u64) {
        lock(&self.0).line.leave(ticket);
    }

    /// Where a ticket stands.
    pub(in crate::gateway) fn stands(&self, ticket: u64) -> Standing {
        let state = lock(&self.0);
        if let Some(before) = state.line.before(ticket) {
            return Standing::Waits(before);
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
            state.line.leave(ticket.number);
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

    fn key_of(&self, by: &By) -> Option<u64> {
        self.held.iter().find(|(_, held)| held.by == *by).map(|(key, _)| *key)
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
mod tests {
    use super::super::allocate::tests::{card, id};
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn container(digit: char) -> ContainerId {
        ContainerId::parse(&digit.to_string().repeat(64)).unwrap()
    }

    const ANN: Asker<'_> = Asker { uid: 1, login: "ann" };
    const BOB: Asker<'_> = Asker { uid: 2, login: "bob" };

    #[test]
    fn a_claim_that_comes_to_nothing_frees_its_cards() {
        let (desk, cards) = (Desk::default(), [card(0, 1)]);
        let scene = Scene { cards: &cards, leased: &[], now: at(0) };
        let claim = desk.claim(scene, ANN, &Wanted::Some(1)).unwrap();
        assert!(matches!(desk.claim(scene, BOB, &Wanted::Some(1)), Err(Denied::Taken(_))));
        drop(claim);
        assert!(desk.claim(scene, BOB, &Wanted::Some(1)).is_ok());
    }

    #[test]
    fn a_container_keeps_its_cards_for_a_moment_and_starts_with_them() {
        let (desk, cards) = (Desk::default(), [card(0, 1)]);
        let scene = |now| Scene { cards: &cards, leased: &[], now: at(now) };
        desk.claim(scene(0), ANN, &Wanted::Some(1)).unwrap().for_container(&container('a'), "train", at(0));
        let Err(Denied::Taken(taken)) = desk.claim(scene(10), BOB, &Wanted::Some(1)) else { panic!() };
        assert_eq!((taken[0].login.as_str(), taken[0].container.as_str()), ("ann", "train"));
        desk.reclaim(scene(20), ANN, &container('a'), &[id(0)]).unwrap();
        // Never started: after a moment it is anybody's, and then not the container's any more.
        desk.claim(scene(30), ANN, &Wanted::Some(1)).unwrap().for_container(&container('b'), "late", at(30));
        let bobs = desk.claim(scene(91), BOB, &Wanted::Some(1)).unwrap();
        assert!(desk.reclaim(scene(92), ANN, &container('b'), &[id(0)]).is_err());
        drop(bobs);
        assert!(desk.reclaim(scene(93), ANN, &container('b'), &[id(0)]).is_ok());
    }

    #[test]
    fn who_does_not_wait_does_not_jump_the_line() {
        let (desk, cards) = (Desk::default(), [card(0, 1), card(1, 1)]);
        let busy = [Holder { until: Some(at(9)), ..super::super::allocate::tests::holder(9, &[id(0)]) }];
        let scene = |leased| Scene { cards: &cards, leased, now: at(0) };
        let ticket = desk.join(ANN, Wanted::Some(2)).unwrap();
        let Err(Denied::Taken(taken)) = desk.claim(scene(&busy), BOB, &Wanted::Some(1)) else { panic!() };
        assert_eq!(taken.len(), 1, "{taken:?}");
        assert_eq!(desk.serve(scene(&busy)), (false, vec![]));
        assert_eq!(desk.stands(ticket), Standing::Waits(0));
        assert_eq!(desk.serve(scene(&[])), (true, vec![]));
        assert_eq!(desk.stands(ticket), Standing::Given(vec![id(0), id(1)]));
        assert!(desk.claim(scene(&[]), BOB, &Wanted::Some(1)).is_err());
        assert_eq!(desk.claim(scene(&[]), ANN, &Wanted::Some(2)).unwrap().cards(), [id(0), id(1)]);
    }

    #[test]
    fn what_was_given_and_is_not_used_is_given_on() {
        let (desk, cards) = (Desk::default(), [card(0, 1)]);
        let scene = |now| Scene { cards: &cards, leased: &[], now: at(now) };
        let (first, second) =
            (desk.join(ANN, Wanted::Some(1)).unwrap(), desk.join(BOB, Wanted::Some(1)).unwrap());
        desk.serve(scene(0));
        assert_eq!(
            (desk.stands(first), desk.stands(second)),
            (Standing::Given(vec![id(0)]), Standing::Waits(0))
        );
        desk.serve(scene(61));
        assert_eq!((desk.stands(first), desk.stands(second)), (Standing::Gone, Standing::Given(vec![id(0)])));
        assert!(desk.claim(scene(62), ANN, &Wanted::Some(1)).is_err());
        assert!(desk.claim(scene(62), BOB, &Wanted::Some(1)).is_ok());
    }

    #[test]
    fn nobody_fills_the_line_alone() {
        let desk = Desk::default();
        for _ in 0..MOST_TICKETS {
            desk.join(ANN, Wanted::Some(1)).unwrap();
        }
        assert!(desk.join(ANN, Wanted::Some(1)).unwrap_err().contains('8'));
        assert!(desk.join(BOB, Wanted::Some(1)).is_ok());
    }
}
