//! From a wish to a container that runs: what is granted, where it is mounted, and in which user namespace.

pub(super) mod naming;
pub(super) mod ports;
pub(super) mod space;
pub(super) mod standing;
