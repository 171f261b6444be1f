//! What all requests share: the policy in force, the engine, the stager.

use crate::gateway::bounds::cache::Recent;
use crate::gateway::bounds::permits::Places;
use crate::gateway::caller::account::Account;
use crate::gateway::caller::in_force::{self, InForce};
use crate::gateway::caller::peer::Peer;
use crate::gateway::engine::{Engine, Files};
use crate::gateway::host::channel::Channel;
use crate::gateway::host::staging::Stager;
use crate::gateway::host::wall::Wall;
use crate::gateway::options::Options;
use crate::gateway::state_file;
use crate::policy::{Limits, Policy, Problems, Who};
use crate::protocol::place;
use crate::protocol::stage::Token;
use anyhow::Context;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::signal::unix::Signal;

/// What the engine may take to finish what nobody waits for any more.
const YOUTH: Duration = Duration::from_secs(10);

/// Answers of one user's that may be whole in memory at once: another waits for its place.
const ANSWERS: usize = 8;

/// Copies out of one user's that may be rewritten at once, a few MiB each: another waits for its place.
const REWRITES: usize = 4;

/// Exec instances that one user may have in the making at once: another waits for its place.
const EXECS: usize = 16;

/// The gateway, as its handlers see it.
#[derive(Debug)]
pub(super) struct Gateway {
    pub(super) in_force: InForce,
    pub(super) engine: Engine,
    pub(super) stager: Stager,
    pub(super) wall: Wall,
    state_dir: PathBuf,
    copy_helper: PathBuf,
    pub(super) channel: Channel,
    /// One pull at a time per uid, and a few at once for everybody.
    pub(super) pulls: crate::gateway::api::pull::Pulls,
    pub(super) leashes: crate::gateway::sessions::cleanup::Leashes,
    pub(super) look_ups: crate::gateway::caller::account::LookUps,
    pub(super) bodies: crate::gateway::api::body::Bodies,
    /// One walk through layers at a time per uid.
    pub(super) walks: Places,
    /// Copies out that are rewritten, per uid: each remembers the links that it has seen.
    pub(super) rewrites: Places,
    /// Who waits with a container's lock in hand, and which containers are to be removed.
    pub(super) removals: crate::gateway::locks::removals::Removals,
    /// Who is attached to what is not started yet.
    pub(super) attaches: crate::gateway::sessions::pending::Attaches,
    /// What is in images.
    pub(super) looks: crate::gateway::images::look::Looks,
    /// What each user has done, one after the other.
    pub(super) pace: crate::gateway::bounds::rate::Pace,
    /// Processes that the engine lists with a program of the host's, per uid.
    pub(super) tops: Places,
    /// What the engine says of itself, for which it runs programs.
    pub(super) version: Recent<Value>,
    pub(super) info: Recent<Value>,
    /// Exec instances in the making, per uid: what is made is counted then.
    pub(super) execs: Places,
    /// Answers that are whole in memory, per uid.
    pub(super) answers: Places,
    born: Instant,
    pub(super) ports: crate::gateway::lifecycle::ports::Desk,
    pub(super) gpus: crate::gateway::gpu::service::Gpus,
    /// What has been stopped for so long that it goes soon.
    pub(super) marks: crate::gateway::upkeep::expiry::Marks,
    pub(super) reasons: crate::gateway::records::reasons::Reasons,
    pub(super) boots: crate::gateway::upkeep::boots::Boots,
    /// Who prints how much.
    pub(super) output: crate::gateway::upkeep::output::Output,
}

/// Where a gateway finds what is not in its policy.
struct Paths {
    mountd: PathBuf,
    wall: PathBuf,
    state: PathBuf,
    copy_helper: PathBuf,
    boot_id: Option<String>,
}

impl Gateway {
    pub(super) fn load(options: &Options) -> anyhow::Result<Self> {
        let in_force = InForce::load(&options.policy, &options.state_dir)?;
        let helper = fs::metadata(&options.copy_helper)
            .with_context(|| format!("cannot read {}", options.copy_helper.display()))?;
        anyhow::ensure!(helper.is_file(), "{} is not a file", options.copy_helper.display());
        Self::of(
            in_force,
            Paths {
                mountd: options.mountd_dir.join(place::MOUNTD_SOCKET),
                wall: options.wall.clone(),
                state: options.state_dir.clone(),
                copy_helper: options.copy_helper.clone(),
                boot_id: options.boot_id.clone(),
            },
        )
    }

    /// One that reads no file, with the sockets of an engine and of an ie-mountd of the caller's.
    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn fake(policy: Policy, mountd: PathBuf, state: PathBuf) -> anyhow::Result<Self> {
        let nowhere = |name: &str| std::path::Path::new("/nonexistent").join(name);
        let copy_helper = PathBuf::from(place::COPY_HELPER);
        let in_force = InForce::of(policy, nowhere("policy.toml"), nowhere("copy.toml"));
        Self::of(in_force, Paths { mountd, wall: nowhere("wall"), state, copy_helper, boot_id: None })
    }

