//! The links of an image, of all its layers, for whoever asks whether a place to mount at is reached through one.
//!
//! The engine follows the image's links to a mount's target, as root. So a target none of whose names is a link in any
//! layer is what it says; which layer counts in the end, and what hides what, is not asked. A hard link is one too: what
//! it leads to may be a symbolic one.
//!
//! A link that a layer brings through another link may be anywhere, so its name counts at each depth. At most 20,000
//! links are kept, and the deepest go first; then deeper targets are refused. Each link that went leaves a mark, and
//! one for each directory above it. An image with more than 900,000 marks is refused.

use crate::protocol::told::{Told, told};
use serde::{Deserialize, Serialize};
use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::BuildHasher;
use std::path::{Component, Path};

/// Links that are kept, the deepest left out first.
const MOST: usize = 20_000;
/// The bytes of their names and of where they lead.
const MOST_BYTES: usize = 2 << 20;
/// Of those left out, a mark each, and one for each directory above them; an image with more is refused.
const MOST_MARKS: usize = 900_000;
/// So many characters are shown of where one leads.
const SHOWN: usize = 100;

/// What is known of an image's links.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Links {
    /// Deeper ones were left out: of a deeper place nobody can say. None where all are there.
    depth: Option<usize>,
    /// Each path, and where it leads.
    known: BTreeMap<String, String>,
    /// The last names of those that a layer brings through another link: such a one can be anywhere.
    astray: BTreeSet<String>,
}

impl Links {
    /// Whether a mount at this place lands there, in a sentence if not.
    pub(super) fn lands(&self, target: &Path) -> Result<(), Told> {
        let mut path = String::new();
        let names = target.components().filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_string_lossy()),
            _ => None,
        });
        for (before, name) in names.enumerate() {
            if self.depth.is_some_and(|depth| before >= depth) {
                let depth = self.depth.unwrap_or_default();
                return Err(told!(
                    "the image has too many links to say whether {} leads through one: it is known of places at most {depth} deep",
                    target.display()
                ));
            }
            if before > 0 {
                path.push('/');
            }
            path.push_str(&name);
            if let Some(to) = self.known.get(&path) {
                return Err(told!("/{path} is a link to {to} in this image"));
            }
            if self.astray.contains(name.as_ref()) {
                return Err(told!("this image has a link {name} that may be at /{path}"));
            }
        }
        Ok(())
    }
}

/// Links as they come, one layer after the other.
#[derive(Debug)]
pub(super) struct Collector {
    kept: BTreeMap<Vec<u8>, Vec<u8>>,
    bytes: usize,
    /// The deepest that are kept.
    depth: usize,
    hasher: RandomState,
    left_out: HashSet<u64>,
    /// What is above those that were left out.
    above: HashSet<u64>,
    full: bool,
}

impl Default for Collector {
    fn default() -> Self {
        let (kept, hasher) = (BTreeMap::default(), RandomState::default());
        let (left_out, above) = (HashSet::default(), HashSet::default());
        Self { kept, bytes: 0, depth: usize::MAX, hasher, left_out, above, full: false }
    }
}

impl Collector {
    /// Takes a link by its clean name.
    pub(super) fn add(&mut self, name: &[u8], target: &[u8]) {
        if deep(name) > self.depth {
            return self.leave_out(name);
        }
        let target = target.get(..SHOWN).unwrap_or(target);
        self.bytes += name.len() + target.len();
        if let Some(before) = self.kept.insert(name.to_vec(), target.to_vec()) {
            self.bytes -= name.len() + before.len();
        }
        while self.kept.len() > MOST || self.bytes > MOST_BYTES {
            self.leave_out_the_deepest();
        }
    }

    fn leave_out_the_deepest(&mut self) {
        let deepest = self.kept.keys().map(|name| deep(name)).max().unwrap_or_default();
        self.depth = deepest.saturating_sub(1);
        let (deeper, kept) =
            std::mem::take(&mut self.kept).into_iter().partition(|(name, _)| deep(name) >= deepest);
        self.kept = kept;
        for (name, target) in BTreeMap::<Vec<u8>, Vec<u8>>::into_iter(deeper) {
            self.bytes -= name.len() + target.len();
            self.leave_out(&name);
        }
    }

    fn leave_out(&mut self, name: &[u8]) {
        // A path has no more than a few hundred names, so what is above one is never far beyond the most.
        self.full |= self.left_out.len() + self.above.len() >= MOST_MARKS;
        if self.full {
            return;
        }
        self.left_out.insert(self.hasher.hash_one(name));
        for above in prefixes(name) {
            self.above.insert(self.hasher.hash_one(above));
        }
    }

    /// Whether there were more links than can be told apart: nothing is said of where they are, and no more is kept.
    pub(super) fn is_full(&self) -> bool {
        self.full
    }

    /// Whether one that was left out comes through another link, and could so be at any depth.
    fn any_left_out_is_astray(&self) -> bool {
        let kept = self.kept.keys().any(|name| self.above.contains(&self.hasher.hash_one(name.as_slice())));
        kept || self.left_out.iter().any(|name| self.above.contains(name))
    }

