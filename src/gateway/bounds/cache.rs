//! An answer that is dear to the engine: asked for once at a time, whoever hangs up, and kept for a moment.
//!
//! It holds what costs an engine a program of the host's, each asked once in two seconds for everybody. That is what
//! the engine says of itself, and the owners of the processes on the cards.

use super::Lost;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// How long an answer is as good as a new one.
const MOMENT: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(in crate::gateway) struct Cache<T>(Arc<Mutex<Option<(Instant, T)>>>);

impl<T> Default for Cache<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T: Clone + Send + 'static> Cache<T> {
    /// The answer of a moment ago, or a new one. Who goes on waiting for it holds up the next, and nobody else asks.
    ///
    /// # Errors
    /// Whatever the question's own are; [`Lost`] where it ended without an answer.
    pub(in crate::gateway) async fn get<F, E>(&self, ask: impl FnOnce() -> F) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        E: From<Lost> + Send + 'static,
    {
        let mut kept = self.0.clone().lock_owned().await;
        if let Some((since, answer)) = &*kept
            && since.elapsed() < MOMENT
        {
            return Ok(answer.clone());
        }
        let asked = ask();
        // With the lock in a task of its own: who asks and hangs up, again and again, has one under way.
        let answer = tokio::spawn(async move {
            let answer = asked.await?;
            *kept = Some((Instant::now(), answer.clone()));
            Ok(answer)
        });
        answer.await.map_err(|error| Lost(error.to_string()))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Counts how often it is asked.
    async fn ask(asked: Arc<AtomicUsize>, took: Duration) -> Result<usize, Lost> {
        let number = asked.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(took).await;
        Ok(number)
    }

    #[tokio::test(start_paused = true)]
    async fn who_hangs_up_again_and_again_asks_once() {
        let (recent, asked) = (Cache::default(), Arc::new(AtomicUsize::new(0)));
        for _ in 0..20 {
            let get = recent.get(|| ask(asked.clone(), Duration::from_millis(500)));
            assert!(tokio::time::timeout(Duration::from_millis(5), get).await.is_err());
        }
        assert_eq!(recent.get(|| ask(asked.clone(), Duration::ZERO)).await.unwrap(), 0);
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn what_failed_is_not_kept() {
        let recent = Cache::default();
        let failed = recent.get(|| async { Err(Lost("no".into())) }).await;
        assert!(failed.is_err());
        assert_eq!(recent.get(|| async { Ok::<_, Lost>(1) }).await.unwrap(), 1);
        assert_eq!(recent.get(|| async { Ok::<_, Lost>(2) }).await.unwrap(), 1);
    }
}
