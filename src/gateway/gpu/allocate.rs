//! Which cards a container gets: a decision over what there is and who holds it, and nothing else.

use super::card::{Card, Holder};
use crate::protocol::card::CardId;
use crate::protocol::told::{Told, told};
use jiff::Timestamp;
use std::collections::HashMap;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::gateway) enum Wanted {
    /// Any, so many; at least 1.
    Some(usize),
    /// These and no others.
    These(Vec<CardId>),
}

/// Why it is not granted now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::gateway) enum Denied {
    /// The machine has no such card, or not so many that work: waiting does not help.
    Never(Told),
    /// They are held: by these.
    Taken(Vec<Holder>),
}

/// Who used which card last, and how often each was used: a preference, no record.
#[derive(Debug, Default)]
pub(in crate::gateway) struct History {
    last: HashMap<(u32, CardId), Timestamp>,
    uses: HashMap<CardId, u64>,
}

impl History {
    pub(in crate::gateway) fn note(&mut self, uid: u32, card: &CardId, at: Timestamp) {
        self.last.insert((uid, card.clone()), at);
        *self.uses.entry(card.clone()).or_default() += 1;
    }
}

impl Wanted {
    /// These, each once: one that is named twice is one.
    pub(super) fn these(cards: &[CardId]) -> Self {
        let mut once: Vec<CardId> = Vec::new();
        for card in cards {
            if !once.contains(card) {
                once.push(card.clone());
            }
        }
        Self::These(once)
    }

    pub(in crate::gateway) fn count(&self) -> usize {
        match self {
            Self::Some(count) => *count,
            Self::These(cards) => cards.len(),
        }
    }

    /// Of a user's own holds those that alone are in the way of a card that is wanted by name.
    pub(super) fn own_in_the_way(&self, cards: &[Card], holders: &[Holder], uid: u32) -> Vec<Holder> {
        let Self::These(wanted) = self else { return Vec::new() };
        let holds = |card: &Card, holder: &Holder| holder.cards.contains(&card.id);
        let own_alone = |card: &&Card| {
            let mut held = holders.iter().filter(|holder| holds(card, holder));
            wanted.contains(&card.id) && card.places(holders) == 0 && held.all(|holder| holder.uid == uid)
        };
        let kept: Vec<&Card> = cards.iter().filter(own_alone).collect();
        let in_the_way = |holder: &&Holder| kept.iter().any(|card| holds(card, holder));
        holders.iter().filter(in_the_way).cloned().collect()
    }

    /// Whether the machine could ever serve it.
    pub(in crate::gateway) fn possible(&self, cards: &[Card]) -> Result<(), Denied> {
        let working = || cards.iter().filter(|card| card.fault.is_none());
        match self {
            Self::Some(count) if *count > working().count() => {
                let there = working().count();
                Err(Denied::Never(told!("asked for {count} gpus, this machine has {there} to grant")))
            }
            Self::Some(_) => Ok(()),
            Self::These(wanted) => {
                wanted.iter().try_for_each(|wanted| match cards.iter().find(|card| card.id == *wanted) {
                    None => Err(Denied::Never(told!("this machine has no gpu {wanted}"))),
                    Some(Card { fault: Some(fault), .. }) => {
                        Err(Denied::Never(told!("gpu {wanted} is out of order: {fault}")))
                    }
                    Some(_) => Ok(()),
                })
            }
        }
    }
}

/// The cards that are granted: those the user had last come first, then those that were used least.
pub(in crate::gateway) fn allocate(
    cards: &[Card],
    holders: &[Holder],
    history: &History,
    uid: u32,
    wanted: &Wanted,
) -> Result<Vec<CardId>, Denied> {
    wanted.possible(cards)?;
    let free = |card: &&Card| card.places(holders) > 0;
    let granted: Vec<CardId> = match wanted {
        Wanted::Some(count) => {
            let mut free: Vec<&Card> = cards.iter().filter(free).collect();
            free.sort_by_key(|card| {
                let last = history.last.get(&(uid, card.id.clone()));
                let held = card.share.saturating_sub(u32::try_from(card.places(holders)).unwrap_or(u32::MAX));
                // The newest first: later timestamps are greater.
                (std::cmp::Reverse(last), held, history.uses.get(&card.id).copied().unwrap_or(0), &card.id)
            });
            free.into_iter().take(*count).map(|card| card.id.clone()).collect()
        }
        Wanted::These(wanted) => {
            cards.iter().filter(free).map(|card| card.id.clone()).filter(|id| wanted.contains(id)).collect()
        }
    };
    if granted.len() == wanted.count() {
        Ok(granted)
    } else {
        Err(Denied::Taken(in_the_way(holders, wanted)))
    }
}

