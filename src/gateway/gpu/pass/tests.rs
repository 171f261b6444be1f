//! A pass, by hand and over whatever several users do.

use super::*;
use crate::gateway::gpu::allocate::tests::{card, holder, id};
use proptest::prelude::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn these(numbers: &[usize]) -> Wanted {
    Wanted::These(numbers.iter().map(|number| id(*number)).collect())
}

fn line(tickets: &[(u32, Wanted, Option<u64>)]) -> Line {
    let mut line = Line::default();
    for (uid, wanted, most) in tickets {
        line.join(*uid, "", wanted.clone(), *most);
    }
    line
}

fn cards(count: usize) -> Vec<Card> {
    (0..count).map(|n| card(n, 1)).collect()
}

/// With a lease until then.
fn leased(uid: u32, number: usize, until: i64) -> Holder {
    Holder { until: Some(at(until)), ..holder(uid, &[id(number)]) }
}

fn pass(line: &mut Line, cards: &[Card], holders: &[Holder], now: i64) -> Pass {
    line.pass(cards, holders, &History::default(), at(now))
}

fn back(pass: &Pass) -> Vec<CardId> {
    pass.held_back.iter().flat_map(|back| back.cards.clone()).collect()
}

fn served(pass: &Pass) -> Vec<u32> {
    pass.gifts.iter().map(|(ticket, _)| ticket.uid).collect()
}

#[test]
fn cards_gather_for_who_is_first_and_for_nobody_else() {
    let (some, busy) = (Wanted::Some, [leased(9, 0, 100)]);
    let mut line = line(&[(1, some(3), None), (2, some(3), None), (3, some(1), None)]);
    let first = pass(&mut line, &cards(3), &busy, 0);
    assert_eq!((served(&first), back(&first)), (vec![], vec![id(1), id(2)]));
    assert_eq!(served(&pass(&mut line, &cards(3), &[], 0)), [1]);
    // Whoever is behind the first gets what the first does not want.
    let first = pass(&mut line, &cards(4), &[leased(9, 0, 100), leased(8, 1, 100)], 0);
    assert_eq!((served(&first), back(&first)), (vec![], vec![id(2), id(3)]));
    line.leave(2);
    assert_eq!(served(&pass(&mut line, &cards(4), &[leased(9, 0, 100)], 0)), [3]);
}

#[test]
fn many_of_one_users_keep_what_the_first_keeps() {
    let tickets: Vec<_> = (1..8).map(|n| (1, these(&[0, n]), Some(2))).collect();
    let mut line = line(&tickets);
    let pass = pass(&mut line, &cards(8), &[leased(9, 0, 100)], 0);
    assert_eq!((served(&pass), back(&pass)), (vec![], vec![id(1)]));
}

#[test]
fn who_waits_for_one_card_does_not_hold_up_the_others() {
    let mut line = line(&[(1, these(&[0]), None), (2, Wanted::Some(1), None)]);
    let pass = pass(&mut line, &cards(2), &[leased(9, 0, 100)], 0);
    assert_eq!((pass.gifts[0].0.uid, pass.gifts[0].1.as_slice()), (2, [id(1)].as_slice()));
}

#[test]
fn for_who_must_let_go_themselves_nothing_is_kept() {
    let own = [leased(1, 0, 100), leased(9, 1, 100)];
    for (wanted, most) in [(these(&[0, 2]), None), (Wanted::Some(3), None), (Wanted::Some(1), Some(1))] {
        let mut line = line(&[(1, wanted, most), (2, Wanted::Some(1), None)]);
        assert!(line.find(1).unwrap().waits_for_own(&cards(3), &own));
        assert_eq!(served(&pass(&mut line, &cards(3), &own, 0)), [2]);
    }
    // A smaller one of theirs that came later may be served instead.
    let mut line = line(&[(1, Wanted::Some(3), Some(3)), (1, Wanted::Some(1), Some(3))]);
    assert_eq!(served(&pass(&mut line, &cards(3), &own, 0)), [1]);
    assert!(line.find(1).is_some());
}

