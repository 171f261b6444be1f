//! What was judged, made ready for runc: places of mounts, the working directory, the root, what the mounts show.
//!
//! What is missing below a stage for the working directory is made as the user.

use super::judge::Judged;
use super::judge::mounts::{Kind, Planned};
use super::nest::{Nest, trees};
use super::refused::Refused;
use super::rootfs::{Node, RootFs};
use super::site::Site;
use super::sources::{Alone, Shelf};
use crate::policy::Remap;
use crate::protocol::layout::COPY_IN_CONTAINER;
use nix::errno::Errno;
use nix::unistd::{Gid, Uid, getgroups, setfsgid, setfsuid, setgroups};
use oci_spec::runtime::{LinuxNamespaceType, Mount, Process, Spec};
use std::path::{Path, PathBuf};

/// The specification as runc reads it.
pub(crate) fn ready(judged: Judged, alone: &Alone, site: &Site, root: &RootFs) -> Result<Spec, Refused> {
    let Judged { mut spec, mounts } = judged;
    let ids = Ids::of(&spec, site);
    let read_only = spec.root().as_ref().and_then(|root| root.readonly()).unwrap_or_default();
    // In the container's own files the engine has made it already.
    if let Some(process) = spec.process()
        && let Some((stage, below)) = stage_of(process, &mounts)
    {
        let begins = in_stage(process, stage, &below, &ids)?;
        if begins == Begins::AsItself {
            let process = beginning_itself(process.clone(), stage, &mounts)?;
            spec.set_process(Some(process));
        }
    }
    let mounts = trees(mounts);
    if read_only {
        mounts.iter().try_for_each(|tree| places(tree.top(), root, &ids))?;
    }
    root.close(read_only)?;
    if let Some(root) = spec.root_mut() {
        root.set_readonly(None);
    }
    let shelf = Shelf::over(alone, site.stages())?;
    let mounts = {
        let mut nest = Nest { shelf, process: spec.process().as_ref(), ids: &ids };
        let mut told = Vec::new();
        mounts.into_iter().try_for_each(|tree| nest.told(tree, &mut told))?;
        told
    };
    spec.set_mounts(Some(mounts));
    Ok(spec)
}

/// What runc would make before it mounts something there, if the root could be written to.
fn places(planned: &Planned, root: &RootFs, ids: &Ids) -> Result<(), Refused> {
    let Some(place) = &planned.place else { return Ok(()) };
    let is_dir = planned.source.as_ref().is_none_or(|source| source.is_dir());
    let node = match planned.kind {
        Kind::Memory => Node::Directory(mode_of(&planned.mount)),
        _ if is_dir => Node::DIRECTORY,
        _ => Node::File,
    };
    root.make(place, node, ids.root())
}

/// Memory takes the mode of the directory that it is mounted on, whatever it was asked for: so that has this mode.
fn mode_of(mount: &Mount) -> u32 {
    let options = mount.options().iter().flatten();
    let mut asked = options.filter_map(|option| u32::from_str_radix(option.strip_prefix("mode=")?, 8).ok());
    asked.next_back().unwrap_or(0o1777) & 0o7777
}

/// The stage that the process begins in, and where below it. What is mounted there is what lies the deepest.
fn stage_of<'a>(process: &Process, mounts: &'a [Planned]) -> Option<(&'a Planned, PathBuf)> {
    let around = mounts.iter().filter(|planned| process.cwd().starts_with(planned.mount.destination()));
    let planned = around.max_by_key(|planned| planned.mount.destination().iter().count())?;
    let below = process.cwd().strip_prefix(planned.mount.destination()).ok()?;
    (planned.kind == Kind::Stage).then(|| (planned, below.to_owned()))
}

/// Who goes into the working directory.
#[derive(PartialEq, Eq)]
enum Begins {
    /// runc, which looks for the directory as root before it becomes the process.
    ByRunc,
    /// The process: its user can pass where root cannot, as in a home on NFS where root is squashed.
    AsItself,
}

