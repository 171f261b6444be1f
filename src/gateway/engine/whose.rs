//! Whose something in the engine is, for a caller: the one answer, out of the uid and the login that stand beside it.
//!
//! What bears a caller's uid counts for that uid. It is the caller's to see and to use if it bears the login, too: an account
//! that had the uid before, or the same one under another name, has left it otherwise, and it is the admin's.
//!
//! Totals are the uid's, so what another login has left counts: a new login would double the totals otherwise. A
//! refusal says how much another login has left, and no name.

use super::label::{LOGIN, UID};
use crate::gateway::caller::peer::Peer;
use crate::policy::Used;
use serde_json::Value;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::gateway) enum Whose {
    Callers,
    /// It bears the caller's uid, and this login.
    Left(String),
    /// Another uid's.
    Others,
}

impl Whose {
    pub(super) fn of(peer: &Peer, uid: u32, login: &str) -> Self {
        if uid != peer.uid() {
            return Self::Others;
        }
        if peer.may_be(login) { Self::Callers } else { Self::Left(login.to_owned()) }
    }

    /// The same of labels; without both of them it is nobody's.
    pub(super) fn by_labels(peer: &Peer, labels: &Value) -> Self {
        let label = |key: &str| labels.get(key)?.as_str();
        match (label(UID), label(LOGIN)) {
            // No second spelling of a number.
            (Some(uid), Some(login)) if uid == peer.uid().to_string() => Self::of(peer, peer.uid(), login),
            _ => Self::Others,
        }
    }

    pub(super) fn left_by(self) -> Option<String> {
        match self {
            Self::Left(login) => Some(login),
            Self::Callers | Self::Others => None,
        }
    }
}

/// Everything of one kind that bears a caller's uid.
#[derive(Debug, Clone)]
pub(in crate::gateway) struct Estate<T, L> {
    pub(in crate::gateway) own: Vec<T>,
    pub(in crate::gateway) left: Vec<L>,
}

/// A container that counts for a caller and is not the caller's: nothing else can be had of it.
#[derive(Debug, Clone)]
pub(in crate::gateway) struct LeftContainer {
    pub(super) found: super::Found,
}

impl LeftContainer {
    pub(in crate::gateway) fn login(&self) -> &str {
        &self.found.labels().login
    }

    pub(in crate::gateway) fn used(&self) -> Used {
        let found = &self.found;
        Used { left_by: Some(self.login().to_owned()), ..found.labels().used(found.name(), found.running()) }
    }
}

/// A network or volume, in the same way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::gateway) struct LeftThing {
    pub(in crate::gateway) name: String,
    pub(in crate::gateway) login: String,
}

impl<T> Estate<T, LeftThing> {
    /// Who left them, once for each.
    pub(in crate::gateway) fn logins(&self) -> Vec<String> {
        self.left.iter().map(|thing| thing.login.clone()).collect()
    }

    /// Whether something that cannot be seen has this short name.
    pub(in crate::gateway) fn is_left(&self, name: &str) -> bool {
        self.left.iter().any(|thing| thing.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn uid_and_login_make_it_the_callers_and_the_uid_alone_makes_it_count() {
        let ann = Peer::fake(1000, "ann");
        let whose = |uid: &str, login: &str| Whose::by_labels(&ann, &json!({ UID: uid, LOGIN: login }));
        assert_eq!(whose("1000", "ann"), Whose::Callers);
        assert_eq!(whose("1000", "bob"), Whose::Left("bob".into()));
        for other in [whose("1001", "ann"), whose("01000", "ann"), whose("", "ann")] {
            assert_eq!(other, Whose::Others);
        }
        assert_eq!(Whose::by_labels(&ann, &json!({ UID: "1000" })), Whose::Others);
        assert_eq!(Whose::by_labels(&ann, &Value::Null), Whose::Others);
    }
}
