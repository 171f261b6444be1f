//! A message to people: a template and what stands in it. Whoever makes one writes English; whoever shows one has the words.
//!
//! It displays as English, for logs, for scripts and for Docker's clients. The macro [`told!`] makes it and holds
//! while it is compiled that each language of `po/` has words for the template, so no finished sentence is ever looked up.

pub(crate) use ie_container_macros::{Told, phrase, told};

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// Characters of a message that are written at the most: one that came from elsewhere may hold messages in messages.
const LONGEST: usize = 64 << 10;
/// Places of a message that are filled at the most, for the same reason.
const MOST_PLACES: usize = 4096;

/// A message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Told {
    /// Words that are nobody's to translate: a name, an amount, what an engine or a library said.
    Text(String),
    Made {
        template: Cow<'static, str>,
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        with: BTreeMap<Cow<'static, str>, Told>,
    },
}

/// What is told to people.
pub trait Tell {
    fn told(&self) -> Told;
}

/// A whole sentence that is always the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Phrase(&'static str);

impl Phrase {
    /// By [`phrase!`](ie_container_macros::phrase) alone, which looks whether there are words for it.
    #[doc(hidden)]
    pub const fn of(english: &'static str) -> Self {
        Self(english)
    }

    pub const fn english(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Phrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.told().fmt(f)
    }
}

impl Tell for Phrase {
    fn told(&self) -> Told {
        Told::fixed(self.0)
    }
}

impl From<Phrase> for Told {
    fn from(phrase: Phrase) -> Self {
        phrase.told()
    }
}

/// By what is said in English.
impl PartialEq<str> for Told {
    fn eq(&self, other: &str) -> bool {
        self.to_string().as_str() == other
    }
}

impl PartialEq<&str> for Told {
    fn eq(&self, other: &&str) -> bool {
        *self == **other
    }
}

impl Default for Told {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl Tell for Told {
    fn told(&self) -> Told {
        self.clone()
    }
}

impl<T: Tell + ?Sized> Tell for &T {
    fn told(&self) -> Told {
        (**self).told()
    }
}

impl<T: Tell + ?Sized> Tell for Box<T> {
    fn told(&self) -> Told {
        (**self).told()
    }
}

impl Told {
    /// What is said in words that are not ours, or in no words at all.
    pub fn text(text: impl fmt::Display) -> Self {
        Self::Text(text.to_string())
    }

    #[doc(hidden)]
    pub const fn fixed(template: &'static str) -> Self {
        Self::Made { template: Cow::Borrowed(template), with: BTreeMap::new() }
    }

    #[doc(hidden)]
    pub fn made<const N: usize>(template: &'static str, with: [(&'static str, Self); N]) -> Self {
        let with = with.into_iter().map(|(name, told)| (Cow::Borrowed(name), told)).collect();
        Self::Made { template: Cow::Borrowed(template), with }
    }

    /// Several, with this between them.
    pub fn joined(several: impl IntoIterator<Item = Self>, between: &str) -> Self {
        let with: BTreeMap<_, _> =
            several.into_iter().enumerate().map(|(at, told)| (Cow::Owned(at.to_string()), told)).collect();
        let places: Vec<String> = (0..with.len()).map(|at| format!("{{{at}}}")).collect();
        Self::Made { template: Cow::Owned(places.join(between)), with }
    }

    /// Whether somebody may have words for it.
    pub fn is_made(&self) -> bool {
        matches!(self, Self::Made { .. })
    }

    /// The same with each text in it changed so, and each template that came from elsewhere, too.
    #[must_use]
    pub fn with_texts(self, change: &impl Fn(&str) -> String) -> Self {
        match self {
            Self::Text(text) => Self::Text(change(&text)),
            Self::Made { template, with } => {
                let foreign = |word: Cow<'static, str>| match word {
                    Cow::Borrowed(own) => Cow::Borrowed(own),
                    Cow::Owned(word) => Cow::Owned(change(&word)),
                };
                let with = with.into_iter().map(|(name, told)| (foreign(name), told.with_texts(change)));
                Self::Made { template: foreign(template), with: with.collect() }
            }
        }
    }

    /// As it is told in words that are looked up by the template; English where there are none.
    pub fn by(&self, words: &dyn Fn(&str) -> Option<&'static str>) -> String {
        let mut writer = Writer { out: String::new(), left: LONGEST, places: MOST_PLACES, words };
        writer.write(self);
        writer.out
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Made { .. } => f.write_str(&self.by(&|_| None)),
        }
    }
}

/// Writes a message, and no more of it than there is room for.
struct Writer<'w> {
    out: String,
    left: usize,
    places: usize,
    words: &'w dyn Fn(&str) -> Option<&'static str>,
}

