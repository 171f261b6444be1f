//! GPUs as the gateway's verbs use them: claimed at create, leased at start, freed at the end.

use super::allocate::{Denied, Wanted};
use super::card::Holder;
use super::desk::{Asker, Claim, Desk, Scene, Standing};
use super::hours::{Hours, Spell};
use super::inventory::Inventory;
use super::lease::{Lease, Leases, after};
use super::processes::Owners;
use super::refusal::{never, of_ones_own, refusal};
use crate::gateway::bounds::cache::Cache;
use crate::gateway::engine::terminals::Terminals;
use crate::gateway::engine::{ContainerId, Engine, Locked, Owned};
use crate::gateway::error::Error;
use crate::gateway::failpoint;
use crate::gateway::wish::CardWish;
use crate::policy::{Limits, Used, WeekUsed};
use crate::protocol::amount::Span;
use crate::protocol::card::CardId;
use crate::protocol::name::ContainerName;
use crate::protocol::told::told;
use jiff::Timestamp;
use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Everything about GPUs that one gateway knows.
#[derive(Debug)]
pub(in crate::gateway) struct Gpus {
    pub(in crate::gateway) engine: Arc<Engine>,
    pub(in crate::gateway) inventory: Inventory,
    pub(in crate::gateway) leases: Leases,
    pub(in crate::gateway) desk: Desk,
    pub(in crate::gateway) terminals: Arc<Terminals>,
    pub(in crate::gateway) owners: Cache<Owners>,
    /// Of whose processes the engine was asked and has not told.
    pub(in crate::gateway) asked: Mutex<HashSet<ContainerId>>,
    hours: Hours,
    /// Held from looking at who has which card to having written the decision down: in between, a card would be free for
    /// everybody who looks.
    deciding: Mutex<()>,
    /// Hours could not be written, and the log says so.
    owing: AtomicBool,
    /// Counts what may let somebody in the line go on.
    changed: watch::Sender<u64>,
}

impl Gpus {
    pub(in crate::gateway) fn open(state: &Path, engine: Arc<Engine>, terminals: Arc<Terminals>) -> Self {
        let leases = Leases::open(&state.join("leases"));
        let hours = Hours::open(&state.join("gpu-hours"));
        for (id, lease) in leases.all().iter().filter(|(id, lease)| hours.has(id, lease)) {
            tracing::info!(
                uid = lease.uid,
                container = id.as_str(),
                "a lease was over, and only its file left"
            );
            leases.end(id);
            leases.settled(id);
        }
        Self {
            engine,
            leases,
            hours,
            inventory: Inventory::default(),
            desk: Desk::default(),
            terminals,
            owners: Cache::default(),
            asked: Mutex::default(),
            deciding: Mutex::default(),
            changed: watch::Sender::new(0),
            owing: AtomicBool::new(false),
        }
    }

    /// Which cards are meant, or how many: `all` is all the caller may hold.
    pub(in crate::gateway) fn wanted(&self, wish: &CardWish, limits: &Limits) -> Result<Wanted, Error> {
        Ok(match wish {
            CardWish::Count(count) => Wanted::Some(*count),
            CardWish::These(words) => {
                let cards = words.iter().map(|word| self.inventory.named(word).map_err(never));
                Wanted::these(&cards.collect::<Result<Vec<_>, _>>()?)
            }
            CardWish::All => {
                let there = self.inventory.cards().len();
                let may = limits.most_gpus().and_then(|most| usize::try_from(most).ok()).unwrap_or(there);
                Wanted::Some(may.min(there).max(1))
            }
        })
    }

    /// Whether there is any that somebody with these limits may hold.
    pub(in crate::gateway) fn any_for(&self, limits: &Limits) -> bool {
        !self.inventory.cards().is_empty() && limits.most_gpus() != Some(0)
    }

