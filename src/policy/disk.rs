//! What a user's containers and volumes may hold on the engine's disk together.

use super::cap::Cap;
use super::left::{Left, hinted, left_over};
use super::limits::Limits;
use super::refuse::{QUOTA, refusal};
use super::total::{Share, Total};
use super::usage::{Held, Usage};
use crate::protocol::amount::Bytes;
use crate::protocol::report::Refusal;
use crate::protocol::told::{Told, told};

impl Limits {
    pub(super) fn disk<'a>(&'a self, used: &'a Usage) -> Total<'a, Bytes> {
        let share = |held: &'a Held| Share {
            name: &held.name,
            left_by: held.left_by.as_deref(),
            amount: held.bytes.unwrap_or_default(),
        };
        let used = used.disk.iter().map(share).collect();
        Total { rule: "total.disk", limit: &self.total.disk, used, frees: "rm" }
    }

    /// Whether more may be written: nobody says beforehand how much, so what counts is what is there already.
    ///
    /// # Errors
    /// `total.disk` where more is held than that, or where what is held cannot be measured.
    pub fn disk_left(&self, used: &Usage) -> Result<(), Refusal> {
        let total = self.disk(used);
        let line = total.line();
        if total.limit.value == Cap::Unlimited {
            return Ok(());
        }
        // Nothing that is kept from being counted is free.
        if let Some(held) = used.disk.iter().find(|held| held.bytes.is_none()) {
            let what = match &held.left_by {
                Some(login) => told!("something that {login} left cannot be measured"),
                None => told!("what {} holds cannot be measured", held.name),
            };
            let no = refusal(QUOTA, "total.disk", &self.total.disk.source, what);
            let own = held.left_by.is_none().then(|| removal(held));
            return Err(no.hint(hinted(own, left(used)).unwrap_or_default()));
        }
        if total.fits() {
            return Ok(());
        }
        Err(self.taken(used, told!("{} of {} are taken", line.used, line.limit)))
    }

    /// How much may still be written, where somebody counts a copy as it comes.
    ///
    /// # Errors
    /// As [`Limits::disk_left`].
    pub fn disk_room(&self, used: &Usage) -> Result<Room, Refusal> {
        self.disk_left(used)?;
        let line = self.disk(used).line();
        let what = told!("the copy does not fit, {} of {} are taken", line.used, line.limit);
        let left = self.disk(used).left().most().map(|left| left.0);
        Ok(Room { left, over: self.taken(used, what) })
    }

    fn taken(&self, used: &Usage, what: Told) -> Refusal {
        let total = self.disk(used);
        let mut no = refusal(QUOTA, "total.disk", &self.total.disk.source, what);
        no.used = Some(total.holders());
        no.limit = Some(total.line().limit);
        // Who holds nothing has nothing to remove.
        let own = used.disk.iter().filter(|held| held.left_by.is_none() && held.bytes > Some(Bytes(0)));
        let largest = own.max_by_key(|held| held.bytes).map(removal);
        no.hint(
            hinted(largest, left(used))
                .unwrap_or_else(|| told!("`ie-container quota` shows what you may have")),
        )
    }
}

/// What counts and is nobody's to remove but the admin's.
fn left(used: &Usage) -> Option<Told> {
    left_over(Left::Things, used.disk.iter().filter_map(|held| held.left_by.as_deref()))
}

/// What may still be written, and what is said to who writes more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// In bytes; nothing where there is no limit.
    pub left: Option<u64>,
    pub over: Refusal,
}

fn removal(held: &Held) -> Told {
    match held {
        Held { volume: Some(name), .. } => Told::Text(format!("docker volume rm {name}")),
        Held { name, .. } => told!("`ie-container rm {name}`, what it holds goes with it"),
    }
}
