//! One user's turns, one after the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Mutex, OwnedMutexGuard};

/// One user's turns, one after the other.
#[derive(Debug, Default)]
pub(super) struct Turns {
    pub(super) lock: Arc<Mutex<()>>,
    /// How many there were: who waits sees by it that others get on.
    had: AtomicU64,
}

impl Turns {
    pub(super) async fn next(&self) -> OwnedMutexGuard<()> {
        let guard = self.lock.clone().lock_owned().await;
        self.had.fetch_add(1, Ordering::Relaxed);
        guard
    }

    /// The same, unless somebody keeps one turn for so long: nothing then.
    pub(super) async fn next_within(&self, each: Duration) -> Option<OwnedMutexGuard<()>> {
        let mut next = std::pin::pin!(self.next());
        loop {
            let had = self.had.load(Ordering::Relaxed);
            match tokio::time::timeout(each, &mut next).await {
                Ok(guard) => return Some(guard),
                Err(_) if self.had.load(Ordering::Relaxed) == had => return None,
                Err(_) => {}
            }
        }
    }
}
