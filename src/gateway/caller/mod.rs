//! Who asks: the user whom the kernel names, the account, and the policy by which one request is judged.
//!
//! [`peer`] reads the kernel, [`account`] the name service, [`in_force`] holds the policy. [`Caller`] is what a request
//! carries of all three: it is made once, at the door, and a policy that is read anew meanwhile is the next request's.
//!
//! Work that has waited is judged anew by the policy of its turn (`Caller::renewed`), wholly, and never by two.

pub(super) mod absent;
pub(super) mod account;
pub(super) mod in_force;
pub(super) mod peer;
pub(super) mod rules;

use crate::policy::{Limits, Policy};
use account::LookupError;
use in_force::InForce;
use peer::{Peer, Refused};
use rules::Rules;
use std::ops::Deref;
use tokio::net::UnixStream;

/// The user who asks, and the rules by which this request is judged from its beginning to its end.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    peer: Peer,
    rules: Rules,
}

impl Caller {
    /// The caller by the policy of now. There is no other maker: whom the policy does not admit is no caller.
    ///
    /// # Errors
    /// Where the policy does not admit the uid.
    pub(super) fn admitted(peer: Peer, in_force: &InForce) -> Result<Self, Refused> {
        let rules = in_force.rules();
        match rules.policy().admits(peer.uid()) {
            true => Ok(Self { peer, rules }),
            false => Err(Refused::OutOfRange(peer.uid())),
        }
    }

    /// The same caller by the policy of now, if that is another one: for work that has waited before it decides anything.
    /// It decides by that one alone, from its beginning to its end.
    ///
    /// # Errors
    /// Where the policy of now serves this caller no longer.
    pub(super) fn renewed(&self, in_force: &InForce) -> Result<Option<Self>, Refused> {
        match self.rules.are_of_one_policy(&in_force.rules()) {
            true => Ok(None),
            false => Self::admitted(self.peer.clone(), in_force).map(Some),
        }
    }

    /// The policy of this request.
    pub(super) fn policy(&self) -> &Policy {
        self.rules.policy()
    }

    /// The caller's limits.
    ///
    /// # Errors
    /// Where the name service has not said whose they are: nothing is granted then.
    pub(super) fn limits(&self) -> Result<Limits, LookupError> {
        Ok(self.rules.limits(self.account()?))
    }
}

impl Deref for Caller {
    type Target = Peer;

    fn deref(&self) -> &Peer {
        &self.peer
    }
}

/// Root at the other end of the admin socket; made only from a connection to it.
#[derive(Debug, Clone)]
pub(super) struct Admin(());

impl Admin {
    /// # Errors
    /// Where anybody else is at the other end, or the kernel does not say who is.
    pub(super) fn of(stream: &UnixStream) -> Result<Self, Refused> {
        peer::root(stream).map(|()| Self(()))
    }
}

/// What a request's connection says of who asks.
#[derive(Debug, Clone)]
pub(super) enum Identity {
    User(Caller),
    Admin(Admin),
    Refused(Refused),
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn in_force(uids: &str) -> InForce {
        let policy = Policy::parse("p.toml", &format!("[gateway]\nuids = '{uids}'")).unwrap();
        InForce::of(policy, PathBuf::new(), PathBuf::new())
    }

    #[test]
    fn who_waits_is_judged_by_the_policy_of_now_or_not_at_all() {
        let before = in_force("1000-1999");
        assert_eq!(
            Caller::admitted(Peer::fake(2000, "bob"), &before).unwrap_err(),
            Refused::OutOfRange(2000)
        );
        let caller = Caller::admitted(Peer::fake(1000, "ann"), &before).unwrap();
        assert!(caller.renewed(&before).unwrap().is_none());
        // Another policy, be its text the same.
        let after = in_force("1000-1999");
        let renewed = caller.renewed(&after).unwrap().unwrap();
        assert!(renewed.renewed(&after).unwrap().is_none());
        assert_eq!(caller.renewed(&in_force("1001-1999")).unwrap_err(), Refused::OutOfRange(1000));
    }
}
