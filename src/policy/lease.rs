//! How long a GPU is granted for, and how many hours of them there are in a week.

use super::cap::Cap;
use super::limits::Limits;
use super::refuse::{QUOTA, refusal};
use super::source::Source;
use crate::protocol::amount::Span;
use crate::protocol::report::{QuotaLine, Refusal};
use crate::protocol::told::told;

/// What a user has had of the week, in seconds on one card.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WeekUsed {
    /// Up to now.
    pub used: u64,
    /// What the leases that run may still take.
    pub promised: u64,
}

impl Limits {
    /// The length of a lease of so many cards: what was asked for, or the longest there is; never trimmed.
    ///
    /// # Errors
    /// `gpu_time` for a lease of no time or a longer one than that, `gpu_hours.week` where the week has less left.
    pub fn lease(&self, asked: Option<Span>, cards: usize, week: WeekUsed) -> Result<Span, Refusal> {
        let span = match (asked, self.gpu_time.value) {
            (Some(asked), _) if asked.0 == 0 => {
                let what = told!("a lease of no time is none");
                return Err(refusal(QUOTA, "gpu_time", &self.gpu_time.source, what)
                    .hint(told!("ask for `--time 1h`")));
            }
            (Some(asked), Cap::Most(most)) if asked > most => {
                let what = told!("asked {asked}, a lease lasts {most} at most");
                let mut no = refusal(QUOTA, "gpu_time", &self.gpu_time.source, what);
                no.asked = Some(asked.to_string());
                no.limit = Some(most.to_string());
                return Err(no.hint(told!("ask for at most `--time {most}`")));
            }
            (Some(asked), _) => asked,
            (None, Cap::Most(most)) => self.fitting(most, cards, week),
            (None, Cap::Unlimited) => self.fitting(Span(FOR_EVER), cards, week),
        };
        self.within_week(span, cards, week)?;
        Ok(span)
    }

    /// Whether a lease that would end so much later still fits: the whole of it must be short enough from now on.
    ///
    /// # Errors
    /// `gpu_time` for less than a minute or for an end too far away, `gpu_hours.week` where the week has less left.
    pub fn extend(&self, left: Span, more: Span, cards: usize, week: WeekUsed) -> Result<(), Refusal> {
        if more < LEAST_MORE {
            let what = told!("asked {more} more, a lease is extended by {LEAST_MORE} at least");
            return Err(refusal(QUOTA, "gpu_time", &Source::BuiltIn, what).hint(told!("ask for 1h")));
        }
        let after = Span(left.0.saturating_add(more.0));
        if let Cap::Most(most) = self.gpu_time.value
            && after > most
        {
            let what =
                told!("asked {more} more with {left} left, a lease ends {most} from now at the latest");
            let mut no = refusal(QUOTA, "gpu_time", &self.gpu_time.source, what);
            no.asked = Some(more.to_string());
            no.limit = Some(most.to_string());
            let room = Span(most.0.saturating_sub(left.0));
            return Err(no.hint(told!("ask for at most {room} more, or later")));
        }
        self.within_week(more, cards, week)
    }

    /// How many GPUs a user may hold at once; nothing where the policy says "none" for the limit.
    pub fn most_gpus(&self) -> Option<u64> {
        self.total.gpus.value.most()
    }

    /// What is used of the week, for showing.
    pub fn week_line(&self, week: WeekUsed) -> QuotaLine {
        QuotaLine {
            rule: "gpu_hours.week".to_owned(),
            used: tenths(week.used.saturating_add(week.promised)),
            limit: self.gpu_hours.value.to_string(),
            left: self.left_of_week(week).map_or_else(|| "none".to_owned(), tenths_left),
            source: self.gpu_hours.source.to_string(),
        }
    }

    /// Who names no time gets what is left of the week, if that is less than the longest lease.
    fn fitting(&self, longest: Span, cards: usize, week: WeekUsed) -> Span {
        let cards = u64::try_from(cards).unwrap_or(u64::MAX).max(1);
        match self.left_of_week(week) {
            Some(left) if left / cards >= LEAST => Span(longest.0.min(left / cards)),
            // Too little to be of use: asked for in full, and refused with the numbers.
            Some(_) | None => longest,
        }
    }

    fn left_of_week(&self, week: WeekUsed) -> Option<u64> {
        match self.gpu_hours.value {
            Cap::Unlimited => None,
            Cap::Most(hours) => {
                Some(hours.saturating_mul(3600).saturating_sub(week.used.saturating_add(week.promised)))
            }
        }
    }

    fn within_week(&self, span: Span, cards: usize, week: WeekUsed) -> Result<(), Refusal> {
        let asked = span.0.saturating_mul(u64::try_from(cards).unwrap_or(u64::MAX));
        let Some(left) = self.left_of_week(week).filter(|left| asked > *left) else { return Ok(()) };
        let what = told!(
            "asked {} hours ({span} on {cards}), {} of {} left this week",
            tenths(asked),
            tenths_left(left),
            self.gpu_hours.value
        );
        let mut no = refusal(QUOTA, "gpu_hours.week", &self.gpu_hours.source, what);
        no.asked = Some(tenths(asked));
        no.used = Some(tenths(week.used.saturating_add(week.promised)));
        no.limit = Some(self.gpu_hours.value.to_string());
        let each = Span(left / u64::try_from(cards).unwrap_or(1).max(1) / 60 * 60);
        Err(match each.0 {
            0 => no.hint(told!("the week begins anew on Monday")),
            _ => no.hint(told!("ask for at most `--time {each}`")),
        })
    }
}

/// With each extension the warnings of the end come anew, and the admin's hook for them.
const LEAST_MORE: Span = Span(60);

/// A lease without an end would still be one: ten years, in seconds.
const FOR_EVER: u64 = 10 * 365 * 86_400;
/// Less than this is not handed out unasked, in seconds.
const LEAST: u64 = 60;

/// Seconds as hours with one digit.
fn tenths(seconds: u64) -> String {
    let tenths = seconds.div_ceil(360);
    if tenths.is_multiple_of(10) {
        (tenths / 10).to_string()
    } else {
        format!("{}.{}", tenths / 10, tenths % 10)
    }
}

/// Downwards: what is shown as left is left.
fn tenths_left(seconds: u64) -> String {
    tenths(seconds / 360 * 360)
}
