//! A container as the engine's books have it while its lock is held: what is done unasked is done by this alone.
//!
//! Whatever looks at everybody's containers acts a moment after the list was made, or minutes, when it had to wait: what it
//! acts on may have ended, run again or be gone. So a list only says where to look again.
//!
//! `Locked` holds what the engine's books say under the container's lock, and holds the lock.

use super::orders::{Order, Removal};
use super::wire::Of;
use super::{ContainerId, Engine, EngineError, Found, Target};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::OwnedMutexGuard;

/// What was asked under the lock, which is held as long as this is: nobody starts, removes or renames it meanwhile.
#[derive(Debug)]
pub(in crate::gateway) struct Locked {
    id: ContainerId,
    /// Nothing where there is no such container any more.
    details: Option<Value>,
    _lock: OwnedMutexGuard<()>,
}

impl Locked {
    pub(in crate::gateway) fn id(&self) -> &ContainerId {
        &self.id
    }

    /// Whether it runs; what the engine does not say counts as that it does.
    pub(in crate::gateway) fn runs(&self) -> bool {
        self.details.is_some() && self.at("/State/Running").and_then(Value::as_bool) != Some(false)
    }

    /// Whether it was made and never started.
    pub(in crate::gateway) fn never_ran(&self) -> bool {
        self.at("/State/Status").and_then(Value::as_str) == Some("created")
    }

    pub(in crate::gateway) fn is_gone(&self) -> bool {
        self.details.is_none()
    }

    /// Since when it runs.
    pub(in crate::gateway) fn started(&self) -> Option<Timestamp> {
        self.time("/State/StartedAt").filter(|_| self.runs())
    }

    /// When it ended, long ago if it never ran, and now if it is gone. Nothing while it runs.
    pub(in crate::gateway) fn ended(&self) -> Option<Timestamp> {
        match (&self.details, self.runs()) {
            (_, true) => None,
            (None, _) => Some(Timestamp::now()),
            (Some(_), _) => self.time("/State/FinishedAt"),
        }
    }

    /// From when until when it has run, by the engine's books: long ago where they do not know. Nothing while it runs.
    pub(in crate::gateway) fn ran(&self) -> Option<(Timestamp, Timestamp)> {
        self.time("/State/StartedAt").zip(self.time("/State/FinishedAt")).filter(|_| !self.runs())
    }

    /// What it ended with; what the engine does not say counts as a failure.
    pub(in crate::gateway) fn exit_code(&self) -> i64 {
        self.at("/State/ExitCode").and_then(Value::as_i64).unwrap_or(-1)
    }

    /// The same as in a list, if it is one of ours.
    pub(in crate::gateway) fn found(&self) -> Option<Found> {
        Found::parse(json!({
            "Id": self.id.as_str(),
            "Names": [self.at("/Name")?],
            "Labels": self.at("/Config/Labels")?,
            "State": self.at("/State/Status"),
        }))
    }

    fn at(&self, pointer: &str) -> Option<&Value> {
        self.details.as_ref()?.pointer(pointer)
    }

    fn time(&self, pointer: &str) -> Option<Timestamp> {
        self.at(pointer)?.as_str()?.parse().ok()
    }
}

impl Engine {
    /// Asks again, if nobody has the lock: for work that can wait for another time.
    pub(in crate::gateway) async fn look_again(
        &self,
        id: &ContainerId,
        owner: u32,
    ) -> Result<Option<Locked>, EngineError> {
        let Some(lock) = self.try_lock(id) else { return Ok(None) };
        let target = Target::new(format!("/containers/{id}/json")).of_upkeep(owner);
        self.look_under(lock, id, target).await.map(Some)
    }

    /// The same, after whoever has the lock.
    pub(in crate::gateway) async fn lock_and_look(&self, id: &ContainerId) -> Result<Locked, EngineError> {
        let lock = self.lock(id).await;
        self.look_under(lock, id, Target::new(format!("/containers/{id}/json"))).await
    }

    async fn look_under(
        &self,
        lock: OwnedMutexGuard<()>,
        id: &ContainerId,
        target: Target,
    ) -> Result<Locked, EngineError> {
        let details = match self.get(target).await {
            Ok(details) => Some(details),
            Err(error) if error.is_not_found() => None,
            Err(error) => return Err(error),
        };
        Ok(Locked { id: id.clone(), details, _lock: lock })
    }

    /// Removes what does not run, with its volumes without a name, as `rm` does. Whether there was something to remove.
    pub(in crate::gateway) async fn remove_stopped(
        &self,
        container: &Locked,
        owner: u32,
    ) -> Result<bool, EngineError> {
        let order = Order::Remove(&container.id, Removal { volumes: true, force: false });
        match self.order(Some(Of::Upkeep(owner)), order).await {
            Err(error) if error.is_conflict() || error.is_not_found() => Ok(false),
            removed => removed.map(|_| true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn locked(details: Option<Value>) -> Locked {
        let id = ContainerId::parse(&"a".repeat(64)).unwrap();
        let lock = Arc::new(tokio::sync::Mutex::new(())).try_lock_owned().unwrap();
        Locked { id, details, _lock: lock }
    }

    #[test]
    fn only_what_the_engine_says_has_ended_has() {
        let state = |running: Value, status: &str| {
            let times = ("2026-11-16T10:00:00Z", "2026-11-16T11:00:00Z");
            let state =
                json!({"Running": running, "Status": status, "StartedAt": times.0, "FinishedAt": times.1});
            locked(Some(json!({ "State": state })))
        };
        let (runs, ended) = (state(json!(true), "running"), state(json!(false), "exited"));
        assert!(runs.runs() && runs.ended().is_none() && runs.started().is_some());
        assert!(!ended.runs() && ended.started().is_none() && !ended.is_gone());
        assert_eq!(ended.ended().unwrap().to_string(), "2026-11-16T11:00:00Z");
        let unknown = state(Value::Null, "");
        assert!(unknown.runs() && unknown.ended().is_none());
        assert!(state(json!(false), "created").never_ran() && !ended.never_ran());
        let gone = locked(None);
        assert!(gone.is_gone() && !gone.runs() && gone.ended().is_some() && gone.found().is_none());
    }
}
