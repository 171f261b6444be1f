//! What all of a user's containers may have together.

use super::cap::{Amount, Cap, shown, sum};
use super::left::{Left, hinted, left_ones, left_over};
use super::limits::Limits;
use super::refuse::{QUOTA, refusal};
use super::size::Size;
use super::source::Sourced;
use super::usage::{Usage, Used};
use crate::protocol::amount::{Bytes, Cpus};
use crate::protocol::report::{QuotaLine, Refusal};
use crate::protocol::told::{Told, told};

/// What one container, or something else, takes of a limit.
pub(super) struct Share<'a, T> {
    pub(super) name: &'a str,
    pub(super) left_by: Option<&'a str>,
    pub(super) amount: T,
}

impl<'a, T> Share<'a, T> {
    pub(super) fn of(container: &'a Used, amount: T) -> Self {
        Self { name: &container.name, left_by: container.left_by.as_deref(), amount }
    }
}

/// One rule over several containers: the limit, and what each of them takes of it.
pub(super) struct Total<'a, T> {
    pub(super) rule: &'static str,
    pub(super) limit: &'a Sourced<Cap<T>>,
    pub(super) used: Vec<Share<'a, T>>,
    /// What gives some of it back: `stop` or `rm`.
    pub(super) frees: &'static str,
}

impl<'a, T: Amount> Total<'a, T> {
    /// Whether `asked` more fits. `flag` is what the caller could ask less with, if anything.
    pub(super) fn take(&self, asked: T, flag: Option<&str>) -> Result<(), Refusal> {
        let used = self.sum();
        let after = used + u128::from(asked.raw());
        // Who asks for none is not held up by being over already, after a limit was lowered.
        if asked.raw() == 0 || self.limit.value.allows(after) {
            return Ok(());
        }
        let (limit, left) = (self.limit.value, self.limit.value.left(used));
        let what = told!("asked {}, {} of {limit} free", asked, left);
        let mut no = refusal(QUOTA, self.rule, &self.limit.source, what);
        no.asked = Some(asked.to_string());
        no.used = Some(self.holders());
        no.limit = Some(limit.to_string());
        Err(no.hint(self.with_left(self.way_out(after, left, flag))))
    }

    /// A hint, and what counts beside the caller's own.
    pub(super) fn with_left(&self, hint: Option<Told>) -> Told {
        hinted(hint, left_over(Left::Containers, self.left_by()))
            .unwrap_or_else(|| told!("`ie-container quota` shows what you may have"))
    }

    /// Whether what is used is within the limit.
    pub(super) fn fits(&self) -> bool {
        self.limit.value.allows(self.sum())
    }

    pub(super) fn line(&self) -> QuotaLine {
        let used = self.sum();
        QuotaLine {
            rule: self.rule.to_owned(),
            used: shown::<T>(used),
            limit: self.limit.value.to_string(),
            left: self.left().to_string(),
            source: self.limit.source.to_string(),
        }
    }

    /// What of the limit nobody holds.
    pub(super) fn left(&self) -> Cap<T> {
        self.limit.value.left(self.sum())
    }

    fn sum(&self) -> u128 {
        sum(self.used.iter().map(|share| share.amount))
    }

    /// `31g by train-1 (16g), web (15g), 2 that ann left`, the largest first.
    pub(super) fn holders(&self) -> String {
        let mut holding: Vec<_> = self.own().collect();
        holding.sort_by_key(|share| (std::cmp::Reverse(share.amount), share.name));
        let names = holding.iter().map(|share| format!("{} ({})", share.name, share.amount));
        let holders: Vec<_> = names.chain(left_ones(self.left_by())).collect();
        let total = shown::<T>(self.sum());
        if holders.is_empty() { total } else { format!("{total} by {}", holders.join(", ")) }
    }

