//! One pass over the whole line: whose turns have come, and what is held back for whoever is the very first.
//!
//! Of each user only the first ticket that can come to its turn is looked at, so that nobody's others take or keep
//! anything. A decision over what there is and who holds it; what time it is, it is told.
//!
//! A ticket is served within what its user may hold. What is given is taken for the next user.
//!
//! A ticket that lacks some of its cards keeps others back only while it is the very first. No container of its own
//! user's may be in its way. It does so until the leases that it waits for should have ended, by what was known at
//! first. Then its user is behind all others.
//!
//! Large tickets would never be served otherwise. With more than that, a user who waits for a busy card would keep the
//! free ones.

use super::allocate::{Denied, History, Wanted, allocate};
use super::card::{Card, Holder};
use super::queue::{Line, Ticket};
use crate::protocol::card::CardId;
use jiff::{SignedDuration, Timestamp};
use std::collections::HashSet;

/// What somebody who is over their lease may take to let go.
const GRACE: SignedDuration = SignedDuration::from_mins(5);

/// When somebody could have something without letting go of what they hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum When {
    Now,
    /// When a lease of somebody else's ends.
    At(Timestamp),
    /// When somebody else has begun, or not, with what is kept for them: in a minute more is known.
    Sometime,
    /// Only when they let go of something themselves.
    Never,
}

/// What came of a pass.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::gateway) struct Pass {
    /// Who had a turn, in order, and with which cards.
    pub(in crate::gateway) gifts: Vec<(Ticket, Vec<CardId>)>,
    /// What is kept from all others for whoever is first and cannot be served yet.
    pub(in crate::gateway) held_back: Option<Holder>,
}

/// One look along the line.
#[derive(Default)]
struct Look {
    turn: Option<(Ticket, Vec<CardId>)>,
    held_back: Option<(u64, When, Holder)>,
}

impl Line {
    /// Serves whoever can be served, everybody in turn; for the first who cannot, what is free and wanted is held back.
    ///
    /// What is given is taken for whoever is looked at next, and so is what is held back. Cards thus gather for a large
    /// ticket, and small ones that came later do not take them away: until those that it waits for should have ended by
    /// what was known when it became the first. Where leases are extended instead, its user is behind all others then.
    pub(in crate::gateway) fn pass(
        &mut self,
        cards: &[Card],
        holders: &[Holder],
        history: &History,
        now: Timestamp,
    ) -> Pass {
        self.give_up_gathering(now);
        let mut taken = holders.to_vec();
        let mut gifts = Vec::new();
        loop {
            let look = self.look(cards, &taken, history);
            let Some((ticket, granted)) = look.turn else {
                return Pass { gifts, held_back: look.held_back.map(|back| self.gather(back, now)) };
            };
            self.served(&ticket);
            taken.push(ticket.promise(granted.clone()));
            gifts.push((ticket, granted));
        }
    }

    /// The first in order that can be served now, and with what; or what is held back for the very first.
    fn look(&self, cards: &[Card], holders: &[Holder], history: &History) -> Look {
        let (mut taken, mut look) = (holders.to_vec(), Look::default());
        for (place, ticket) in self.firsts(cards, holders).into_iter().enumerate() {
            match allocate(cards, &taken, history, ticket.uid, &ticket.wanted) {
                Ok(granted) => return Look { turn: Some((ticket.clone(), granted)), ..look },
                Err(Denied::Taken(_)) if place == 0 => {
                    let back = ticket.promise(ticket.wanted.free(cards, &taken));
                    taken.push(back.clone());
                    look.held_back = Some((ticket.number, ticket.when(cards, holders), back));
                }
                Err(_) => {}
            }
        }
        look
    }

    /// Each user's first that needs nothing but others' ends, in the order of service.
    fn firsts(&self, cards: &[Card], holders: &[Holder]) -> Vec<&Ticket> {
        let mut users = HashSet::new();
        let mut order = self.order();
        order.retain(|ticket| !ticket.waits_for_own(cards, holders) && users.insert(ticket.uid));
        order
    }

    /// Notes until when cards are held back for the first, as soon as that is known.
    fn gather(&mut self, (number, when, back): (u64, When, Holder), now: Timestamp) -> Holder {
        if let When::At(end) = when
            && !back.cards.is_empty()
        {
            self.gathers_until(number, end.max(now).saturating_add(GRACE).unwrap_or(Timestamp::MAX));
        }
        back
    }
}

impl Ticket {
    /// Whether its own user has to let go of something first, whatever others do.
    pub(super) fn waits_for_own(&self, cards: &[Card], holders: &[Holder]) -> bool {
        !self.fits(holders) || self.when(cards, holders) == When::Never
    }

    /// Whether its user may have so many more beside what is held by and kept for the user.
    fn fits(&self, holders: &[Holder]) -> bool {
        let own = holders.iter().filter(|holder| holder.uid == self.uid).map(|holder| holder.cards.len());
        let after = own.sum::<usize>().saturating_add(self.wanted.count());
        self.most.is_none_or(|most| u64::try_from(after).unwrap_or(u64::MAX) <= most)
    }

    fn when(&self, cards: &[Card], holders: &[Holder]) -> When {
        let wanted = cards.iter().filter(|card| self.wanted.concerns(&card.id));
        let mut each: Vec<When> = wanted.map(|card| when(card, self.uid, holders)).collect();
        each.sort_unstable();
        each.get(self.wanted.count().saturating_sub(1)).copied().unwrap_or(When::Never)
    }

    /// What is kept for it.
    fn promise(&self, cards: Vec<CardId>) -> Holder {
        let (uid, login) = (self.uid, self.login.clone());
        Holder { uid, login, container: String::new(), cards, until: None, promised: true }
    }
}

fn when(card: &Card, uid: u32, holders: &[Holder]) -> When {
    if card.fault.is_some() {
        return When::Never;
    }
    if card.places(holders) > 0 {
        return When::Now;
    }
    let others = holders.iter().filter(|holder| holder.uid != uid && holder.cards.contains(&card.id));
    others.map(|holder| holder.until.map_or(When::Sometime, When::At)).min().unwrap_or(When::Never)
}

impl Wanted {
    fn concerns(&self, card: &CardId) -> bool {
        match self {
            Self::Some(_) => true,
            Self::These(cards) => cards.contains(card),
        }
    }

    /// What of it is free, and not more than that.
    fn free(&self, cards: &[Card], holders: &[Holder]) -> Vec<CardId> {
        let free = cards.iter().filter(|card| card.places(holders) > 0 && self.concerns(&card.id));
        free.take(self.count()).map(|card| card.id.clone()).collect()
    }
}

#[cfg(test)]
mod tests;