#[test]
fn what_gathers_in_vain_is_given_up_at_the_ends_that_were_known() {
    let one = Wanted::Some(1);
    let mut line = line(&[(1, these(&[0, 1]), None), (2, one.clone(), None), (1, one, None)]);
    let gathers = |line: &mut Line, until, now| back(&pass(line, &cards(2), &[leased(9, 0, until)], now));
    let grace = GRACE.as_secs();
    assert_eq!(gathers(&mut line, 1000, 0), [id(1)]);
    // Extended again and again, it keeps the other card from others no longer than it was to last at first.
    assert_eq!(gathers(&mut line, 90_000, 1000 + grace - 1), [id(1)]);
    let given = pass(&mut line, &cards(2), &[leased(9, 0, 90_000)], 1000 + grace);
    assert_eq!(served(&given), [2]);
}

#[test]
fn what_has_no_end_yet_is_waited_for() {
    let mut line = line(&[(1, these(&[0, 1]), None)]);
    let kept = [Holder { until: None, ..holder(9, &[id(0)]) }];
    assert_eq!(back(&pass(&mut line, &cards(2), &kept, 0)), [id(1)]);
    // In use now, and for how long is known.
    assert_eq!(back(&pass(&mut line, &cards(2), &[leased(9, 0, 9000)], 50)), [id(1)]);
    line.join(2, "", Wanted::Some(1), None);
    assert_eq!(back(&pass(&mut line, &cards(2), &[leased(9, 0, 9000)], 9000)), [id(1)]);
}

/// What several users do with some cards, step by step.
#[derive(Debug)]
struct House {
    cards: Vec<Card>,
    line: Line,
    leases: Vec<Holder>,
    gifts: Vec<Holder>,
    now: Timestamp,
}

/// Each user's limit.
fn most(uid: u32) -> usize {
    [1, 2, 2, 3, 5][usize::try_from(uid).unwrap() % 5]
}

type Step = (u8, u32, usize, Vec<usize>);

fn steps(count: usize) -> impl Strategy<Value = Vec<Step>> {
    let step = (0u8..5, 0u32..5, 1usize..5, prop::collection::vec(0usize..6, 1..4));
    prop::collection::vec(step, 0..count)
}

impl House {
    fn new(shares: &[u32]) -> Self {
        let cards = shares.iter().enumerate().map(|(n, share)| card(n, *share)).collect();
        Self { cards, line: Line::default(), leases: vec![], gifts: vec![], now: at(0) }
    }

    fn holders(&self) -> Vec<Holder> {
        self.leases.iter().chain(&self.gifts).cloned().collect()
    }

    fn pass(&mut self) -> Pass {
        let holders = self.holders();
        let pass = self.line.pass(&self.cards, &holders, &History::default(), self.now);
        self.gifts.extend(pass.gifts.iter().map(|(ticket, cards)| ticket.promise(cards.clone())));
        pass
    }

    fn lease(&mut self, holder: Holder, seconds: usize) {
        let until = self.now.as_second() + i64::try_from(seconds).unwrap() * 1000;
        self.leases.push(Holder { until: Some(at(until)), promised: false, ..holder });
    }

    /// The next end of all.
    fn end(&mut self) -> bool {
        let next = (0..self.leases.len()).min_by_key(|number| self.leases[*number].until);
        let ended = next.map(|number| self.leases.swap_remove(number));
        self.now = ended.as_ref().map_or(self.now, |holder| holder.until.unwrap());
        ended.is_some()
    }

    fn step(&mut self, (what, uid, count, numbers): Step) {
        let chosen = numbers[0] % self.gifts.len().max(1);
        match what {
            0 | 1 => {
                let numbers: Vec<usize> = numbers.iter().map(|n| n % self.cards.len()).collect();
                let wanted = if what == 0 {
                    Wanted::Some(count)
                } else {
                    Wanted::these(&numbers.into_iter().map(id).collect::<Vec<_>>())
                };
                if wanted.count() <= most(uid) && wanted.possible(&self.cards).is_ok() {
                    self.line.join(uid, "", wanted, u64::try_from(most(uid)).ok());
                }
            }
            2 if !self.gifts.is_empty() => {
                let gift = self.gifts.swap_remove(chosen);
                self.lease(gift, count);
            }
            3 if !self.gifts.is_empty() => {
                let gift = self.gifts.swap_remove(chosen);
                self.line.behind_all(gift.uid);
            }
            _ => drop(self.end()),
        }
    }

