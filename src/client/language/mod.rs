//! The language of what is told on stderr: English, or Japanese where the locale says so.
//!
//! One catalogue for what the client says and for what it passes on from the gateway: English sentences with places for
//! what stands in them. What is not in it is told in English. Scripts that ask for JSON get English always.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

const JAPANESE: &str = include_str!("ja.toml");

/// A language: the sentences that it has words of its own for, those with the fewest places first.
#[derive(Debug, Default)]
pub(crate) struct Language(Vec<Entry>);

/// A sentence and how it is told.
#[derive(Debug)]
struct Entry {
    /// What stands between the places, first and last included.
    english: Vec<String>,
    /// The same with `{1}`, `{2}` … for them.
    told: String,
}

/// The caller's.
pub(crate) fn own() -> &'static Language {
    static OWN: LazyLock<Language> = LazyLock::new(|| match is_japanese(|name| std::env::var(name).ok()) {
        true => Language::of(JAPANESE),
        false => Language::default(),
    });
    &OWN
}

/// Whether the locale is a Japanese one of UTF-8, by the first of its variables that says anything, as in POSIX.
fn is_japanese(variable: impl Fn(&str) -> Option<String>) -> bool {
    let locale =
        ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().filter_map(variable).find(|word| !word.is_empty());
    let locale = locale.unwrap_or_default().to_ascii_lowercase();
    let (name, codeset) = locale.split_once('.').unwrap_or((&locale, ""));
    matches!(name, "ja" | "ja_jp") && matches!(codeset, "utf-8" | "utf8")
}

impl Language {
    fn of(catalogue: &str) -> Self {
        let entries: BTreeMap<String, String> = toml::from_str(catalogue).unwrap_or_default();
        let entry = |(english, told): (String, String)| Entry {
            english: english.split("{}").map(str::to_owned).collect(),
            told,
        };
        let mut entries: Vec<Entry> = entries.into_iter().map(entry).collect();
        // Of two that fit, the one that says more itself.
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.english.iter().map(String::len).sum::<usize>()));
        Self(entries)
    }

    /// A sentence, and what stands in its places, as far as there are words for them.
    pub(crate) fn tell<'s>(&self, sentence: &'s str) -> Cow<'s, str> {
        let found = self.0.iter().find_map(|entry| Some((entry, parts(&entry.english, sentence)?)));
        match found {
            None => Cow::Borrowed(sentence),
            Some((entry, parts)) => {
                let parts: Vec<_> = parts.into_iter().map(|part| self.tell(part)).collect();
                Cow::Owned(filled(&entry.told, &parts))
            }
        }
    }
}

/// What stands in the places of a sentence, if it is one of this shape.
fn parts<'s>(pieces: &[String], sentence: &'s str) -> Option<Vec<&'s str>> {
    let (first, rest) = pieces.split_first()?;
    let mut left = sentence.strip_prefix(first.as_str())?;
    let Some((last, middle)) = rest.split_last() else { return left.is_empty().then(Vec::new) };
    let mut parts = Vec::new();
    for piece in middle {
        let (part, after) = left.split_once(piece.as_str())?;
        parts.push(part);
        left = after;
    }
    parts.push(left.strip_suffix(last.as_str())?);
    Some(parts)
}

/// In one pass: what is filled in is not read again.
fn filled(told: &str, parts: &[Cow<'_, str>]) -> String {
    let mut out = String::new();
    let mut left = told;
    while let Some((before, after)) = left.split_once('{') {
        out.push_str(before);
        let place = after.split_once('}').and_then(|(digits, after)| {
            let number: usize = digits.parse().ok()?;
            Some((parts.get(number.checked_sub(1)?)?, after))
        });
        left = match place {
            Some((part, after)) => {
                out.push_str(part);
                after
            }
            None => {
                out.push('{');
                after
            }
        };
    }
    out + left
}

#[cfg(test)]
mod tests;
