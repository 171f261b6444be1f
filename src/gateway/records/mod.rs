//! What is written down of containers from one gateway to the next, a file for each.

pub(super) mod by_container;
pub(super) mod clock;
pub(super) mod reasons;
pub(super) mod resized;
pub(super) mod restarts;
