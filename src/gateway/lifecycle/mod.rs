//! From a wish to a container that runs: what is granted, where it is mounted, and in which user namespace.

pub(super) mod account_files;
pub(super) mod admission;
pub(super) mod creator;
mod naming;
pub(super) mod remover;
mod space;
mod staged;
mod standing;
pub(super) mod starter;
pub(super) mod volumes;
