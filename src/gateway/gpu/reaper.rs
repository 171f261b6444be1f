//! What must happen without anybody asking: warnings, ends of leases, the line, cards that fail.

use super::card::Card;
use super::lease::{Due, Lease};
use super::service::shown;
use crate::gateway::api::answer::clock;
use crate::gateway::engine::{ContainerId, Found, Patience};
use crate::gateway::state::Gateway;
use crate::protocol::amount::Span;
use jiff::Timestamp;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Leases are looked at this often.
const TICK: Duration = Duration::from_secs(1);
/// The cards are looked at this often.
const LOOK: Duration = Duration::from_secs(10);
/// What a container has to end in when its lease does, in seconds; then it is killed.
const GRACE: u32 = 10;
/// When the log has a word about one that goes on.
const LATE: Duration = Duration::from_secs(40);
/// How long the admin's program may take.
const HOOK: Duration = Duration::from_secs(10);

/// Looks at the cards for the first time: before that there are none.
pub(in crate::gateway) fn begin(gateway: &Gateway) {
    gateway.gpus.inventory.look(gateway.policy().gpus());
}

/// Runs for ever.
pub(in crate::gateway) async fn run(gateway: Arc<Gateway>) {
    let mut changes = gateway.gpus.changes();
    let mut looked = Instant::now();
    loop {
        let _changed = tokio::time::timeout(TICK, changes.changed()).await;
        if looked.elapsed() >= LOOK {
            look(&gateway).await;
            looked = Instant::now();
        }
        leases(&gateway);
        gateway.gpus.catch_up();
        gateway.gpus.serve(Timestamp::now());
    }
}

pub(in crate::gateway) async fn look(gateway: &Arc<Gateway>) {
    let looking = gateway.clone();
    let looked = tokio::task::spawn_blocking(move || looking.gpus.inventory.look(looking.policy().gpus()));
    for card in looked.await.unwrap_or_default() {
        tell_of_fault(gateway, &card);
    }
}

/// A card that failed is granted to nobody; who holds it is told, and decides.
fn tell_of_fault(gateway: &Arc<Gateway>, card: &Card) {
    let fault = card.fault.as_deref().unwrap_or_default();
    tracing::warn!(card = card.id.as_str(), fault, "a gpu is out of order");
    for (id, lease) in gateway.gpus.leases.all() {
        if lease.cards.contains(&card.id) {
            gateway.gpus.terminals.say(&id, &format!("gpu {} is out of order: {fault}", card.id));
            hook(gateway, "fault", &lease, Span(0));
        }
    }
}

/// What is due is taken up in the same step that finds it due: what is extended meanwhile is not ended.
fn leases(gateway: &Arc<Gateway>) {
    let (now, policy) = (Timestamp::now(), gateway.policy());
    let warnings = policy.gpus().warnings();
    for (id, lease, due) in gateway.gpus.leases.due(now, warnings) {
        match due {
            Due::Warning(left) => {
                if let Err(error) = gateway.gpus.leases.warned(&id, now, warnings) {
                    tracing::warn!("a lease cannot be written: {error}");
                }
                warn(gateway, &id, &lease, left);
            }
            Due::End => end(gateway, id, &lease),
        }
    }
}

fn warn(gateway: &Arc<Gateway>, id: &ContainerId, lease: &Lease, left: Span) {
    let (uid, login, cards) = (lease.uid, lease.login.as_str(), shown(&lease.cards));
    tracing::info!(uid, login, container = id.as_str(), cards, left = left.0, "gpu lease warned of");
    let name = &lease.container;
    let words = format!(
        "the gpus of {name} go at {}, in {left}; to keep them: ie-container extend {name} 1h",
        clock(lease.until)
    );
    gateway.gpus.terminals.say(id, &words);
    hook(gateway, "warning", lease, left);
}

fn end(gateway: &Arc<Gateway>, id: ContainerId, lease: &Lease) {
    let (uid, login, cards) = (lease.uid, lease.login.as_str(), shown(&lease.cards));
    tracing::info!(uid, login, container = id.as_str(), cards, "gpu lease ended");
    gateway.gpus.terminals.say(&id, &format!("the lease of {} has ended, it is stopped", lease.container));
    gateway.reasons.put(&id, "the lease of its gpus has ended".to_owned());
    hook(gateway, "end", lease, Span(0));
    tokio::spawn(stop(gateway.clone(), id, lease.since));
}

