//! The line for cards: first come first served, with a fair order between users.

use super::allocate::{Denied, History, Wanted, allocate};
use super::card::{Card, Holder};
use crate::protocol::card::CardId;

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
}

impl Ticket {
    /// Whether its user holds so much that this would be too much, whatever is free.
    fn has_enough(&self, holders: &[Holder]) -> bool {
        let own = holders.iter().filter(|holder| holder.uid == self.uid).map(|holder| holder.cards.len());
        let after = own.sum::<usize>().saturating_add(self.wanted.count());
        self.most.is_some_and(|most| u64::try_from(after).unwrap_or(u64::MAX) > most)
    }
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
        let number = self.stamp();
        self.waiting.push(Ticket { number, since: number, uid, login: login.to_owned(), wanted, most });
        number
    }

    fn stamp(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// A ticket has had its turn: what else its user waits for comes after everybody who waits now.
    pub(in crate::gateway) fn served(&mut self, ticket: &Ticket) {
        self.leave(ticket.number);
        let mut waiting = std::mem::take(&mut self.waiting);
        for other in waiting.iter_mut().filter(|other| other.uid == ticket.uid) {
            other.since = self.stamp();
        }
        self.waiting = waiting;
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
        let rank = |ticket: &Ticket| {
            let earlier = |other: &&Ticket| other.uid == ticket.uid && other.number < ticket.number;
            self.waiting.iter().filter(earlier).count()
        };
        let mut order: Vec<&Ticket> = self.waiting.iter().collect();
        order.sort_by_cached_key(|ticket| (rank(ticket), ticket.since));
        order
    }

    /// How many are before this ticket.
    pub(in crate::gateway) fn before(&self, number: u64) -> Option<usize> {
        self.order().iter().position(|ticket| ticket.number == number)
    }

    /// Whether a ticket waits for its own user's containers, and for nobody else.
    pub(in crate::gateway) fn held_up_by_own(&self, number: u64, holders: &[Holder]) -> bool {
        self.waiting.iter().any(|ticket| ticket.number == number && ticket.has_enough(holders))
    }

    /// The first in order that can be served now, and with what. Who is passed over keeps what is free for it: cards
    /// gather for a large ticket, and small ones that came later do not take them away. For who has enough already
    /// nothing is kept: two of one user's would otherwise hold cards that none of them may use.
    pub(in crate::gateway) fn serve(
        &self,
        cards: &[Card],
        holders: &[Holder],
        history: &History,
    ) -> Option<(Ticket, Vec<CardId>)> {
        let (mut claimed, now) = (holders.to_vec(), holders);
        for ticket in self.order().into_iter().filter(|ticket| !ticket.has_enough(now)) {
            match allocate(cards, &claimed, history, ticket.uid, &ticket.wanted) {
                Ok(granted) => return Some((ticket.clone(), granted)),
                Err(Denied::Never(_)) => {}
                Err(Denied::Taken(_)) => claimed.push(claim(ticket, cards, &claimed)),
            }
        }
        None
    }

    /// The holders, and what everybody in the line would get first: for who asks without waiting.
    pub(in crate::gateway) fn with_claims(&self, cards: &[Card], holders: &[Holder]) -> Vec<Holder> {
        let (mut claimed, now) = (holders.to_vec(), holders);
        for ticket in self.order().into_iter().filter(|ticket| !ticket.has_enough(now)) {
            claimed.push(claim(ticket, cards, &claimed));
        }
        claimed
    }

    /// Those that can never be served, since a card went: with the reason.
    pub(in crate::gateway) fn hopeless(&self, cards: &[Card]) -> Vec<(u64, String)> {
        let why = |ticket: &Ticket| match ticket.wanted.possible(cards) {
            Err(Denied::Never(why)) => Some((ticket.number, why)),
            _ => None,
        };
        self.waiting.iter().filter_map(why).collect()
    }
}

