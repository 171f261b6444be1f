//! One container's lock and one user's turn, and what is given up for a removal.

pub(super) mod lock;
pub(super) mod removals;
