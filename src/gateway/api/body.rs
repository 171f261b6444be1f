//! A request's body, whole: of a bounded size, within a bounded time, and one large one at a time for each caller.
//!
//! A large body has more than 64 KiB. Its values are counted before they are made.

use crate::gateway::bounds::permits::Permits;
use crate::gateway::caller::Caller;
use crate::gateway::error::Error;
use crate::protocol::told::told;
use axum::body::Body;
use axum::extract::{FromRef, FromRequest, FromRequestParts, Request};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Body as _;
use serde_json::Value;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The largest body that is read, in bytes.
const LARGEST: usize = 1 << 20;
/// The most values in one, as its commas and opening brackets count them.
const MOST_VALUES: usize = 1 << 14;
/// Any number of this size may be read at once, in bytes; a usual create has four thousand.
const SMALL: usize = 64 << 10;
/// How long a body may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Each caller's permit for a body that is not small.
#[derive(Debug)]
pub(in crate::gateway) struct Bodies(Permits);

impl Default for Bodies {
    fn default() -> Self {
        Self(Permits::new(1))
    }
}

/// A body that has come to its end. A large one has its caller's permit for as long as it is kept.
#[derive(Debug)]
pub(in crate::gateway) struct BufferedBody {
    bytes: Bytes,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Deref for BufferedBody {
    type Target = Bytes;

    fn deref(&self) -> &Bytes {
        &self.bytes
    }
}

impl<S: Send + Sync> FromRequest<S> for BufferedBody
where
    Arc<Bodies>: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        let (mut parts, body) = request.into_parts();
        let caller = Caller::from_request_parts(&mut parts, state).await?;
        let permits = Arc::<Bodies>::from_ref(state).0.of(caller.uid());
        let late = |_| Error::Bad(told!("the body did not come within {PATIENCE:?}"));
        tokio::time::timeout(PATIENCE, read(body, permits)).await.map_err(late)?
    }
}

/// Reads a JSON body, whatever its content type says: some clients send none.
pub(in crate::gateway) fn json_body(body: &Bytes) -> Result<Value, Error> {
    if body.len() > LARGEST {
        return Err(too_large(body.len()));
    }
    // Each value takes many times the memory of its letter, so they are counted first; in texts too, which is no harm.
    let values = body.iter().filter(|byte| matches!(byte, b',' | b'[' | b'{')).count();
    if values > MOST_VALUES {
        return Err(Error::Bad(told!("the body has more than {MOST_VALUES} values")));
    }
    serde_json::from_slice(body).map_err(|error| Error::Bad(told!("the body is not JSON: {error}")))
}

/// The sentence for a body of so many bytes, or more.
fn too_large(length: impl std::fmt::Display) -> Error {
    Error::Bad(told!("the body has {length} bytes, the most is {LARGEST}"))
}

async fn read(mut body: Body, permits: Arc<Semaphore>) -> Result<BufferedBody, Error> {
    let said = body.size_hint().lower();
    if usize::try_from(said).is_ok_and(|said| said > LARGEST) {
        return Err(too_large(said));
    }
    let (mut bytes, mut permit) = (Vec::new(), None);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Error::Bad(told!("the body broke off: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        let length = bytes.len() + data.len();
        if length > LARGEST {
            return Err(too_large(format_args!("more than {LARGEST}")));
        }
        if length > SMALL && permit.is_none() {
            let taken = permits.clone().acquire_owned().await;
            permit = Some(taken.map_err(|error| Error::Internal(told!("{error}")))?);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(BufferedBody { bytes: bytes.into(), _permit: permit })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(length: usize) -> Body {
        Body::new(http_body_util::Full::new(Bytes::from(vec![b' '; length])))
    }

    #[test]
    fn values_are_counted_before_they_are_made() {
        let list = |count: usize| Bytes::from(format!("[{}0]", "0,".repeat(count)));
        assert!(json_body(&list(MOST_VALUES - 1)).is_ok());
        let refused = json_body(&list(MOST_VALUES)).unwrap_err();
        assert_eq!(refused.to_string(), "the body has more than 16384 values");
        assert!(json_body(&Bytes::from("{")).unwrap_err().to_string().starts_with("the body is not JSON"));
    }

    #[tokio::test]
    async fn small_ones_come_side_by_side_and_large_ones_one_by_one() {
        let permits = Arc::new(Semaphore::new(1));
        let large = read(of(LARGEST), permits.clone()).await.unwrap();
        assert_eq!(large.len(), LARGEST);
        assert!(read(of(SMALL), permits.clone()).await.is_ok());
        let second = read(of(SMALL + 1), permits.clone());
        assert!(tokio::time::timeout(Duration::from_millis(50), second).await.is_err());
        drop(large);
        assert!(read(of(SMALL + 1), permits.clone()).await.is_ok());
        let refused = read(of(LARGEST + 1), permits).await.unwrap_err();
        assert_eq!(refused.to_string(), "the body has 1048577 bytes, the most is 1048576");
    }
}
