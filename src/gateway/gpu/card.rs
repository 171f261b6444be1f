//! One card, and who holds it.

use crate::protocol::card::CardId;
use jiff::Timestamp;

/// A GPU, or an instance of one, that can be granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::gateway) struct Card {
    pub(in crate::gateway) id: CardId,
    /// What it is sold as.
    pub(in crate::gateway) name: String,
    /// How many containers may hold it at once; at least 1.
    pub(in crate::gateway) share: u32,
    /// Why it is granted to nobody, if so.
    pub(in crate::gateway) fault: Option<String>,
}

/// A container that has cards, or somebody for whom some are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::gateway) struct Holder {
    pub(in crate::gateway) uid: u32,
    pub(in crate::gateway) login: String,
    /// The container's short name.
    pub(in crate::gateway) container: String,
    pub(in crate::gateway) cards: Vec<CardId>,
    /// When its lease ends; one that was not started yet has none.
    pub(in crate::gateway) until: Option<Timestamp>,
    /// Nobody has it yet: it was given in line, or is held back for who is first there.
    pub(in crate::gateway) promised: bool,
}

impl Card {
    /// How many more containers may hold it.
    pub(super) fn places(&self, holders: &[Holder]) -> usize {
        let share = if self.fault.is_some() { 0 } else { usize::try_from(self.share).unwrap_or(usize::MAX) };
        share.saturating_sub(holders.iter().filter(|holder| holder.cards.contains(&self.id)).count())
    }
}
