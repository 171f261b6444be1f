//! The language of what is told on stderr: English, or Japanese where the locale says so.
//!
//! A message is looked up by the template that it was made of, here or in the gateway; finished sentences are never read. The
//! catalogue was held against the templates when this was compiled. Scripts that ask for JSON get English always.

use crate::protocol::told::Told;
use ie_container_macros::catalogue;
use std::sync::LazyLock;

/// English sentences with the words for them, sorted.
type Catalogue = &'static [(&'static str, &'static str)];

const JAPANESE: Catalogue = catalogue!("ja");

/// A language: the words for each sentence, but for English, which needs none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Language(Catalogue);

pub const ENGLISH: Language = Language(&[]);

/// Those that there is a catalogue for, by the name that it has.
pub const OTHERS: [(&str, Language); 1] = [("ja", Language(JAPANESE))];

/// The caller's.
pub fn own() -> Language {
    static OWN: LazyLock<Language> = LazyLock::new(|| of_locale(|name| std::env::var(name).ok()));
    *OWN
}

/// That of the locale if it is one of UTF-8, by the first of its variables that says anything, as in POSIX.
fn of_locale(variable: impl Fn(&str) -> Option<String>) -> Language {
    let locale =
        ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().filter_map(variable).find(|word| !word.is_empty());
    let locale = locale.unwrap_or_default().to_ascii_lowercase();
    let (name, codeset) = locale.split_once('.').unwrap_or((&locale, ""));
    let language = name.split_once('_').map_or(name, |(language, _)| language);
    let found = OTHERS.iter().find(|(known, _)| *known == language);
    match found {
        Some((_, found)) if matches!(codeset, "utf-8" | "utf8") => *found,
        _ => ENGLISH,
    }
}

impl Language {
    /// The words for a template or a whole sentence.
    pub fn words(&self, english: &str) -> Option<&'static str> {
        let at = self.0.binary_search_by_key(&english, |(english, _)| english).ok()?;
        self.0.get(at).map(|(_, words)| *words)
    }

    /// All that there are words for.
    pub fn sentences(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|(english, _)| *english)
    }

    pub(crate) fn tell(&self, message: &Told) -> String {
        message.by(&|template| self.words(template))
    }
}

#[cfg(test)]
mod tests;
