//! Keeping the house: what ended, vanished or was never started leaves no stage and no network behind.
//!
//! The gateway follows the engine's events, and sweeps once a minute and at its own start. A sweep takes away stages
//! that no container needs and networks of users without containers. It removes `run --rm` containers whose client died
//! before the start, and those that the engine has failed to remove.
//!
//! A list is old when it is acted on, because a sweep waits for engines, locks and name services. So a list only says
//! where to look. A container is acted on through `Locked`. Networks are counted again under their owner's turn. Stages
//! are compared with what was relied on since before the listing.

use super::boots::{self, Boots};
use super::release::Release;
use crate::gateway::bounds::youth::Youth;
use crate::gateway::engine::{ContainerId, EngineError, Found, Locked, Patience, stage_tokens};
use crate::gateway::gpu::reaper::Reaper;
use crate::gateway::host::channel::Channel;
use crate::gateway::host::trouble::Trouble;
use crate::gateway::images::look::Looks;
use crate::gateway::locks::lock::Locks;
use crate::gateway::records::resized::Resized;
use crate::gateway::records::restarts::{Ended, Restarts};
use crate::gateway::sessions::pending::Attaches;
use crate::protocol::stage::Token;
use futures_util::StreamExt;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::Notify;

/// Sweeps come this often, and at once when the engine's events come anew.
const SWEEP: Duration = Duration::from_secs(60);
/// The next one, when something could not be judged yet.
const SOON: Duration = Duration::from_secs(5);
/// After a failure, before the next try.
const PAUSE: Duration = Duration::from_secs(1);
/// A container of `run --rm` that was never started is its dead client's: it is given so many seconds.
const NEVER_STARTED: i64 = 120;
/// And one that has ended so long ago is not being removed any more: the engine has tried, and failed.
const GIVEN_UP: SignedDuration = SignedDuration::from_secs(60);

/// Who sweeps.
#[derive(Debug)]
pub(in crate::gateway) struct Sweep {
    pub(in crate::gateway) youth: Youth,
    pub(in crate::gateway) boots: Arc<Boots>,
    pub(in crate::gateway) resized: Arc<Resized>,
    pub(in crate::gateway) restarts: Arc<Restarts>,
    pub(in crate::gateway) channel: Arc<Channel>,
    pub(in crate::gateway) looks: Arc<Looks>,
    pub(in crate::gateway) locks: Arc<Locks>,
    pub(in crate::gateway) attaches: Arc<Attaches>,
    pub(in crate::gateway) reaper: Arc<Reaper>,
    pub(in crate::gateway) release: Arc<Release>,
}

/// Runs for ever: follows the engine's events, and sweeps now and then, and whenever events may have been missed.
pub(in crate::gateway) async fn run(all: Arc<Sweep>) {
    let missed = Notify::new();
    let look_back = boots::look_back(&all.boots, &all.release.engine, &all.reaper.reasons);
    tokio::join!(look_back, sweep_for_ever(&all, &missed), follow_for_ever(&all, &missed));
}

