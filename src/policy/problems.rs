//! Everything wrong with a policy file, at once.

use std::fmt;
use std::sync::Arc;

/// One thing wrong, with its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub file: Arc<str>,
    pub line: Option<usize>,
    /// The key it concerns, as a path (`groups.os2026.total.memory`); empty for the file as a whole.
    pub key: String,
    /// One lower-case sentence that names the key.
    pub message: String,
    /// What was probably meant.
    pub nearest: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.message)?;
        match &self.nearest {
            Some(nearest) => write!(f, ", did you mean `{nearest}`?"),
            None => Ok(()),
        }
    }
}

/// All problems of one file, in the order of its lines; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Nothing when there are none, so that an empty list is no error.
    pub(super) fn unless_none(mut problems: Vec<Problem>) -> Result<(), Self> {
        problems.sort_by_key(|problem| problem.line);
        if problems.is_empty() { Ok(()) } else { Err(Self(problems)) }
    }

    /// The one problem of a file that could not be opened or trusted.
    pub(super) fn of_file(name: &str, fault: &dyn fmt::Display) -> Self {
        let message = fault.to_string();
        Self(vec![Problem { file: name.into(), line: None, key: String::new(), message, nearest: None }])
    }

    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }
}

impl fmt::Display for Problems {
    /// One line each.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
