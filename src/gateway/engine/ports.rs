//! Where host ports are handed out: one lock over all users, from looking at who holds which to having a claim noted.
//!
//! A port is its number: whoever has it has it for tcp and udp, and on every address. As in Docker a container takes its
//! ports when it is started: until then others may be made with the same ones. From then on its user keeps them from
//! everybody else until it is removed, whether it runs or not, so that nobody takes a service over while it is restarted.
//! Of one user's own containers with the same port the one that runs has it.
//!
//! A port that nobody named is one that no container has. A claim counts until its create or its start has ended, and the
//! engine lists what came of it.

use super::{ContainerId, Engine, EngineError, Found, Owned};
use crate::policy::PortGrant;
use crate::protocol::told::Told;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long ports are kept for a create or a start of which nobody knows what became.
const UNKNOWN: Duration = Duration::from_secs(60);

/// A host port is somebody's. Clients know it by Docker's words, which come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, Told)]
pub(in crate::gateway) enum PortTaken {
    #[error(
        "Bind for port {0} failed: port is already allocated: another container of yours runs with host port {0}"
    )]
    OwnRuns(u16),
    #[error(
        "Bind for port {0} failed: port is already allocated: host port {0} is held by another container, which was started before this one"
    )]
    Held(u16),
    #[error(
        "Bind for port {0} failed: port is already allocated: host port {0} is held by another container, which is being started"
    )]
    BeingStarted(u16),
}

/// A container does not get its ports.
#[derive(Debug, thiserror::Error, Told)]
pub(in crate::gateway) enum PortError {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Taken(#[from] PortTaken),
}

#[derive(Debug, Default)]
pub(in crate::gateway) struct Desk {
    deciding: tokio::sync::Mutex<()>,
    claims: Arc<Mutex<Claims>>,
}

/// Ports of creates and starts under way, which no list shows yet.
#[derive(Debug, Default)]
struct Claims {
    next: u64,
    under_way: HashMap<u64, UnderWay>,
}

#[derive(Debug)]
struct UnderWay {
    ports: Vec<u16>,
    /// Who has them when this is over. A create only keeps ports from being chosen for others.
    starts: Option<ContainerId>,
    /// Nothing while it goes on.
    until: Option<Instant>,
}

/// Ports that are somebody's while this is held, until the engine lists what came of it. By default none.
#[derive(Debug, Default)]
#[must_use]
struct Claim {
    key: u64,
    claims: Arc<Mutex<Claims>>,
}

impl Claim {
    fn linger(&self) {
        if let Some(own) = lock(&self.claims).under_way.get_mut(&self.key) {
            own.until = Some(Instant::now() + UNKNOWN);
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut claims = lock(&self.claims);
        if claims.under_way.get(&self.key).is_some_and(|own| own.until.is_none()) {
            claims.under_way.remove(&self.key);
        }
    }
}

/// A create's ports, which are chosen for nobody else while this is held. By default none.
#[derive(Debug, Default)]
#[must_use]
pub(in crate::gateway) struct PortClaim {
    grants: Vec<PortGrant>,
    claim: Claim,
}

impl PortClaim {
    #[cfg(any(test, feature = "fuzz"))]
    pub(in crate::gateway) fn fake(grants: &[PortGrant]) -> Self {
        Self { grants: grants.to_vec(), claim: Claim::default() }
    }

    pub(in crate::gateway) fn grants(&self) -> &[PortGrant] {
        &self.grants
    }

    /// The engine did not say what became of the create: its container may still come.
    pub(in crate::gateway) fn linger(&self) {
        self.claim.linger();
    }
}

/// A start's ports, which nobody else is started with while this is held. By default none.
#[derive(Debug, Default)]
#[must_use]
pub(in crate::gateway) struct StartClaim(Claim);

impl StartClaim {
    /// The engine did not say what became of the start: it may still come.
    pub(in crate::gateway) fn linger(&self) {
        self.0.linger();
    }
}

/// A container with ports, and what it has of them.
#[derive(Debug, Clone)]
pub(in crate::gateway) struct Holder {
    pub(in crate::gateway) id: ContainerId,
    pub(in crate::gateway) uid: u32,
    pub(in crate::gateway) made: i64,
    pub(in crate::gateway) runs: bool,
    /// Whether it ran before, too.
    pub(in crate::gateway) started: bool,
    pub(in crate::gateway) ports: Vec<u16>,
}

impl Holder {
    fn of(found: &Found) -> Option<Self> {
        let ports = found.labels().ports.clone();
        (!ports.is_empty()).then(|| Self {
            id: found.id().clone(),
            uid: found.owner(),
            made: found.created(),
            runs: found.running(),
            started: found.running() || found.state() != "created",
            ports,
        })
    }

