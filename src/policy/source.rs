//! Where a value was set: a line of the file and its table, or the built-in default.

use std::fmt;
use std::sync::Arc;

/// What a host has no more of.
pub(super) const ALL: &str = "all that the host has";

/// Where a value comes from; shown as `policy.toml:14, [groups.os2026]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// No table sets it.
    BuiltIn,
    /// There is no more on this host, whatever a table says.
    Host,
    File {
        file: Arc<str>,
        line: usize,
        /// The table as written in its header, without the brackets.
        table: Arc<str>,
    },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built-in default"),
            Self::Host => f.write_str(ALL),
            Self::File { file, line, table } => write!(f, "{file}:{line}, [{table}]"),
        }
    }
}

/// A value and where it was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sourced<T> {
    pub value: T,
    pub source: Source,
}

impl<T> Sourced<T> {
    pub(super) fn built_in(value: T) -> Self {
        Self { value, source: Source::BuiltIn }
    }
}
