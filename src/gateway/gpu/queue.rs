//! The line for cards: first come first served, with a fair order between users.
//!
//! Everybody's first ticket comes before anybody's second, in the order of their arrival. A turn sends its user's other
//! tickets behind all that wait.

use super::allocate::{Denied, Wanted};
use super::card::Card;
use crate::protocol::told::Told;
use jiff::Timestamp;

/// Somebody in the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::gateway) struct Ticket {
    pub(in crate::gateway) number: u64,
    /// Since when it waits for its turn: since it came, or since its user had the turn before.
    since: u64,
    pub(in crate::gateway) uid: u32,
    /// As it was at joining: to serve somebody must not wait for the name service.
    pub(in crate::gateway) login: String,
    pub(in crate::gateway) wanted: Wanted,
    /// How many cards its user may have at once, by the policy of that moment.
    pub(in crate::gateway) most: Option<u64>,
    /// Until when what is free is held back for it, since it became the first.
    gathers_until: Option<Timestamp>,
}

/// Everybody who waits.
#[derive(Debug, Default)]
pub(in crate::gateway) struct Line {
    next: u64,
    waiting: Vec<Ticket>,
}

impl Line {
    /// Takes a place at the end; the ticket's number.
    pub(in crate::gateway) fn join(
        &mut self,
        uid: u32,
        login: &str,
        wanted: Wanted,
        most: Option<u64>,
    ) -> u64 {
        let (number, login) = (self.stamp(), login.to_owned());
        let ticket = Ticket { number, since: number, uid, login, wanted, most, gathers_until: None };
        self.waiting.push(ticket);
        number
    }

    fn stamp(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// A ticket has its turn: what else its user waits for comes after everybody who waits now.
    pub(super) fn served(&mut self, ticket: &Ticket) {
        self.leave(ticket.number);
        self.behind_all(ticket.uid);
    }

    /// Whatever a user waits for comes after everybody else who waits now: a turn was had, used or not.
    pub(in crate::gateway) fn behind_all(&mut self, uid: u32) {
        let mut waiting = std::mem::take(&mut self.waiting);
        for own in waiting.iter_mut().filter(|ticket| ticket.uid == uid) {
            own.since = self.stamp();
            own.gathers_until = None;
        }
        self.waiting = waiting;
    }

    /// Cards are held back for this ticket until then, unless an end is noted already.
    pub(super) fn gathers_until(&mut self, number: u64, end: Timestamp) {
        if let Some(ticket) = self.waiting.iter_mut().find(|ticket| ticket.number == number) {
            ticket.gathers_until.get_or_insert(end);
        }
    }

    /// For whom cards were held back long enough has had the turn.
    pub(super) fn give_up_gathering(&mut self, now: Timestamp) {
        let over = |ticket: &&Ticket| ticket.gathers_until.is_some_and(|end| end <= now);
        let users: Vec<u32> = self.waiting.iter().filter(over).map(|ticket| ticket.uid).collect();
        users.into_iter().for_each(|uid| self.behind_all(uid));
    }

    pub(in crate::gateway) fn leave(&mut self, number: u64) {
        self.waiting.retain(|ticket| ticket.number != number);
    }

    pub(in crate::gateway) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(in crate::gateway) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(in crate::gateway) fn waiting_of(&self, uid: u32) -> usize {
        self.waiting.iter().filter(|ticket| ticket.uid == uid).count()
    }

    /// The order of service: everybody's first ticket before anybody's second, and by arrival among these.
    ///
    /// A user who files a hundred tickets thus delays everybody else by one at most, and nobody starves: a ticket only
    /// moves up. One that is served makes its user's next one the first, but the last of the first: it was behind them all.
    pub(in crate::gateway) fn order(&self) -> Vec<&Ticket> {
        let mut order: Vec<&Ticket> = self.waiting.iter().collect();
        order.sort_by_cached_key(|ticket| (self.rank(ticket), ticket.since));
        order
    }

    /// How many of its user's came before it.
    fn rank(&self, ticket: &Ticket) -> usize {
        let earlier = |other: &&Ticket| other.uid == ticket.uid && other.number < ticket.number;
        self.waiting.iter().filter(earlier).count()
    }

    pub(in crate::gateway) fn find(&self, number: u64) -> Option<&Ticket> {
        self.waiting.iter().find(|ticket| ticket.number == number)
    }

    /// How many are before this ticket.
    pub(in crate::gateway) fn before(&self, number: u64) -> Option<usize> {
        self.order().iter().position(|ticket| ticket.number == number)
    }

    /// How many would be before a ticket that this user took now.
    pub(in crate::gateway) fn before_another_of(&self, uid: u32) -> usize {
        let rank = self.waiting_of(uid);
        self.waiting.iter().filter(|ticket| self.rank(ticket) <= rank).count()
    }

    /// Those that can never be served, since a card went: with the reason.
    pub(in crate::gateway) fn hopeless(&self, cards: &[Card]) -> Vec<(u64, Told)> {
        let why = |ticket: &Ticket| match ticket.wanted.possible(cards) {
            Err(Denied::Never(why)) => Some((ticket.number, why)),
            _ => None,
        };
        self.waiting.iter().filter_map(why).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::gpu::allocate::tests::card;

    fn line(tickets: &[(u32, usize)]) -> Line {
        let mut line = Line::default();
        for (uid, count) in tickets {
            line.join(*uid, "", Wanted::Some(*count), None);
        }
        line
    }

    #[test]
    fn everybodys_first_ticket_comes_before_anybodys_second() {
        let line = line(&[(1, 1), (1, 1), (1, 1), (2, 1), (3, 1), (2, 1)]);
        let order: Vec<u64> = line.order().iter().map(|ticket| ticket.number).collect();
        assert_eq!(order, [1, 4, 5, 2, 6, 3]);
        assert_eq!(line.before(6), Some(4));
        assert_eq!(line.before(9), None);
        // As a fourth of hers, a second, and a first.
        assert_eq!([1, 3, 4].map(|uid| line.before_another_of(uid)), [6, 5, 3]);
    }

    #[test]
    fn who_had_a_turn_is_behind_who_had_none() {
        let mut line = line(&[(1, 1), (1, 1), (2, 1)]);
        let first = line.find(1).unwrap().clone();
        line.served(&first);
        // Who comes now comes after who waits already.
        line.join(3, "", Wanted::Some(1), None);
        let users = |line: &Line| line.order().iter().map(|ticket| ticket.uid).collect::<Vec<_>>();
        assert_eq!(users(&line), [2, 1, 3]);
        line.behind_all(2);
        assert_eq!(users(&line), [1, 3, 2]);
    }

    #[test]
    fn who_can_never_be_served_is_told() {
        assert_eq!(line(&[(1, 3), (2, 1)]).hopeless(&[card(0, 1)]).len(), 1);
    }
}