    /// Whether it keeps its ports from `other`, which is to be started. Of two that ran with a port when ports had no desk
    /// yet, the first that was made keeps it.
    fn keeps_from(&self, other: &Self) -> bool {
        let first = (self.made, self.id.as_str()) < (other.made, other.id.as_str());
        self.runs || (self.uid != other.uid && self.started && (first || !other.started))
    }
}

/// Who holds which ports; while it is held nobody else decides.
#[derive(Debug)]
pub(in crate::gateway) struct Look<'d> {
    desk: &'d Desk,
    holders: Vec<Holder>,
    claimed: BTreeSet<u16>,
    starting: Vec<(ContainerId, Vec<u16>)>,
    _alone: tokio::sync::MutexGuard<'d, ()>,
}

impl Desk {
    /// Waits until nobody else decides, and looks at everybody's containers.
    pub(in crate::gateway) async fn look(&self, engine: &Engine) -> Result<Look<'_>, EngineError> {
        self.look_at(async || Ok(engine.everyones().await?.iter().filter_map(Holder::of).collect())).await
    }

    /// The claims first: one that goes after this is of what is listed by then.
    pub(in crate::gateway) async fn look_at<E>(
        &self,
        list: impl AsyncFnOnce() -> Result<Vec<Holder>, E>,
    ) -> Result<Look<'_>, E> {
        let alone = self.deciding.lock().await;
        let (claimed, starting) = lock(&self.claims).under_way();
        let holders = list().await?;
        Ok(Look { desk: self, holders, claimed, starting, _alone: alone })
    }

    /// Whether a container may take its ports now.
    pub(in crate::gateway) async fn ask(&self, engine: &Engine, container: &Owned) -> Result<(), PortError> {
        match Holder::of(container.found()) {
            Some(own) => Ok(self.look(engine).await?.may_take(&own)?),
            None => Ok(()),
        }
    }

    /// A container's ports are its own from here on; the only way to start one that has any.
    pub(in crate::gateway) async fn take(
        &self,
        engine: &Engine,
        container: &Owned,
    ) -> Result<StartClaim, PortError> {
        match Holder::of(container.found()) {
            Some(own) => Ok(self.look(engine).await?.take(&own)?),
            None => Ok(StartClaim::default()),
        }
    }
}

impl Claims {
    /// What creates and starts have claimed, and what starts have.
    fn under_way(&mut self) -> (BTreeSet<u16>, Vec<(ContainerId, Vec<u16>)>) {
        self.under_way.retain(|_, own| own.until.is_none_or(|until| until > Instant::now()));
        let all = self.under_way.values();
        let starting = all.clone().filter_map(|own| Some((own.starts.clone()?, own.ports.clone())));
        (all.flat_map(|own| own.ports.iter().copied()).collect(), starting.collect())
    }
}

impl Look<'_> {
    /// What is not chosen for anybody: a container has it, or is about to.
    pub(in crate::gateway) fn taken(&self) -> BTreeSet<u16> {
        self.holders.iter().flat_map(|holder| &holder.ports).chain(&self.claimed).copied().collect()
    }

    /// These are the create's who asked; the only way to a claim.
    pub(in crate::gateway) fn claim(self, grants: &[PortGrant]) -> PortClaim {
        let ports = grants.iter().map(|grant| grant.host).collect();
        PortClaim { grants: grants.to_vec(), claim: self.note(ports, None) }
    }

    fn take(self, own: &Holder) -> Result<StartClaim, PortTaken> {
        self.may_take(own)?;
        Ok(StartClaim(self.note(own.ports.clone(), Some(own.id.clone()))))
    }

    fn note(&self, ports: Vec<u16>, starts: Option<ContainerId>) -> Claim {
        let mut claims = lock(&self.desk.claims);
        let key = claims.next;
        claims.next += 1;
        claims.under_way.insert(key, UnderWay { ports, starts, until: None });
        drop(claims);
        Claim { key, claims: self.desk.claims.clone() }
    }

    /// Whether a container may take its ports: nobody keeps one of them from it.
    pub(in crate::gateway) fn may_take(&self, own: &Holder) -> Result<(), PortTaken> {
        let shared = |ports: &[u16]| ports.iter().find(|port| own.ports.contains(port)).copied();
        let starting = self.starting.iter().filter(|(id, _)| *id != own.id);
        if let Some(port) = starting.filter_map(|(_, ports)| shared(ports)).next() {
            return Err(PortTaken::BeingStarted(port));
        }
        let others = self.holders.iter().filter(|other| other.id != own.id && other.keeps_from(own));
        let kept = others.filter_map(|other| Some((other.uid == own.uid, shared(&other.ports)?))).next();
        match kept {
            None => Ok(()),
            Some((true, port)) => Err(PortTaken::OwnRuns(port)),
            Some((false, port)) => Err(PortTaken::Held(port)),
        }
    }
}

