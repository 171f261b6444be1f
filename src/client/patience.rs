//! How long the client waits for a gateway that is away.
//!
//! A program with debug assertions can be told another time, for tests: in any other it is what it is.

use std::time::Duration;

/// The socket holds callers meanwhile.
const LONGEST: Duration = Duration::from_secs(60);

#[cfg(debug_assertions)]
pub(super) fn longest() -> Duration {
    let told = std::env::var("IE_CONTAINER_PATIENCE").ok().and_then(|word| word.parse().ok());
    told.map_or(LONGEST, Duration::from_secs)
}

#[cfg(not(debug_assertions))]
pub(super) fn longest() -> Duration {
    LONGEST
}
