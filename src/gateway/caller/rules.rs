//! The rules of one moment: the policy in force, the day, and the size of the host.

use super::account::Account;
use crate::policy::{Limits, Policy, Who};
use crate::protocol::amount::Cpus;
use jiff::civil::Date;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many processors the host gives to containers, as the engine says once it has been asked.
#[derive(Debug, Clone, Default)]
pub(in crate::gateway) struct HostCpus(Arc<AtomicU64>);

impl HostCpus {
    pub(in crate::gateway) fn are(&self, count: u64) {
        self.0.store(count, Ordering::Relaxed);
    }

    fn known(&self) -> Option<Cpus> {
        let count = self.0.load(Ordering::Relaxed);
        (count > 0).then(|| Cpus(count.saturating_mul(Cpus::ONE)))
    }
}

/// What decides on limits. Its policy and its day stay as they are, whatever is read anew; the processors are not known
/// before the engine has been asked.
#[derive(Debug, Clone)]
pub(in crate::gateway) struct Rules {
    policy: Arc<Policy>,
    today: Date,
    cpus: HostCpus,
}

impl Rules {
    pub(super) fn new(policy: Arc<Policy>, cpus: HostCpus) -> Self {
        Self { policy, today: jiff::Zoned::now().date(), cpus }
    }

    pub(in crate::gateway) fn policy(&self) -> &Policy {
        &self.policy
    }

    pub(super) fn are_of_one_policy(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.policy, &other.policy)
    }

    /// The limits of an account, cut to what the host has where that is known.
    pub(in crate::gateway) fn limits(&self, account: &Account) -> Limits {
        let who = Who {
            login: account.login(),
            groups: account.policy_groups(),
            home: account.home(),
            today: self.today,
        };
        let limits = self.policy.limits(&who);
        match self.cpus.known() {
            Some(cpus) => limits.on_a_host_of(cpus),
            None => limits,
        }
    }
}
