//! What is said to whoever gets no cards now.

use super::allocate::{Denied, Wanted};
use super::card::Holder;
use super::desk::Refused;
use super::service::shown;
use crate::gateway::error::Error;
use crate::gateway::records::clock::clock;
use crate::protocol::report::Refusal;

/// At most so many holders are named in one sentence.
const NAMED: usize = 3;

pub(super) fn refusal(Refused { why, promised, before }: Refused, wanted: &Wanted, there: usize) -> Error {
    let holders = match why {
        Denied::Never(why) => {
            return Refusal::new("gpus", format!("gpus: {why}"))
                .rule("gpus")
                .hint("ie-container gpus shows what there is")
                .into();
        }
        Denied::Taken(holders) => holders,
    };
    let asked = match wanted {
        Wanted::Some(count) => format!("asked {count}, too few of the {there} are free"),
        Wanted::These(cards) => format!("asked {}, not free", shown(cards)),
    };
    // Who holds some everybody may know; of who waits, how many.
    let line = format!("{promised} promised to whoever waits first, {before} wait before you");
    let message = match named(&holders) {
        Some(held) if promised == 0 && before == 0 => format!("gpus: {asked}; {held}"),
        Some(held) => format!("gpus: {asked}; {held}; {line}"),
        None => format!("gpus: {asked}; {line}"),
    };
    let mut no = Refusal::new("conflict", message).rule("gpus");
    no.asked = Some(wanted.count().to_string());
    no.hint("--wait stands in line, ie-container gpus shows who holds what").into()
}

/// The first few who hold some.
fn named(holders: &[Holder]) -> Option<String> {
    let who: Vec<String> = holders
        .iter()
        .take(NAMED)
        .map(|holder| match (holder.container.as_str(), holder.until) {
            ("", _) => format!("a create of {}", holder.login),
            (name, Some(until)) => format!("{name} of {} until {}", holder.login, clock(until)),
            (name, None) => format!("{name} of {}", holder.login),
        })
        .collect();
    let more = holders.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!who.is_empty()).then(|| format!("held by {}{more}", who.join(", ")))
}
