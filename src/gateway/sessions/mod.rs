//! Whoever is attached: to a container that is not started yet, and to a process that ends with its caller.

pub(super) mod cleanup;
pub(super) mod pending;
