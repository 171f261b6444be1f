//! What accounts that had a caller's uid before have left: it counts, but who has the uid now neither sees nor removes it.

use crate::protocol::told::{Told, told};
use std::collections::BTreeMap;

/// How many things each login has left.
fn by_login<'a>(logins: impl Iterator<Item = &'a str>) -> BTreeMap<&'a str, usize> {
    let mut counts = BTreeMap::new();
    for login in logins {
        *counts.entry(login).or_default() += 1;
    }
    counts
}

/// What is said beside a refusal.
pub(super) fn left_over<'a>(things: Left, logins: impl Iterator<Item = &'a str>) -> Option<Told> {
    let counts = by_login(logins);
    let count: usize = counts.values().sum();
    let who = match counts.keys().copied().collect::<Vec<_>>().as_slice() {
        [one] => Told::text(one),
        [first, second] => told!("{first} and {second}"),
        several => Told::joined(several.iter().map(Told::text), ", "),
    };
    let things = match (count, things) {
        (0, _) => return None,
        (1, Left::Containers) => told!("{count} container"),
        (1, Left::Networks) => told!("{count} network"),
        (1, Left::Volumes) => told!("{count} volume"),
        (1, Left::Things) => told!("{count} thing"),
        (_, Left::Containers) => told!("{count} containers"),
        (_, Left::Networks) => told!("{count} networks"),
        (_, Left::Volumes) => told!("{count} volumes"),
        (_, Left::Things) => told!("{count} things"),
    };
    Some(match count {
        1 => told!("{things} of {who}, who had your uid before, counts: ask your administrator to remove it"),
        _ => {
            told!("{things} of {who}, who had your uid before, count: ask your administrator to remove them")
        }
    })
}

/// What somebody has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    Containers,
    Networks,
    Volumes,
    Things,
}

/// Each login and how many it has left, as a list of holders goes on: `2 that ann left`.
pub(super) fn left_ones<'a>(logins: impl Iterator<Item = &'a str>) -> Vec<String> {
    by_login(logins).iter().map(|(login, count)| format!("{count} that {login} left")).collect()
}

/// A hint and what was left.
pub(super) fn hinted(own: Option<Told>, left: Option<Told>) -> Option<Told> {
    match (own, left) {
        (Some(own), Some(left)) => Some(told!("{own}; {left}")),
        (own, left) => own.or(left),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_is_counted_and_not_named() {
        assert_eq!(left_over(Left::Containers, [].into_iter()), None);
        assert_eq!(
            left_over(Left::Volumes, ["ann"].into_iter()).unwrap().to_string(),
            "1 volume of ann, who had your uid before, counts: ask your administrator to remove it"
        );
        assert_eq!(
            left_over(Left::Containers, ["bob", "ann", "bob"].into_iter()).unwrap().to_string(),
            "3 containers of ann and bob, who had your uid before, count: ask your administrator to remove them"
        );
        assert_eq!(left_ones(["bob", "ann", "bob"].into_iter()), ["1 that ann left", "2 that bob left"]);
    }
}
