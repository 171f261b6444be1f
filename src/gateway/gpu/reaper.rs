//! What must happen without anybody asking: warnings, ends of leases, the line, cards that fail.

use super::card::Card;
use super::lease::{Due, Lease, Leases};
use super::service::shown;
use crate::gateway::answer::clock;
use crate::gateway::engine::{ContainerId, Found, Patience, Target};
use crate::gateway::state::Gateway;
use crate::protocol::amount::Span;
use hyper::Method;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::HashSet;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Leases are looked at this often.
const TICK: Duration = Duration::from_secs(1);
/// The cards are looked at this often.
const LOOK: Duration = Duration::from_secs(10);
/// What a container has to end in when its lease does, in seconds; then it is killed.
const GRACE: &str = "10";
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
    let (mut looked, mut ending) = (Instant::now(), Ending::default());
    loop {
        let _changed = tokio::time::timeout(TICK, changes.changed()).await;
        if looked.elapsed() >= LOOK {
            look(&gateway).await;
            looked = Instant::now();
        }
        leases(&gateway, &mut ending);
        gateway.gpus.catch_up();
        gateway.gpus.serve();
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

/// Leases whose containers were told to stop. Started again at once, a container has another lease, which ends too.
#[derive(Debug, Default)]
struct Ending(HashSet<(ContainerId, Timestamp)>);

impl Ending {
    /// False if it was begun already.
    fn begin(&mut self, id: &ContainerId, lease: &Lease) -> bool {
        self.0.insert((id.clone(), lease.since))
    }

    fn retain(&mut self, leases: &Leases) {
        self.0.retain(|(id, since)| leases.get(id).is_some_and(|lease| lease.since == *since));
    }
}

fn leases(gateway: &Arc<Gateway>, ending: &mut Ending) {
    let (now, policy) = (Timestamp::now(), gateway.policy());
    let warnings = policy.gpus().warnings();
    ending.retain(&gateway.gpus.leases);
    for (id, due) in gateway.gpus.leases.due(now, warnings) {
        let Some(lease) = gateway.gpus.leases.get(&id) else { continue };
        match due {
            Due::Warning(left) => {
                if let Err(error) = gateway.gpus.leases.warned(&id, now, warnings) {
                    tracing::warn!("a lease cannot be written: {error}");
                }
                warn(gateway, &id, &lease, left);
            }
            Due::End if ending.begin(&id, &lease) => end(gateway, id, &lease),
            Due::End => {}
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
    let gateway = gateway.clone();
    tokio::spawn(async move {
        let target = Target::new(format!("/containers/{id}/stop")).with("t", GRACE);
        // The engine's event that it died frees the cards. Until then nobody else has them.
        while let Err(error) = told_when_late(&id, gateway.engine.call(Method::POST, target.clone())).await {
            if error.is_not_found() {
                gateway.gpus.ended(&id, Timestamp::now());
                break;
            }
            tracing::error!("a container whose lease is over does not stop: {error}");
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
    });
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

/// Compares leases with what runs: the engine's containers are the truth. False if some could not be judged yet.
pub(in crate::gateway) async fn reconcile(
    gateway: &Gateway,
    everyones: &[Found],
    patience: &mut Patience,
) -> bool {
    let now = Timestamp::now();
    let mut judged = true;
    for (id, lease) in gateway.gpus.leases.all() {
        match everyones.iter().find(|found| *found.id() == id) {
            Some(found) if found.running() => gateway.gpus.renamed(&id, found.name()),
            Some(_) if gateway.is_young() => judged = false,
            _ => end_unless_it_runs(gateway, &id, &lease, patience).await,
        }
    }
    for found in everyones.iter().filter(|found| found.running() && !found.labels().cards.is_empty()) {
        if gateway.gpus.leases.get(found.id()).is_none() {
            let labels = found.labels();
            let since = moment(gateway, found, "/State/StartedAt", patience).await.unwrap_or(now);
            let lease = Lease {
                uid: labels.uid,
                login: labels.login.clone(),
                container: found.name().to_string(),
                cards: labels.cards.clone(),
                since,
                until: super::lease::after(since, labels.time),
                warned: Vec::new(),
            };
            tracing::warn!(container = found.id().as_str(), "a lease was missing and is made again");
            if let Err(error) = gateway.gpus.leases.hold(found.id(), lease) {
                tracing::error!("a lease cannot be written yet: {error}");
            }
        }
    }
    judged
}

/// Looked at again, while nobody here can start it: it may run since it was listed.
async fn end_unless_it_runs(gateway: &Gateway, id: &ContainerId, lease: &Lease, patience: &mut Patience) {
    // Busy: it is being started, or somebody else sees to it.
    let Some(_lock) = gateway.engine.try_lock(id) else { return };
    let target = Target::new(format!("/containers/{id}/json")).of_upkeep(lease.uid);
    let ended = match patience.in_time(lease.uid, gateway.engine.get(target)).await {
        Ok(details) if details.pointer("/State/Running").and_then(Value::as_bool) == Some(false) => {
            time_at(&details, "/State/FinishedAt").unwrap_or(lease.since)
        }
        Err(error) if error.is_not_found() => Timestamp::now(),
        _ => return,
    };
    gateway.gpus.ended(id, ended.max(lease.since));
}

fn time_at(details: &Value, pointer: &str) -> Option<Timestamp> {
    details.pointer(pointer).and_then(Value::as_str)?.parse().ok()
}

async fn moment(
    gateway: &Gateway,
    found: &Found,
    pointer: &str,
    patience: &mut Patience,
) -> Option<Timestamp> {
    let target = Target::new(format!("/containers/{}/json", found.id())).of_upkeep(found.owner());
    let details = patience.in_time(found.owner(), gateway.engine.get(target)).await.ok()?;
    time_at(&details, pointer)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_lease_of_a_container_ends_once() {
        let dir = tempfile::tempdir().unwrap();
        let (leases, mut ending) = (Leases::open(dir.path()), Ending::default());
        let id = ContainerId::parse(&"a".repeat(64)).unwrap();
        let lease = |since: i64| Lease {
            uid: 1000,
            login: "ann".into(),
            container: "train".into(),
            cards: vec!["GPU-0".parse().unwrap()],
            since: Timestamp::from_second(since).unwrap(),
            until: Timestamp::from_second(since + 2).unwrap(),
            warned: vec![],
        };
        leases.put(&id, lease(0)).unwrap();
        assert!(ending.begin(&id, &lease(0)) && !ending.begin(&id, &lease(0)));
        // Ended and started again between two looks.
        leases.end(&id);
        leases.put(&id, lease(5)).unwrap();
        ending.retain(&leases);
        assert!(ending.begin(&id, &lease(5)) && !ending.begin(&id, &lease(5)));
        leases.end(&id);
        ending.retain(&leases);
        assert!(ending.0.is_empty());
    }
}