async fn sweep_for_ever(all: &Arc<Sweep>, missed: &Notify) {
    let trouble = Trouble::new("a sweep was not finished");
    let mut swept = false;
    loop {
        match sweep(all).await {
            Ok(next) => {
                trouble.is_over();
                if !std::mem::replace(&mut swept, true) {
                    tracing::info!("the first sweep is done");
                }
                // Whatever ends it, the wait for it is over.
                drop(tokio::time::timeout(next, missed.notified()).await);
            }
            Err(error) => {
                trouble.is(error);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn follow_for_ever(all: &Arc<Sweep>, missed: &Notify) {
    let trouble = Trouble::new("the engine's events broke off");
    loop {
        if let Err(error) = follow(all, missed, &trouble).await {
            trouble.is(error);
            all.release.engine.forget_version();
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Compares what is there with what should be: the engine's containers are the truth. When to sweep again.
async fn sweep(all: &Arc<Sweep>) -> Result<Duration, Box<dyn std::error::Error + Send + Sync>> {
    all.release.engine.tidy_gives().await?;
    // A container that is listed as ended may be one that the engine is starting for a gateway that was killed.
    let young = all.youth.lasts();
    // Before the listing: what a create or start that began since relies on would be in neither. Nor would one be listed
    // that was made since, and is stopped already.
    let (since, noted) = (all.release.stager.moment(), all.reaper.reasons.noted());
    let (resized, restarts) = (all.resized.noted(), all.restarts.noted());
    let watched = all.release.output.before();
    let everyones = all.release.engine.everyones().await?;
    let wanted: HashSet<Token> =
        everyones.iter().filter(|found| young || needs_stages(found)).flat_map(stages).collect();
    all.release.output.keep(&watched, &everyones);
    let channels = everyones.iter().filter_map(|found| found.labels().channel.clone()).collect();
    all.channel.keep(channels, &since);
    // Without the mount helper the rest is done all the same.
    let kept = all.release.stager.keep(wanted, since).await;
    match kept {
        Ok(Some(0)) | Err(_) => {}
        Ok(Some(gone)) => tracing::info!(gone, "stages without a container were taken away"),
        Ok(None) => tracing::debug!("a stage hangs, the next sweep sees to the rest"),
    }
    let there: HashSet<&ContainerId> = everyones.iter().map(Found::id).collect();
    noted.iter().filter(|id| !there.contains(id)).for_each(|id| all.reaper.reasons.forget(id));
    all.reaper.reasons.catch_up();
    resized.iter().filter(|id| !there.contains(id)).for_each(|id| all.resized.forget(id));
    restarts.iter().filter(|id| !there.contains(id)).for_each(|id| all.restarts.forget(id));
    all.restarts.catch_up();
    all.restarts.left(&everyones);
    let running = everyones.iter().filter(|found| found.running()).map(Found::id).collect();
    all.release.cleanups.forget_all_but(&running, SWEEP);
    let mut patience = Patience::default();
    for found in everyones.iter().filter(|found| was_abandoned(found)) {
        // One that the engine does not answer for is no reason to keep the others.
        if let Err(error) = patience.in_time(found.owner(), remove(all, found)).await {
            tracing::warn!(
                container = found.id().as_str(),
                "of run --rm, was never started or is still there, is not removed: {error}"
            );
        }
    }
    let judged = all.reaper.reconcile(&everyones, &mut patience).await;
    for uid in all.release.engine.networked().await? {
        // Busy: their own last removal, or the next sweep, sees to it.
        if !everyones.iter().any(|found| found.owner() == uid)
            && let Some(turn) = all.release.engine.try_turn(uid)
        {
            turn.tidy_network().await?;
        }
    }
    Ok(if young || kept?.is_none() || !judged { SOON } else { SWEEP })
}

/// A container that ended is staged anew when it is started.
fn needs_stages(found: &Found) -> bool {
    !matches!(found.state(), "exited" | "dead" | "removing")
}

fn stages(found: &Found) -> impl Iterator<Item = Token> + '_ {
    found.labels().stages.iter().map(|stage| stage.token.clone())
}

/// Whether it was to go by itself, and may never do: where to look again. An engine that has failed to remove one goes on
/// listing it as it was in the midst of that.
fn was_abandoned(found: &Found) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    let age = i64::try_from(now).unwrap_or_default() - found.created();
    let may_be = match found.state() {
        "created" => age > NEVER_STARTED,
        state => matches!(state, "exited" | "dead" | "removing"),
    };
    found.labels().auto_remove && may_be
}

/// The same by the engine's books.
fn is_left(container: &Locked) -> bool {
    let since = container.ended().map(|ended| Timestamp::now().duration_since(ended));
    container.never_ran() || since.is_some_and(|since| since > GIVEN_UP)
}

async fn remove(all: &Sweep, found: &Found) -> Result<(), EngineError> {
    let (id, owner) = (found.id(), found.owner());
    // Its image is looked through before its first start, for as long as that takes.
    if all.locks.removals.is_awaited(id) {
        return Ok(());
    }
    // Busy: the next sweep sees to it. Started since it was listed: it is its owner's.
    let again = all.release.engine.look_again(id, owner).await?;
    let Some(container) = again.filter(is_left) else { return Ok(()) };
    if all.release.engine.remove_stopped(&container, owner).await? {
        let container = id.as_str();
        tracing::info!(container, "a container of run --rm that nobody has removed is removed");
    }
    Ok(())
}

/// Follows the engine's events: an ended container's stages go at once, the last one's network too.
async fn follow(
    all: &Arc<Sweep>,
    missed: &Notify,
    trouble: &Trouble,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut events = Box::pin(all.release.engine.hear().await?);
    trouble.is_over();
    missed.notify_one();
    all.looks.news.notify_one();
    while let Some(event) = events.next().await {
        let event = event?;
        // Each on its own: a container whose lock is held keeps nobody else's stage waiting.
        tokio::spawn(note(all.clone(), event));
    }
    Err("the engine closed them".into())
}

async fn note(all: Arc<Sweep>, event: Value) {
    let action = event.get("Action").and_then(Value::as_str);
    if action == Some("create") {
        return;
    }
    if !matches!(action, Some("die" | "destroy")) {
        return all.looks.news.notify_one();
    }
    let attribute = |key: &str| {
        event.pointer(&format!("/Actor/Attributes/io.ie-container.{key}")).and_then(Value::as_str)
    };
    let id = event.pointer("/Actor/ID").and_then(Value::as_str).and_then(ContainerId::parse);
    // An image may bring labels that look like ours: only with a name that agrees is it a container of ours.
    let name = event.pointer("/Actor/Attributes/name").and_then(Value::as_str);
    let uid = attribute("uid").and_then(|uid| uid.parse::<u32>().ok());
    let Some(uid) = uid.filter(|uid| name.is_some_and(|name| name.starts_with(&format!("ie-{uid}-")))) else {
        return;
    };
    let (Some(id), Some(stages)) = (id, attribute("stages").and_then(stage_tokens)) else { return };
    let destroyed = action == Some("destroy");
    if !destroyed {
        all.release.output.dies(&id);
    }
    if destroyed {
        all.locks.removals.gone(&id);
        all.attaches.forget(&id);
    }
    all.release.ended(&id, stages).await;
    if !destroyed {
        // After what it had is free again: its next start asks anew.
        if all.restarts.concerns(&id, attribute("restart")) {
            all.restarts.ended(Ended { id, uid });
        }
        return;
    }
    all.restarts.forget(&id);
    if let Some(channel) = attribute("channel").and_then(|word| Token::try_from(word.to_owned()).ok()) {
        all.channel.remove(&channel);
    }
    if let Err(error) = all.release.engine.turn(uid).await.tidy_network().await {
        tracing::warn!("a network is left for the next sweep: {error}");
    }
}