    /// Cards for a new container, and for how long it will have them from each start on.
    pub(in crate::gateway) fn claim(
        &self,
        asker: Asker<'_>,
        wanted: &Wanted,
        time: Option<Span>,
        limits: &Limits,
        now: Timestamp,
    ) -> Result<(Claim, Span), Error> {
        let _deciding = self.decide();
        let time = limits.lease(time, wanted.count(), self.week(asker.uid, now))?;
        let (cards, leased) = (self.inventory.cards(), self.leased());
        self.room(asker, wanted, None, limits, &leased, now)?;
        let scene = Scene { cards: &cards, leased: &leased, now };
        let claim = self.desk.claim(scene, asker, wanted);
        Ok((claim.map_err(|refused| refusal(refused, asker, wanted, cards.len()))?, time))
    }

    /// The lease of a container that is about to start.
    pub(in crate::gateway) fn lease(
        &self,
        asker: Asker<'_>,
        container: &Owned,
        limits: &Limits,
        now: Timestamp,
    ) -> Result<(), Error> {
        let labels = container.labels();
        if labels.cards.is_empty() {
            return Ok(());
        }
        let _deciding = self.decide();
        // Of a run whose end nobody has noted yet.
        self.settle(container.id(), now);
        // The file of that lease would be the new one's, and its hours in no file at all.
        if self.hours.owes(Some(container.id())) {
            return Err(Error::State("the hours of its last lease", io::ErrorKind::StorageFull.into()));
        }
        let time = limits.lease(Some(labels.time), labels.cards.len(), self.week(asker.uid, now))?;
        let (cards, leased) = (self.inventory.cards(), self.leased());
        let scene = Scene { cards: &cards, leased: &leased, now };
        let wanted = Wanted::These(labels.cards.clone());
        self.room(asker, &wanted, Some(container.id()), limits, &leased, now)?;
        self.desk
            .reclaim(scene, asker, container.id(), &labels.cards)
            .map_err(|refused| refusal(refused, asker, &wanted, cards.len()))?;
        let lease = Lease {
            uid: asker.uid,
            login: asker.login.to_owned(),
            container: container.name().to_string(),
            cards: labels.cards.clone(),
            since: now,
            until: after(now, time),
            warned: Vec::new(),
            ending: false,
        };
        let (uid, login, until) = (lease.uid, lease.login.clone(), lease.until.to_string());
        self.leases
            .put(container.id(), lease)
            .map_err(|error| Error::State("the lease of the gpus", error))?;
        let cards = shown(&labels.cards);
        tracing::info!(uid, login, container = container.id().as_str(), cards, until, "gpus granted");
        Ok(())
    }

    /// Whether these fit beside what the caller holds under a lease, was given in line or keeps for what is not started
    /// yet: who makes containers and starts none must not have more cards than who starts them.
    fn room(
        &self,
        asker: Asker<'_>,
        wanted: &Wanted,
        by: Option<&ContainerId>,
        limits: &Limits,
        leased: &[Holder],
        now: Timestamp,
    ) -> Result<(), Error> {
        let gpus = |cards: usize| u32::try_from(cards).unwrap_or(u32::MAX);
        let leased = leased.iter().filter(|holder| holder.uid == asker.uid).map(|holder| Used {
            name: holder.container.clone(),
            gpus: gpus(holder.cards.len()),
            left_by: (holder.login != asker.login).then(|| holder.login.clone()),
            ..Used::default()
        });
        let kept = self.desk.kept(asker.uid, wanted, by, now);
        let keeps = kept.iter().map(|(name, cards)| Used {
            name: name.clone(),
            gpus: gpus(*cards),
            ..Used::default()
        });
        let held: Vec<_> = leased.chain(keeps).collect();
        let fits = limits.room_for_cards(&held, wanted.count());
        Ok(fits.map_err(|no| match kept.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>() {
            // The policy's own hint fits: what runs is to be stopped.
            kept if kept.is_empty() => no,
            kept => no.hint(told!(
                "{} keeps gpus for a minute without using them: start it, remove it, or wait",
                kept.join(", ")
            )),
        })?)
    }