    /// Who has left something that takes of it, once for each.
    fn left_by(&self) -> impl Iterator<Item = &'a str> {
        self.used.iter().filter(|share| share.amount.raw() > 0).filter_map(|share| share.left_by)
    }

    /// What the caller could give back.
    fn own(&self) -> impl Iterator<Item = &Share<'a, T>> {
        self.used.iter().filter(|share| share.left_by.is_none() && share.amount.raw() > 0)
    }

    fn way_out(&self, after: u128, left: Cap<T>, flag: Option<&str>) -> Option<Told> {
        let over = match self.limit.value {
            Cap::Unlimited => 0,
            Cap::Most(most) => after.saturating_sub(u128::from(most.raw())),
        };
        let free =
            self.worth_freeing(over).map(|name| Told::Text(format!("`ie-container {} {name}`", self.frees)));
        let less = match (left, flag) {
            (Cap::Most(left), Some(flag)) if left.raw() > 0 => Some(told!("ask for at most `{flag} {left}`")),
            _ => None,
        };
        match (free, less) {
            (Some(free), Some(less)) => Some(told!("{free}, or {less}")),
            (only, None) | (None, only) => only,
        }
    }

    /// The smallest container that gives back enough alone, or else the largest.
    fn worth_freeing(&self, over: u128) -> Option<&str> {
        let enough = self.own().filter(|share| u128::from(share.amount.raw()) >= over);
        let enough = enough.min_by_key(|share| share.amount);
        enough.or_else(|| self.own().max_by_key(|share| share.amount)).map(|share| share.name)
    }
}

impl Limits {
    pub(super) fn cpus<'a>(&'a self, used: &'a Usage) -> Total<'a, Cpus> {
        running("total.cpus", &self.total.cpus, used, |container| container.cpus)
    }

    pub(super) fn memory<'a>(&'a self, used: &'a Usage) -> Total<'a, Bytes> {
        running("total.memory", &self.total.memory, used, |container| container.memory)
    }

    pub(super) fn pids<'a>(&'a self, used: &'a Usage) -> Total<'a, u64> {
        running("total.pids", &self.total.pids, used, |container| container.pids)
    }

    pub(super) fn gpus<'a>(&'a self, used: &'a Usage) -> Total<'a, u64> {
        running("total.gpus", &self.total.gpus, used, |container| u64::from(container.gpus))
    }

    /// Whether a container of this size can run beside what runs already.
    pub(super) fn room_for(&self, used: &Usage, size: &Size, gpus: u32) -> Result<(), Refusal> {
        self.cpus(used).take(size.cpus, Some("--cpus"))?;
        self.memory(used).take(size.memory, Some("--memory"))?;
        self.pids(used).take(size.pids, Some("--pids-limit"))?;
        self.gpus(used).take(u64::from(gpus), Some("--gpus"))
    }

    /// Whether so many more cards fit beside those that the user's containers hold, or keep until they are started.
    ///
    /// # Errors
    /// `total.gpus`, with who holds the cards.
    pub fn room_for_cards(&self, held: &[Used], asked: usize) -> Result<(), Refusal> {
        let used = held.iter().map(|holder| Share::of(holder, u64::from(holder.gpus))).collect();
        let held = Total { rule: "total.gpus", limit: &self.total.gpus, used, frees: "stop" };
        held.take(u64::try_from(asked).unwrap_or(u64::MAX), Some("--gpus"))
    }

    /// The same for a container that exists: its amounts are what they are.
    pub(super) fn room_for_existing(&self, used: &Usage, container: &Used) -> Result<(), Refusal> {
        self.cpus(used).take(container.cpus, None)?;
        self.memory(used).take(container.memory, None)?;
        self.pids(used).take(container.pids, None)?;
        self.gpus(used).take(u64::from(container.gpus), None)
    }
}

/// A rule that counts running containers.
fn running<'a, T: Amount>(
    rule: &'static str,
    limit: &'a Sourced<Cap<T>>,
    used: &'a Usage,
    amount: impl Fn(&Used) -> T,
) -> Total<'a, T> {
    let used = used.running().map(|container| Share::of(container, amount(container))).collect();
    Total { rule, limit, used, frees: "stop" }
}