/// Who would have to let go, the earliest end first.
fn in_the_way(holders: &[Holder], wanted: &Wanted) -> Vec<Holder> {
    let concerns = |holder: &&Holder| match wanted {
        Wanted::Some(_) => !holder.cards.is_empty(),
        Wanted::These(wanted) => holder.cards.iter().any(|card| wanted.contains(card)),
    };
    let mut found: Vec<Holder> = holders.iter().filter(concerns).cloned().collect();
    found.sort_by_key(|holder| (holder.until.is_none(), holder.until));
    found
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(in crate::gateway::gpu) fn card(number: usize, share: u32) -> Card {
        Card { id: id(number), name: "A100".into(), share, fault: None }
    }

    pub(in crate::gateway::gpu) fn id(number: usize) -> CardId {
        format!("GPU-{number}").parse().unwrap()
    }

    pub(in crate::gateway::gpu) fn holder(uid: u32, cards: &[CardId]) -> Holder {
        Holder {
            uid,
            login: format!("u{uid}"),
            container: format!("c{uid}"),
            cards: cards.to_vec(),
            until: Timestamp::from_second(i64::from(uid)).ok(),
            promised: false,
        }
    }

    #[test]
    fn the_users_last_card_comes_first_then_the_least_used() {
        let cards: Vec<Card> = (0..4).map(|n| card(n, 1)).collect();
        let mut history = History::default();
        let at = |second| Timestamp::from_second(second).unwrap();
        history.note(7, &id(2), at(10));
        history.note(7, &id(3), at(20));
        history.note(8, &id(0), at(30));
        let pick = |uid, wanted| allocate(&cards, &[], &history, uid, &Wanted::Some(wanted)).unwrap();
        assert_eq!(pick(7, 3), [id(3), id(2), id(1)]);
        assert_eq!(pick(9, 1), [id(1)]);
    }

    #[test]
    fn a_card_that_is_named_twice_is_one() {
        let wanted = Wanted::these(&[id(1), id(0), id(1)]);
        let Wanted::These(once) = &wanted else { panic!() };
        assert_eq!((once.as_slice(), wanted.count()), ([id(1), id(0)].as_slice(), 2));
    }

    #[test]
    fn who_names_a_card_waits_for_nobody_but_others() {
        let cards = [card(0, 1), card(1, 2), card(2, 1), Card { fault: Some("gone".into()), ..card(3, 1) }];
        let holders = [holder(7, &[id(0), id(1)]), holder(7, &[id(1)]), holder(8, &[id(2)])];
        let own = |wanted: &Wanted| {
            let own = wanted.own_in_the_way(&cards, &holders, 7);
            assert!(own.iter().all(|holder| holder.uid == 7));
            own.len()
        };
        let these = |numbers: &[usize]| Wanted::These(numbers.iter().map(|number| id(*number)).collect());
        assert_eq!(
            [own(&these(&[0])), own(&these(&[1])), own(&these(&[2, 0])), own(&these(&[2]))],
            [1, 2, 1, 0]
        );
        // Out of order, held by nobody: that is said elsewhere. Any cards may be somebody else's.
        assert_eq!([own(&these(&[3])), own(&Wanted::Some(4))], [0, 0]);
        let shared = [holder(7, &[id(1)]), holder(8, &[id(1)])];
        assert_eq!(these(&[1]).own_in_the_way(&cards, &shared, 7), []);
    }

    #[test]
    fn who_is_in_the_way_is_named_and_what_cannot_be_is_said() {
        let mut cards: Vec<Card> = (0..2).map(|n| card(n, 1)).collect();
        let holders = [holder(9, &[id(1)]), holder(8, &[id(0)])];
        let ask =
            |cards: &[Card], wanted| allocate(cards, &holders, &History::default(), 7, &wanted).unwrap_err();
        let Denied::Taken(taken) = ask(&cards, Wanted::Some(1)) else { panic!() };
        assert_eq!(taken.iter().map(|holder| holder.uid).collect::<Vec<_>>(), [8, 9]);
        let Denied::Taken(taken) = ask(&cards, Wanted::These(vec![id(1)])) else { panic!() };
        assert_eq!(taken.iter().map(|holder| holder.uid).collect::<Vec<_>>(), [9]);
        let never = |denied| match denied {
            Denied::Never(why) => why.to_string(),
            Denied::Taken(_) => panic!(),
        };
        assert_eq!(never(ask(&cards, Wanted::Some(3))), "asked for 3 gpus, this machine has 2 to grant");
        assert_eq!(never(ask(&cards, Wanted::These(vec![id(5)]))), "this machine has no gpu GPU-5");
        cards[1].fault = Some("fell off the bus".into());
        assert_eq!(
            never(ask(&cards, Wanted::These(vec![id(1)]))),
            "gpu GPU-1 is out of order: fell off the bus"
        );
        assert_eq!(never(ask(&cards, Wanted::Some(2))), "asked for 2 gpus, this machine has 1 to grant");
    }

    proptest! {
        /// Whatever is asked in whatever order, no card is held by more containers than may share it.
        #[test]
        fn no_card_is_granted_beyond_its_share(
            shares in prop::collection::vec(1u32..4, 1..6),
            asks in prop::collection::vec((0u32..5, 1usize..4, any::<bool>(), 0usize..6), 0..40),
        ) {
            let cards: Vec<Card> = shares.iter().enumerate().map(|(n, share)| card(n, *share)).collect();
            let mut holders: Vec<Holder> = Vec::new();
            let mut history = History::default();
            for (uid, count, release, number) in asks {
                if release && !holders.is_empty() {
                    holders.remove(number % holders.len());
                }
                let wanted = if number < 3 { Wanted::Some(count) } else { Wanted::These(vec![id(number)]) };
                if let Ok(granted) = allocate(&cards, &holders, &history, uid, &wanted) {
                    prop_assert_eq!(granted.len(), wanted.count());
                    let mut distinct = granted.clone();
                    distinct.sort();
                    distinct.dedup();
                    prop_assert_eq!(distinct.len(), granted.len());
                    granted.iter().for_each(|card| history.note(uid, card, Timestamp::UNIX_EPOCH));
                    holders.push(holder(uid, &granted));
                }
                for card in &cards {
                    let holding = holders.iter().filter(|holder| holder.cards.contains(&card.id)).count();
                    prop_assert!(holding <= usize::try_from(card.share).unwrap());
                }
            }
        }
    }
}
