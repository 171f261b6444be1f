//! What the engine may spend of its own processors on what a user's containers print: nobody else is charged with it.

use super::cap::Cap;
use super::limits::Limits;
use super::refuse::{QUOTA, refusal};
use super::total::{Share, Total};
use super::usage::Usage;
use crate::protocol::amount::{Cpus, Span};
use crate::protocol::report::Refusal;
use crate::protocol::told::told;

/// So long a time's worth may be spent at once.
pub const BURST: Span = Span(120);
/// What is spent beyond that is remembered for so long at the most.
pub const DEBT: Span = Span(600);

impl Limits {
    pub(super) fn printed<'a>(&'a self, used: &'a Usage) -> Total<'a, Cpus> {
        let used = vec![Share { name: "what they print", left_by: None, amount: used.output }];
        Total { rule: "total.output", limit: &self.total.output, used, frees: "stop" }
    }

    /// How much of a processor the engine may spend all the time; nothing where there is no limit.
    pub fn output(&self) -> Option<Cpus> {
        self.total.output.value.most()
    }

    /// Whether more may be printed. It is for who stops what prints to say so.
    ///
    /// # Errors
    /// `total.output`, with what was spent.
    pub fn output_left(&self, used: &Usage) -> Result<(), Refusal> {
        match self.total.output.value {
            Cap::Most(most) if used.output > most => {
                Err(self.printed_too_much(used, Some(until_paid(used.output, most))))
            }
            _ => Ok(()),
        }
    }

    /// Why what prints is stopped. It holds at the moment of the stop: what is read later says nothing of when.
    pub fn output_over(&self, used: &Usage) -> Refusal {
        self.printed_too_much(used, None)
    }

    fn printed_too_much(&self, used: &Usage, nothing_for: Option<Span>) -> Refusal {
        let line = self.printed(used).line();
        let what = match nothing_for {
            Some(span) => told!(
                "your containers print so much that it takes {} of a processor, {} may be, nothing starts for {span}",
                line.used,
                line.limit
            ),
            None => told!(
                "your containers print so much that it takes {} of a processor, {} may be",
                line.used,
                line.limit
            ),
        };
        let mut no = refusal(QUOTA, "total.output", &self.total.output.source, what);
        no.used = Some(line.used);
        no.limit = Some(line.limit);
        no.hint(told!("let them print less, or write into files: those cost nobody else anything"))
    }
}

/// How long it takes until no more than a burst is spent: it is paid back at the limit's pace.
fn until_paid(used: Cpus, most: Cpus) -> Span {
    let over = u128::from(used.0.saturating_sub(most.0)) * u128::from(BURST.0);
    let seconds = over.div_ceil(u128::from(most.0.max(1)));
    Span(u64::try_from(seconds).unwrap_or(u64::MAX).clamp(1, DEBT.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_paid_back_at_the_limits_pace() {
        let cpus = |word: &str| word.parse::<Cpus>().unwrap();
        for (used, most, seconds) in
            [("0.2", "0.1", 120), ("0.101", "0.1", 2), ("9", "0.1", 600), ("0.6", "0.1", 600)]
        {
            assert_eq!(until_paid(cpus(used), cpus(most)), Span(seconds), "{used} of {most}");
        }
    }
}
