//! What ie-mountd does for a request.

use super::error::Error;
use super::idmap::{Maps, NO_SHIFT, Others};
use super::open::Opener;
use super::policy::File;
use super::roots::{Admitted, Gateway, Roots, places};
use super::say;
use super::stage::{Made, Stages, Wish};
use crate::protocol::stage::{Answer, Map, Place, Request, Shape, Stage, Token};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};

/// The daemon's whole state. All that must outlive it is in the kernel's table of mounts.
#[derive(Debug)]
pub(super) struct Mountd {
    policy: File,
    gateway: Gateway,
    roots: Mutex<Arc<Roots>>,
    stages: Stages,
    opener: Opener,
    maps: Maps,
}

impl Mountd {
    pub(super) fn new(policy: File, gateway: Gateway, roots: Roots, stages: Stages) -> Self {
        Self {
            policy,
            gateway,
            roots: Mutex::new(Arc::new(roots)),
            stages,
            opener: Opener::default(),
            maps: Maps::default(),
        }
    }

    /// Puts other roots in force; requests under way keep those they began with.
    pub(super) fn replace_roots(&self, roots: Roots) {
        *self.roots.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(roots);
    }

    pub(super) fn answer(&self, request: &Request) -> Answer {
        let done = match request {
            Request::Stage(ask) => self.stage(ask),
            Request::Hollow { token, inside } => self.hollow(token, inside),
            Request::Unstage { token } => self.unstage(token),
            Request::Keep { tokens } => self.keep(tokens),
        };
        done.unwrap_or_else(|error| {
            say(format_args!("refused: {error}"));
            error.answer()
        })
    }

    /// Reads the policy file, and puts its roots in force. What is wrong with it leaves the old ones.
    pub(super) fn reload(&self) {
        match self.policy.roots() {
            Ok(roots) => self.replace_roots(roots),
            Err(error) => say(format_args!("the roots in force stay: {error:#}")),
        }
    }

    /// By the roots in force. The gateway may have read the file anew, and nobody have told us: then we do so, too.
    fn admit(&self, ask: &Stage) -> Result<Admitted, Error> {
        let by_now = || {
            let roots = Arc::clone(&self.roots.lock().unwrap_or_else(PoisonError::into_inner));
            roots.admit(ask, self.gateway, &roots.host_groups(self.gateway)?)
        };
        match by_now() {
            Err(error) if error.may_be_stale() => {
                self.reload();
                by_now()
            }
            admitted => admitted,
        }
    }

    fn stage(&self, ask: &Stage) -> Result<Answer, Error> {
        let admitted = Arc::new(self.admit(ask)?);
        let opened = self.opener.open(&admitted)?;
        let (shift, others) = match admitted.map() {
            Map::Off => (None, Others::Nobody),
            Map::Same => (Some(NO_SHIFT), Others::Nobody),
            Map::Shifted(shift) => (Some(shift), Others::Nobody),
            Map::Group(shift) => (Some(shift), Others::AsOwners),
        };
        let map =
            shift.map(|shift| self.maps.of(admitted.uid(), admitted.gids(), shift, others)).transpose()?;
        let wish = Wish { ask: &admitted, opened: &opened, map: map.as_ref().map(|map| map.as_fd()) };
        let shape = opened.shape;
        let Made { path, anew } = self.stages.stage(&ask.token, &wish)?;
        if anew {
            let (token, from) = (ask.token.as_str(), admitted.path());
            say(format_args!("staged {token}: {from:?} for uid {}, {:?}", admitted.uid(), admitted.access()));
        }
        Ok(Answer::Staged { path, shape })
    }

    fn hollow(&self, token: &Token, inside: &[Place]) -> Result<Answer, Error> {
        places(inside)?;
        let path = self.stages.hollow(token, inside)?;
        Ok(Answer::Staged { path, shape: Shape::Directory })
    }

    fn unstage(&self, token: &Token) -> Result<Answer, Error> {
        let count = usize::from(self.stages.unstage(token)?);
        if count > 0 {
            say(format_args!("unstaged {}", token.as_str()));
        }
        Ok(Answer::Unstaged { count })
    }

    fn keep(&self, tokens: &[Token]) -> Result<Answer, Error> {
        let count = self.stages.keep(tokens)?;
        say(format_args!("unstaged {count} that are not among the {} to keep", tokens.len()));
        Ok(Answer::Unstaged { count })
    }
}
