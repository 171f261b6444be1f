//! The gateway put together: each part is given the parts that it needs, and knows no other.

use super::api::body::Bodies;
use super::api::containers::Ends;
use super::api::parts::{All, Parts};
use super::api::routes;
use super::bounds::permits::Permits;
use super::bounds::rate::RateLimit;
use super::bounds::youth::Youth;
use super::caller::absent::Absent;
use super::caller::account::LookUps;
use super::caller::in_force::InForce;
use super::copying::{Copier, EXPORTS, REWRITES};
use super::door::serve::Door;
use super::engine::Engine;
use super::engine::ports::Desk;
use super::engine::terminals::Terminals;
use super::gpu::reaper::Reaper;
use super::gpu::service::Gpus;
use super::host::channel::Channel;
use super::host::staging::Stager;
use super::host::wall::Wall;
use super::images::look::Looks;
use super::lifecycle::account_files::AccountFiles;
use super::lifecycle::admission::Admission;
use super::lifecycle::creator::Creator;
use super::lifecycle::remover::Remover;
use super::lifecycle::restarter::{AT_ONCE, Restarter};
use super::lifecycle::starter::Starter;
use super::lifecycle::updater::Updater;
use super::locks::lock::Locks;
use super::options::Options;
use super::records::reasons::Reasons;
use super::records::resized::Resized;
use super::records::restarts::Restarts;
use super::sessions::cleanup::ExecCleanups;
use super::sessions::pending::Attaches;
use super::upkeep::boots::Boots;
use super::upkeep::disk::DiskWatch;
use super::upkeep::expiry::{Expirations, Expiry};
use super::upkeep::output::Output;
use super::upkeep::release::Release;
use super::upkeep::reload::Reloader;
use super::upkeep::stopping::Stops;
use super::upkeep::sweep::Sweep;
#[cfg(any(test, feature = "fuzz"))]
use crate::policy::Policy;
use crate::protocol::layout;
use anyhow::Context;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// What is served, and what runs beside it.
pub(super) struct Wired {
    pub(super) parts: Parts,
    pub(super) look_ups: Arc<LookUps>,
    pub(super) rate_limit: Arc<RateLimit>,
    pub(super) boots: Arc<Boots>,
    pub(super) looks: Arc<Looks>,
    pub(super) reaper: Arc<Reaper>,
    pub(super) sweep: Arc<Sweep>,
    pub(super) disk: DiskWatch,
    pub(super) expiry: Expiry,
    pub(super) restarter: Arc<Restarter>,
}

/// Where a gateway finds what is not in its policy.
struct Paths {
    mountd: PathBuf,
    wall: PathBuf,
    state: PathBuf,
    copy_helper: PathBuf,
    boot_id: Option<String>,
}

