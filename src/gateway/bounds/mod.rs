//! What one user may take of the gateway and of the engine at once, and how fast: permits, rate limits, caches, backpressure.

pub(super) mod backpressure;
pub(super) mod cache;
pub(super) mod permits;
pub(super) mod rate;
