//! What handlers may ask for, each by its type: none of them sees the whole.

use super::body::Bodies;
use super::containers::{Ends, TopPermits, Walks};
use super::exec::ExecPermits;
use super::pull::Pulls;
use super::response_permits::ResponsePermits;
use super::system::Told;
use crate::gateway::caller::in_force::InForce;
use crate::gateway::copying::Copier;
use crate::gateway::engine::Engine;
use crate::gateway::engine::terminals::Terminals;
use crate::gateway::gpu::service::Gpus;
use crate::gateway::host::wall::Wall;
use crate::gateway::lifecycle::creator::Creator;
use crate::gateway::lifecycle::remover::Remover;
use crate::gateway::lifecycle::starter::Starter;
use crate::gateway::lifecycle::updater::Updater;
use crate::gateway::locks::lock::Locks;
use crate::gateway::records::reasons::Reasons;
use crate::gateway::records::restarts::Restarts;
use crate::gateway::sessions::cleanup::ExecCleanups;
use crate::gateway::sessions::pending::Attaches;
use crate::gateway::upkeep::reload::Reloader;
use axum::extract::FromRef;
use std::sync::Arc;

/// The router's state. It is cheap to clone.
#[derive(Debug, Clone)]
pub(in crate::gateway) struct Parts(pub(in crate::gateway) Arc<All>);

/// One of each.
#[derive(Debug)]
pub(in crate::gateway) struct All {
    pub(in crate::gateway) engine: Arc<Engine>,
    pub(in crate::gateway) wall: Arc<Wall>,
    pub(in crate::gateway) locks: Arc<Locks>,
    pub(in crate::gateway) gpus: Arc<Gpus>,
    pub(in crate::gateway) terminals: Arc<Terminals>,
    pub(in crate::gateway) attaches: Arc<Attaches>,
    pub(in crate::gateway) cleanups: Arc<ExecCleanups>,
    pub(in crate::gateway) reasons: Arc<Reasons>,
    pub(in crate::gateway) restarts: Arc<Restarts>,
    pub(in crate::gateway) creator: Arc<Creator>,
    pub(in crate::gateway) starter: Arc<Starter>,
    pub(in crate::gateway) remover: Arc<Remover>,
    pub(in crate::gateway) updater: Arc<Updater>,
    pub(in crate::gateway) copier: Arc<Copier>,
    pub(in crate::gateway) in_force: Arc<InForce>,
    pub(in crate::gateway) reloader: Arc<Reloader>,
    pub(in crate::gateway) pulls: Arc<Pulls>,
    pub(in crate::gateway) told: Arc<Told>,
    pub(in crate::gateway) walks: Arc<Walks>,
    pub(in crate::gateway) tops: Arc<TopPermits>,
    pub(in crate::gateway) execs: Arc<ExecPermits>,
    pub(in crate::gateway) responses: Arc<ResponsePermits>,
    pub(in crate::gateway) bodies: Arc<Bodies>,
    pub(in crate::gateway) ends: Ends,
}

macro_rules! handed_out {
    ($($name:ident: $part:ty,)*) => {
        $(impl FromRef<Parts> for $part {
            fn from_ref(parts: &Parts) -> Self {
                parts.0.$name.clone()
            }
        })*
    };
}

handed_out! {
    engine: Arc<Engine>,
    wall: Arc<Wall>,
    locks: Arc<Locks>,
    gpus: Arc<Gpus>,
    terminals: Arc<Terminals>,
    attaches: Arc<Attaches>,
    cleanups: Arc<ExecCleanups>,
    reasons: Arc<Reasons>,
    restarts: Arc<Restarts>,
    creator: Arc<Creator>,
    starter: Arc<Starter>,
    remover: Arc<Remover>,
    updater: Arc<Updater>,
    copier: Arc<Copier>,
    in_force: Arc<InForce>,
    reloader: Arc<Reloader>,
    pulls: Arc<Pulls>,
    told: Arc<Told>,
    walks: Arc<Walks>,
    tops: Arc<TopPermits>,
    execs: Arc<ExecPermits>,
    responses: Arc<ResponsePermits>,
    bodies: Arc<Bodies>,
    ends: Ends,
}
