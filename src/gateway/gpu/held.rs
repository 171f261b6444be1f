//! Cards that are kept for somebody and not leased yet: given in line, claimed by a create, or of a container that was
//! made and not started.
//!
//! Nobody else has them meanwhile, so they count as a lease does: towards the limit, and in hours.
//!
//! Nothing is had by waiting that a container would not cost.

use super::card::Holder;
use super::hours::Spell;
use crate::gateway::engine::ContainerId;
use jiff::Timestamp;
use std::collections::HashMap;

/// Why cards are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum By {
    /// A create that is under way.
    Create,
    Container(ContainerId),
    /// A turn in the line that nobody has used yet.
    Ticket(u64),
}

#[derive(Debug)]
pub(super) struct Held {
    pub(super) holder: Holder,
    pub(super) by: By,
    pub(super) since: Timestamp,
    pub(super) until: Timestamp,
}

impl Held {
    /// As its user is told of it.
    pub(super) fn shown(&self) -> String {
        match self.by {
            By::Create => "a create under way".to_owned(),
            By::Container(_) => self.holder.container.clone(),
            By::Ticket(_) => "a place in line".to_owned(),
        }
    }

    fn spell(&self, now: Timestamp) -> Spell {
        let ended = now.min(self.until).max(self.since);
        Spell { uid: self.holder.uid, cards: self.holder.cards.len(), since: self.since, ended, lease: None }
    }
}

/// All that is kept, each by a number of its own.
#[derive(Debug, Default)]
pub(super) struct Holds {
    next: u64,
    held: HashMap<u64, Held>,
    /// What was kept and is not any more, for whoever adds up the hours.
    spells: Vec<Spell>,
}

impl Holds {
    pub(super) fn put(&mut self, held: Held) -> u64 {
        let key = self.next;
        self.next += 1;
        self.held.insert(key, held);
        key
    }

    pub(super) fn get_mut(&mut self, key: u64) -> Option<&mut Held> {
        self.held.get_mut(&key)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &Held)> {
        self.held.iter().map(|(key, held)| (*key, held))
    }

    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut Held> {
        self.held.values_mut()
    }

    /// It goes on as something else: the hours go on, too.
    pub(super) fn take(&mut self, key: u64) -> Option<Held> {
        self.held.remove(&key)
    }

    /// It is over.
    pub(super) fn end(&mut self, key: u64, now: Timestamp) -> Option<Held> {
        let held = self.held.remove(&key)?;
        self.spells.push(held.spell(now));
        Some(held)
    }

    /// Ends what this says; what it was.
    pub(super) fn end_where(&mut self, now: Timestamp, over: impl Fn(&Held) -> bool) -> Vec<Held> {
        let keys: Vec<u64> = self.iter().filter(|(_, held)| over(held)).map(|(key, _)| key).collect();
        keys.into_iter().filter_map(|key| self.end(key, now)).collect()
    }

    pub(super) fn spells(&mut self) -> Vec<Spell> {
        std::mem::take(&mut self.spells)
    }
}
