//! A policy that is read anew: the whole new one, or the old one.

use crate::gateway::caller::in_force::{self, InForce};
use crate::gateway::gpu::reaper::Reaper;
use crate::policy::Problems;
use std::sync::Arc;
use tokio::signal::unix::Signal;

/// Whoever is to know of it.
#[derive(Debug)]
pub(in crate::gateway) struct Reloader {
    pub(in crate::gateway) in_force: Arc<InForce>,
    pub(in crate::gateway) reaper: Arc<Reaper>,
}

impl Reloader {
    /// Puts the whole new policy in force, or keeps the old one. What of it is not in force yet.
    ///
    /// # Errors
    /// Everything that is wrong with the new one.
    pub(in crate::gateway) async fn reload(&self) -> Result<Vec<String>, Problems> {
        let old = self.in_force.policy();
        let policy = self.in_force.reload();
        in_force::say_in_status(self.in_force.broken().as_ref());
        let policy = policy?;
        let mut warnings = Vec::new();
        if policy.gateway().engine() != old.gateway().engine() {
            warnings
                .push("gateway.engine has changed: it takes effect when the gateway is restarted".to_owned());
        }
        // On its own: a driver may hang.
        let reaper = self.reaper.clone();
        tokio::spawn(async move { reaper.look().await });
        tracing::info!("the policy was read anew");
        warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        Ok(warnings)
    }
}

/// SIGHUP: the whole new policy or the old one.
pub(in crate::gateway) async fn on_hangup(reloader: Arc<Reloader>, mut hangups: Signal) {
    while hangups.recv().await.is_some() {
        if let Err(problems) = reloader.reload().await {
            tracing::error!("the policy was not read, the old one stays in force: {problems}");
        }
    }
}
