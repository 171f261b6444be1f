//! Paths of the API, built so that no foreign text can add to them.

use super::error::Error;
use crate::protocol::name::ContainerRef;
use crate::protocol::path::AskedPath;
use crate::protocol::told::told;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode, utf8_percent_encode};

/// All but what RFC 3986 calls unreserved.
const FOREIGN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// In a path a `/` stands for itself, as it may in a query.
const FOREIGN_PATH: &AsciiSet = &FOREIGN.remove(b'/');

/// A path and its query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    text: String,
    queried: bool,
}

impl Route {
    pub(crate) fn new(fixed: &'static str) -> Self {
        Self { text: fixed.to_owned(), queried: false }
    }

    /// `/containers/{container}`, and `/{verb}` where there is one.
    pub(crate) fn container(container: &ContainerRef, verb: &'static str) -> Self {
        Self::new("/containers").word(container.as_str()).then(verb)
    }

    pub(crate) fn exec(id: &ExecId, verb: &'static str) -> Self {
        Self::new("/exec").word(&id.0).then(verb)
    }

    /// What Docker has no words for.
    pub(crate) fn own_exec(id: &ExecId, verb: &'static str) -> Self {
        Self::new("/ie/v1/exec").word(&id.0).then(verb)
    }

    /// One segment of foreign text; a `/` in it stays inside the segment.
    pub(crate) fn word(mut self, word: &str) -> Self {
        self.text.push('/');
        if word.bytes().all(|b| b == b'.') {
            self.text.extend(std::iter::repeat_n("%2E", word.len()));
        } else {
            self.text.extend(utf8_percent_encode(word, FOREIGN));
        }
        self
    }

    pub(crate) fn then(mut self, verb: &'static str) -> Self {
        if !verb.is_empty() {
            self.text.push('/');
            self.text.push_str(verb);
        }
        self
    }

    /// One query parameter, its value encoded.
    pub(crate) fn with(mut self, key: &'static str, value: &str) -> Self {
        self.key(key);
        self.text.extend(utf8_percent_encode(value, FOREIGN));
        self
    }

    /// [`Route::with`] a path, which may be no UTF-8.
    pub(crate) fn with_path(mut self, key: &'static str, path: &AskedPath) -> Self {
        self.key(key);
        self.text.extend(percent_encode(path.as_bytes(), FOREIGN_PATH));
        self
    }

    fn key(&mut self, key: &'static str) {
        self.text.push(if self.queried { '&' } else { '?' });
        self.queried = true;
        self.text.push_str(key);
        self.text.push('=');
    }

    /// `key=1` if `yes`, and nothing otherwise.
    pub(crate) fn flag(self, key: &'static str, yes: bool) -> Self {
        if yes { self.with(key, "1") } else { self }
    }

    /// A parameter that was given, and nothing otherwise.
    pub(crate) fn given(self, key: &'static str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }
}

/// What the gateway calls one exec: hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExecId(String);

impl TryFrom<String> for ExecId {
    type Error = Error;

    fn try_from(word: String) -> Result<Self, Error> {
        if !word.is_empty() && word.bytes().all(|b| b.is_ascii_hexdigit()) {
            Ok(Self(word))
        } else {
            Err(Error::Answer(told!("an exec without an id")))
        }
    }
}

/// A word typed for a container; one that can be none is answered like one that is not there.
pub(crate) fn container(word: &str) -> Result<ContainerRef, Error> {
    word.parse().map_err(|_| Error::no_such_container(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_stays_in_its_place() {
        let route = Route::new("/images").word("a/../b?c&d").then("json").with("x", "1&y=2").flag("z", true);
        assert_eq!(route.as_str(), "/images/a%2F..%2Fb%3Fc%26d/json?x=1%26y%3D2&z=1");
        assert_eq!(Route::new("/images").word("..").as_str(), "/images/%2E%2E");
    }

    #[test]
    fn a_word_that_is_no_reference_never_becomes_a_path() {
        assert!(container("x/kill?signal=KILL").unwrap_err().is_not_found());
        assert!(ExecId::try_from("../containers".to_owned()).is_err());
    }
}
