//! Why a body is no wish.

use crate::protocol::told::Told;

/// What is wrong with what was asked.
#[derive(Debug, thiserror::Error, Told)]
pub(in crate::gateway) enum WishError {
    /// It does not parse.
    #[error("{0}")]
    Bad(Told),
    /// No policy can allow it: the field, and the reason.
    #[error("{field} is not allowed here: {reason}")]
    NotAllowed { field: String, reason: Told },
    /// A word that could name no container.
    #[error("No such container: {0}")]
    NoContainer(String),
    /// A name could not be drawn.
    #[error("no random bytes: {0}")]
    NoRandomness(rustix::io::Errno),
}

impl WishError {
    pub(super) fn not_allowed(field: &str, reason: impl Into<Told>) -> Self {
        Self::NotAllowed { field: field.to_owned(), reason: reason.into() }
    }
}
