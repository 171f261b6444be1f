//! The limits of somebody who is not there: what runs is held against them also while its owner does nothing.

use super::Caller;
use super::account::{Account, LookUps, LookupError};
use super::in_force::InForce;
use super::peer::{Peer, Refused};
use crate::policy::Limits;
use crate::protocol::told::Told;
use std::sync::Arc;

/// Why somebody who is not there is no caller.
#[derive(Debug, thiserror::Error, Told)]
pub(in crate::gateway) enum AbsentError {
    #[error(transparent)]
    Account(#[from] LookupError),
    #[error(transparent)]
    Refused(#[from] Refused),
}

/// Accounts and their limits, by uid alone.
#[derive(Debug, Clone)]
pub(in crate::gateway) struct Absent {
    look_ups: Arc<LookUps>,
    in_force: Arc<InForce>,
}

impl Absent {
    pub(in crate::gateway) fn new(look_ups: Arc<LookUps>, in_force: Arc<InForce>) -> Self {
        Self { look_ups, in_force }
    }

    /// # Errors
    /// What the name service says instead of an account, or that it says nothing in time.
    pub(in crate::gateway) async fn account(&self, uid: u32) -> Result<Account, LookupError> {
        let named = self.in_force.policy().groups().map(str::to_owned).collect();
        self.look_ups.account_by_uid(uid, named).await
    }

    /// Who is not there, as a caller by the policy of now: for what was asked for when they were. Whose it is must be proved as
    /// for any other caller.
    ///
    /// # Errors
    /// Where the policy does not admit the uid, and what the name service says instead of an account.
    pub(in crate::gateway) async fn caller(&self, uid: u32) -> Result<Caller, AbsentError> {
        let account = self.account(uid).await?;
        Ok(Caller::admitted(Peer::absent(uid, account), &self.in_force)?)
    }

    /// An account's limits, by the policy of now.
    pub(in crate::gateway) fn limits(&self, account: &Account) -> Limits {
        self.in_force.rules().limits(account)
    }
}
