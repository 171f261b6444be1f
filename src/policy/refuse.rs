//! How the policy says no: the rule, the numbers and where the rule is set.

use super::source::Source;
use crate::protocol::report::Refusal;
use crate::protocol::told::{Told, told};

/// An amount is used up or too large.
pub(super) const QUOTA: &str = "quota";
/// A list does not hold what was asked for.
pub(super) const FORBIDDEN: &str = "forbidden";
/// It could be granted, but somebody holds it.
pub(super) const CONFLICT: &str = "conflict";

/// A refusal by `rule`; `what` says it in one lower-case sentence.
pub(super) fn refusal(code: &str, rule: &str, source: &Source, what: impl Into<Told>) -> Refusal {
    let what = what.into();
    let mut no = Refusal::new(code, told!("{rule}: {what} ({source})")).rule(rule);
    no.source = Some(source.to_string());
    no
}
