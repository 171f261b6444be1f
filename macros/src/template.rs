//! A template: English words with places, `{word}`, `{word:?}`, `{0}` or `{}`, for what stands in them.

use std::collections::BTreeSet;

/// One place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// What is filled in: a name, or the number of an argument.
    pub(crate) name: String,
    /// How it is written, as in `format!`: nothing, `?`, `04o`.
    pub(crate) style: String,
}

/// The places of a template in their order, and whether it has words of its own.
#[derive(Debug, Default)]
pub(crate) struct Template {
    pub(crate) places: Vec<Place>,
    pub(crate) has_words: bool,
}

impl Template {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut template = Self::default();
        let mut chars = text.chars().peekable();
        let mut unnamed = 0;
        while let Some(c) = chars.next() {
            match c {
                '{' if chars.next_if_eq(&'{').is_some() => {}
                '}' if chars.next_if_eq(&'}').is_some() => {}
                '{' => {
                    let inside: String = chars.by_ref().take_while(|c| *c != '}').collect();
                    let (name, style) = inside.split_once(':').unwrap_or((&inside, ""));
                    let name = match name {
                        "" => {
                            unnamed += 1;
                            (unnamed - 1).to_string()
                        }
                        name => name.to_owned(),
                    };
                    if !name.chars().all(|c| c.is_alphanumeric() || c == '_') {
                        return Err(format!("{{{inside}}} is not a place"));
                    }
                    template.places.push(Place { name, style: style.to_owned() });
                }
                '}' => return Err("a } without its {".to_owned()),
                c => template.has_words |= c.is_alphabetic(),
            }
        }
        for (at, place) in template.places.iter().enumerate() {
            let other = template.places.iter().skip(at + 1).find(|other| other.name == place.name);
            if other.is_some_and(|other| other.style != place.style) {
                return Err(format!("{{{}}} is written in two ways", place.name));
            }
        }
        Ok(template)
    }

    /// Each place once.
    pub(crate) fn distinct(&self) -> BTreeSet<&Place> {
        self.places.iter().collect()
    }
}
