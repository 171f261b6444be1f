//! Where host ports are handed out: one lock over all users, from looking at who holds which to having a claim noted.
//!
//! A port is its number: whoever has it has it for tcp and udp, and on every address. A container holds its ports until it
//! is removed, whether it runs or not, so that nobody takes a service over while it is restarted.
//!
//! A claim counts until its create has ended and the engine lists the container. The desk is asked again at each start,
//! because containers from before the desk may share a port. Then the container that was made first has the port.

use super::{ContainerId, Engine, EngineError, Found, Owned};
use crate::policy::PortGrant;
use crate::protocol::told::Told;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long ports are kept for a create of which nobody knows what became.
const UNKNOWN: Duration = Duration::from_secs(60);

/// A host port is somebody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, Told)]
pub(in crate::gateway) enum PortTaken {
    #[error("host port {host} is in use")]
    InUse { host: u16, container: u16 },
    #[error("host port {0} is held by another container, which was made before this one")]
    MadeBefore(u16),
}

/// A container does not get its ports again.
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

/// Ports of creates under way, which no list shows yet.
#[derive(Debug, Default)]
struct Claims {
    next: u64,
    under_way: HashMap<u64, UnderWay>,
}

#[derive(Debug)]
struct UnderWay {
    ports: Vec<u16>,
    /// Nothing while its create goes on.
    until: Option<Instant>,
}

/// Ports that nobody else is given while this is held: by a create, until the engine lists its container. By default none.
#[derive(Debug, Default)]
#[must_use]
pub(in crate::gateway) struct PortClaim {
    grants: Vec<PortGrant>,
    key: u64,
    claims: Arc<Mutex<Claims>>,
}

impl PortClaim {
    #[cfg(any(test, feature = "fuzz"))]
    pub(in crate::gateway) fn fake(grants: &[PortGrant]) -> Self {
        Self { grants: grants.to_vec(), key: 0, claims: Arc::default() }
    }

    pub(in crate::gateway) fn grants(&self) -> &[PortGrant] {
        &self.grants
    }

    /// The engine did not say what became of the create: its container may still come.
    pub(in crate::gateway) fn linger(&self) {
        if let Some(own) = lock(&self.claims).under_way.get_mut(&self.key) {
            own.until = Some(Instant::now() + UNKNOWN);
        }
    }
}

impl Drop for PortClaim {
    fn drop(&mut self) {
        let mut claims = lock(&self.claims);
        if claims.under_way.get(&self.key).is_some_and(|own| own.until.is_none()) {
            claims.under_way.remove(&self.key);
        }
    }
}

/// A container that holds ports, and when it was made.
#[derive(Debug, Clone)]
pub(in crate::gateway) struct Holder {
    pub(in crate::gateway) id: ContainerId,
    pub(in crate::gateway) made: i64,
    pub(in crate::gateway) ports: Vec<u16>,
}

impl Holder {
    fn of(found: &Found) -> Option<Self> {
        let ports = found.labels().ports.clone();
        (!ports.is_empty()).then(|| Self { id: found.id().clone(), made: found.created(), ports })
    }

    /// Of two that share a port, as they could before there was a desk, the first that was made keeps it.
    fn comes_before(&self, other: &Self) -> bool {
        (self.made, self.id.as_str()) < (other.made, other.id.as_str())
    }
}

/// Who holds which ports; while it is held nobody else decides.
#[derive(Debug)]
pub(in crate::gateway) struct Look<'d> {
    desk: &'d Desk,
    holders: Vec<Holder>,
    claimed: BTreeSet<u16>,
    _alone: tokio::sync::MutexGuard<'d, ()>,
}

impl Desk {
    /// Waits until nobody else decides, and looks at everybody's containers.
    pub(in crate::gateway) async fn look(&self, engine: &Engine) -> Result<Look<'_>, EngineError> {
        self.look_at(async || Ok(engine.everyones().await?.iter().filter_map(Holder::of).collect())).await
    }

    /// The claims first: one that goes after this is of a container that is listed by then.
    pub(in crate::gateway) async fn look_at<E>(
        &self,
        list: impl AsyncFnOnce() -> Result<Vec<Holder>, E>,
    ) -> Result<Look<'_>, E> {
        let alone = self.deciding.lock().await;
        let claimed = lock(&self.claims).ports();
        let holders = list().await?;
        Ok(Look { desk: self, holders, claimed, _alone: alone })
    }

    /// Whether a container that exists may take its ports again.
    pub(in crate::gateway) async fn ask_again(
        &self,
        engine: &Engine,
        container: &Owned,
    ) -> Result<(), PortError> {
        match Holder::of(container.found()) {
            Some(own) => Ok(self.look(engine).await?.may_take(&own)?),
            None => Ok(()),
        }
    }
}

impl Claims {
    fn ports(&mut self) -> BTreeSet<u16> {
        self.under_way.retain(|_, own| own.until.is_none_or(|until| until > Instant::now()));
        self.under_way.values().flat_map(|own| own.ports.iter().copied()).collect()
    }
}