    /// The start failed. It may have taken long to, and nobody else had the cards meanwhile.
    pub(in crate::gateway) fn not_started(&self, id: &ContainerId) {
        self.settle(id, Timestamp::now());
        self.moved();
    }

    /// A container that does not run any more: its cards are free, and its hours are counted.
    pub(in crate::gateway) fn ended(&self, container: &Locked) {
        let Some(at) = container.ended() else { return };
        self.desk.forget(container.id(), Timestamp::now());
        self.settle(container.id(), at);
        self.moved();
    }

    /// A container that runs with cards and without a lease: it is made again out of the labels.
    pub(in crate::gateway) fn lease_again(&self, container: &Locked) {
        let since = container.started().unwrap_or_else(Timestamp::now);
        let Some(found) = container.found().filter(|_| container.runs()) else { return };
        let labels = found.labels();
        if labels.cards.is_empty() || self.leases.get(container.id()).is_some() {
            return;
        }
        let lease = Lease {
            uid: labels.uid,
            login: labels.login.clone(),
            container: found.name().to_string(),
            cards: labels.cards.clone(),
            since,
            until: after(since, labels.time),
            warned: Vec::new(),
            ending: false,
        };
        tracing::warn!(container = container.id().as_str(), "a lease was missing and is made again");
        if let Err(error) = self.leases.hold(container.id(), lease) {
            tracing::error!("a lease cannot be written yet: {error}");
        }
    }

    /// Ends a lease, if there is one, with its hours on account.
    fn settle(&self, id: &ContainerId, at: Timestamp) {
        // What is stopped at its end has a moment to end itself, and that counts; a gateway that was away does not.
        let within = |lease: &Lease| at.min(after(lease.until, LAST)).max(lease.since);
        if let Some(lease) = self.leases.end(id) {
            self.hours.owe(Spell::of(id, &lease, within(&lease)));
            self.pay();
            let seconds = within(&lease).duration_since(lease.since).as_secs();
            let (uid, login, cards) = (lease.uid, lease.login, shown(&lease.cards));
            tracing::info!(uid, login, container = id.as_str(), cards, seconds, "gpus freed");
        }
    }

    /// Writes the hours of leases that are over, and then takes their files away. What cannot be written stays as it is.
    fn pay(&self) {
        let paid = self.hours.pay(|id| {
            failpoint::at("lease-settled");
            self.leases.settled(id);
        });
        match paid {
            Err(error) if !self.owing.swap(true, Ordering::Relaxed) => {
                tracing::error!(
                    "gpu hours cannot be written, they count and are written when they can be: {error}"
                );
            }
            Ok(()) if self.owing.swap(false, Ordering::Relaxed) => {
                tracing::info!("gpu hours are written again");
            }
            _ => {}
        }
    }

    /// Writes what could not be written before.
    pub(in crate::gateway) fn catch_up(&self) {
        if self.hours.owes(None) {
            self.pay();
        }
        self.leases.catch_up();
    }

    /// Gives what is free to those in the line whose turns have come.
    pub(in crate::gateway) fn serve(&self, now: Timestamp) {
        self.count_kept(now);
        if self.desk.is_idle() {
            return;
        }
        let _deciding = self.decide();
        let (cards, leased) = (self.inventory.cards(), self.leased());
        if self.desk.serve(Scene { cards: &cards, leased: &leased, now }) {
            self.moved();
        }
    }

    /// What was kept without a lease counts as well: nobody else had it meanwhile.
    fn count_kept(&self, now: Timestamp) {
        let kept = self.desk.spells(now);
        if !kept.is_empty() {
            kept.into_iter().for_each(|spell| self.hours.owe(spell));
            self.pay();
        }
    }

    /// Where a ticket in the line stands.
    pub(in crate::gateway) fn stands(&self, ticket: u64) -> Standing {
        let (cards, leased) = (self.inventory.cards(), self.leased());
        self.desk.stands(ticket, Scene { cards: &cards, leased: &leased, now: Timestamp::now() })
    }

