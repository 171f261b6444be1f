//! What a create is given: its name, its limits, its mounts and ports, by the policy of its request.

use super::naming;
use super::space::space;
use crate::gateway::caller::Caller;
use crate::gateway::engine::ports::{Desk, Look};
use crate::gateway::engine::{Containers, Engine, Space, Turn};
use crate::gateway::error::Error;
use crate::gateway::gpu::service::Gpus;
use crate::gateway::images;
use crate::gateway::images::look::Looks;
use crate::gateway::images::look::mount_points::always_there;
use crate::gateway::wish::{VolumeAsk, Wish};
use crate::policy::{Allowance, Ask, Usage};
use crate::protocol::escape::escape_line;
use crate::protocol::name::ContainerName;
use crate::protocol::report::Refusal;
use crate::protocol::restart::Restart;
use crate::protocol::stage::Access;
use crate::protocol::told::told;
use std::path::PathBuf;
use std::sync::Arc;

/// Whatever knows what there is to be given.
#[derive(Debug)]
pub(in crate::gateway) struct Admission {
    pub(in crate::gateway) engine: Arc<Engine>,
    pub(in crate::gateway) gpus: Arc<Gpus>,
    pub(in crate::gateway) looks: Arc<Looks>,
    pub(in crate::gateway) ports: Arc<Desk>,
}

/// What is granted; and where ports are, the look at everybody's by which they were chosen, which keeps others waiting.
pub(super) struct Admitted<'a> {
    pub(super) name: ContainerName,
    pub(super) allowance: Allowance,
    pub(super) space: Space,
    pub(super) look: Option<Look<'a>>,
}

impl Admission {
    pub(super) async fn admit(
        &self,
        caller: &Caller,
        turn: &Turn<'_>,
        wish: &Wish,
        image: &images::Admitted,
    ) -> Result<Admitted<'_>, Error> {
        self.engine.knows_its_cpus().await?;
        let limits = caller.limits()?;
        own_groups(caller, "HostConfig.GroupAdd", &wish.settings.groups)?;
        let of_memory: Vec<String> =
            wish.settings.tmpfs.iter().filter_map(|tmpfs| tmpfs.group()).map(|gid| gid.to_string()).collect();
        own_groups(caller, "a tmpfs's option gid", &of_memory)?;
        let (containers, usage) = turn.containers_and_usage(caller).await?;
        let look = match wish.ports.is_empty() {
            true => None,
            false => Some(self.ports.look(&self.engine).await?),
        };
        let usage = Usage { taken_ports: look.as_ref().map(Look::taken).unwrap_or_default(), ..usage };
        let name = free_name(&containers, wish.name.as_ref())?;
        let gpus = wish.gpus.as_ref().map(|wish| self.gpus.wanted(wish, &limits)).transpose()?;
        let ask = Ask {
            image: image.ask.clone(),
            cpus: wish.cpus,
            memory: wish.memory,
            pids: wish.pids,
            shm: wish.shm,
            cpuset: wish.cpuset.clone(),
            ports: wish.ports.clone(),
            mounts: wish.mounts.clone(),
            memory_mounts: {
                let tmpfs = wish.settings.tmpfs.iter().map(|tmpfs| tmpfs.target.clone());
                let volumes = wish.settings.volumes.iter().map(|volume| volume.target.clone());
                tmpfs.chain(volumes).map(Into::into).collect()
            },
            image_volumes: image.volumes.clone(),
            restart: wish.settings.restart != Restart::No,
            gpus: gpus.map_or(0, |gpus| u32::try_from(gpus.count()).unwrap_or(u32::MAX)),
        };
        let allowance = limits.admit(&usage, &ask)?;
        self.looks.known_to_allow(&image.id, &places(&ask, &allowance, wish))?;
        let space =
            space(&self.engine, caller, allowance.mounts().iter().map(|mount| mount.root.as_path())).await?;
        volumes_fit(caller, space, &wish.settings.volumes)?;
        Ok(Admitted { name, allowance, space, look })
    }
}

/// A remapped engine gives a volume to one of its own ids, whoever mounts it.
fn volumes_fit(caller: &Caller, space: Space, volumes: &[VolumeAsk]) -> Result<(), Error> {
    let remapped = caller.policy().remap().is_some();
    let written = volumes.iter().find(|volume| volume.access == Access::ReadWrite);
    let Some(volume) = written.filter(|_| remapped && space == Space::Host) else { return Ok(()) };
    let message = told!(
        "{} is a volume, and what is mounted beside it is not idmapped here: it could not be written",
        volume.target
    );
    Err(Refusal::new("forbidden", message)
        .rule("gateway.userns")
        .hint(told!("mount the volume read-only, or use it in a container of its own"))
        .into())
}

/// A container has its owner's groups, so to ask for those asks for nothing.
fn own_groups(caller: &Caller, field: &str, words: &[String]) -> Result<(), Error> {
    let groups = caller.account()?.groups();
    let is_own =
        |word: &String| groups.iter().any(|group| group.name == *word || group.gid.to_string() == *word);
    match words.iter().find(|word| !is_own(word)) {
        None => Ok(()),
        Some(word) => {
            let field = format!("{field}: {}", escape_line(word));
            Err(Error::not_allowed(&field, told!("a container has its owner's groups, and no others")))
        }
    }
}

/// Where something will be mounted, and what the engine makes where it is missing.
fn places(ask: &Ask, allowance: &Allowance, wish: &Wish) -> Vec<PathBuf> {
    let mounts = allowance.mounts().iter().map(|mount| mount.target.clone());
    // Where a client would rather start, too: it may be what the container gets. Empty is the home, a mount's place.
    let rather = wish.settings.start_dir.iter().filter(|dir| !dir.is_empty());
    let working = wish.settings.working_dir.iter().chain(rather).map(PathBuf::from);
    let others = ask.memory_mounts.iter().chain(&ask.image_volumes).cloned();
    always_there().chain(mounts).chain(others).chain(working).collect()
}

/// The wished name if it is free among the caller's, or a new one of two words.
fn free_name(all: &Containers, wished: Option<&ContainerName>) -> Result<ContainerName, Error> {
    let own = |name: &str| all.own.iter().find(|owned| owned.name().as_str() == name);
    let left = |name: &str| all.left.iter().any(|left| left.used().name == name);
    let taken = |name: &str| own(name).is_some() || left(name);
    match wished {
        Some(name) if left(name.as_str()) => Err(Error::left_name(name.as_str())),
        Some(name) => match own(name.as_str()) {
            None => Ok(name.clone()),
            Some(owned) => {
                let ours = told!(
                    "the name {name} is in use by one of your containers; remove it (ie-container rm {name}) or choose another"
                );
                Err(Error::name_taken("", name, owned.id(), ours))
            }
        },
        None => naming::fresh(taken, random).ok_or_else(|| Error::Internal(told!("no free name was found"))),
    }
}

fn random() -> u64 {
    let mut bytes = [0u8; 8];
    // Names need no secrecy: without randomness the tries run out and say so.
    let _filled = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    u64::from_ne_bytes(bytes)
}