impl Look<'_> {
    /// What anybody holds, or is about to.
    pub(in crate::gateway) fn taken(&self) -> BTreeSet<u16> {
        self.holders.iter().flat_map(|holder| &holder.ports).chain(&self.claimed).copied().collect()
    }

    /// These are the create's who asked; the only way to a claim.
    pub(in crate::gateway) fn claim(self, grants: &[PortGrant]) -> Result<PortClaim, PortTaken> {
        let taken = self.taken();
        if let Some(grant) = grants.iter().find(|grant| taken.contains(&grant.host)) {
            return Err(PortTaken::InUse { host: grant.host, container: grant.container });
        }
        let mut claims = lock(&self.desk.claims);
        let key = claims.next;
        claims.next += 1;
        let ports = grants.iter().map(|grant| grant.host).collect();
        claims.under_way.insert(key, UnderWay { ports, until: None });
        drop(claims);
        Ok(PortClaim { grants: grants.to_vec(), key, claims: self.desk.claims.clone() })
    }

    /// Whether a container may take its ports: nobody's that was made before it holds one of them.
    pub(in crate::gateway) fn may_take(&self, own: &Holder) -> Result<(), PortTaken> {
        let before = self.holders.iter().filter(|other| other.id != own.id && other.comes_before(own));
        let shared = before.flat_map(|other| &other.ports).find(|port| own.ports.contains(port));
        shared.map_or(Ok(()), |port| Err(PortTaken::MadeBefore(*port)))
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

    fn grant(host: u16, protocol: Protocol, address: [u8; 4]) -> PortGrant {
        PortGrant { container: 80, protocol, host, address: IpAddr::V4(Ipv4Addr::from(address)) }
    }

    fn plain(host: u16) -> PortGrant {
        grant(host, Protocol::Tcp, [127, 0, 0, 1])
    }

    fn holder(digit: char, made: i64, ports: &[u16]) -> Holder {
        Holder { id: ContainerId::parse(&digit.to_string().repeat(64)).unwrap(), made, ports: ports.to_vec() }
    }

    async fn look<'d>(desk: &'d Desk, holders: &[Holder]) -> Look<'d> {
        desk.look_at(async || Ok::<_, Infallible>(holders.to_vec())).await.unwrap()
    }

    #[tokio::test]
    async fn a_port_is_one_number_for_all_protocols_and_addresses() {
        let (desk, held) = (Desk::default(), [holder('a', 1, &[40000])]);
        let others =
            [plain(40000), grant(40000, Protocol::Udp, [127, 0, 0, 1]), grant(40000, Protocol::Tcp, [0; 4])];
        for other in others {
            let no = look(&desk, &held).await.claim(&[plain(40001), other]).unwrap_err();
            let no = crate::gateway::error::Error::from(no).refusal();
            assert_eq!(
                (no.code.as_str(), no.message.to_string().as_str()),
                ("conflict", "host port 40000 is in use")
            );
        }
        let both = [plain(40001), grant(40001, Protocol::Udp, [127, 0, 0, 1])];
        assert!(look(&desk, &held).await.claim(&both).is_ok());
    }

    #[tokio::test]
    async fn a_claim_counts_until_its_create_has_ended() {
        let desk = Desk::default();
        let claim = look(&desk, &[]).await.claim(&[plain(40000)]).unwrap();
        assert_eq!(look(&desk, &[]).await.taken(), BTreeSet::from([40000]));
        assert!(look(&desk, &[]).await.claim(&[plain(40000)]).is_err());
        drop(claim);
        assert_eq!(look(&desk, &[]).await.taken(), BTreeSet::new());
        // What became of this one the engine did not say.
        let claim = look(&desk, &[]).await.claim(&[plain(40000)]).unwrap();
        claim.linger();
        drop(claim);
        assert_eq!(look(&desk, &[]).await.taken(), BTreeSet::from([40000]));
    }

    #[tokio::test]
    async fn a_create_that_ends_while_somebody_looks_is_seen() {
        let desk = Desk::default();
        let claim = look(&desk, &[]).await.claim(&[plain(40000)]).unwrap();
        // Listed before its container was there, and over before anybody could ask who claims.
        let seen = desk
            .look_at(async || {
                drop(claim);
                Ok::<_, Infallible>(vec![])
            })
            .await;
        assert_eq!(seen.unwrap().taken(), BTreeSet::from([40000]));
    }

    #[tokio::test]
    async fn of_two_that_share_a_port_the_first_keeps_it() {
        let desk = Desk::default();
        let all = [holder('b', 1, &[40000, 40001]), holder('a', 2, &[40001]), holder('c', 1, &[40000])];
        let look = look(&desk, &all).await;
        assert!(look.may_take(&all[0]).is_ok());
        for (late, port) in [(&all[1], 40001), (&all[2], 40000)] {
            let no = look.may_take(late).unwrap_err();
            let no = crate::gateway::error::Error::from(no).refusal();
            assert!(
                no.message.to_string().starts_with(&format!("host port {port} is held by another container")),
                "{no:?}"
            );
        }
        assert!(look.may_take(&holder('d', 9, &[40002])).is_ok());
    }
}
