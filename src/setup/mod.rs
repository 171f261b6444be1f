//! What `admin init` finds out and decides: a policy that works on this host as it stands, each choice with its reason.
//!
//! [`Seen`] is what is looked at, [`Draft`] what follows from it; nothing here changes the host. [`runtime`] is ie-runc's file,
//! which says of the engine what the policy says of it, too, and [`range`] the ids of its containers.
#![deny(clippy::missing_errors_doc)]

mod account;
mod draft;
mod homes;
pub mod range;
pub mod runtime;
mod seen;
mod setting;

pub use draft::{Choice, Draft};
pub use homes::{Idmap, Root};
pub use seen::{Names, Seen};
