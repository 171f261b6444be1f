//! What accounts that had a caller's uid before have left: it counts, but who has the uid now neither sees nor removes it.

use std::collections::BTreeMap;

/// How many things each login has left.
fn by_login<'a>(logins: impl Iterator<Item = &'a str>) -> BTreeMap<&'a str, usize> {
    let mut counts = BTreeMap::new();
    for login in logins {
        *counts.entry(login).or_default() += 1;
    }
    counts
}

/// What is said beside a refusal; `things` is their name, in the plural.
pub(super) fn left_over<'a>(things: &str, logins: impl Iterator<Item = &'a str>) -> Option<String> {
    let counts = by_login(logins);
    let count: usize = counts.values().sum();
    let who = counts.keys().copied().collect::<Vec<_>>().join(" and ");
    let (things, counts, them) = match count {
        0 => return None,
        1 => (things.trim_end_matches('s'), "counts", "it"),
        _ => (things, "count", "them"),
    };
    Some(format!(
        "{count} {things} of {who}, who had your uid before, {counts}: ask your administrator to remove {them}"
    ))
}

/// Each login and how many it has left, as a list of holders goes on: `2 that ann left`.
pub(super) fn left_ones<'a>(logins: impl Iterator<Item = &'a str>) -> Vec<String> {
    by_login(logins).iter().map(|(login, count)| format!("{count} that {login} left")).collect()
}

/// A hint and what was left.
pub(super) fn hinted(own: Option<String>, left: Option<String>) -> Option<String> {
    match (own, left) {
        (Some(own), Some(left)) => Some(format!("{own}; {left}")),
        (own, left) => own.or(left),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_is_counted_and_not_named() {
        assert_eq!(left_over("containers", [].into_iter()), None);
        assert_eq!(
            left_over("volumes", ["ann"].into_iter()).unwrap(),
            "1 volume of ann, who had your uid before, counts: ask your administrator to remove it"
        );
        assert_eq!(
            left_over("containers", ["bob", "ann", "bob"].into_iter()).unwrap(),
            "3 containers of ann and bob, who had your uid before, count: ask your administrator to remove them"
        );
        assert_eq!(left_ones(["bob", "ann", "bob"].into_iter()), ["1 that ann left", "2 that bob left"]);
    }
}
