//! What is said to whoever gets no cards now.

use super::allocate::{Denied, Wanted};
use super::card::Holder;
use super::desk::Refused;
use super::service::shown;
use crate::gateway::error::Error;
use crate::gateway::records::clock::clock;
use crate::protocol::report::Refusal;
use crate::protocol::told::{Told, told};

/// At most so many holders are named in one sentence.
const NAMED: usize = 3;

pub(super) fn refusal(Refused { why, promised, before }: Refused, wanted: &Wanted, there: usize) -> Error {
    let holders = match why {
        Denied::Never(why) => {
            return Refusal::new("gpus", told!("gpus: {why}"))
                .rule("gpus")
                .hint(told!("ie-container gpus shows what there is"))
                .into();
        }
        Denied::Taken(holders) => holders,
    };
    let asked = match wanted {
        Wanted::Some(count) => told!("asked {count}, too few of the {there} are free"),
        Wanted::These(cards) => told!("asked {}, not free", shown(cards)),
    };
    // Who holds some everybody may know; of who waits, how many.
    let line = told!("{promised} promised to whoever waits first, {before} wait before you");
    let message = match named(&holders) {
        Some(held) if promised == 0 && before == 0 => told!("gpus: {asked}; {held}"),
        Some(held) => told!("gpus: {asked}; {held}; {line}"),
        None => told!("gpus: {asked}; {line}"),
    };
    let mut no = Refusal::new("conflict", message).rule("gpus");
    no.asked = Some(wanted.count().to_string());
    no.hint(told!("--wait stands in line, ie-container gpus shows who holds what")).into()
}

/// The first few who hold some.
fn named(holders: &[Holder]) -> Option<Told> {
    let who: Vec<Told> = holders
        .iter()
        .take(NAMED)
        .map(|holder| match (holder.container.as_str(), holder.until) {
            ("", _) => told!("a create of {}", holder.login),
            (name, Some(until)) => told!("{name} of {} until {}", holder.login, clock(until)),
            (name, None) => told!("{name} of {}", holder.login),
        })
        .collect();
    let more = holders.len().saturating_sub(NAMED);
    match (who.is_empty(), Told::joined(who, ", ")) {
        (true, _) => None,
        (false, who) if more > 0 => Some(told!("held by {who} and {more} more")),
        (false, who) => Some(told!("held by {who}")),
    }
}
