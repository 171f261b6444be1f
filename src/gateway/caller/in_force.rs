//! The policy in force, and the copy of its text that the next gateway goes by where the file is broken then.
//!
//! A start that finds the file broken goes by the copy. The other choice was not to start: a mistake in the file would
//! keep everybody out after a reboot that nobody watches. The risk is a user who was taken out in that very change, and
//! is let in for longer. A failed reload has the same risk already. So the reload fails audibly, and the failure is
//! told again and again.
//!
//! A copy is never older than what was in force: where the newer text cannot be written, the copy is removed. A file
//! that is gone was taken away, and nothing starts.

use super::rules::{HostCpus, Rules};
use crate::gateway::state_file;
use crate::policy::{Broken, LastGood, Policy, Problems};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

/// How often the log is told that the file is not what holds.
const REMINDER: Duration = Duration::from_secs(3600);

/// What holds, and why it is not what the file says.
#[derive(Debug)]
pub(in crate::gateway) struct InForce {
    file: PathBuf,
    copy: PathBuf,
    policy: RwLock<Arc<Policy>>,
    broken: Mutex<Option<Broken>>,
    cpus: HostCpus,
}

impl InForce {
    /// By the file, or the copy of a predecessor's.
    pub(in crate::gateway) fn load(file: &Path, state: &Path) -> Result<Self, Problems> {
        let copy = state.join("policy.toml");
        let start = Policy::at_start(file, || read(&copy))?;
        let told = Self { broken: Mutex::new(start.broken), ..Self::of(start.policy, file.to_owned(), copy) };
        told.keep(&start.text);
        Ok(told)
    }

    /// One that is nobody's file.
    pub(in crate::gateway) fn of(policy: Policy, file: PathBuf, copy: PathBuf) -> Self {
        Self {
            file,
            copy,
            policy: RwLock::new(Arc::new(policy)),
            broken: Mutex::default(),
            cpus: HostCpus::default(),
        }
    }

    pub(in crate::gateway) fn policy(&self) -> Arc<Policy> {
        self.policy.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What one request is judged by, from its beginning to its end.
    pub(in crate::gateway) fn rules(&self) -> Rules {
        Rules::new(self.policy(), self.cpus.clone())
    }

    /// Where the engine's word on its processors goes.
    pub(in crate::gateway) fn cpus(&self) -> HostCpus {
        self.cpus.clone()
    }

    /// Why the file is not what holds.
    pub(in crate::gateway) fn broken(&self) -> Option<Broken> {
        self.broken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts the whole new policy in force, and gives it, or keeps the old one.
    pub(in crate::gateway) fn reload(&self) -> Result<Arc<Policy>, Problems> {
        let mut broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        let (policy, text) = Policy::read(&self.file).inspect_err(|problems| {
            *broken = Some(Broken::new(problems.clone(), read(&self.copy).as_ref()));
        })?;
        let policy = Arc::new(policy);
        *self.policy.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&policy);
        self.keep(&text);
        *broken = None;
        Ok(policy)
    }

    /// An older copy than what holds would let in again whoever was taken out: where this one cannot be written, none stays.
    fn keep(&self, text: &str) {
        if state_file::read(&self.copy).is_ok_and(|old| old == text) {
            return;
        }
        // Half of it could give more than the whole.
        let written = state_file::half_write(self.copy.clone(), text.as_bytes())
            .and_then(state_file::HalfWritten::on_disk)
            .and_then(state_file::HalfWritten::finish);
        if let Err(error) = written {
            let _gone = fs::remove_file(&self.copy);
            tracing::error!("no copy of the policy is kept for a start with a broken one: {error}");
        }
    }
}

fn read(copy: &Path) -> Option<LastGood> {
    let since = fs::symlink_metadata(copy).and_then(|meta| meta.modified()).ok()?;
    state_file::read(copy).ok().map(|text| LastGood { text, since })
}

/// Tells the log and systemd where the file is not what holds: at a start, before anything is said to be served.
pub(in crate::gateway) fn say_if_broken(in_force: &InForce) {
    if let Some(broken) = in_force.broken() {
        tracing::error!("{broken}; mend it, and systemctl reload ie-containerd");
        say_in_status(Some(&broken));
    }
}

/// Says it again each hour for so long as it is so.
pub(in crate::gateway) async fn remind(in_force: Arc<InForce>) {
    loop {
        tokio::time::sleep(REMINDER).await;
        say_if_broken(&in_force);
    }
}

/// What holds after a reload, for `systemctl status`.
pub(in crate::gateway) fn say_in_status(broken: Option<&Broken>) {
    let status = broken.map_or_else(|| "the policy file is in force".to_owned(), ToString::to_string);
    let _without_systemd = sd_notify::notify(&[sd_notify::NotifyState::Status(&status.replace('\n', " "))]);
}
