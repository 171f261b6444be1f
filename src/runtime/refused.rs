//! Why a container is not made: one sentence, for its owner and for the engine's log.

use super::trial;
use crate::protocol::escape::escape_line;
use serde_json::json;
use std::fs::File;
use std::io::Write;
use std::path::Path;

/// The sentence that is told.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("ie-runc refuses this container: {sentence}")]
pub(crate) struct Refused {
    sentence: String,
    /// Whether the system did not take a step; else it is a judgement.
    is_the_systems: bool,
}

impl Refused {
    /// Whatever is quoted in it comes from an image or a request: it is escaped here.
    pub(crate) fn new(sentence: impl AsRef<str>) -> Self {
        Self { sentence: escape_line(sentence.as_ref()).to_string(), is_the_systems: false }
    }

    /// A step that the system did not take.
    pub(crate) fn system<E: std::fmt::Display>(step: impl Into<String>) -> impl FnOnce(E) -> Self {
        let step = step.into();
        move |error| Self { is_the_systems: true, ..Self::new(format!("{step} failed: {error}")) }
    }

    /// With what the sandbox of the engine has taken, if it was that.
    pub(super) fn looked_into(self) -> Self {
        if !self.is_the_systems {
            return self;
        }
        match trial::of_calls() {
            Ok(()) => self,
            Err(lacking) => Self::new(format!("{}; in the engine's sandbox {lacking}", self.sentence)),
        }
    }

    /// To standard error, and to runc's log, where the engine's shim takes its sentence from.
    pub(crate) fn tell(&self, log: Option<&Path>) {
        let _ = writeln!(std::io::stderr().lock(), "{self}");
        let Some(mut log) = log.and_then(|path| File::options().append(true).create(true).open(path).ok())
        else {
            return;
        };
        let time = jiff::Timestamp::now().to_string();
        let line = json!({ "level": "error", "msg": self.to_string(), "time": time });
        let _ = writeln!(log, "{line}");
    }
}