/// In a user's own directory what is missing is made as that user: root there is nobody, or nobody but root can see it.
/// What a link leads to is left to runc, which follows it inside.
fn in_stage(process: &Process, stage: &Planned, below: &Path, ids: &Ids) -> Result<Begins, Refused> {
    let Some(source) = &stage.source else { return Ok(Begins::ByRunc) };
    let made = ids.as_process(process, || source.make_beneath(below))?;
    made.map_err(|errno| {
        let cwd = process.cwd().display();
        Refused::new(format!(
            "the working directory {cwd} is not there and cannot be made as its user: {errno}"
        ))
    })?;
    Ok(if source.lets_pass(below) { Begins::ByRunc } else { Begins::AsItself })
}

/// The same process, which begins at the top of the stage, that everybody can stand in, and goes on from there by the
/// helper of the gateway's, as its user.
fn beginning_itself(mut process: Process, stage: &Planned, mounts: &[Planned]) -> Result<Process, Refused> {
    let cwd = process.cwd().to_string_lossy().into_owned();
    let is_helper = |planned: &Planned| planned.mount.destination() == Path::new(COPY_IN_CONTAINER);
    if !mounts.iter().any(|planned| is_helper(planned) && planned.kind == Kind::ReadOnly) {
        return Err(Refused::new(format!(
            "only its user can see the working directory {cwd}, and {COPY_IN_CONTAINER}, which would go there, is missing"
        )));
    }
    let mut args = [COPY_IN_CONTAINER, "within", &cwd].map(str::to_owned).to_vec();
    args.extend(process.args().iter().flatten().cloned());
    process.set_args(Some(args));
    process.set_cwd(stage.mount.destination().clone());
    Ok(process)
}

/// The host's ids of the ids inside.
pub(crate) struct Ids(Option<Remap>);

impl Ids {
    fn of(spec: &Spec, site: &Site) -> Self {
        let spaces = spec.linux().as_ref().and_then(|linux| linux.namespaces().clone()).unwrap_or_default();
        let is_mapped = spaces.iter().any(|space| space.typ() == LinuxNamespaceType::User);
        Self(site.remap().filter(|_| is_mapped))
    }

    #[cfg(test)]
    pub(crate) fn hosts() -> Self {
        Self(None)
    }

    pub(crate) fn uid(&self, inside: u32) -> u32 {
        self.0.map_or(inside, |remap| remap.uids.first().saturating_add(inside))
    }

    pub(crate) fn gid(&self, inside: u32) -> u32 {
        self.0.map_or(inside, |remap| remap.gids.first().saturating_add(inside))
    }

    pub(crate) fn root(&self) -> (rustix::process::Uid, rustix::process::Gid) {
        (rustix::process::Uid::from_raw(self.uid(0)), rustix::process::Gid::from_raw(self.gid(0)))
    }

    /// Does something on files as the process would. This program has one thread.
    pub(crate) fn as_process<T>(&self, process: &Process, act: impl FnOnce() -> T) -> Result<T, Refused> {
        let user = process.user();
        let inside = user.additional_gids().iter().flatten();
        let gids: Vec<Gid> = inside.map(|gid| Gid::from_raw(self.gid(*gid))).collect();
        as_ids((Uid::from_raw(self.uid(user.uid())), Gid::from_raw(self.gid(user.gid()))), &gids, act)
    }

    /// The same as root inside.
    pub(crate) fn as_root<T>(&self, act: impl FnOnce() -> T) -> Result<T, Refused> {
        as_ids((Uid::from_raw(self.uid(0)), Gid::from_raw(self.gid(0))), &[], act)
    }
}

fn as_ids<T>((uid, gid): (Uid, Gid), gids: &[Gid], act: impl FnOnce() -> T) -> Result<T, Refused> {
    let failed = || Refused::system("acting as the container's user");
    let own = getgroups().map_err(failed())?;
    setgroups(gids).map_err(failed())?;
    let (roots_gid, roots_uid) = (setfsgid(gid), setfsuid(uid));
    let acted = (fsids() == (uid, gid)).then(act);
    setfsuid(roots_uid);
    setfsgid(roots_gid);
    setgroups(&own).map_err(failed())?;
    acted.ok_or(Errno::EPERM).map_err(Refused::system(format!("acting on files as uid {uid}")))
}

/// Whose files are made now: these calls tell of no failure, and an id that is none changes nothing.
fn fsids() -> (Uid, Gid) {
    (setfsuid(Uid::from_raw(u32::MAX)), setfsgid(Gid::from_raw(u32::MAX)))
}
