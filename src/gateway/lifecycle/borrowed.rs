//! `--volumes-from`: what other containers of the caller's have mounted becomes a part of the wish.
//!
//! Nothing of it is passed on to the engine: the policy judges it as if the caller had named each volume and directory. What
//! the caller names at the same place stands instead of it, and of several containers the last counts, as in Docker.

use crate::gateway::caller::Caller;
use crate::gateway::engine::{Engine, EngineError, Owned, StageLabel, short_volume};
use crate::gateway::error::Error;
use crate::gateway::wish::{VolumeAsk, VolumesFrom, Wish};
use crate::policy::MountAsk;
use crate::protocol::escape::escape_line;
use crate::protocol::stage::Access;
use crate::protocol::told::told;
use serde_json::Value;
use std::path::Path;

/// Adds to a wish what it asks for by the name of another container; only while the caller's turn is held.
///
/// # Errors
/// A container that is not the caller's, as if it were not there; a volume without a name, which goes with its container.
pub(super) async fn borrow(engine: &Engine, caller: &Caller, mut wish: Wish) -> Result<Wish, Error> {
    for from in std::mem::take(&mut wish.settings.volumes_from).iter().rev() {
        let container = engine.owned(caller, &from.container).await?;
        directories(caller, &mut wish, &container, from)?;
        let details = engine.get(container.target("/json")).await?;
        volumes(caller, &mut wish, &details, from)?;
    }
    Ok(wish)
}

fn is_taken(wish: &Wish, target: &Path) -> bool {
    let settings = &wish.settings;
    wish.mounts.iter().any(|mount| mount.target == target)
        || settings.volumes.iter().any(|volume| Path::new(&volume.target) == target)
        || settings.tmpfs.iter().any(|tmpfs| Path::new(&tmpfs.target) == target)
}

fn access(from: &VolumesFrom, its: Access) -> Access {
    if from.read_only { Access::ReadOnly } else { its }
}

/// The directories of the host's, but for those that the policy gives to every container of the caller's.
fn directories(caller: &Caller, wish: &mut Wish, container: &Owned, from: &VolumesFrom) -> Result<(), Error> {
    let (limits, account) = (caller.limits()?, caller.account()?);
    let unasked = |stage: &StageLabel| {
        stage.target == account.home() || limits.mounts_always(&stage.root, &stage.target).is_some()
    };
    for stage in container.labels().stages.iter().filter(|stage| !unasked(stage)) {
        if !is_taken(wish, &stage.target) {
            let (source, target) = (stage.host_path(), stage.target.clone());
            wish.mounts.push(MountAsk { source, target, access: access(from, stage.access) });
        }
    }
    Ok(())
}

/// The volumes, by the engine's own record.
fn volumes(caller: &Caller, wish: &mut Wish, details: &Value, from: &VolumesFrom) -> Result<(), Error> {
    let mounts = details.get("Mounts").and_then(Value::as_array).into_iter().flatten();
    for mount in mounts.filter(|mount| mount.get("Type").and_then(Value::as_str) == Some("volume")) {
        let text = |key: &str| mount.get(key).and_then(Value::as_str);
        let odd = || EngineError::Odd("a volume of a container without name or place".to_owned());
        let (name, target) = text("Name").zip(text("Destination")).ok_or_else(odd)?;
        if is_taken(wish, Path::new(target)) {
            continue;
        }
        let named = short_volume(caller.uid(), name).and_then(|short| short.parse().ok());
        let Some(name) = named else {
            let field =
                format!("HostConfig.VolumesFrom: {} of {}", escape_line(target), from.container.as_str());
            let why = told!("it is a volume without a name, which goes with its container: give it one");
            return Err(Error::not_allowed(&field, why));
        };
        let writable = mount.get("RW").and_then(Value::as_bool) == Some(true);
        let its = if writable { Access::ReadWrite } else { Access::ReadOnly };
        let target = target.to_owned();
        wish.settings.volumes.push(VolumeAsk { name: Some(name), target, access: access(from, its) });
    }
    Ok(())
}
