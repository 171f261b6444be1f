//! The end of a container that goes with its process: how that ended is told, also where the engine fails to remove it.
//!
//! An engine says then why in the end's place, does not try again, and whoever waits takes the failure for the command's.
//!
//! The gateway then removes the container itself, and passes the exit code on.

use crate::gateway::engine::{EngineError, Owned, in_time};
use crate::gateway::locks::lock::Locks;
use axum::body::{Body, to_bytes};
use bytes::Bytes;
use futures_util::stream;
use serde_json::Value;
use std::io;
use std::sync::Arc;

/// More bytes than an engine says of an end.
const LONGEST: usize = 1 << 20;

/// The engine's answer as it comes; one that tells of a failure, after the container was removed here.
pub(super) fn or_remove(body: Body, locks: Arc<Locks>, container: Owned) -> Body {
    Body::from_stream(stream::once(async move {
        let told = to_bytes(body, LONGEST).await.map_err(io::Error::other)?;
        Ok::<_, io::Error>(match without_failure(&told) {
            // To its end, also when nobody waits any more.
            Some(end) if tokio::spawn(remove(locks, container)).await.unwrap_or(false) => end,
            _ => told,
        })
    }))
}

/// How the process ended, if the engine tells of a failure with it.
fn without_failure(told: &[u8]) -> Option<Bytes> {
    let mut end: Value = serde_json::from_slice(told).ok()?;
    let failure = end.get_mut("Error").filter(|failure| !failure.is_null())?;
    *failure = Value::Null;
    end.get("StatusCode").and_then(Value::as_i64)?;
    Some(Bytes::from(end.to_string()))
}

/// Whether its process has ended. What cannot be removed here either is left to the next sweep.
async fn remove(locks: Arc<Locks>, container: Owned) -> bool {
    let (id, owner) = (container.id(), container.found().owner());
    let removed: Result<bool, EngineError> = async {
        let _wanted = locks.removals.want(id);
        let locked = in_time(locks.engine.lock_and_look(id)).await?;
        if !locked.runs() && !locked.is_gone() {
            in_time(locks.engine.remove_stopped(&locked, owner)).await?;
        }
        Ok(!locked.runs())
    }
    .await;
    removed.unwrap_or_else(|error| {
        tracing::warn!(container = id.as_str(), "of run --rm, is left for the next sweep: {error}");
        true
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_end_that_was_told_is_passed_on_without_its_failure() {
        let end = |told: &str| {
            without_failure(told.as_bytes()).map(|end| serde_json::from_slice::<Value>(&end).unwrap())
        };
        let failed = r#"{"Error":{"Message":"unable to remove filesystem"},"StatusCode":7}"#;
        assert_eq!(end(failed), Some(serde_json::json!({"Error": null, "StatusCode": 7})));
        for other in [
            r#"{"Error":null,"StatusCode":7}"#,
            r#"{"StatusCode":7}"#,
            r#"{"Error":{"Message":"x"}}"#,
            r#"{"message":"no such container"}"#,
            "",
        ] {
            assert_eq!(end(other), None, "{other}");
        }
    }
}
