//! What is said to whoever gets no cards now.

use super::allocate::{Denied, Wanted};
use super::card::Holder;
use super::desk::{Asker, Refused};
use super::service::shown;
use crate::gateway::error::Error;
use crate::gateway::records::clock::clock;
use crate::protocol::report::Refusal;
use crate::protocol::told::{Told, told};

/// At most so many holders are named in one sentence.
const NAMED: usize = 3;

/// What the machine does not have: waiting does not help.
pub(super) fn never(why: Told) -> Error {
    Refusal::new("gpus", told!("gpus: {why}"))
        .rule("gpus")
        .hint(told!("ie-container gpus shows what there is"))
        .into()
}

pub(super) fn refusal(
    Refused { why, promised, before }: Refused,
    asker: Asker<'_>,
    wanted: &Wanted,
    there: usize,
) -> Error {
    let holders = match why {
        Denied::Never(why) => return never(why),
        Denied::Taken(holders) => holders,
    };
    let asked = asked(wanted, there);
    // Who holds some everybody may know; of who waits, how many.
    let line = told!("{promised} promised to whoever waits first, {before} wait before you");
    let message = match named(&holders, asker) {
        Some(held) if promised == 0 && before == 0 => told!("gpus: {asked}; {held}"),
        Some(held) => told!("gpus: {asked}; {held}; {line}"),
        None => told!("gpus: {asked}; {line}"),
    };
    let own = matches!(wanted, Wanted::These(_)) && holders.iter().all(|holder| is_own(holder, asker));
    let hint = match own && !holders.is_empty() {
        true => told!("stop it, or ask for another gpu"),
        false => told!("--wait stands in line, ie-container gpus shows who holds what"),
    };
    conflict(message, wanted).hint(hint).into()
}

/// Said to who would wait for nobody else.
pub(super) fn of_ones_own(holders: &[Holder], asker: Asker<'_>, wanted: &Wanted) -> Error {
    let mut asked = asked(wanted, 0);
    if let Some(held) = named(holders, asker) {
        asked = told!("{asked}; {held}");
    }
    let message = told!("gpus: {asked}, and nobody waits for what they hold themselves");
    conflict(message, wanted).hint(told!("stop it, or ask for another gpu")).into()
}

fn conflict(message: Told, wanted: &Wanted) -> Refusal {
    let mut no = Refusal::new("conflict", message).rule("gpus");
    no.asked = Some(wanted.count().to_string());
    no
}

fn asked(wanted: &Wanted, there: usize) -> Told {
    match wanted {
        Wanted::Some(count) => told!("asked {count}, too few of the {there} are free"),
        Wanted::These(cards) => told!("asked {}, not free", shown(cards)),
    }
}

/// Whoever had the uid before is somebody else.
fn is_own(holder: &Holder, asker: Asker<'_>) -> bool {
    holder.uid == asker.uid && holder.login == asker.login
}

/// The first few who hold some.
fn named(holders: &[Holder], asker: Asker<'_>) -> Option<Told> {
    let who: Vec<Told> = holders.iter().take(NAMED).map(|holder| one(holder, asker)).collect();
    let more = holders.len().saturating_sub(NAMED);
    match (who.is_empty(), Told::joined(who, ", ")) {
        (true, _) => None,
        (false, who) if more > 0 => Some(told!("held by {who} and {more} more")),
        (false, who) => Some(told!("held by {who}")),
    }
}

fn one(holder: &Holder, asker: Asker<'_>) -> Told {
    let name = holder.container.as_str();
    match (name, holder.until, is_own(holder, asker)) {
        ("", _, true) if holder.promised => told!("a place of yours in line"),
        ("", _, true) => told!("a create of yours"),
        ("", _, false) => told!("a create of {}", holder.login),
        (_, Some(until), true) => told!("{name} of yours until {}", clock(until)),
        (_, None, true) => told!("{name} of yours"),
        (_, Some(until), false) => told!("{name} of {} until {}", holder.login, clock(until)),
        (_, None, false) => told!("{name} of {}", holder.login),
    }
}
