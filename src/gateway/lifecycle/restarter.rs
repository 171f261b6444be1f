//! Starting again what has ended, by its restart policy, as its owner would.
//!
//! Each such start is a start like any other: the policy, the limits, the cards and the stages of its moment. A few run at
//! once, one user's one after the other, and nobody's more often than the rate limit. What may not start says why in `ps -a`,
//! and is tried again.

use super::starter::Starter;
use crate::gateway::bounds::permits::Permits;
use crate::gateway::bounds::rate::RateLimit;
use crate::gateway::caller::Caller;
use crate::gateway::caller::absent::Absent;
use crate::gateway::engine::{Engine, Owned, in_time};
use crate::gateway::error::Error;
use crate::gateway::records::restarts::{Claim, Ended, Restarts, Work};
use jiff::SignedDuration;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Containers of all users that are being started. An engine takes about half a second of a processor for each, and users start things, too.
pub(in crate::gateway) const AT_ONCE: usize = 4;
/// A start that takes longer is none of those at once: others' begin.
const LONG: Duration = Duration::from_secs(20);
/// Before a container that is busy, or an engine that does not answer, is asked again.
const PAUSE: Duration = Duration::from_secs(2);

/// So many looks at one that is busy before its owner's other containers begin: half a minute, and a copy may take an hour.
const LOOKS: u32 = 15;

#[derive(Debug)]
pub(in crate::gateway) struct Restarter {
    pub(in crate::gateway) engine: Arc<Engine>,
    pub(in crate::gateway) starter: Arc<Starter>,
    pub(in crate::gateway) absent: Absent,
    pub(in crate::gateway) restarts: Arc<Restarts>,
    pub(in crate::gateway) rate: RateLimit,
    /// One of each user's at a time.
    pub(in crate::gateway) of_users: Permits,
    pub(in crate::gateway) at_once: Semaphore,
}

/// What is known of an end.
enum Seen {
    /// It runs, is gone, or stays as it is.
    Over,
    /// It starts again, after a run of so long.
    Due(SignedDuration),
    /// Something has it locked, or the engine does not say.
    Unknown,
}

/// Runs for ever.
pub(in crate::gateway) async fn run(all: Arc<Restarter>) {
    loop {
        match all.restarts.next().await {
            Work::Ended(ended) => {
                if let Some(claim) = all.restarts.claim(ended) {
                    tokio::spawn(see_to(all.clone(), claim));
                }
            }
            Work::Left(left) => drop(tokio::spawn(in_order(all.clone(), left))),
        }
    }
}

/// One user's, each of which is tried once before the next one is.
async fn in_order(all: Arc<Restarter>, left: Vec<Ended>) {
    // All at once: the next sweep would begin the later ones while an earlier one is waited for.
    let claims: Vec<Claim> = left.into_iter().filter_map(|ended| all.restarts.claim(ended)).collect();
    for claim in claims {
        match seen_soon(&all, claim.ended()).await {
            Seen::Over => {}
            Seen::Unknown => drop(tokio::spawn(see_to(all.clone(), claim))),
            Seen::Due(_) => {
                if let Err(error) = start(&all, claim.ended()).await {
                    tokio::spawn(try_again(all.clone(), claim, error));
                }
            }
        }
    }
}

/// One that something else looks at just now is waited for, so that the next one does not overtake it.
async fn seen_soon(all: &Restarter, ended: &Ended) -> Seen {
    for _ in 0..LOOKS {
        match seen(all, ended).await {
            Seen::Unknown => tokio::time::sleep(PAUSE).await,
            known => return known,
        }
    }
    Seen::Unknown
}

/// After its pause, for so long as it is due.
async fn see_to(all: Arc<Restarter>, claim: Claim) {
    let ran = loop {
        match seen(&all, claim.ended()).await {
            Seen::Over => return,
            Seen::Due(ran) => break ran,
            Seen::Unknown => tokio::time::sleep(PAUSE).await,
        }
    };
    tokio::time::sleep(all.restarts.pause(&claim.ended().id, ran)).await;
    if let Err(error) = start_if_due(&all, claim.ended()).await {
        try_again(all, claim, error).await;
    }
}

/// What could not be started: again and again, ever more rarely.
async fn try_again(all: Arc<Restarter>, claim: Claim, error: Error) {
    let mut error = error;
    for tries in 0.. {
        let why = error.refusal().message.to_string();
        tokio::time::sleep(all.restarts.refused(&claim.ended().id, why, tries)).await;
        match start_if_due(&all, claim.ended()).await {
            Ok(()) => return,
            Err(new) => error = new,
        }
    }
}

async fn start_if_due(all: &Arc<Restarter>, ended: &Ended) -> Result<(), Error> {
    loop {
        match seen(all, ended).await {
            Seen::Over => return Ok(()),
            Seen::Due(_) => return start(all, ended).await,
            Seen::Unknown => tokio::time::sleep(PAUSE).await,
        }
    }
}

async fn seen(all: &Restarter, ended: &Ended) -> Seen {
    let Ok(Some(container)) = in_time(all.engine.look_again(&ended.id, ended.uid)).await else {
        return Seen::Unknown;
    };
    let (Some(found), Some((started, finished))) = (container.found(), container.ran()) else {
        return Seen::Over;
    };
    let due = !container.never_ran() && all.restarts.applies(&found, container.exit_code());
    if due { Seen::Due(finished.duration_since(started)) } else { Seen::Over }
}

async fn start(all: &Arc<Restarter>, ended: &Ended) -> Result<(), Error> {
    // Their own others first: nobody waits in several places of what is everybody's.
    let _own = all.of_users.of(ended.uid).acquire_owned().await;
    all.rate.wait(ended.uid).await;
    let (caller, container) = owner(all, ended).await?;
    caller.limits()?.lets_restart()?;
    let permit = all.at_once.acquire().await;
    let mut started = std::pin::pin!(all.starter.clone().start_again(caller, container));
    match tokio::time::timeout(LONG, &mut started).await {
        Ok(started) => started,
        // An engine may never end a start, and an owner can make one long.
        Err(_) => {
            drop(permit);
            started.await
        }
    }
}

/// The owner, as who is not there, and the container, if it is theirs.
async fn owner(all: &Restarter, ended: &Ended) -> Result<(Caller, Owned), Error> {
    let caller = all.absent.caller(ended.uid).await?;
    let container = all.engine.owned_by_id(&caller, &ended.id).await?;
    let container = container.ok_or_else(|| Error::NoContainer(ended.id.to_string()))?;
    Ok((caller, container))
}