/// What is free and would serve the ticket, held for it while others are looked at.
fn claim(ticket: &Ticket, cards: &[Card], holders: &[Holder]) -> Holder {
    let free = cards.iter().filter(|card| card.places(holders) > 0).map(|card| card.id.clone());
    let cards = match &ticket.wanted {
        Wanted::Some(count) => free.take(*count).collect(),
        Wanted::These(wanted) => free.filter(|card| wanted.contains(card)).collect(),
    };
    Holder { uid: ticket.uid, login: String::new(), container: String::new(), cards, until: None }
}

#[cfg(test)]
mod tests {
    use super::super::allocate::tests::{card, holder, id};
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

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
    }

    #[test]
    fn who_had_a_turn_is_behind_who_had_none() {
        let cards = [card(0, 1)];
        let mut line = line(&[(1, 1), (1, 1), (1, 1), (2, 1)]);
        let mut turns = Vec::new();
        while let Some((ticket, _)) = line.serve(&cards, &[], &History::default()) {
            line.served(&ticket);
            turns.push(ticket.uid);
            // Who comes now comes after who waits already.
            if turns.len() == 1 {
                line.join(3, "", Wanted::Some(1), None);
            }
        }
        assert_eq!(turns, [1, 2, 1, 3, 1]);
    }

    #[test]
    fn cards_gather_for_who_is_first() {
        let cards = [card(0, 1), card(1, 1)];
        let line = line(&[(1, 2), (2, 1)]);
        assert_eq!(line.serve(&cards, &[holder(9, &[id(0)])], &History::default()), None);
        let (ticket, granted) = line.serve(&cards, &[], &History::default()).unwrap();
        assert_eq!((ticket.uid, granted.len()), (1, 2));
    }

    #[test]
    fn who_waits_for_one_card_does_not_hold_up_the_others() {
        let cards = [card(0, 1), card(1, 1)];
        let mut line = Line::default();
        line.join(1, "", Wanted::These(vec![id(0)]), None);
        line.join(2, "", Wanted::Some(1), None);
        let (ticket, granted) = line.serve(&cards, &[holder(9, &[id(0)])], &History::default()).unwrap();
        assert_eq!((ticket.uid, granted), (2, vec![id(1)]));
    }

    #[test]
    fn who_can_never_be_served_is_told() {
        let line = line(&[(1, 3), (2, 1)]);
        assert_eq!(line.hopeless(&[card(0, 1)]).len(), 1);
        assert_eq!(line.serve(&[card(0, 1)], &[], &History::default()).unwrap().0.uid, 2);
    }

    proptest! {
        /// Whatever else arrives, and however often: for each ticket of its own user's that was there first, and for
        /// itself, a ticket waits for one of each other user's.
        #[test]
        fn nobody_starves(
            first in prop::collection::vec((0u32..6, 1usize..4), 1..12),
            later in prop::collection::vec((0u32..40, 1usize..4), 0..200),
            watched in 0usize..12,
        ) {
            let cards: Vec<Card> = (0..4).map(|n| card(n, 1)).collect();
            let mut line = line(&first);
            let watched = watched % first.len();
            let uid = first[watched].0;
            let others = first.iter().map(|(uid, _)| *uid).filter(|other| *other != uid).collect::<HashSet<u32>>().len();
            let earlier = first[..watched].iter().filter(|(other, _)| *other == uid).count();
            // The first turn waits for those who were there alone.
            let most = others + earlier * (1 + others + 40);
            let watched = line.waiting[watched].number;
            let (mut holders, mut later) = (Vec::<Holder>::new(), later.into_iter());
            let mut served_before = 0;
            for round in 0..1000 {
                // Newcomers arrive faster than anybody is served.
                for (uid, count) in later.by_ref().take(3) {
                    line.join(uid + 100, "", Wanted::Some(count), None);
                }
                match line.serve(&cards, &holders, &History::default()) {
                    Some((ticket, granted)) => {
                        line.served(&ticket);
                        if ticket.number == watched {
                            prop_assert!(served_before <= most, "{served_before} and not {most} in round {round}");
                            return Ok(());
                        }
                        served_before += 1;
                        holders.push(holder(ticket.uid, &granted));
                    }
                    None => {
                        prop_assert!(!holders.is_empty(), "nobody holds anything and nobody is served");
                        holders.remove(0);
                    }
                }
            }
            prop_assert!(false, "never served");
        }
    }
}
