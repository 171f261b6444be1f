//! The caller of a request: the user whom the kernel names, the account, and the policy in force.

pub(super) mod account;
pub(super) mod in_force;
pub(super) mod peer;
