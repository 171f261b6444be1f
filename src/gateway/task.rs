//! Work in a task of its own, so that neither a caller who goes away nor the gateway's own end leaves it half done.

use crate::gateway::error::Error;
use crate::protocol::told::told;
use std::sync::LazyLock;
use tokio_util::task::TaskTracker;

static UNDER_WAY: LazyLock<TaskTracker> = LazyLock::new(TaskTracker::new);

pub(super) async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    UNDER_WAY.spawn(work).await.map_err(|error| Error::Internal(told!("{error}")))?
}

/// When nothing of it is under way any more.
pub(super) async fn all_ended() {
    UNDER_WAY.close();
    UNDER_WAY.wait().await;
}

/// How much of it there is.
pub(super) fn under_way() -> usize {
    UNDER_WAY.len()
}
