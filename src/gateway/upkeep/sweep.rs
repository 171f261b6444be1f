//! Keeping the house: what ended, vanished or was never started leaves no stage and no network behind.

use crate::gateway::engine::{
    ContainerId, EngineError, Found, Locked, Patience, Target, read_lines, stage_tokens,
};
use crate::gateway::host::trouble::Trouble;
use crate::gateway::state::Gateway;
use crate::protocol::stage::Token;
use futures_util::StreamExt;
use hyper::Method;
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
/// A container of `run --rm` that was never started is its dead client's: it is given this long.
const NEVER_STARTED: i64 = 120;
/// And one that has ended so long ago is not being removed any more: the engine has tried, and failed.
const GIVEN_UP: SignedDuration = SignedDuration::from_secs(60);

/// Runs for ever: follows the engine's events, and sweeps now and then, and whenever events may have been missed.
pub(in crate::gateway) async fn run(gateway: Arc<Gateway>) {
    let missed = Notify::new();
    let look_back = super::boots::look_back(&gateway);
    tokio::join!(look_back, sweep_for_ever(&gateway, &missed), follow_for_ever(&gateway, &missed));
}

async fn sweep_for_ever(gateway: &Arc<Gateway>, missed: &Notify) {
    let trouble = Trouble::new("a sweep was not finished");
    loop {
        match sweep(gateway).await {
            Ok(next) => {
                trouble.is_over();
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

async fn follow_for_ever(gateway: &Arc<Gateway>, missed: &Notify) {
    let trouble = Trouble::new("the engine's events broke off");
    loop {
        if let Err(error) = follow(gateway, missed, &trouble).await {
            trouble.is(error);
            gateway.engine.forget_version();
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Compares what is there with what should be: the engine's containers are the truth. When to sweep again.
async fn sweep(gateway: &Arc<Gateway>) -> Result<Duration, Box<dyn std::error::Error + Send + Sync>> {
    gateway.engine.tidy_gives().await?;
    // A container that is listed as ended may be one that the engine is starting for a gateway that was killed.
    let young = gateway.is_young();
    // Before the listing: what a create or start that began since relies on would be in neither. Nor would one be listed
    // that was made since, and is stopped already.
    let (since, noted) = (gateway.stager.moment(), gateway.reasons.noted());
    let watched = super::output::before(gateway);
    let everyones = gateway.engine.everyones().await?;
    let wanted: HashSet<Token> =
        everyones.iter().filter(|found| young || needs_stages(found)).flat_map(stages).collect();
    super::output::keep(gateway, &watched, &everyones);
    let channels = everyones.iter().filter_map(|found| found.labels().channel.clone()).collect();
    gateway.channel.keep(channels, &since);
    // Without the mount helper the rest is done all the same.
    let kept = gateway.stager.keep(wanted, since).await;
    match kept {
        Ok(Some(0)) | Err(_) => {}
        Ok(Some(gone)) => tracing::info!(gone, "stages without a container were taken away"),
        Ok(None) => tracing::debug!("a stage hangs, the next sweep sees to the rest"),
    }
    let there: HashSet<&ContainerId> = everyones.iter().map(Found::id).collect();
    noted.iter().filter(|id| !there.contains(id)).for_each(|id| gateway.reasons.forget(id));
    gateway.reasons.catch_up();
    let running = everyones.iter().filter(|found| found.running()).map(Found::id).collect();
    gateway.leashes.forget_all_but(&running, SWEEP);
    let mut patience = Patience::default();
    for found in everyones.iter().filter(|found| was_abandoned(found)) {
        // One that the engine does not answer for is no reason to keep the others.
        if let Err(error) = patience.in_time(found.owner(), remove(gateway, found)).await {
            tracing::warn!(
                container = found.id().as_str(),
                "of run --rm, was never started or is still there, is not removed: {error}"
            );
        }
    }
    let judged = crate::gateway::gpu::reaper::reconcile(gateway, &everyones, &mut patience).await;
    for uid in gateway.engine.networked().await? {
        // Busy: their own last removal, or the next sweep, sees to it.
        if !everyones.iter().any(|found| found.owner() == uid)
            && let Some(turn) = gateway.engine.try_turn(uid)
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

async fn remove(gateway: &Gateway, found: &Found) -> Result<(), EngineError> {
    let (id, owner) = (found.id(), found.owner());
    // Its image is looked through before its first start, for as long as that takes.
    if gateway.removals.is_awaited(id) {
        return Ok(());
    }
    // Busy: the next sweep sees to it. Started since it was listed: it is its owner's.
    let again = gateway.engine.look_again(id, owner).await?;
    let Some(container) = again.filter(is_left) else { return Ok(()) };
    if gateway.engine.remove_stopped(&container, owner).await? {
        let container = id.as_str();
        tracing::info!(container, "a container of run --rm that nobody has removed is removed");
    }
    Ok(())
}

/// Follows the engine's events: an ended container's stages go at once, the last one's network too.
async fn follow(
    gateway: &Arc<Gateway>,
    missed: &Notify,
    trouble: &Trouble,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let events = ["die", "destroy", "commit", "delete", "import", "load", "pull", "tag"];
    let filters = serde_json::json!({ "type": ["container", "image"], "event": events }).to_string();
    let answer = gateway.engine.call(Method::GET, Target::new("/events").with("filters", &filters)).await?;
    trouble.is_over();
    missed.notify_one();
    gateway.looks.news.notify_one();
    let mut events = Box::pin(read_lines(answer.into_body()));
    while let Some(line) = events.next().await {
        let event: Value = serde_json::from_slice(&line?)?;
        // Each on its own: a container whose lock is held keeps nobody else's stage waiting.
        tokio::spawn(note(gateway.clone(), event));
    }
    Err("the engine closed them".into())
}

async fn note(gateway: Arc<Gateway>, event: Value) {
    let action = event.get("Action").and_then(Value::as_str);
    if !matches!(action, Some("die" | "destroy")) {
        return gateway.looks.news.notify_one();
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
        gateway.output.dies(&id);
    }
    if destroyed {
        gateway.removals.gone(&id);
        gateway.attaches.forget(&id);
    }
    ended(&gateway, &id, stages).await;
    if !destroyed {
        return;
    }
    if let Some(channel) = attribute("channel").and_then(|word| Token::try_from(word.to_owned()).ok()) {
        gateway.channel.remove(&channel);
    }
    if let Err(error) = gateway.engine.turn(uid).await.tidy_network().await {
        tracing::warn!("a network is left for the next sweep: {error}");
    }
}

/// Takes the stages of a container that ended, unless it was started again meanwhile.
pub(in crate::gateway) async fn ended(gateway: &Gateway, id: &ContainerId, stages: Vec<Token>) {
    // What the engine does not tell of may run: the next sweep sees to it.
    let Ok(container) = gateway.engine.lock_and_look(id).await else { return };
    if container.runs() {
        return;
    }
    gateway.output.ended(id);
    gateway.gpus.ended(&container);
    gateway.marks.forget(id);
    gateway.leashes.forget(id);
    crate::gateway::mark::at("end-freed");
    for token in stages {
        if let Err(error) = gateway.stager.unstage(&token).await {
            tracing::warn!("a stage is left for the next sweep: {error}");
        }
    }
}
