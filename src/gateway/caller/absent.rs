//! The limits of somebody who is not there: what runs is held against them also while its owner does nothing.

use super::account::{Account, LookUps, LookupError};
use super::in_force::InForce;
use crate::policy::Limits;
use std::sync::Arc;

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

    /// An account's limits, by the policy of now.
    pub(in crate::gateway) fn limits(&self, account: &Account) -> Limits {
        self.in_force.rules().limits(account)
    }
}
