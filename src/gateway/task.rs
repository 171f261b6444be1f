//! Work in a task of its own, so that a caller who goes away does not leave it half done.

use super::error::Error;

pub(super) async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    tokio::spawn(work).await.map_err(|error| Error::Internal(error.to_string()))?
}