    fn of(in_force: InForce, paths: Paths) -> anyhow::Result<Self> {
        let policy = in_force.policy();
        let look_ups = crate::gateway::caller::account::LookUps::new(policy.gateway().engine());
        Ok(Self {
            engine: Engine::new(policy.gateway().engine()),
            in_force,
            stager: Stager::new(paths.mountd),
            wall: Wall::told_by(paths.wall),
            channel: Channel::open(&paths.state)?,
            ports: crate::gateway::lifecycle::ports::Desk::default(),
            gpus: crate::gateway::gpu::service::Gpus::open(&paths.state),
            marks: crate::gateway::upkeep::expiry::Marks::open(&paths.state.join("expiring")),
            boots: crate::gateway::upkeep::boots::Boots::open(&paths.state, paths.boot_id.as_deref()),
            reasons: crate::gateway::records::reasons::Reasons::open(&paths.state.join("stopped")),
            output: crate::gateway::upkeep::output::Output::default(),
            looks: crate::gateway::images::look::Looks::open(&paths.state),
            state_dir: paths.state,
            copy_helper: paths.copy_helper,
            pulls: crate::gateway::api::pull::Pulls::default(),
            leashes: crate::gateway::sessions::cleanup::Leashes::new()?,
            look_ups,
            bodies: crate::gateway::api::body::Bodies::default(),
            walks: Places::new(1),
            rewrites: Places::new(REWRITES),
            removals: crate::gateway::locks::removals::Removals::default(),
            attaches: crate::gateway::sessions::pending::Attaches::default(),
            pace: crate::gateway::bounds::rate::Pace::of_changes(),
            tops: Places::new(crate::gateway::api::containers::TOPS),
            version: Recent::default(),
            info: Recent::default(),
            execs: Places::new(EXECS),
            answers: Places::new(ANSWERS),
            born: Instant::now(),
        })
    }

    /// Whether the engine may still be at a start that a gateway before this one asked for.
    pub(super) fn is_young(&self) -> bool {
        self.born.elapsed() < YOUTH
    }

    pub(super) fn policy(&self) -> Arc<Policy> {
        self.in_force.policy()
    }

    /// The caller's limits today.
    pub(super) fn limits(&self, account: &Account) -> Limits {
        let who = Who {
            login: account.login(),
            groups: account.policy_groups(),
            home: account.home(),
            today: jiff::Zoned::now().date(),
        };
        let limits = self.policy().limits(&who);
        match self.engine.cpus() {
            Some(cpus) => limits.on_a_host_of(cpus),
            None => limits,
        }
    }

    /// Puts the whole new policy in force, or keeps the old one. What of it is not in force yet.
    pub(super) async fn reload(self: &Arc<Self>) -> Result<Vec<String>, Problems> {
        let old = self.policy();
        let policy = self.in_force.reload();
        in_force::say_in_status(self.in_force.broken().as_ref());
        let policy = policy?;
        let mut warnings = Vec::new();
        if policy.gateway().engine() != old.gateway().engine() {
            warnings
                .push("gateway.engine has changed: it takes effect when the gateway is restarted".to_owned());
        }
        // On its own: a driver may hang.
        let gateway = Arc::clone(self);
        tokio::spawn(async move { crate::gateway::gpu::reaper::look(&gateway).await });
        tracing::info!("the policy was read anew");
        warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        Ok(warnings)
    }

    /// The files every container of this caller's gets, written anew where they differ.
    pub(super) fn files(&self, peer: &Peer, account: &Account, channel: &Token) -> std::io::Result<Files> {
        let dir = self.state_dir.join("accounts").join(peer.uid().to_string());
        state_file::dir(&self.state_dir.join("accounts"))?;
        let (uid, login, home) = (peer.uid(), account.login(), account.home().display());
        let passwd = format!(
            "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n\
             {login}:x:{uid}:{gid}:{login}:{home}:/bin/sh\n",
            gid = peer.gid()
        );
        let mut group = String::from("root:x:0:\nnogroup:x:65534:\n");
        for membership in account.groups() {
            group.push_str(&format!("{}:x:{}:{login}\n", membership.name, membership.gid));
        }
        Ok(Files {
            passwd: write_if_changed(dir.join("passwd"), &passwd)?,
            group: write_if_changed(dir.join("group"), &group)?,
            copy_helper: self.copy_helper.clone(),
            channel: self.channel.make(channel)?,
        })
    }
}

/// Written by rename, so that no container ever binds half a file. Everyone in a container reads it, whatever the umask.
fn write_if_changed(path: PathBuf, text: &str) -> std::io::Result<PathBuf> {
    if !state_file::read(&path).is_ok_and(|old| old == text) {
        state_file::half_write(path.clone(), text.as_bytes())?.readable()?.finish()?;
    }
    Ok(path)
}

/// SIGHUP: the whole new policy or the old one.
pub(super) async fn reload_on_hangup(gateway: Arc<Gateway>, mut hangups: Signal) {
    while hangups.recv().await.is_some() {
        if let Err(problems) = gateway.reload().await {
            tracing::error!("the policy was not read, the old one stays in force: {problems}");
        }
    }
}
