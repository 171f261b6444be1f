//! What must happen without anybody asking: warnings, ends of leases, the line, cards that fail.

use super::card::Card;
use super::lease::{Due, Lease};
use super::service::{Gpus, shown};
use crate::gateway::bounds::youth::Youth;
use crate::gateway::caller::in_force::InForce;
use crate::gateway::engine::{ContainerId, Found, Patience};
use crate::gateway::records::clock::clock;
use crate::gateway::records::reasons::Reasons;
use crate::gateway::records::restarts::Restarts;
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

/// Who ends what is over.
#[derive(Debug)]
pub(in crate::gateway) struct Reaper {
    pub(in crate::gateway) gpus: Arc<Gpus>,
    pub(in crate::gateway) in_force: Arc<InForce>,
    pub(in crate::gateway) reasons: Arc<Reasons>,
    pub(in crate::gateway) restarts: Arc<Restarts>,
    pub(in crate::gateway) youth: Youth,
}

impl Reaper {
    /// Looks at the cards for the first time: before that there are none.
    pub(in crate::gateway) fn begin(&self) {
        self.gpus.inventory.look(self.in_force.policy().gpus());
    }

    pub(in crate::gateway) async fn look(self: &Arc<Self>) {
        look(self).await;
    }

    /// Compares leases with what is listed, and where they differ, with what runs: the engine's containers are the truth.
    /// False if some could not be judged yet.
    pub(in crate::gateway) async fn reconcile(&self, everyones: &[Found], patience: &mut Patience) -> bool {
        reconcile(self, everyones, patience).await
    }
}

/// Runs for ever.
pub(in crate::gateway) async fn run(reaper: Arc<Reaper>) {
    let mut changes = reaper.gpus.changes();
    let mut looked = Instant::now();
    loop {
        let _changed = tokio::time::timeout(TICK, changes.changed()).await;
        if looked.elapsed() >= LOOK {
            look(&reaper).await;
            looked = Instant::now();
        }
        leases(&reaper);
        reaper.gpus.catch_up();
        reaper.gpus.serve(Timestamp::now());
    }
}

async fn look(reaper: &Arc<Reaper>) {
    let looking = reaper.clone();
    let looked =
        tokio::task::spawn_blocking(move || looking.gpus.inventory.look(looking.in_force.policy().gpus()));
    for card in looked.await.unwrap_or_default() {
        tell_of_fault(reaper, &card);
    }
}

/// A card that failed is granted to nobody; who holds it is told, and decides.
fn tell_of_fault(reaper: &Arc<Reaper>, card: &Card) {
    let fault = card.fault.as_deref().unwrap_or_default();
    tracing::warn!(card = card.id.as_str(), fault, "a gpu is out of order");
    for (id, lease) in reaper.gpus.leases.all() {
        if lease.cards.contains(&card.id) {
            reaper.gpus.terminals.say(&id, &format!("gpu {} is out of order: {fault}", card.id));
            hook(reaper, "fault", &lease, Span(0));
        }
    }
}

/// What is due is taken up in the same step that finds it due: what is extended meanwhile is not ended.
fn leases(reaper: &Arc<Reaper>) {
    let (now, policy) = (Timestamp::now(), reaper.in_force.policy());
    let warnings = policy.gpus().warnings();
    for (id, lease, due) in reaper.gpus.leases.due(now, warnings) {
        match due {
            Due::Warning(left) => {
                if let Err(error) = reaper.gpus.leases.warned(&id, now, warnings) {
                    tracing::warn!("a lease cannot be written: {error}");
                }
                warn(reaper, &id, &lease, left);
            }
            Due::End => end(reaper, id, &lease),
        }
    }
}

fn warn(reaper: &Arc<Reaper>, id: &ContainerId, lease: &Lease, left: Span) {
    let (uid, login, cards) = (lease.uid, lease.login.as_str(), shown(&lease.cards));
    tracing::info!(uid, login, container = id.as_str(), cards, left = left.0, "gpu lease warned of");
    let name = &lease.container;
    let words = format!(
        "the gpus of {name} go at {}, in {left}; to keep them: ie-container extend {name} 1h",
        clock(lease.until)
    );
    reaper.gpus.terminals.say(id, &words);
    hook(reaper, "warning", lease, left);
}

fn end(reaper: &Arc<Reaper>, id: ContainerId, lease: &Lease) {
    let (uid, login, cards) = (lease.uid, lease.login.as_str(), shown(&lease.cards));
    tracing::info!(uid, login, container = id.as_str(), cards, "gpu lease ended");
    reaper.gpus.terminals.say(&id, &format!("the lease of {} has ended, it is stopped", lease.container));
    reaper.reasons.put(&id, "the lease of its gpus has ended".to_owned());
    reaper.restarts.stop_any(&id);
    hook(reaper, "end", lease, Span(0));
    tokio::spawn(stop(reaper.clone(), id, lease.since));
}

/// Stops a container whose lease is over. Without its lock, which whoever starts it has, and that may never end. But only
/// while it is this lease that ends: once the cards are free, it may run under another one.
async fn stop(reaper: Arc<Reaper>, id: ContainerId, since: Timestamp) {
    while reaper.gpus.leases.is_ending(&id, since) {
        // The engine's event that it died frees the cards. Until then nobody else has them.
        match told_when_late(&id, reaper.gpus.engine.stop(&id, None, Some(GRACE))).await {
            Ok(_) => return,
            Err(error) if error.is_not_found() => {
                if let Ok(container) = reaper.gpus.engine.lock_and_look(&id).await {
                    reaper.gpus.ended(&container);
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

async fn reconcile(reaper: &Reaper, everyones: &[Found], patience: &mut Patience) -> bool {
    let mut judged = true;
    for (id, lease) in reaper.gpus.leases.all() {
        match everyones.iter().find(|found| *found.id() == id) {
            Some(found) if found.running() && found.name().as_str() == lease.container => {}
            Some(found) if !found.running() && reaper.youth.lasts() => judged = false,
            _ => set_right(reaper, &id, lease.uid, patience).await,
        }
    }
    for found in everyones.iter().filter(|found| found.running() && !found.labels().cards.is_empty()) {
        if reaper.gpus.leases.get(found.id()).is_none() {
            set_right(reaper, found.id(), found.owner(), patience).await;
        }
    }
    judged
}

/// Looked at again, while nobody here can start or rename it: since it was listed it may have ended, or run again.
async fn set_right(reaper: &Reaper, id: &ContainerId, owner: u32, patience: &mut Patience) {
    // Busy: it is being started, or somebody else sees to it.
    let again = patience.in_time(owner, reaper.gpus.engine.look_again(id, owner)).await;
    let Ok(Some(container)) = again else { return };
    if !container.runs() {
        return reaper.gpus.ended(&container);
    }
    reaper.gpus.lease_again(&container);
    if let Some(found) = container.found() {
        reaper.gpus.renamed(id, found.name());
    }
}

/// Runs the admin's program, if there is one: `HOOK EVENT LOGIN CONTAINER CARDS SECONDS`, as the gateway's own user.
fn hook(reaper: &Reaper, event: &'static str, lease: &Lease, left: Span) {
    let Some(program) = reaper.in_force.policy().gpus().hook().map(ToOwned::to_owned) else { return };
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