/// Stops a container whose lease is over. Without its lock, which whoever starts it has, and that may never end. But only
/// while it is this lease that ends: once the cards are free, it may run under another one.
async fn stop(gateway: Arc<Gateway>, id: ContainerId, since: Timestamp) {
    while gateway.gpus.leases.is_ending(&id, since) {
        // The engine's event that it died frees the cards. Until then nobody else has them.
        match told_when_late(&id, gateway.engine.stop(&id, None, Some(GRACE))).await {
            Ok(_) => return,
            Err(error) if error.is_not_found() => {
                if let Ok(container) = gateway.engine.lock_and_look(&id).await {
                    gateway.gpus.ended(&container);
                }
                return;
            }
            Err(error) => tracing::error!("a container whose lease is over does not stop: {error}"),
        }
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
}

/// A container that the engine is starting, for one, is not stopped before that is over: its admin reads why cards are held.
async fn told_when_late<T>(id: &ContainerId, stop: impl Future<Output = T>) -> T {
    let mut stop = std::pin::pin!(stop);
    if let Ok(stopped) = tokio::time::timeout(LATE, &mut stop).await {
        return stopped;
    }
    tracing::warn!(
        container = id.as_str(),
        "its lease is over and its cards are held, but the engine does not stop it"
    );
    stop.await
}

/// Compares leases with what is listed, and where they differ, with what runs: the engine's containers are the truth. False
/// if some could not be judged yet.
pub(in crate::gateway) async fn reconcile(
    gateway: &Gateway,
    everyones: &[Found],
    patience: &mut Patience,
) -> bool {
    let mut judged = true;
    for (id, lease) in gateway.gpus.leases.all() {
        match everyones.iter().find(|found| *found.id() == id) {
            Some(found) if found.running() && found.name().as_str() == lease.container => {}
            Some(found) if !found.running() && gateway.is_young() => judged = false,
            _ => set_right(gateway, &id, lease.uid, patience).await,
        }
    }
    for found in everyones.iter().filter(|found| found.running() && !found.labels().cards.is_empty()) {
        if gateway.gpus.leases.get(found.id()).is_none() {
            set_right(gateway, found.id(), found.owner(), patience).await;
        }
    }
    judged
}

/// Looked at again, while nobody here can start or rename it: since it was listed it may have ended, or run again.
async fn set_right(gateway: &Gateway, id: &ContainerId, owner: u32, patience: &mut Patience) {
    // Busy: it is being started, or somebody else sees to it.
    let again = patience.in_time(owner, gateway.engine.look_again(id, owner)).await;
    let Ok(Some(container)) = again else { return };
    if !container.runs() {
        return gateway.gpus.ended(&container);
    }
    gateway.gpus.lease_again(&container);
    if let Some(found) = container.found() {
        gateway.gpus.renamed(id, found.name());
    }
}

/// Runs the admin's program, if there is one: `HOOK EVENT LOGIN CONTAINER CARDS SECONDS`, as the gateway's own user.
fn hook(gateway: &Gateway, event: &'static str, lease: &Lease, left: Span) {
    let Some(program) = gateway.policy().gpus().hook().map(ToOwned::to_owned) else { return };
    let words = [
        event.to_owned(),
        lease.login.clone(),
        lease.container.clone(),
        shown(&lease.cards),
        left.0.to_string(),
    ];
    tokio::task::spawn_blocking(move || {
        let mut command = Command::new(&program);
        command.args(words).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        match command.spawn() {
            Ok(child) => wait_for(child),
            Err(error) => tracing::warn!("{} does not run: {error}", program.display()),
        }
    });
}

fn wait_for(mut child: std::process::Child) {
    let begun = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return,
            Ok(Some(status)) => return tracing::warn!("the gpu hook ended with {status}"),
            Ok(None) if begun.elapsed() < HOOK => std::thread::sleep(Duration::from_millis(50)),
            Ok(None) | Err(_) => {
                tracing::warn!("the gpu hook takes too long and is killed");
                let _gone = child.kill().and_then(|()| child.wait());
                return;
            }
        }
    }
}