impl Writer<'_> {
    fn write(&mut self, told: &Told) {
        match told {
            Told::Text(text) => self.push(text),
            Told::Made { template, with } => match (self.words)(template) {
                Some(words) => self.fill(words, with),
                None => self.fill(template, with),
            },
        }
    }

    fn push(&mut self, text: &str) {
        let before = self.out.len();
        self.out.extend(text.chars().take(self.left));
        self.left = self.left.saturating_sub(self.out.len() - before);
    }

    /// What is filled in is not read again.
    fn fill(&mut self, template: &str, with: &BTreeMap<Cow<'static, str>, Told>) {
        let mut unnamed = 0_usize;
        let mut rest = template;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, brace) = rest.split_at(at);
            self.push(before);
            if let Some(after) = brace.strip_prefix("{{").or_else(|| brace.strip_prefix("}}")) {
                self.push(brace.get(..1).unwrap_or_default());
                rest = after;
                continue;
            }
            let place = brace.strip_prefix('{').and_then(|inside| inside.split_once('}'));
            let Some((inside, after)) = place else {
                self.push(brace);
                return;
            };
            let name = inside.split_once(':').map_or(inside, |(name, _)| name);
            let number = unnamed.to_string();
            let name = if name.is_empty() { &number } else { name };
            unnamed += usize::from(inside.is_empty() || inside.starts_with(':'));
            if let Some(told) = with.get(name)
                && let Some(places) = self.places.checked_sub(1)
            {
                self.places = places;
                self.write(told);
            }
            rest = after;
        }
        self.push(rest);
    }
}

/// What stands in a place, for the macros: a message stays one, and everything else is text.
#[doc(hidden)]
#[derive(Debug)]
pub struct Argument<'a, T: ?Sized>(pub &'a T);

#[doc(hidden)]
pub trait OfTold {
    fn told_argument(&self) -> Told;
}

#[doc(hidden)]
pub trait OfText {
    fn told_argument(&self) -> Told;
}

impl<T: Tell + ?Sized> OfTold for Argument<'_, T> {
    fn told_argument(&self) -> Told {
        self.0.told()
    }
}

impl<T: fmt::Display + ?Sized> OfText for &Argument<'_, T> {
    fn told_argument(&self) -> Told {
        Told::text(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::escape::escape_line;

    #[derive(Debug, thiserror::Error, Told)]
    enum Wrong {
        #[error("No such container: {0}")]
        Missing(String),
        #[error("{0}")]
        Plain(Told),
        #[error("{path} is longer than 1 MiB", path = .0.trim_start_matches('/'))]
        Long(&'static str),
        #[error(transparent)]
        Deep(#[from] Box<Wrong>),
    }

    #[test]
    fn a_message_keeps_its_template_and_its_arguments() {
        let word = "web";
        let missing = Wrong::Missing(word.to_owned());
        let made = Told::made("No such container: {0}", [("0", Told::text("web"))]);
        assert_eq!(missing.told(), made);
        assert_eq!(Wrong::from(Box::new(missing)).told(), made);
        assert_eq!(Wrong::Plain(made.clone()).told(), made);
        assert_eq!(Wrong::Long("/x").told().to_string(), Wrong::Long("/x").to_string());
        let whole =
            told!("{path} cannot be opened: {cause}", path = "/p", cause = Wrong::Missing("a".into()));
        let Told::Made { with, .. } = &whole else { panic!("{whole:?}") };
        assert!(with["cause"].is_made() && !with["path"].is_made());
        let japanese = |template: &str| (template == "No such container: {0}").then_some("{0} がない");
        assert_eq!(whole.by(&japanese), "/p cannot be opened: a がない");
        let json = serde_json::to_string(&whole).unwrap();
        assert_eq!(serde_json::from_str::<Told>(&json).unwrap(), whole);
        let several = Told::joined([made, Told::text("b")], ", ");
        assert_eq!(several.by(&japanese), "web がない, b");
    }

    /// Messages in messages, each twice: without a bound it would be written for ever, or fill the memory.
    #[test]
    fn what_came_from_elsewhere_has_an_end() {
        for leaf in ["", "x"] {
            let twice = |json: String, _| format!(r#"{{"template":"{{a}}{{a}}","with":{{"a":{json}}}}}"#);
            let json = (0..40).fold(format!("\"{leaf}\""), twice);
            let told: Told = serde_json::from_str(&json).unwrap();
            assert!(told.to_string().len() <= MOST_PLACES);
        }
        let long = Told::made("{0}{0}", [("0", Told::text("é".repeat(LONGEST)))]);
        assert_eq!(long.to_string().chars().count(), LONGEST);
    }

    #[test]
    fn nothing_that_came_from_elsewhere_acts_on_a_terminal() {
        let json = r#"{"template":"a\u001b{x}{\u009b}","with":{"x":"\u202e","\u009b":"y"}}"#;
        let told = serde_json::from_str::<Told>(json).unwrap().with_texts(&escape_line);
        let shown = serde_json::to_string(&told).unwrap() + &told.to_string();
        assert_eq!(escape_line(&shown), shown);
    }
}
