//! The lines of the engine's user in /etc/subuid and /etc/subgid: made where there are none, and lengthened where they are
//! too short. The policy's own reading judges them before they are written.

use crate::policy::{Remap, RemapError, UidRange};
use std::fmt;

/// Ids that follow each other, shown as `usermod` takes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ids {
    pub first: u32,
    pub count: u32,
}

/// What is to become of a user's line in one of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    pub before: Option<Ids>,
    pub after: Ids,
}

impl fmt::Display for Ids {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}-{}", self.first, self.first.saturating_add(self.count.max(1) - 1))
    }
}

impl Ids {
    /// The first of this user's lines.
    fn of(user: &str, text: &str) -> Option<Self> {
        text.lines().filter(|line| is_of(user, line)).find_map(|line| {
            let mut fields = line.split(':').skip(1);
            Some(Self { first: fields.next()?.parse().ok()?, count: fields.next()?.parse().ok()? })
        })
    }
}

/// Where this user's ids begin by either file: there they stay, as what an engine keeps bears that number.
pub fn beginning(user: &str, texts: [&str; 2]) -> Option<u32> {
    texts.into_iter().find_map(|text| Ids::of(user, text)).map(|ids| ids.first)
}

/// The changes of both files after which this user has so many ids, and the policy takes them.
///
/// # Errors
/// Where the policy would not take what came of it: nothing is to be written then.
pub fn changes(
    user: &str,
    uids: UidRange,
    after: Ids,
    texts: [&str; 2],
) -> Result<[Option<Change>; 2], RemapError> {
    let changes = texts.map(|text| change(user, after, text));
    let ([subuid, subgid], [of_uids, of_gids]) = (texts, changes);
    let (subuid, subgid) = (changed(user, subuid, of_uids), changed(user, subgid, of_gids));
    Remap::of_texts(user, uids, [&subuid, &subgid])?;
    Ok(changes)
}

fn change(user: &str, after: Ids, text: &str) -> Option<Change> {
    let before = Ids::of(user, text);
    let is_long_enough = before.is_some_and(|before| before.count >= after.count);
    (!is_long_enough).then_some(Change { before, after })
}

/// The text as it is after the change.
fn changed(user: &str, text: &str, change: Option<Change>) -> String {
    let Some(Change { before, after: Ids { first, count } }) = change else { return text.to_owned() };
    let gone = before.and_then(|_| text.lines().position(|line| is_of(user, line)));
    let left =
        text.lines().enumerate().filter(|(at, _)| Some(*at) != gone).map(|(_, line)| format!("{line}\n"));
    left.chain([format!("{user}:{first}:{count}\n")]).collect()
}

fn is_of(user: &str, line: &str) -> bool {
    line.split(':').next() == Some(user)
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: &str = "ie-engine";
    const SHORT: &str = "ann:100000:65536\nie-engine2:1:1\nie-engine:2100000000:65536\n";

    fn to_have(count: u32, texts: [&str; 2]) -> Result<[Option<String>; 2], String> {
        let first = beginning(USER, texts).unwrap_or(2_100_000_000);
        let uids = format!("1000-{}", count - 1).parse().unwrap();
        let changes = changes(USER, uids, Ids { first, count }, texts).map_err(|why| why.to_string())?;
        let shown = |change: Change| {
            format!(
                "{} -> {}",
                change.before.map(|before| before.to_string()).unwrap_or_default(),
                change.after
            )
        };
        Ok(changes.map(|change| change.map(shown)))
    }

    #[test]
    fn a_line_is_made_or_lengthened_where_it_is_not_long_enough() {
        let (made, longer) = (" -> 2100000000-2100065535", "2100000000-2100065535 -> 2100000000-2100131071");
        assert_eq!(to_have(65536, ["", "bob:1:1\n"]), Ok([made, made].map(|made| Some(made.to_owned()))));
        assert_eq!(to_have(65536, [SHORT, ""]), Ok([None, Some(made.to_owned())]));
        assert_eq!(
            to_have(131_072, [SHORT, SHORT]),
            Ok([longer, longer].map(|longer| Some(longer.to_owned())))
        );
        assert_eq!(to_have(65536, [SHORT, SHORT]), Ok([None, None]));
        assert_eq!(beginning("bob", [SHORT, SHORT]), None);
    }

    /// In either file, and before anything of the other one is written.
    #[test]
    fn what_somebody_else_has_behind_the_range_is_told_before_it_is_written() {
        let taken = "ie-engine:2100000000:65536\nann:2100065536:65536\n";
        for texts in [[taken, SHORT], [SHORT, taken]] {
            let why = to_have(131_072, texts).unwrap_err();
            assert!(why.contains("meets ann:2100065536:65536"), "{why}");
        }
        let several = "ie-engine:2100000000:10\nie-engine:2110000000:10\n";
        assert!(to_have(65536, [several, SHORT]).unwrap_err().contains("has 2 lines"));
        assert!(to_have(65536, ["ann:0x1:1\n", ""]).unwrap_err().contains("plain decimals"));
    }
}