    fn decide(&self) -> MutexGuard<'_, ()> {
        self.deciding.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The container has another short name: who looks at the cards, and who is warned, reads that one.
    pub(in crate::gateway) fn renamed(&self, id: &ContainerId, name: &ContainerName) {
        self.desk.renamed(id, name.as_str());
        if let Err(error) = self.leases.renamed(id, name.as_str()) {
            tracing::error!("a lease cannot be written: {error}");
        }
    }

    /// A later end for a container that runs.
    pub(in crate::gateway) fn extend(
        &self,
        container: &Owned,
        more: Span,
        limits: &Limits,
        now: Timestamp,
    ) -> Result<Timestamp, Error> {
        let missing = || Error::Conflict(told!("{} holds no gpus just now", container.name()));
        let over = || Error::Conflict(told!("the lease of {} has ended", container.name()));
        let _deciding = self.decide();
        let lease = self.leases.get(container.id()).ok_or_else(missing)?;
        if lease.until <= now {
            return Err(over());
        }
        limits.extend(lease.left(now), more, lease.cards.len(), self.week(lease.uid, now))?;
        let extended = self.leases.extend(container.id(), more);
        let extended = extended.map_err(|error| Error::State("the lease of the gpus", error))?;
        let until = extended.ok_or_else(over)?.until;
        let (uid, login, cards) = (lease.uid, lease.login, shown(&lease.cards));
        let (container, end) = (container.id().as_str(), until.to_string());
        tracing::info!(uid, login, container, cards, until = end, "gpu lease extended");
        Ok(until)
    }

    /// What a user has had of the week and may still take.
    pub(in crate::gateway) fn week(&self, uid: u32, now: Timestamp) -> WeekUsed {
        self.count_kept(now);
        let running: Vec<Lease> = self.leases.all().into_iter().map(|(_, lease)| lease).collect();
        self.hours.of(uid, &running, now)
    }

    pub(in crate::gateway) fn lease_of(&self, id: &ContainerId) -> Option<Lease> {
        self.leases.get(id)
    }

    /// Something changed that those in the line wait for.
    pub(in crate::gateway) fn moved(&self) {
        self.changed.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Whether the machine could ever grant it, and not only once the asker lets go of one of these very cards: who names
    /// cards would stand behind nobody else.
    pub(in crate::gateway) fn may_wait_for(&self, asker: Asker<'_>, wanted: &Wanted) -> Result<(), Error> {
        let (cards, leased) = (self.inventory.cards(), self.leased());
        wanted.possible(&cards).map_err(|why| match why {
            Denied::Never(why) => never(why),
            Denied::Taken(holders) => of_ones_own(&holders, asker, wanted),
        })?;
        let holders = self.desk.holders(&leased, Timestamp::now());
        match wanted.own_in_the_way(&cards, &holders, asker.uid) {
            own if own.is_empty() => Ok(()),
            own => Err(of_ones_own(&own, asker, wanted)),
        }
    }

    /// Since when a holder has a card under a lease.
    pub(in crate::gateway) fn since(&self, holder: &Holder, card: &CardId) -> Option<Timestamp> {
        let leases = self.leases.all();
        let own = |lease: &&(ContainerId, Lease)| {
            lease.1.uid == holder.uid && lease.1.container == holder.container && lease.1.cards.contains(card)
        };
        leases.iter().find(own).map(|(_, lease)| lease.since)
    }

    pub(in crate::gateway) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    pub(in crate::gateway) fn leased(&self) -> Vec<Holder> {
        let holder = |(_, lease): (ContainerId, Lease)| Holder {
            uid: lease.uid,
            login: lease.login,
            container: lease.container,
            cards: lease.cards,
            until: Some(lease.until),
            promised: false,
        };
        self.leases.all().into_iter().map(holder).collect()
    }
}

pub(in crate::gateway) fn shown(cards: &[CardId]) -> String {
    cards.iter().map(|card| card.as_str()).collect::<Vec<_>>().join(",")
}

/// How long a container may still run whose lease is over: until that is noticed, and its grace of ten seconds.
const LAST: Span = Span(15);
