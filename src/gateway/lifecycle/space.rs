//! The user namespace that a container gets: engine and policy must say the same.
//!
//! Gateway and engine read the same range of ids from different sources. Where the two differ, no container is made or
//! started. The label `userns` says for which range a container was made; for another range it is not started.
//!
//! A directory that cannot be idmapped (`idmap = "off"`) shows everybody's ids as they are. So its container is in the
//! host's user namespace (`UsernsMode: host`), with stages that map ids to themselves. The image's files are the
//! engine's there, and readable as far as all may read them.
//!
//! The engine would give volumes, and what it unpacks into a stopped container, to R+U. Both are refused for such a
//! container.

use crate::gateway::caller::Caller;
use crate::gateway::engine::{Engine, Owned, Space};
use crate::gateway::error::Error;
use crate::policy::{IdRange, Policy, StageRoot};
use crate::protocol::report::Refusal;
use crate::protocol::told::told;
use std::path::Path;

/// For a container that mounts directories of these roots.
pub(in crate::gateway) async fn space<'r>(
    engine: &Engine,
    caller: &Caller,
    roots: impl Iterator<Item = &'r Path>,
) -> Result<Space, Error> {
    let (policy, engines) = (caller.policy(), engine.space().await?);
    let agreed = policy.remap().map_or(Space::Host, |remap| Space::Own(remap.shift()));
    if engines != agreed {
        return Err(disagree(engines, agreed));
    }
    let Some(remap) = policy.remap() else { return Ok(Space::Host) };
    if unmapped(policy, roots) {
        return Ok(Space::Host);
    }
    in_range("uid", caller.uid(), remap.uids)?;
    for group in caller.account()?.groups() {
        in_range("gid", group.gid, remap.gids)?;
    }
    Ok(agreed)
}

/// What is not idmapped shows everybody's ids as they are, which mean nothing in another user namespace.
fn unmapped<'r>(policy: &Policy, roots: impl Iterator<Item = &'r Path>) -> bool {
    let off: Vec<StageRoot> = policy.roots().into_iter().filter(|root| !root.idmap).collect();
    let mut roots = roots;
    roots.any(|path| off.iter().any(|root| root.path == path))
}

/// A container that was made for other ids than it would get now is not started: its files have those.
pub(in crate::gateway) async fn same_as_made(
    engine: &Engine,
    caller: &Caller,
    container: &Owned,
) -> Result<Space, Error> {
    let labels = container.labels();
    let now = space(engine, caller, labels.stages.iter().map(|stage| stage.root.as_path())).await?;
    if now == labels.space {
        return Ok(now);
    }
    let name = container.name();
    let message = told!("{name} was made for another user namespace than its like are in now");
    let hint = told!("remove it (ie-container rm {name}) and make it anew");
    Err(Refusal::new("conflict", message).rule("gateway.userns").hint(hint).into())
}

fn in_range(what: &str, id: u32, range: IdRange) -> Result<(), Error> {
    if range.covers(id) {
        return Ok(());
    }
    let count = range.count();
    let message =
        told!("your {what} {id} is none that a container here can have: there are {count}, from 0 on");
    let hint = told!(
        "ask the admin for a longer range in /etc/subuid and /etc/subgid, or to take you out of that group"
    );
    Err(Refusal::new("forbidden", message).rule("gateway.remap_user").hint(hint).into())
}

fn disagree(engines: Space, policys: Space) -> Error {
    let told = |space| match space {
        Space::Host => "in the host's user namespace".to_owned(),
        Space::Own(shift) => format!("in one of their own, from uid {} and gid {} on", shift.uid, shift.gid),
    };
    tracing::error!("the engine has containers {}, the policy {}", told(engines), told(policys));
    let message = told!(
        "the engine and the policy differ about the user namespace of containers, so none is made or started"
    );
    Refusal::new("forbidden", message)
        .rule("gateway.userns")
        .hint(told!("ask the admin: `ie-container admin doctor` says what the engine has"))
        .into()
}
