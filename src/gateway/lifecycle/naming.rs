//! Names for containers whose owner gave none: two plain words.

use crate::protocol::name::ContainerName;

const FIRST: [&str; 32] = [
    "amber", "brave", "calm", "clear", "cosmic", "crisp", "dawn", "deep", "early", "fair", "fleet", "fresh",
    "gentle", "glad", "golden", "green", "happy", "keen", "kind", "light", "lucid", "merry", "noble",
    "proud", "quick", "quiet", "rapid", "silver", "steady", "sunny", "swift", "warm",
];
const SECOND: [&str; 32] = [
    "acorn", "beacon", "birch", "breeze", "brook", "cedar", "cloud", "comet", "coral", "creek", "dune",
    "falcon", "fern", "harbor", "heron", "island", "lagoon", "lark", "maple", "meadow", "orchid", "otter",
    "pebble", "pine", "planet", "reef", "river", "robin", "sparrow", "stone", "willow", "wren",
];

/// A name that none of `taken` is; after many tries a number makes it one.
pub(in crate::gateway) fn fresh(
    taken: impl Fn(&str) -> bool,
    random: impl Fn() -> u64,
) -> Option<ContainerName> {
    let pick = |words: &[&'static str; 32], number: u64| {
        usize::try_from(number % 32).ok().and_then(|index| words.get(index)).copied().unwrap_or_default()
    };
    (0..64).find_map(|attempt| {
        let number = random();
        let (first, second) = (pick(&FIRST, number), pick(&SECOND, number / 32));
        let name = if attempt < 16 {
            format!("{first}-{second}")
        } else {
            format!("{first}-{second}-{}", number / 1024 % 10000)
        };
        if taken(&name) { None } else { name.parse().ok() }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_though_all_pairs_are_taken() {
        let name = fresh(|name| name.matches('-').count() == 1, || 1234567).unwrap();
        assert_eq!(name.as_str().matches('-').count(), 2);
    }
}
