//! Many people who do not trust each other share one Docker host.
//!
//! The map of the house:
//!
//! - [`protocol`]: what crosses a socket. Knows no socket, no user database, no engine.
//! - [`policy`]: the admin's one file, read whole or not at all, and the decisions taken from it. Pure but for the
//!   opening of that file.
//! - [`doctor`]: what on a host makes the walls worth less; for `ie-container admin doctor`, which root runs.
//! - [`setup`]: what a host that has no policy needs in one; for `ie-container admin init`, which root runs.
//! - [`client`]: `ie-container`, runs as the user, decides nothing.
//! - [`gateway`]: `ie-containerd`, runs as a system user of its own; the only code that speaks to the engine.
//! - [`mountd`]: `ie-mountd`, runs as root; stages directories for the gateway to bind.
//! - [`runtime`]: `ie-runc`, runs as root in the engine's place for runc; the last look at what is about to run.
//! - [`copy`]: `ie-copy`, runs as the user inside a container; tar in, tar out.
//! - [`tarball`]: archives read, written, packed and unpacked; what client, gateway and `ie-copy` share of it.
//! - `fuzz`: entry points for fuzzing, in no program.
//! - `sandbox`: which setting of a unit a call that fails is owed to.
//! - `sys`: the only file with `unsafe`.
//!
//! Dependencies point one way: `bin → {client, gateway, mountd, runtime, copy} → {policy, tarball} → protocol`, with the doctor
//! and the set-up between the client and the policy. The five never import each other; `tests/house.rs` holds this.

pub mod client;
pub mod copy;
pub mod doctor;
#[cfg(any(test, feature = "fuzz"))]
#[doc(hidden)]
pub mod fuzz;
pub mod gateway;
pub mod mountd;
mod mountinfo;
pub mod policy;
pub mod protocol;
pub mod runtime;
mod sandbox;
pub mod setup;
mod sys;
pub mod tarball;
