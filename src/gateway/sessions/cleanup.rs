//! Processes started by exec end when the caller who is attached to them goes away.
//!
//! No engine can end an exec, and no program of ours may signal a user's processes from outside. So each exec gets a nonce
//! in its environment, and the helper in the container ends what bears it, as the user.
//!
//! The mark is `IE_CONTAINER_EXEC`. When the attached caller goes away without detaching, the gateway has `ie-copy end
//! MARK` run in the container: SIGHUP, then SIGKILL.
//!
//! An engine ends a terminal's stream as soon as the caller's side sends no more. So the gateway looks at that moment
//! whether the caller is still there. Our own client says on `/ie/v1/exec/{id}/detach` that it leaves on purpose. With
//! other clients the engine sees the keys.

use crate::gateway::caller::Caller;
use crate::gateway::engine::{CallerSide, ContainerId, Engine, EngineError, ExecId, Owned, exec_body};
use crate::gateway::error::Error;
use crate::gateway::host::channel;
use crate::gateway::wish::ExecWish;
use crate::protocol::layout::COPY_IN_CONTAINER;
use crate::protocol::nonce::{GATEWAY, Nonce};
use crate::protocol::report::Refusal;
use crate::protocol::told::told;
use axum::body::Body;
use axum::http::header::{HeaderName, HeaderValue};
use futures_util::{StreamExt, stream};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How many exec instances of one user may wait to be started: an engine keeps every one in memory until its container
/// ends.
const MOST_WAITING: usize = 256;

/// The nonces of exec instances that were made and not yet started, and those whose callers are attached. A gateway that is
/// restarted has forgotten them; what is started then ends by itself or with its container.
#[derive(Debug)]
pub(in crate::gateway) struct ExecCleanups {
    engine: Arc<Engine>,
    name: HeaderValue,
    waiting: Mutex<HashMap<ExecId, Waiting>>,
    tied: Mutex<HashSet<ExecId>>,
}

#[derive(Debug)]
pub(in crate::gateway) struct Waiting {
    uid: u32,
    container: ContainerId,
    pub(in crate::gateway) nonce: Nonce,
    since: Instant,
}

impl ExecCleanups {
    pub(in crate::gateway) fn new(engine: Arc<Engine>) -> Result<Self, Error> {
        let name = HeaderValue::from_str(channel::nonce()?.as_str());
        let name = name.map_err(|error| Error::Internal(told!("{error}")))?;
        Ok(Self { engine, name, waiting: Mutex::default(), tied: Mutex::default() })
    }

    /// This gateway, as no other one calls itself.
    pub(in crate::gateway) fn gateway(&self) -> (HeaderName, HeaderValue) {
        (HeaderName::from_static(GATEWAY), self.name.clone())
    }

    /// A nonce for one more exec of this user's.
    pub(in crate::gateway) fn nonce(&self, uid: u32) -> Result<Nonce, Error> {
        let own = self.waiting().values().filter(|one| one.uid == uid).count();
        if own >= MOST_WAITING {
            let message =
                told!("{own} exec instances of yours wait to be started, the most is {MOST_WAITING}");
            return Err(Refusal::new("quota", message)
                .rule("exec")
                .hint(told!("start them, or stop their containers: they end with them"))
                .into());
        }
        Ok(channel::nonce()?)
    }

    pub(in crate::gateway) fn keep(&self, exec: ExecId, container: &Owned, nonce: Nonce) {
        self.wait(exec, container.found().owner(), container.id().clone(), nonce);
    }

    fn wait(&self, exec: ExecId, uid: u32, container: ContainerId, nonce: Nonce) {
        self.waiting().insert(exec, Waiting { uid, container, nonce, since: Instant::now() });
    }

    /// A container has ended, and with it what waited in it.
    pub(in crate::gateway) fn forget(&self, container: &ContainerId) {
        self.waiting().retain(|_, one| one.container != *container);
    }

    /// The same for whatever does not run, should nobody have heard of its end. What began to wait just now may be in one
    /// that has been started since.
    pub(in crate::gateway) fn forget_all_but(&self, running: &HashSet<&ContainerId>, older: Duration) {
        let waits = |one: &Waiting| one.since.elapsed() < older || running.contains(&one.container);
        self.waiting().retain(|_, one| waits(one));
    }

    /// An exec that is started now does not wait any more, whether it can be started or not.
    pub(in crate::gateway) fn take(&self, exec: &ExecId) -> Option<Waiting> {
        self.waiting().remove(exec)
    }

    /// The engine was not even asked: it waits as it did.
    pub(in crate::gateway) fn put_back(&self, exec: &ExecId, one: Option<Waiting>) {
        if let Some(one) = one {
            self.waiting().insert(exec.clone(), one);
        }
    }

    /// The caller leaves the process on purpose.
    pub(in crate::gateway) fn untie(&self, exec: &ExecId) {
        self.tied().remove(exec);
    }

