//! What all requests share: the policy in force, the engine, the stager.

use super::account::Account;
use super::channel::Channel;
use super::engine::{Engine, Files};
use super::options::Options;
use super::peer::Peer;
use super::staging::Stager;
use super::wall::Wall;
use crate::policy::{Limits, Policy, Problems, Who};
use crate::protocol::place;
use anyhow::Context;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tokio::signal::unix::Signal;

/// What the engine may take to finish what nobody waits for any more.
const YOUTH: Duration = Duration::from_secs(10);

/// The gateway, as its handlers see it.
#[derive(Debug)]
pub(super) struct Gateway {
    policy_path: PathBuf,
    policy: RwLock<Arc<Policy>>,
    pub(super) engine: Engine,
    pub(super) stager: Stager,
    pub(super) wall: Wall,
    state_dir: PathBuf,
    copy_helper: PathBuf,
    pub(super) channel: Channel,
    /// One pull at a time per uid, and a few at once for everybody.
    pub(super) pulls: super::images::Pulls,
    pub(super) leashes: super::leash::Leashes,
    pub(super) look_ups: super::account::LookUps,
    pub(super) bodies: super::body::Bodies,
    born: Instant,
    pub(super) gpus: super::gpu::service::Gpus,
}

impl Gateway {
    pub(super) fn load(options: &Options) -> anyhow::Result<Self> {
        let policy = Policy::load(&options.policy)?;
        let helper = fs::metadata(&options.copy_helper)
            .with_context(|| format!("cannot read {}", options.copy_helper.display()))?;
        anyhow::ensure!(helper.is_file(), "{} is not a file", options.copy_helper.display());
        let accounts = options.state_dir.join("accounts");
        fs::create_dir_all(&accounts).with_context(|| format!("cannot make {}", accounts.display()))?;
        Ok(Self {
            engine: Engine::new(policy.gateway().engine()),
            policy_path: options.policy.clone(),
            policy: RwLock::new(Arc::new(policy)),
            stager: Stager::new(options.mountd_dir.join(place::MOUNTD_SOCKET)),
            wall: Wall::told_by(options.wall.clone()),
            state_dir: options.state_dir.clone(),
            copy_helper: options.copy_helper.clone(),
            channel: Channel::open(&options.state_dir)?,
            pulls: super::images::Pulls::default(),
            leashes: super::leash::Leashes::default(),
            look_ups: super::account::LookUps::default(),
            bodies: super::body::Bodies::default(),
            born: Instant::now(),
            gpus: super::gpu::service::Gpus::open(&options.state_dir)?,
        })
    }

    /// One that reads no file, with the sockets of an engine and of an ie-mountd of the caller's.
    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn fake(policy: Policy, mountd: PathBuf, state_dir: PathBuf) -> anyhow::Result<Self> {
        Ok(Self {
            engine: Engine::new(policy.gateway().engine()),
            policy_path: PathBuf::from("/nonexistent/policy.toml"),
            policy: RwLock::new(Arc::new(policy)),
            stager: Stager::new(mountd),
            wall: Wall::told_by(PathBuf::from("/nonexistent/wall")),
            channel: Channel::open(&state_dir)?,
            gpus: super::gpu::service::Gpus::open(&state_dir)?,
            state_dir,
            copy_helper: PathBuf::from(place::COPY_HELPER),
            pulls: super::images::Pulls::default(),
            leashes: super::leash::Leashes::default(),
            look_ups: super::account::LookUps::default(),
            bodies: super::body::Bodies::default(),
            born: Instant::now(),
        })
    }

    /// Whether the engine may still be at a start that a gateway before this one asked for.
    pub(super) fn is_young(&self) -> bool {
        self.born.elapsed() < YOUTH
    }

    pub(super) fn policy(&self) -> Arc<Policy> {
        self.policy.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The caller's limits today.
    pub(super) fn limits(&self, account: &Account) -> Limits {
        let who = Who {
            login: account.login(),
            groups: account.policy_groups(),
            home: account.home(),
            today: jiff::Zoned::now().date(),
        };
        self.policy().limits(&who)
    }

    /// Puts the whole new policy in force, or keeps the old one.
    pub(super) fn reload(&self) -> Result<(), Problems> {
        let policy = Policy::load(&self.policy_path)?;
        if policy.gateway().engine() != self.policy().gateway().engine() {
            tracing::warn!("gateway.engine has changed: it takes effect when the gateway is restarted");
        }
        *self.policy.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(policy);
        Ok(())
    }

    /// The files every container of this caller's gets, written anew where they differ.
    pub(super) fn files(&self, peer: &Peer, account: &Account) -> std::io::Result<Files> {
        let dir = self.state_dir.join("accounts").join(peer.uid().to_string());
        fs::create_dir_all(&dir)?;
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
            channel: self.channel.dir().to_owned(),
        })
    }
}

/// Written by rename, so that no container ever binds half a file.
fn write_if_changed(path: PathBuf, text: &str) -> std::io::Result<PathBuf> {
    if fs::read_to_string(&path).is_ok_and(|old| old == text) {
        return Ok(path);
    }
    let mut random = [0u8; 8];
    rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())?;
    let fresh = path.with_extension(format!("{:016x}", u64::from_ne_bytes(random)));
    let written = write_readable(&fresh, text).and_then(|()| fs::rename(&fresh, &path));
    if written.is_err() {
        let _gone = fs::remove_file(&fresh);
    }
    written.map(|()| path)
}

/// Everyone in a container reads these, whatever the gateway's umask.
fn write_readable(path: &Path, text: &str) -> std::io::Result<()> {
    fs::write(path, text)?;
    fs::set_permissions(path, Permissions::from_mode(0o644))
}

/// SIGHUP: the whole new policy or the old one.
pub(super) async fn reload_on_hangup(gateway: Arc<Gateway>, mut hangups: Signal) {
    while hangups.recv().await.is_some() {
        match gateway.reload() {
            Ok(()) => tracing::info!("the policy was read anew"),
            Err(problems) => {
                tracing::error!("the policy was not read, the old one stays in force: {problems}")
            }
        }
    }
}