    /// Nobody has more than they may have, with what is kept for them; and no card is with more than may share it.
    fn holds(&self, pass: &Pass) -> Result<(), TestCaseError> {
        let all: Vec<Holder> = self.holders().into_iter().chain(pass.held_back.clone()).collect();
        for uid in 0..5 {
            let own = all.iter().filter(|holder| holder.uid == uid);
            prop_assert!(
                own.map(|holder| holder.cards.len()).sum::<usize>() <= most(uid),
                "{uid} in {all:?}"
            );
        }
        for card in &self.cards {
            let holding = all.iter().filter(|holder| holder.cards.contains(&card.id)).count();
            prop_assert!(holding <= usize::try_from(card.share).unwrap());
        }
        Ok(())
    }

    /// Nothing is kept but for the first, and whoever else could use what is free has it.
    fn keeps_nothing_else(&self, pass: &Pass) -> Result<(), TestCaseError> {
        let holders = self.holders();
        let firsts = self.line.firsts(&self.cards, &holders);
        prop_assert_eq!(
            pass.held_back.as_ref().map(|back| back.uid),
            firsts.first().map(|ticket| ticket.uid)
        );
        let taken: Vec<Holder> = holders.iter().chain(&pass.held_back).cloned().collect();
        for ticket in &firsts {
            let gets = allocate(&self.cards, &taken, &History::default(), ticket.uid, &ticket.wanted);
            prop_assert!(gets.is_err(), "{ticket:?} could be served");
        }
        if let (Some(back), Some(first)) = (&pass.held_back, firsts.first()) {
            prop_assert!(back.cards.len() < first.wanted.count());
            prop_assert!(back.cards.iter().all(|card| first.wanted.concerns(card)));
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn nobody_has_or_keeps_more_than_they_may(shares in prop::collection::vec(1u32..3, 1..6), steps in steps(60)) {
        let mut house = House::new(&shares);
        for step in steps {
            house.step(step);
            let pass = house.pass();
            house.holds(&pass)?;
            house.keeps_nothing_else(&pass)?;
        }
    }

    /// Whatever came about: once nobody comes any more, everybody is served after as many ends as there are tickets and
    /// leases.
    #[test]
    fn everybody_is_served_after_finitely_many_ends(shares in prop::collection::vec(1u32..3, 1..6), steps in steps(60)) {
        let mut house = House::new(&shares);
        for step in steps {
            house.step(step);
            house.pass();
        }
        let mut left = house.line.len() + house.leases.len() + house.gifts.len();
        while !house.line.is_empty() {
            house.pass();
            while let Some(gift) = house.gifts.pop() {
                house.lease(gift, 3);
            }
            prop_assert!(left > 0 || house.line.is_empty(), "{:?} waits for ever", house.line);
            left = left.saturating_sub(usize::from(house.end()));
        }
    }

    /// Whatever else arrives, and however often: for each ticket of its own user's that was there first, and for
    /// itself, a ticket waits for one of each other user's.
    #[test]
    fn nobody_starves(
        first in prop::collection::vec((0u32..6, 1usize..4), 1..12),
        later in prop::collection::vec((0u32..40, 1usize..4), 0..200),
        watched in 0usize..12,
    ) {
        let tickets: Vec<_> = first.iter().map(|(uid, count)| (*uid, Wanted::Some(*count), None)).collect();
        let (cards, mut line) = (cards(4), line(&tickets));
        let watched = watched % first.len();
        let uid = first[watched].0;
        let others: HashSet<u32> = first.iter().map(|(uid, _)| *uid).filter(|other| *other != uid).collect();
        let earlier = first[..watched].iter().filter(|(other, _)| *other == uid).count();
        // The first turn waits for those who were there alone.
        let most = others.len() + earlier * (1 + others.len() + 40);
        let watched = u64::try_from(watched).unwrap() + 1;
        let (mut holders, mut later) = (Vec::<Holder>::new(), later.into_iter());
        let mut served_before = 0;
        for round in 0..1000 {
            // Newcomers arrive faster than anybody is served.
            for (uid, count) in later.by_ref().take(3) {
                line.join(uid + 100, "", Wanted::Some(count), None);
            }
            let own = line.find(watched).unwrap().waits_for_own(&cards, &holders);
            match line.look(&cards, &holders, &History::default()).turn {
                Some((ticket, granted)) => {
                    line.served(&ticket);
                    if ticket.number == watched {
                        prop_assert!(served_before <= most, "{served_before} and not {most} in round {round}");
                        return Ok(());
                    }
                    // While it waits for its own user, others go on.
                    served_before += usize::from(!own);
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
