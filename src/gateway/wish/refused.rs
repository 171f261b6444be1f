//! Why a body is no wish.

/// What is wrong with what was asked.
#[derive(Debug, thiserror::Error)]
pub(in crate::gateway) enum WishError {
    /// It does not parse.
    #[error("{0}")]
    Bad(String),
    /// No policy can allow it: the field, and the reason.
    #[error("{field} is not allowed here: {reason}")]
    NotAllowed { field: String, reason: String },
    /// A word that could name no container.
    #[error("no such container: {0}")]
    NoContainer(String),
    /// A name could not be drawn.
    #[error("no random bytes: {0}")]
    NoRandomness(rustix::io::Errno),
}

impl WishError {
    pub(super) fn not_allowed(field: &str, reason: &str) -> Self {
        Self::NotAllowed { field: field.to_owned(), reason: reason.to_owned() }
    }
}
