//! Waiting for the engine no longer than everybody can.
//!
//! While an engine starts a container, or copies into it, each question about that container waits. A start may never
//! end: a GPU hook hangs, or the container has too little of a processor.
//!
//! An engine's list is behind its own books, for as long as its disk takes. A stop ends when the list says so too, and
//! a start asks the books (`runs.rs`).

use super::EngineError;
use std::collections::HashSet;
use std::time::Duration;

/// How long one container may hold up what is done for all: an engine that is starting one tells nothing of it until it
/// runs, and with a hook that hangs, or very little of a processor, that is never.
const PATIENCE: Duration = Duration::from_secs(20);

/// What concerns one container, in time or not at all.
pub(in crate::gateway) async fn in_time<T>(
    work: impl Future<Output = Result<T, EngineError>>,
) -> Result<T, EngineError> {
    tokio::time::timeout(PATIENCE, work).await.unwrap_or(Err(EngineError::Late))
}

/// For what is done for all, one container after the other: nobody's hold it up more than once, however many they are.
#[derive(Debug, Default)]
pub(in crate::gateway) struct Patience {
    late: HashSet<u32>,
}

impl Patience {
    /// What concerns one of this user's containers: in time, and not at all when another one of theirs was late.
    pub(in crate::gateway) async fn in_time<T>(
        &mut self,
        owner: u32,
        work: impl Future<Output = Result<T, EngineError>>,
    ) -> Result<T, EngineError> {
        if self.late.contains(&owner) {
            return Err(EngineError::Late);
        }
        let done = in_time(work).await;
        if let Err(EngineError::Late | EngineError::Crowded(_)) = done {
            self.late.insert(owner);
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_is_late_once_is_not_waited_for_again() {
        let mut patience = Patience::default();
        let begun = tokio::time::Instant::now();
        for _ in 0..3 {
            let late = patience.in_time(1000, std::future::pending::<Result<(), _>>()).await;
            assert!(matches!(late, Err(EngineError::Late)));
        }
        assert_eq!(begun.elapsed(), PATIENCE);
        assert!(patience.in_time(1001, async { Ok(()) }).await.is_ok());
        assert!(patience.in_time(1000, async { Ok(()) }).await.is_err());
    }
}
