//! A container's directories and files, staged by the mount helper, and what is said where that fails.

use crate::gateway::caller::Caller;
use crate::gateway::engine::{Space, StageLabel};
use crate::gateway::error::Error;
use crate::gateway::host::staging::{StageError, Staged, Stager};
use crate::policy::{Limits, MountGrant};
use crate::protocol::escape::escape_line;
use crate::protocol::report::Refusal;
use crate::protocol::stage::{Map, Shape, Token};
use crate::protocol::told::told;

/// One that nobody can know beforehand.
pub(super) fn token() -> Result<Token, Error> {
    let mut bytes = [0u8; 16];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
        .map_err(|error| Error::Internal(told!("no randomness: {error}")))?;
    Ok(Token::from_bytes(bytes))
}

pub(super) fn stage_labels(mounts: &[MountGrant]) -> Result<Vec<StageLabel>, Error> {
    let label = |mount: &MountGrant| {
        Ok(StageLabel {
            token: token()?,
            root: mount.root.clone(),
            relative: mount.relative.clone(),
            target: mount.target.clone(),
            access: mount.access,
            shape: Shape::default(),
        })
    };
    mounts.iter().map(label).collect()
}

/// Has all of a new container's staged, whatever shape each has, which is noted.
pub(super) async fn stage_anew(
    stager: &Stager,
    caller: &Caller,
    stages: &mut [StageLabel],
    space: Space,
) -> Result<Vec<Staged>, Error> {
    let staged = all(stager, caller, stages, space, |_| None).await?;
    for (label, staged) in stages.iter_mut().zip(&staged) {
        label.shape = staged.shape();
    }
    Ok(staged)
}

/// Has all of a container's staged or confirmed, each as what it was when the container was made.
pub(super) async fn stage(
    stager: &Stager,
    caller: &Caller,
    stages: &[StageLabel],
    space: Space,
) -> Result<(), Error> {
    all(stager, caller, stages, space, |stage| Some(stage.shape)).await.map(drop)
}

/// One after the other.
async fn all(
    stager: &Stager,
    caller: &Caller,
    stages: &[StageLabel],
    space: Space,
    shape: impl Fn(&StageLabel) -> Option<Shape>,
) -> Result<Vec<Staged>, Error> {
    let account = caller.account()?;
    let limits = caller.limits()?;
    let gids: Vec<u32> = account.groups().iter().map(|group| group.gid).collect();
    let mut staged = Vec::with_capacity(stages.len());
    let roots = caller.policy().roots();
    for stage in stages {
        // One that is no root any more ie-mountd refuses.
        let map = match (roots.iter().find(|root| root.path == stage.root), space.map()) {
            (Some(root), _) if !root.idmap => Map::Off,
            (Some(root), Map::Shifted(shift)) if root.group => Map::Group(shift),
            (_, map) => map,
        };
        let request = stage.request(caller.uid(), gids.clone(), map, shape(stage));
        let answer = stager.stage(request, stage.target.clone()).await;
        staged.push(answer.map_err(|error| blamed(&limits, stage, error))?);
    }
    Ok(staged)
}

/// What nobody asked for is not the caller's mistake.
fn blamed(limits: &Limits, stage: &StageLabel, error: StageError) -> Error {
    let site =
        limits.mounts_always(&stage.root, &stage.target).filter(|_| stage.relative.as_os_str().is_empty());
    match (error, site) {
        (StageError::Refused(_, why), Some(source)) => {
            let shown = escape_line(&stage.root.to_string_lossy());
            let what = told!("the administrator's policy has {shown} in each container: {why}");
            let mut refusal = Refusal::new("site", told!("{}: {what} ({source})", "mounts")).rule("mounts");
            refusal.source = Some(source.to_string());
            refusal.hint(told!("tell your administrator: nothing starts until it is mended")).into()
        }
        (error, _) => error.into(),
    }
}

/// Takes stages away; what fails is tidied by the next sweep.
pub(in crate::gateway) async fn unstage(stager: &Stager, tokens: &[Token]) {
    for token in tokens {
        if let Err(error) = stager.unstage(token).await {
            tracing::warn!("a stage is left for the next sweep: {error}");
        }
    }
}
