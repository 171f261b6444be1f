//! A trouble that is tried again and again: said when it comes, when it becomes another, and when it is over.

use std::fmt::Display;
use std::sync::{Mutex, PoisonError};

/// Something that is well, or is not for a reason.
#[derive(Debug)]
pub(in crate::gateway) struct Trouble {
    what: &'static str,
    said: Mutex<Option<String>>,
}

impl Trouble {
    pub(in crate::gateway) const fn new(what: &'static str) -> Self {
        Self { what, said: Mutex::new(None) }
    }

    /// It is not well; whether that was new.
    pub(in crate::gateway) fn is(&self, why: impl Display) -> bool {
        let why = why.to_string();
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = said.as_ref() != Some(&why);
        if is_new {
            tracing::warn!("{}: {why}", self.what);
            *said = Some(why);
        }
        is_new
    }

    /// It is well; whether that was new.
    pub(in crate::gateway) fn is_over(&self) -> bool {
        let was = self.said.lock().unwrap_or_else(PoisonError::into_inner).take().is_some();
        if was {
            tracing::info!("{}: no longer", self.what);
        }
        was
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_once() {
        let trouble = Trouble::new("a sweep is not finished");
        assert!(!trouble.is_over(), "nothing was said");
        assert!(trouble.is("no helper"));
        assert!(!trouble.is("no helper") && !trouble.is("no helper"));
        assert!(trouble.is("no engine"));
        assert!(trouble.is_over() && !trouble.is_over());
        assert!(trouble.is("no engine"), "it has come again");
    }
}
