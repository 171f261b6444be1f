//! The user at the other end of a connection, as the kernel reports it.

use super::account::{Account, LookUps, LookupError};
use crate::gateway::bounds::connections::ConnectionPermit;
use crate::protocol::told::{Phrase, Told, phrase};
use crate::sandbox::{Lacking, Need};
use rustix::net::sockopt::socket_peercred;
use std::sync::Arc;
use tokio::net::UnixStream;

/// Why a connection is served by nothing but this sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Told)]
pub(in crate::gateway) enum Refused {
    #[error("the kernel does not say who is calling")]
    Unknown,
    #[error("root does not use the user socket")]
    Root,
    #[error("uid {0} may not use containers here")]
    OutOfRange(u32),
    #[error("uid {0} has {1} connections open, the most that are served at once")]
    TooMany(u32, usize),
    #[error("only root uses the admin socket")]
    NotRoot,
}

impl Refused {
    pub(in crate::gateway) fn hint(&self) -> Phrase {
        match self {
            Self::Unknown => phrase!("connect again"),
            Self::Root => {
                phrase!(
                    "run this as an ordinary user, or use `ie-container admin` for everybody's containers"
                )
            }
            Self::OutOfRange(_) => {
                phrase!("ask the admin; `gateway.uids` in the policy says who may connect")
            }
            Self::TooMany(..) => {
                phrase!("end other clients of yours first; `gateway.connections` in the policy is the limit")
            }
            Self::NotRoot => phrase!("use the user socket, or sudo"),
        }
    }
}

/// A caller whose uid the kernel vouches for; made only from a connected socket, or for the owner of a container who has asked
/// that it starts again by itself.
///
/// It is cheap to clone: a connection's requests share it.
#[derive(Debug, Clone)]
pub(in crate::gateway) struct Peer {
    uid: u32,
    gid: u32,
    account: Result<Arc<Account>, LookupError>,
    /// ByContainer by whatever works for this caller, so that work whose connection is gone still counts.
    connection: Option<Arc<ConnectionPermit>>,
}

impl Peer {
    /// Reads the credentials the kernel noted when the socket was connected, and looks up the account.
    ///
    /// The look-up may block on LDAP: it has a time limit.
    pub(in crate::gateway) async fn of(
        stream: &UnixStream,
        admits: impl Fn(u32) -> bool,
        groups: Vec<String>,
        look_ups: &LookUps,
    ) -> Result<Self, Refused> {
        let (uid, gid) = credentials(stream)?;
        if uid == 0 {
            return Err(Refused::Root);
        }
        if !admits(uid) {
            return Err(Refused::OutOfRange(uid));
        }
        let numeric = peer_groups(stream, gid);
        let account = look_ups.account(uid, numeric, groups).await.map(Arc::new);
        Ok(Self { uid, gid, account, connection: None })
    }

    /// Who is not there, by the name service alone. Only for what a container's owner has asked for before.
    pub(super) fn absent(uid: u32, account: Account) -> Self {
        let gid = account.groups().first().map_or(uid, |group| group.gid);
        Self { uid, gid, account: Ok(Arc::new(account)), connection: None }
    }

    pub(in crate::gateway) fn uid(&self) -> u32 {
        self.uid
    }

    pub(in crate::gateway) fn gid(&self) -> u32 {
        self.gid
    }

    /// The account, or why the name service could not give it: then nothing is granted.
    pub(in crate::gateway) fn account(&self) -> Result<&Account, LookupError> {
        self.account.as_deref().map_err(Clone::clone)
    }

    /// The same caller, holding the permit of its connection.
    pub(in crate::gateway) fn at(self, connection: Arc<ConnectionPermit>) -> Self {
        Self { connection: Some(connection), ..self }
    }

    /// The connection's permit, for what outlives its request.
    pub(in crate::gateway) fn connection(&self) -> Option<Arc<ConnectionPermit>> {
        self.connection.clone()
    }

    /// Whether a container with this login's label can be the caller's.
    ///
    /// While the name service is away the uid alone decides, and nothing can be created, started or executed. An
    /// account that is gone, or that is refused for what it is, is not the name service's fault and owns nothing.
    pub(in crate::gateway) fn may_be(&self, login: &str) -> bool {
        match self.account() {
            Ok(account) => account.login() == login,
            Err(LookupError::TimedOut | LookupError::Failed(_)) => true,
            Err(LookupError::NoAccount(_) | LookupError::OddLogin(..) | LookupError::ForbiddenGroup(_)) => {
                false
            }
        }
    }

    /// The login, where it is known.
    pub(in crate::gateway) fn login(&self) -> Option<&str> {
        self.account().ok().map(Account::login)
    }

    #[cfg(any(test, feature = "fuzz"))]
    pub(in crate::gateway) fn fake(uid: u32, login: &str) -> Self {
        Self { uid, gid: uid, account: Ok(Arc::new(Account::fake(uid, login))), connection: None }
    }
}

/// Root, and root alone, on the admin socket.
pub(in crate::gateway) fn root(stream: &UnixStream) -> Result<(), Refused> {
    match credentials(stream)? {
        (0, _) => Ok(()),
        _ => Err(Refused::NotRoot),
    }
}

pub(in crate::gateway) fn credentials(stream: &UnixStream) -> Result<(u32, u32), Refused> {
    let credentials = socket_peercred(stream).map_err(|_| Refused::Unknown)?;
    Ok((credentials.uid.as_raw(), credentials.gid.as_raw()))
}

/// The peer's gids when it connected, the primary one first. Without them only the primary one counts.
fn peer_groups(stream: &UnixStream, gid: u32) -> Vec<u32> {
    let more = crate::sys::peer_groups(stream).unwrap_or_default();
    std::iter::once(gid).chain(more.into_iter().filter(|more| *more != gid)).collect()
}

/// Whether the kernel tells here who is at a socket's other end, and with which groups.
pub(in crate::gateway) fn can_be_known() -> Result<(), Lacking> {
    let need = Need::UnixSockets;
    let (one, _other) = need.tried("a socket", std::os::unix::net::UnixStream::pair())?;
    need.tried("asking who is at a socket's other end", socket_peercred(&one))?;
    need.tried("asking for their groups", crate::sys::peer_groups(&one)).map(drop)
}

/// In a user namespace every foreign uid reads as 65534, and nobody could be told apart.
pub(in crate::gateway) fn in_initial_user_namespace() -> anyhow::Result<()> {
    let map = std::fs::read_to_string("/proc/self/uid_map")?;
    let fields: Vec<&str> = map.split_whitespace().collect();
    anyhow::ensure!(
        fields == ["0", "0", "4294967295"],
        "this is not the initial user namespace, PrivateUsers= must not be in its unit"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_silent_name_service_leaves_the_uid_to_decide() {
        let with = |account| Peer { uid: 1000, gid: 1000, account: Err(account), connection: None };
        assert!(Peer::fake(1000, "ann").may_be("ann"));
        assert!(!Peer::fake(1000, "ann").may_be("predecessor"));
        for silent in [LookupError::TimedOut, LookupError::Failed("EIO".into())] {
            assert!(with(silent).may_be("ann"));
        }
        // What a caller can bring about, or what is not the service's fault, owns nothing.
        for own in [
            LookupError::ForbiddenGroup(1000),
            LookupError::NoAccount(1000),
            LookupError::OddLogin("a:b".into(), 1000),
        ] {
            assert!(!with(own.clone()).may_be("ann"), "{own}");
        }
    }
}
