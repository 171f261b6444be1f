//! Sizes, for which an engine walks through layers.

use crate::gateway::bounds::Lost;
use crate::gateway::bounds::permits::Permits;

/// One walk at a time for each user: the engine walks on when nobody waits any more.
#[derive(Debug)]
pub(in crate::gateway) struct Walks(Permits);

impl Default for Walks {
    fn default() -> Self {
        Self(Permits::new(1))
    }
}

impl Walks {
    /// # Errors
    /// Where the walk itself was lost.
    pub(in crate::gateway::api) async fn one_by_one<T: Send + 'static>(
        &self,
        uid: u32,
        walk: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Lost> {
        let permit = self.0.of(uid).acquire_owned().await.map_err(|error| Lost(error.to_string()))?;
        let walked = tokio::spawn(async move {
            let walked = walk.await;
            drop(permit);
            walked
        });
        walked.await.map_err(|error| Lost(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn a_walk_that_nobody_waits_for_any_more_has_its_place() {
        let walks = Arc::new(Walks::default());
        let (end, ended) = oneshot::channel::<()>();
        let of = walks.clone();
        let caller = tokio::spawn(async move { of.one_by_one(1, ended).await.map(drop) });
        while walks.0.of(1).available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
        let next = walks.one_by_one(1, async { 7 });
        tokio::pin!(next);
        assert!(tokio::time::timeout(std::time::Duration::from_millis(50), &mut next).await.is_err());
        assert_eq!(walks.one_by_one(2, async { 8 }).await.unwrap(), 8);
        end.send(()).unwrap();
        assert_eq!(next.await.unwrap(), 7);
    }
}
