//! What was found: how bad it is, what was seen, why it matters, what to do.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// How much a finding is worth; the worst one decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Ok,
    /// Worth knowing; nothing is open.
    Notice,
    /// A wall is missing or thinner than it looks, and others still stand.
    Warning,
    /// Somebody can be root past the gateway.
    Danger,
}

impl Severity {
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Danger => "danger",
        }
    }
}

/// One thing that was looked at. `seen` and `todo` hold text of the host's; whoever shows it escapes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The check's name, for scripts.
    pub check: Cow<'static, str>,
    pub severity: Severity,
    pub seen: String,
    /// One sentence.
    pub why: Cow<'static, str>,
    /// One hint; empty where all is well.
    pub todo: String,
}

/// A check's name, and why what it looks at matters.
#[derive(Debug, Clone, Copy)]
pub(super) struct Check {
    name: &'static str,
    why: &'static str,
}

impl Check {
    pub(super) const fn new(name: &'static str, why: &'static str) -> Self {
        Self { name, why }
    }

    pub(super) fn ok(self, seen: impl Into<String>) -> Finding {
        self.found(Severity::Ok, seen, "")
    }

    pub(super) fn notice(self, seen: impl Into<String>, todo: impl Into<String>) -> Finding {
        self.found(Severity::Notice, seen, todo)
    }

    pub(super) fn warning(self, seen: impl Into<String>, todo: impl Into<String>) -> Finding {
        self.found(Severity::Warning, seen, todo)
    }

    pub(super) fn danger(self, seen: impl Into<String>, todo: impl Into<String>) -> Finding {
        self.found(Severity::Danger, seen, todo)
    }

    pub(super) fn found(
        self,
        severity: Severity,
        seen: impl Into<String>,
        todo: impl Into<String>,
    ) -> Finding {
        Finding {
            check: self.name.into(),
            severity,
            seen: seen.into(),
            why: self.why.into(),
            todo: todo.into(),
        }
    }
}