    fn tied(&self) -> MutexGuard<'_, HashSet<ExecId>> {
        self.tied.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<ExecId, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Held while a caller is attached: dropped, it ends the process, unless that was untied.
pub(in crate::gateway) struct ExecCleanup {
    cleanups: Arc<ExecCleanups>,
    caller: Caller,
    container: Owned,
    exec: ExecId,
    nonce: Nonce,
    tty: bool,
}

impl ExecCleanup {
    pub(in crate::gateway) fn new(
        cleanups: Arc<ExecCleanups>,
        caller: Caller,
        container: Owned,
        (exec, nonce): (ExecId, Nonce),
        tty: bool,
    ) -> Self {
        cleanups.tied().insert(exec.clone());
        Self { cleanups, caller, container, exec, nonce, tty }
    }

    /// The engine has ended the stream. That of a terminal it also ends because the caller's own terminal has hung up: the
    /// process may go on then, and nobody can ever speak to it again.
    pub(in crate::gateway) fn ended(self, caller: CallerSide) {
        if !(self.tty && caller == CallerSide::Silent) {
            self.release();
        }
    }

    /// The process has ended by itself.
    pub(in crate::gateway) fn release(self) {
        self.cleanups.untie(&self.exec);
    }

    /// A body that holds the cleanup until its end.
    pub(in crate::gateway) fn around(self, body: Body) -> Body {
        Body::from_stream(stream::unfold(Some((body.into_data_stream(), self)), async |held| {
            let (mut body, cleanup) = held?;
            match body.next().await {
                Some(item) => Some((item, Some((body, cleanup)))),
                None => {
                    cleanup.release();
                    None
                }
            }
        }))
    }
}

impl Drop for ExecCleanup {
    fn drop(&mut self) {
        if !self.cleanups.tied().remove(&self.exec) {
            return;
        }
        let (engine, caller) = (self.cleanups.engine.clone(), self.caller.clone());
        let (container, nonce) = (self.container.clone(), self.nonce.clone());
        tokio::spawn(async move {
            let ended = loop {
                match end(&engine, &caller, &container, &nonce).await {
                    // Behind other requests of its owner's: it goes nevertheless.
                    Err(Error::Engine(EngineError::Crowded(_))) => {}
                    ended => break ended,
                }
            };
            if let Err(error) = ended {
                tracing::debug!("what an exec left was not ended: {error}");
            }
        });
    }
}

async fn end(engine: &Engine, caller: &Caller, container: &Owned, nonce: &Nonce) -> Result<(), Error> {
    let wish = ExecWish {
        command: [COPY_IN_CONTAINER, "end", nonce.as_str()].map(str::to_owned).to_vec(),
        env: Vec::new(),
        working_dir: Some("/".to_owned()),
        tty: false,
        console: None,
        attach: [false; 3],
        detach_keys: None,
    };
    let exec = engine.exec_create(container, &exec_body(caller, container, &wish)).await?;
    Ok(engine.exec_detached(caller.uid(), &exec, false).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_counted_for_each_user_alone() {
        let cleanups = ExecCleanups::new(Engine::nowhere()).unwrap();
        let container = |digit: &str| ContainerId::parse(&digit.repeat(64)).unwrap();
        for n in 0..MOST_WAITING {
            let nonce = cleanups.nonce(1000).unwrap();
            let of = container(if n < 100 { "a" } else { "b" });
            cleanups.wait(ExecId::parse(&format!("{n:064x}")).unwrap(), 1000, of, nonce);
        }
        assert!(cleanups.nonce(1000).unwrap_err().to_string().contains("256"));
        assert!(cleanups.nonce(1001).is_ok());
        assert!(cleanups.take(&ExecId::parse(&format!("{:064x}", 7)).unwrap()).is_some());
        assert!(cleanups.take(&ExecId::parse(&format!("{:064x}", 7)).unwrap()).is_none());
        assert!(cleanups.nonce(1000).is_ok());
        // The engine was not asked: it waits on, and is counted.
        let eighth = ExecId::parse(&format!("{:064x}", 8)).unwrap();
        let taken = cleanups.take(&eighth);
        cleanups.put_back(&eighth, taken);
        cleanups.put_back(&eighth, None);
        assert_eq!(cleanups.waiting().len(), MOST_WAITING - 1);
        cleanups.forget(&container("b"));
        assert_eq!(cleanups.waiting().len(), 99);
        cleanups.forget_all_but(&HashSet::new(), Duration::from_secs(60));
        cleanups.forget_all_but(&HashSet::from([&container("a")]), Duration::ZERO);
        assert_eq!(cleanups.waiting().len(), 99);
        cleanups.forget_all_but(&HashSet::from([&container("b")]), Duration::ZERO);
        assert_eq!(cleanups.waiting().len(), 0);
    }
}
