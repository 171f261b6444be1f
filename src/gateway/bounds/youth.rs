//! The first moments of a gateway, in which the engine may still be at what the one before asked for.

use std::time::{Duration, Instant};

/// What the engine may take to finish what nobody waits for any more.
const YOUTH: Duration = Duration::from_secs(10);

/// When this gateway began.
#[derive(Debug, Clone, Copy)]
pub(in crate::gateway) struct Youth(Instant);

impl Youth {
    pub(in crate::gateway) fn begins() -> Self {
        Self(Instant::now())
    }

    /// Whether the engine may still be at a start that a gateway before this one asked for.
    pub(in crate::gateway) fn lasts(self) -> bool {
        self.0.elapsed() < YOUTH
    }
}
