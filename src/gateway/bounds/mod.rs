//! What one user may take of the gateway and of the engine at once, and how fast: permits, rate limits, caches, backpressure.
//!
//! Bounded are connections, look-ups of the account (each is a thread that a hanging name service keeps) and large
//! bodies. What one caller asks of the engine is bounded in `engine/wire.rs`.

pub(super) mod backpressure;
pub(super) mod cache;
pub(super) mod connections;
pub(super) mod permits;
pub(super) mod rate;
pub(super) mod youth;

use crate::protocol::told::Told;

/// Work that ended without an answer: it panicked, or the gateway ends.
#[derive(Debug, thiserror::Error, Told)]
#[error("{0}")]
pub(super) struct Lost(pub(super) String);
