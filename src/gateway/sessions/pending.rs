//! Attaches to containers that do not run wait in the gateway until there is a start.
//!
//! Clients attach before they start. An engine would keep such a connection until the container has run and stopped: for ever
//! if that never happens and the container is removed.
//!
//! So the engine hears of an attach with the start.

use crate::gateway::engine::{ContainerId, Engine, Raw, Target};
use futures_util::future::join_all;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How long a start waits for an engine to attach: it has nothing to wait for.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(in crate::gateway) struct Attaches {
    engine: Arc<Engine>,
    all: Mutex<HashMap<ContainerId, Vec<Waiting>>>,
    count: AtomicU64,
}

#[derive(Debug)]
struct Waiting {
    number: u64,
    uid: u32,
    target: Target,
    to: oneshot::Sender<Raw>,
}

/// A connection that comes with a start.
#[derive(Debug)]
pub(in crate::gateway) struct Coming {
    number: u64,
    raw: oneshot::Receiver<Raw>,
}

impl Coming {
    /// Nothing when the container is gone, or could not be attached to.
    pub(in crate::gateway) async fn comes(self) -> Option<Raw> {
        self.raw.await.ok()
    }
}

impl Attaches {
    pub(in crate::gateway) fn new(engine: Arc<Engine>) -> Self {
        Self { engine, all: Mutex::default(), count: AtomicU64::default() }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<ContainerId, Vec<Waiting>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more of this user's. It waits no longer than whoever holds the other end.
    pub(in crate::gateway) fn wait(&self, uid: u32, id: &ContainerId, target: Target) -> Coming {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let (to, raw) = oneshot::channel();
        let mut all = self.all();
        all.retain(|_, waiting| {
            waiting.retain(|one| !one.to.is_closed());
            !waiting.is_empty()
        });
        all.entry(id.clone()).or_default().push(Waiting { number, uid, target, to });
        Coming { number, raw }
    }

    /// Whether it waits no more for that: not if it is being attached already.
    pub(in crate::gateway) fn take_back(&self, id: &ContainerId, coming: &Coming) -> bool {
        let mut all = self.all();
        let waiting = all.get_mut(id).and_then(|waiting| {
            let at = waiting.iter().position(|one| one.number == coming.number)?;
            Some(waiting.swap_remove(at))
        });
        waiting.is_some()
    }

    /// Attaches whoever waits, each in a task of its own, which holds nobody up but itself.
    fn begin(&self, id: &ContainerId, target: fn(Target) -> Target) -> Vec<JoinHandle<()>> {
        let waiting = self.all().remove(id).unwrap_or_default();
        let attach = |one: Waiting| {
            let (engine, id) = (self.engine.clone(), id.clone());
            tokio::spawn(async move {
                match engine.attach(one.uid, &id, target(one.target)).await {
                    // Whoever has gone meanwhile leaves it behind.
                    Ok(raw) => drop(one.to.send(raw)),
                    Err(error) => tracing::warn!("nobody is attached to what is being started: {error}"),
                }
            })
        };
        waiting.into_iter().filter(|one| !one.to.is_closed()).map(attach).collect()
    }

    /// To be asked for just before the engine starts it, under its lock: places that its owner could fill are not waited for.
    pub(in crate::gateway) async fn attach(&self, id: &ContainerId) {
        let attached = join_all(self.begin(id, Target::of_nobody));
        if tokio::time::timeout(PATIENCE, attached).await.is_err() {
            tracing::warn!(container = id.as_str(), "it starts before all are attached to it");
        }
    }

    /// Whoever has come since.
    pub(in crate::gateway) fn attach_late(&self, id: &ContainerId) {
        self.begin(id, |target| target);
    }

    /// It is gone, and is never started.
    pub(in crate::gateway) fn forget(&self, id: &ContainerId) {
        self.all().remove(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_has_gone_waits_no_more_and_what_is_gone_is_told() {
        let attaches = Attaches::new(Engine::nowhere());
        let id = |digit: &str| ContainerId::parse(&digit.repeat(64)).unwrap();
        let wait = |digit: &str| attaches.wait(1000, &id(digit), Target::new("/x"));
        drop(wait("a"));
        let (first, second) = (wait("b"), wait("b"));
        assert_eq!(attaches.all().len(), 1);
        let third = wait("b");
        assert!(attaches.take_back(&id("b"), &third) && !attaches.take_back(&id("b"), &third));
        attaches.forget(&id("b"));
        assert!(first.comes().await.is_none() && second.comes().await.is_none());
    }
}
