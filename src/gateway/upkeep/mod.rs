//! What happens without anybody asking: sweeps, what the engine's events tell, and whatever takes more than its owner may.

pub(super) mod boots;
pub(super) mod disk;
pub(super) mod expiry;
pub(super) mod output;
pub(super) mod release;
pub(super) mod reload;
pub(super) mod stopping;
pub(super) mod sweep;
