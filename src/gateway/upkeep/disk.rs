//! The disk: measured again and again; of whoever has more than may be, what goes on writing is stopped.
//!
//! The engine has no limit of its own for what a container writes into its layer or into a volume. So this is after the
//! fact: between two measurements somebody can write as much as the disk is fast. What does not write is left alone.
//!
//! `/system/df` is asked each minute and put down by owner in `engine/disk.rs`. A user who is over the limit starts
//! nothing more. Of that user's containers those are stopped that have written since the measurement before, themselves
//! or into a volume of the user's.
//!
//! The name service says whose limits count. While it is silent, nobody is stopped, and the next measurement asks
//! again.

use super::stopping::{STOPPING, Stops, Whom, stop};
use crate::gateway::caller::absent::Absent;
use crate::gateway::caller::account::Account;
use crate::gateway::caller::in_force::InForce;
use crate::gateway::engine::{ContainerId, Engine, EngineError, Found, Holding, Holdings, Thing};
use crate::policy::Usage;
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A measurement is work for the engine: this many times as long as it took, nobody asks for the next.
const REST: u32 = 10;
/// A gateway that has just started has more to ask the engine first.
const FIRST: Duration = Duration::from_secs(10);
/// What a container holds, in bytes, that was made since the last measurement and has written nothing: the places of
/// its mounts, which containerd's image store counts.
const NEW: u64 = 1 << 20;

/// What the last measurement said, and who was told to stop since.
#[derive(Default)]
struct Seen {
    holdings: Option<Holdings>,
    stopping: HashMap<ContainerId, Instant>,
}

/// Who measures.
#[derive(Debug)]
pub(in crate::gateway) struct DiskWatch {
    pub(in crate::gateway) engine: Arc<Engine>,
    pub(in crate::gateway) in_force: Arc<InForce>,
    pub(in crate::gateway) absent: Absent,
    pub(in crate::gateway) stops: Arc<Stops>,
}

/// Runs for ever.
pub(in crate::gateway) async fn run(watch: DiskWatch) {
    let mut seen = Seen::default();
    let every = || Duration::from_secs(watch.in_force.policy().gateway().measure().0);
    tokio::time::sleep(every().min(FIRST)).await;
    loop {
        let begun = Instant::now();
        if let Err(error) = round(&watch, &mut seen).await {
            tracing::warn!("the disk was not measured: {error}");
        }
        tokio::time::sleep(every().max(begun.elapsed() * REST)).await;
    }
}

async fn round(watch: &DiskWatch, seen: &mut Seen) -> Result<(), EngineError> {
    let begun = Timestamp::now();
    let now = watch.engine.measure().await?;
    // With nothing to compare, nobody is known to write.
    let Some(before) = seen.holdings.replace(now.clone()) else { return Ok(()) };
    let everyones = watch.engine.everyones().await?;
    // One that writes on may have been started again since.
    seen.stopping.retain(|_, since| since.elapsed() < STOPPING);
    for (uid, holdings) in &now {
        let before: &[Holding] = before.get(uid).map_or(&[], Vec::as_slice);
        let writers = writers(&everyones, *uid, holdings, before);
        if writers.is_empty() {
            continue;
        }
        // The limits are today's; when the name service does not say whose, the next measurement asks again.
        let Some(account) = account(watch, *uid).await else { continue };
        let limits = watch.absent.limits(&account);
        let weighs = |held: &&Holding| is_there(&everyones, held) && is_known(held, before);
        let disk =
            holdings.iter().filter(weighs).map(|held| held.told(|login| login == account.login())).collect();
        if let Err(refusal) = limits.disk_left(&Usage { disk, ..Usage::default() }) {
            for found in writers {
                if !seen.stopping.contains_key(found.id()) {
                    seen.stopping.insert(found.id().clone(), Instant::now());
                    tokio::spawn(stop(watch.stops.clone(), Whom::of(found), refusal.clone(), begun));
                }
            }
        }
    }
    Ok(())
}

async fn account(watch: &DiskWatch, uid: u32) -> Option<Account> {
    match watch.absent.account(uid).await {
        Ok(account) => Some(account),
        Err(error) => {
            tracing::warn!(uid, "nobody knows whose disk this is: {error}");
            None
        }
    }
}

/// A user's running containers that have written since the measurement before, into themselves or into a volume.
fn writers<'f>(everyones: &'f [Found], uid: u32, now: &[Holding], before: &[Holding]) -> Vec<&'f Found> {
    let before: HashMap<&Thing, Option<u64>> = before.iter().map(|held| (&held.thing, held.bytes)).collect();
    let grown = now.iter().filter(|held| has_grown(held.bytes, before.get(&held.thing).copied()));
    let grown: Vec<&Holding> = grown.collect();
    let writes = |found: &&Found| {
        found.owner() == uid && found.running() && grown.iter().any(|held| belongs(held, found))
    };
    everyones.iter().filter(writes).collect()
}

/// What is there now, and what was; neither is said of what could not be measured.
fn has_grown(now: Option<u64>, before: Option<Option<u64>>) -> bool {
    match (now, before) {
        (Some(now), None) => now > NEW,
        (Some(now), Some(before)) => now > before.unwrap_or(0),
        // What cannot be measured may well grow. Once is no proof: files come and go while they are counted.
        (None, before) => before == Some(None),
    }
}

/// Whether it is still there: `run --rm` may have ended while it was measured.
fn is_there(everyones: &[Found], held: &Holding) -> bool {
    match &held.thing {
        Thing::Container(id) => everyones.iter().any(|found| found.id() == id),
        Thing::Volume(_) => true,
    }
}

/// Whether it was measured, or could not be twice in a row: nobody is stopped for once.
fn is_known(held: &Holding, before: &[Holding]) -> bool {
    let unknown = |other: &Holding| other.thing == held.thing && other.bytes.is_none();
    held.bytes.is_some() || before.iter().any(unknown)
}

/// Whether a container writes into this.
fn belongs(held: &Holding, found: &Found) -> bool {
    match &held.thing {
        Thing::Container(id) => id == found.id(),
        Thing::Volume(name) => found.volumes().contains(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_writes_has_more_than_before() {
        for (now, before, grows) in [
            (Some(0), None, false),
            (Some(28_672), None, false),
            (Some(40 << 20), None, true),
            (Some(28_672), Some(Some(28_672)), false),
            (Some(28_673), Some(Some(28_672)), true),
            (Some(1), Some(None), true),
            (None, None, false),
            (None, Some(Some(1)), false),
            (None, Some(None), true),
        ] {
            assert_eq!(has_grown(now, before), grows, "{now:?} {before:?}");
        }
    }

    #[test]
    fn nobody_is_stopped_over_one_measurement_that_failed() {
        let held = |name: &str, bytes| Holding {
            thing: Thing::Volume(name.to_owned()),
            name: name.to_owned(),
            login: "ann".to_owned(),
            bytes,
        };
        assert!(is_known(&held("a", Some(1)), &[]));
        assert!(!is_known(&held("a", None), &[]));
        assert!(!is_known(&held("a", None), &[held("a", Some(1)), held("b", None)]));
        assert!(is_known(&held("a", None), &[held("b", Some(1)), held("a", None)]));
    }
}