impl Wired {
    /// By the program's options, with the policy that they name.
    pub(super) fn load(options: &Options) -> anyhow::Result<Self> {
        let in_force = InForce::load(&options.policy, &options.state_dir)?;
        let helper = fs::metadata(&options.copy_helper)
            .with_context(|| format!("cannot read {}", options.copy_helper.display()))?;
        anyhow::ensure!(helper.is_file(), "{} is not a file", options.copy_helper.display());
        Self::of(
            in_force,
            Paths {
                mountd: options.mountd_dir.join(layout::MOUNTD_SOCKET),
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
        let copy_helper = PathBuf::from(layout::COPY_HELPER);
        let in_force = InForce::of(policy, nowhere("policy.toml"), nowhere("copy.toml"));
        Self::of(in_force, Paths { mountd, wall: nowhere("wall"), state, copy_helper, boot_id: None })
    }

    /// What accepting takes.
    pub(super) fn door(&self) -> Door {
        Door {
            in_force: self.parts.0.in_force.clone(),
            look_ups: self.look_ups.clone(),
            engine: self.parts.0.engine.clone(),
            rate_limit: self.rate_limit.clone(),
            looks: RateLimit::of_looks(),
            user: routes::user(self.parts.clone()),
            admin: routes::admin(self.parts.clone()),
        }
    }

    fn of(in_force: InForce, paths: Paths) -> anyhow::Result<Self> {
        let (in_force, youth) = (Arc::new(in_force), Youth::begins());
        let socket = in_force.policy().gateway().engine().to_owned();
        let look_ups = Arc::new(LookUps::new(&socket));
        let absent = Absent::new(look_ups.clone(), in_force.clone());
        let rate_limit = Arc::new(RateLimit::of_changes());

        let engine = Arc::new(Engine::new(&socket, in_force.cpus()));
        let stager = Arc::new(Stager::new(paths.mountd));
        let wall = Arc::new(Wall::told_by(paths.wall));
        let channel = Arc::new(Channel::open(&paths.state)?);

        let reasons = Arc::new(Reasons::open(&paths.state.join("stopped")));
        let expirations = Arc::new(Expirations::open(&paths.state.join("expiring")));
        let resized = Arc::new(Resized::open(&paths.state.join("resized"), engine.clone()));
        let restarts = Arc::new(Restarts::open(&paths.state.join("restarts")));
        let boots = Arc::new(Boots::open(&paths.state, paths.boot_id.as_deref()));

        let terminals = Arc::new(Terminals::default());
        let attaches = Arc::new(Attaches::new(engine.clone()));
        let cleanups = Arc::new(ExecCleanups::new(engine.clone())?);
        let locks = Arc::new(Locks::new(engine.clone()));
        let ports = Arc::new(Desk::default());
        let looks = Arc::new(Looks::open(&paths.state, engine.clone()));
        let gpus = Arc::new(Gpus::open(&paths.state, engine.clone(), terminals.clone()));

        let stops = Arc::new(Stops {
            engine: engine.clone(),
            terminals: terminals.clone(),
            reasons: reasons.clone(),
            restarts: restarts.clone(),
        });
        let output = Arc::new(Output::new(absent.clone(), stops.clone()));
        let release = Arc::new(Release {
            engine: engine.clone(),
            stager: stager.clone(),
            output: output.clone(),
            gpus: gpus.clone(),
            expirations: expirations.clone(),
            cleanups: cleanups.clone(),
        });
        let reaper = Arc::new(Reaper {
            gpus: gpus.clone(),
            in_force: in_force.clone(),
            reasons: reasons.clone(),
            restarts: restarts.clone(),
            youth,
        });
        let sweep = Arc::new(Sweep {
            youth,
            resized: resized.clone(),
            restarts: restarts.clone(),
            boots: boots.clone(),
            channel: channel.clone(),
            looks: looks.clone(),
            locks: locks.clone(),
            attaches: attaches.clone(),
            reaper: reaper.clone(),
            release: release.clone(),
        });
        let disk =
            DiskWatch { engine: engine.clone(), in_force: in_force.clone(), absent: absent.clone(), stops };
        let expiry = Expiry {
            engine: engine.clone(),
            in_force: in_force.clone(),
            absent: absent.clone(),
            expirations: expirations.clone(),
        };

        let creator = Arc::new(Creator {
            engine: engine.clone(),
            locks: locks.clone(),
            admission: Admission {
                engine: engine.clone(),
                gpus: gpus.clone(),
                looks: looks.clone(),
                ports: ports.clone(),
            },
            stager: stager.clone(),
            channel: channel.clone(),
            files: AccountFiles {
                state_dir: paths.state,
                copy_helper: paths.copy_helper,
                channel: channel.clone(),
            },
            wall: wall.clone(),
            gpus: gpus.clone(),
            in_force: in_force.clone(),
        });
        let starter = Arc::new(Starter {
            engine: engine.clone(),
            locks: locks.clone(),
            stager: stager.clone(),
            channel: channel.clone(),
            wall: wall.clone(),
            gpus: gpus.clone(),
            looks: looks.clone(),
            ports,
            attaches: attaches.clone(),
            output,
            reasons: reasons.clone(),
            restarts: restarts.clone(),
            in_force: in_force.clone(),
        });
        let restarter = Arc::new(Restarter {
            engine: engine.clone(),
            starter: starter.clone(),
            absent,
            restarts: restarts.clone(),
            rate: RateLimit::of_restarts(),
            of_users: Permits::new(1),
            at_once: Semaphore::new(AT_ONCE),
        });
        let remover = Arc::new(Remover {
            engine: engine.clone(),
            locks: locks.clone(),
            stager: stager.clone(),
            attaches: attaches.clone(),
            restarts: restarts.clone(),
        });
        let updater = Arc::new(Updater {
            engine: engine.clone(),
            locks: locks.clone(),
            resized,
            restarts: restarts.clone(),
            in_force: in_force.clone(),
        });
        let copier = Arc::new(Copier {
            engine: engine.clone(),
            locks: locks.clone(),
            stager,
            channel,
            release,
            rate_limit: rate_limit.clone(),
            youth,
            rewrites: Permits::new(REWRITES),
            exports: Permits::new(EXPORTS),
        });
        let reloader = Arc::new(Reloader { in_force: in_force.clone(), reaper: reaper.clone() });

        let parts = Parts(Arc::new(All {
            ends: Ends {
                reasons: reasons.clone(),
                restarts: restarts.clone(),
                expirations,
                gpus: gpus.clone(),
            },
            engine,
            wall,
            locks,
            gpus,
            terminals,
            attaches,
            cleanups,
            reasons,
            restarts,
            creator,
            starter,
            remover,
            updater,
            copier,
            in_force,
            reloader,
            pulls: Arc::default(),
            told: Arc::default(),
            walks: Arc::default(),
            tops: Arc::default(),
            execs: Arc::default(),
            responses: Arc::default(),
            bodies: Arc::<Bodies>::default(),
        }));
        Ok(Self { parts, look_ups, rate_limit, boots, looks, reaper, sweep, disk, expiry, restarter })
    }
}
