//! Processes started by exec end when the caller who is attached to them goes away.
//!
//! No engine can end an exec, and no program of ours may signal a user's processes from outside. So each exec gets a mark
//! in its environment, and the helper in the container ends what bears it, as the user.

use super::channel;
use super::create::ExecWish;
use super::engine::{ExecId, Owned, exec_body};
use super::error::Error;
use super::peer::Peer;
use super::state::Gateway;
use crate::protocol::leash::Mark;
use crate::protocol::place::COPY_IN_CONTAINER;
use crate::protocol::report::Refusal;
use axum::body::Body;
use futures_util::{StreamExt, stream};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How many exec instances of one user may wait to be started, each for a moment: an engine keeps every one in memory
/// until its container is removed.
const MOST_WAITING: usize = 256;
const MOMENT: Duration = Duration::from_secs(300);

/// The marks of exec instances that were made and not yet started, and those whose callers are attached. A gateway that is
/// restarted has forgotten them; what is started then ends by itself or with its container.
#[derive(Debug, Default)]
pub(super) struct Leashes {
    waiting: Mutex<HashMap<ExecId, Waiting>>,
    tied: Mutex<HashSet<ExecId>>,
}

#[derive(Debug)]
struct Waiting {
    uid: u32,
    mark: Mark,
    since: Instant,
}

impl Leashes {
    /// A mark for one more exec of this user's.
    pub(super) fn mark(&self, uid: u32) -> Result<Mark, Error> {
        let mut waiting = self.waiting();
        waiting.retain(|_, one| one.since.elapsed() < MOMENT);
        let own = waiting.values().filter(|one| one.uid == uid).count();
        drop(waiting);
        if own >= MOST_WAITING {
            let message =
                format!("{own} exec instances of yours wait to be started, the most is {MOST_WAITING}");
            return Err(Refusal::new("quota", message)
                .rule("exec")
                .hint("start them, or wait 5 minutes")
                .into());
        }
        channel::mark()
    }

    pub(super) fn keep(&self, exec: ExecId, uid: u32, mark: Mark) {
        self.waiting().insert(exec, Waiting { uid, mark, since: Instant::now() });
    }

    /// The mark of an exec that is started now.
    pub(super) fn take(&self, exec: &ExecId) -> Option<Mark> {
        self.waiting().remove(exec).map(|one| one.mark)
    }

    /// The caller leaves the process on purpose.
    pub(super) fn untie(&self, exec: &ExecId) {
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
pub(super) struct Leash {
    gateway: Arc<Gateway>,
    peer: Peer,
    container: Owned,
    exec: ExecId,
    mark: Mark,
}

impl Leash {
    pub(super) fn new(gateway: Arc<Gateway>, peer: Peer, container: Owned, exec: ExecId, mark: Mark) -> Self {
        gateway.leashes.tied().insert(exec.clone());
        Self { gateway, peer, container, exec, mark }
    }

    /// The process has ended by itself.
    pub(super) fn release(self) {
        self.gateway.leashes.untie(&self.exec);
    }

    /// A body that holds the leash until its end.
    pub(super) fn around(self, body: Body) -> Body {
        Body::from_stream(stream::unfold(Some((body.into_data_stream(), self)), async |held| {
            let (mut body, leash) = held?;
            match body.next().await {
                Some(item) => Some((item, Some((body, leash)))),
                None => {
                    leash.release();
                    None
                }
            }
        }))
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        if !self.gateway.leashes.tied().remove(&self.exec) {
            return;
        }
        let (gateway, peer) = (self.gateway.clone(), self.peer.clone());
        let (container, mark) = (self.container.clone(), self.mark.clone());
        tokio::spawn(async move {
            if let Err(error) = end(&gateway, &peer, &container, &mark).await {
                tracing::debug!("what an exec left was not ended: {error}");
            }
        });
    }
}

async fn end(gateway: &Gateway, peer: &Peer, container: &Owned, mark: &Mark) -> Result<(), Error> {
    let wish = ExecWish {
        command: [COPY_IN_CONTAINER, "end", mark.as_str()].map(str::to_owned).to_vec(),
        env: Vec::new(),
        working_dir: Some("/".to_owned()),
        tty: false,
        attach: [false; 3],
        detach_keys: None,
    };
    let exec = gateway.engine.exec_create(container, &exec_body(peer, container, &wish)).await?;
    gateway.engine.exec_start(&exec, true, false).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_counted_for_each_user_alone() {
        let leashes = Leashes::default();
        for n in 0..MOST_WAITING {
            let mark = leashes.mark(1000).unwrap();
            leashes.keep(ExecId::parse(&format!("{n:064x}")).unwrap(), 1000, mark);
        }
        assert!(leashes.mark(1000).unwrap_err().to_string().contains("256"));
        assert!(leashes.mark(1001).is_ok());
        assert!(leashes.take(&ExecId::parse(&format!("{:064x}", 7)).unwrap()).is_some());
        assert!(leashes.take(&ExecId::parse(&format!("{:064x}", 7)).unwrap()).is_none());
        assert!(leashes.mark(1000).is_ok());
    }
}