    pub(super) fn finish(self) -> Links {
        let nothing = self.full || self.depth == 0 || self.any_left_out_is_astray();
        if nothing {
            return Links { depth: Some(0), ..Links::default() };
        }
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
        let strays =
            self.kept.keys().filter(|name| prefixes(name).any(|above| self.kept.contains_key(above)));
        // A name that is no text is no name of a target's.
        let astray = strays.filter_map(|name| text(name.rsplit(|byte| *byte == b'/').next()?)).collect();
        // What is escaped is longer.
        let shown = |to: &[u8]| crate::tarball::shown(to).chars().take(SHOWN).collect();
        let known = self.kept.iter().filter_map(|(name, to)| Some((text(name)?, shown(to)))).collect();
        Links { depth: (self.depth < usize::MAX).then_some(self.depth), known, astray }
    }
}

/// How many names a path has.
fn deep(name: &[u8]) -> usize {
    1 + name.iter().filter(|byte| **byte == b'/').count()
}

/// What is above a path.
fn prefixes(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    let slashes = name.iter().enumerate().filter(|(_, byte)| **byte == b'/');
    slashes.filter_map(|(at, _)| name.get(..at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(links: &[(&str, &str)]) -> Links {
        let mut collector = Collector::default();
        links.iter().for_each(|(name, to)| collector.add(name.as_bytes(), to.as_bytes()));
        collector.finish()
    }

    fn said(links: &Links, target: &str) -> String {
        links.lands(Path::new(target)).err().map(|why| why.to_string()).unwrap_or_default()
    }

    #[test]
    fn no_name_of_a_target_is_a_link() {
        let links = of(&[("v", "dev"), ("var/run", "/run"), ("a/l", "x")]);
        for target in ["/", "/vv", "/va/v", "/var", "/var/runs", "/run/v", "/a", "/a/b/l"] {
            assert_eq!(said(&links, target), "", "{target}");
        }
        for target in ["/v", "/v/x/y", "//v/"] {
            assert_eq!(said(&links, target), "/v is a link to dev in this image", "{target}");
        }
        assert_eq!(said(&links, "/var/run/x"), "/var/run is a link to /run in this image");
    }

    #[test]
    fn one_that_comes_through_another_can_be_anywhere() {
        let links = of(&[("a/v", "/dev"), ("a", ".")]);
        assert_eq!(said(&links, "/x/v/y"), "this image has a link v that may be at /x/v");
        assert_eq!(said(&links, "/x/y"), "");
    }

    /// What a collector holds, by what its parts reserve: a table's slot is its eight bytes and one more, a tree's at the
    /// least half full.
    fn held(collector: &Collector) -> usize {
        let table = |marks: &HashSet<u64>| (marks.capacity() * 8 / 7).next_power_of_two() * 9;
        let words =
            |(name, to): (&Vec<u8>, &Vec<u8>)| 2 * 2 * size_of::<Vec<u8>>() + name.capacity() + to.capacity();
        let kept: usize = collector.kept.iter().map(words).sum();
        kept + table(&collector.left_out) + table(&collector.above)
    }

    #[test]
    fn whatever_an_image_has_for_links_what_is_held_has_an_end() {
        const MOST_HELD: usize = 32 << 20;
        let chain = ["d"; 123].join("/");
        let (target, long) = ([b'x'; 50], "y".repeat(200));
        // Under names that differ at the top, so that each has all its directories for itself; in one directory, so that
        // there are as many links as can be; few that are kept, and long.
        type Name<'a> = Box<dyn Fn(usize) -> String + 'a>;
        let worst: [(usize, Name<'_>); 3] = [
            (MOST, Box::new(|number| format!("{number}/{chain}/x"))),
            (MOST, Box::new(|number| format!("d/d/{number}"))),
            (0, Box::new(|number| format!("{long}{number}/{long}/{long}"))),
        ];
        for (shallow, name) in worst {
            let mut collector = Collector::default();
            (0..shallow).for_each(|number| collector.add(format!("k{number}").as_bytes(), &target));
            for number in 0..1_000_000 {
                collector.add(name(number).as_bytes(), &target);
                if number % 20_000 == 0 {
                    assert!(held(&collector) < MOST_HELD, "{} after {number}", held(&collector));
                }
                if collector.is_full() {
                    break;
                }
            }
            assert!(collector.is_full() && held(&collector) < MOST_HELD, "{}", held(&collector));
            assert!(said(&collector.finish(), "/v").contains("at most 0 deep"));
        }
    }

    #[test]
    fn where_one_leads_is_shown_in_short_also_escaped() {
        let links = of(&[("v", &"\u{1b}".repeat(90))]);
        assert!(said(&links, "/v").len() < 200, "{}", said(&links, "/v"));
    }

    #[test]
    fn of_what_was_left_out_nobody_can_say() {
        let many: Vec<String> = (0..MOST).map(|number| format!("a/b/{number}")).collect();
        let mut links: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "x")).collect();
        assert_eq!(of(&links).depth, None);
        links.push(("c/l", "x"));
        let left = of(&links);
        assert_eq!((left.depth, left.known.len()), (Some(2), 1));
        assert_eq!(
            (said(&left, "/a/b"), said(&left, "/c/l")),
            (String::new(), "/c/l is a link to x in this image".into())
        );
        assert!(said(&left, "/a/b/new").contains("at most 2 deep"));
        // One of those left out may be at the top: its name leads through a link.
        for through in ["a", "a/b/7"] {
            let mut links = links.clone();
            links.extend([(through, "."), ("a/b/7/v", "/dev")]);
            assert!(said(&of(&links), "/v").contains("at most 0 deep"), "{through}");
        }
    }
}