fn lock(claims: &Mutex<Claims>) -> MutexGuard<'_, Claims> {
    claims.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Protocol;
    use std::convert::Infallible;
    use std::net::{IpAddr, Ipv4Addr};

    fn plain(host: u16) -> PortGrant {
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        PortGrant { container: 80, protocol: Protocol::Tcp, host, address }
    }

    const MADE: (bool, bool) = (false, false);
    const STOPPED: (bool, bool) = (false, true);
    const RUNS: (bool, bool) = (true, true);

    fn holder(digit: char, uid: u32, (runs, started): (bool, bool), ports: &[u16]) -> Holder {
        let id = ContainerId::parse(&digit.to_string().repeat(64)).unwrap();
        Holder { id, uid, made: 0, runs, started, ports: ports.to_vec() }
    }

    async fn look<'d>(desk: &'d Desk, holders: &[Holder]) -> Look<'d> {
        desk.look_at(async || Ok::<_, Infallible>(holders.to_vec())).await.unwrap()
    }

    #[tokio::test]
    async fn a_port_is_kept_from_whoever_comes_later() {
        let desk = Desk::default();
        let own = |state| holder('b', 1, state, &[40000]);
        for (other, kept) in [
            (holder('a', 1, MADE, &[40000]), None),
            (holder('a', 1, STOPPED, &[40000]), None),
            (holder('a', 1, RUNS, &[40000]), Some(PortTaken::OwnRuns(40000))),
            (holder('a', 2, MADE, &[40000]), None),
            (holder('a', 2, STOPPED, &[40000]), Some(PortTaken::Held(40000))),
            (holder('a', 2, RUNS, &[40000]), Some(PortTaken::Held(40000))),
            (holder('a', 2, RUNS, &[40001]), None),
        ] {
            assert_eq!(
                look(&desk, std::slice::from_ref(&other)).await.may_take(&own(MADE)).err(),
                kept,
                "{other:?}"
            );
        }
        // Of two users' that both ran with it, the first that was made.
        let late = holder('c', 2, STOPPED, &[40000]);
        assert!(look(&desk, std::slice::from_ref(&late)).await.may_take(&own(STOPPED)).is_ok());
        let early = holder('a', 2, STOPPED, &[40000]);
        assert!(look(&desk, std::slice::from_ref(&early)).await.may_take(&own(STOPPED)).is_err());
        let said = crate::gateway::error::Error::from(PortTaken::Held(40000)).refusal();
        assert_eq!(said.code, "conflict");
        assert!(
            said.message
                .to_string()
                .contains("port is already allocated: host port 40000 is held by another"),
            "{said:?}"
        );
    }

    #[tokio::test]
    async fn a_claim_counts_until_its_create_has_ended() {
        let desk = Desk::default();
        let claim = look(&desk, &[]).await.claim(&[plain(40000)]);
        assert_eq!(look(&desk, &[]).await.taken(), BTreeSet::from([40000]));
        // Whoever names it is served all the same.
        assert!(look(&desk, &[]).await.may_take(&holder('a', 1, MADE, &[40000])).is_ok());
        drop(claim);
        assert_eq!(look(&desk, &[]).await.taken(), BTreeSet::new());
        // What became of this one the engine did not say.
        let claim = look(&desk, &[]).await.claim(&[plain(40000)]);
        claim.linger();
        drop(claim);
        assert_eq!(look(&desk, &[]).await.taken(), BTreeSet::from([40000]));
    }

    #[tokio::test]
    async fn a_start_that_is_under_way_keeps_its_ports() {
        let (desk, one, other) =
            (Desk::default(), holder('a', 1, MADE, &[40000]), holder('b', 1, MADE, &[40000]));
        let both = [one.clone(), other.clone()];
        let claim = look(&desk, &both).await.take(&one).unwrap();
        assert_eq!(look(&desk, &both).await.may_take(&other), Err(PortTaken::BeingStarted(40000)));
        // Asked twice, it is the same start's.
        assert!(look(&desk, &both).await.may_take(&one).is_ok());
        drop(claim);
        assert!(look(&desk, &both).await.may_take(&other).is_ok());
        let claim = look(&desk, &both).await.take(&one).unwrap();
        claim.linger();
        drop(claim);
        assert!(look(&desk, &both).await.may_take(&other).is_err());
    }

    #[tokio::test]
    async fn a_create_or_a_start_that_ends_while_somebody_looks_is_seen() {
        let desk = Desk::default();
        let (made, one) = (look(&desk, &[]).await.claim(&[plain(40000)]), holder('a', 1, MADE, &[40001]));
        let started = look(&desk, &[]).await.take(&one).unwrap();
        // Listed before its container was there, and over before anybody could ask who claims.
        let seen = desk
            .look_at(async || {
                drop((made, started));
                Ok::<_, Infallible>(vec![])
            })
            .await
            .unwrap();
        assert_eq!(seen.taken(), BTreeSet::from([40000, 40001]));
        assert!(seen.may_take(&holder('b', 1, MADE, &[40001])).is_err());
    }
}
