//! Making a container: wish, admission, stages, body; each step undone if a later one fails.

use super::account_files::AccountFiles;
use super::admission::{Admission, Admitted};
use super::borrowed::borrow;
use super::networks;
use super::staged::{stage_anew, stage_labels, token, unstage};
use super::volumes;
use crate::gateway::caller::Caller;
use crate::gateway::caller::in_force::InForce;
use crate::gateway::engine::ports::PortClaim;
use crate::gateway::engine::{ContainerId, Engine, GpuGrant, Grant, Space, StageLabel, Turn, VolumeGrant};
use crate::gateway::error::Error;
use crate::gateway::gpu::desk::{Asker, Claim};
use crate::gateway::gpu::service::Gpus;
use crate::gateway::host::channel::Channel;
use crate::gateway::host::staging::Stager;
use crate::gateway::host::wall::Wall;
use crate::gateway::images::look::LookError;
use crate::gateway::locks::lock::Locks;
use crate::gateway::wish::{Settings, VolumeAsk, Wish};
use crate::gateway::{audit, failpoint, images};
use crate::policy::Allowance;
use crate::protocol::amount::Span;
use crate::protocol::name::ContainerName;
use crate::protocol::stage::Token;
use crate::protocol::told::told;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Whatever it takes to make one.
#[derive(Debug)]
pub(in crate::gateway) struct Creator {
    pub(in crate::gateway) engine: Arc<Engine>,
    pub(in crate::gateway) locks: Arc<Locks>,
    pub(in crate::gateway) admission: Admission,
    pub(in crate::gateway) stager: Arc<Stager>,
    pub(in crate::gateway) channel: Arc<Channel>,
    pub(in crate::gateway) files: AccountFiles,
    pub(in crate::gateway) wall: Arc<Wall>,
    pub(in crate::gateway) gpus: Arc<Gpus>,
    pub(in crate::gateway) in_force: Arc<InForce>,
}

/// What a create has been given; staged, it is a grant.
struct Parts {
    name: ContainerName,
    image: images::Admitted,
    allowance: Allowance,
    ports: PortClaim,
    gpus: GpuGrant,
    networks: networks::Found,
    volumes: Vec<VolumeGrant>,
    stages: Vec<StageLabel>,
    channel: Token,
    settings: Settings,
    space: Space,
}

/// A container that was made.
#[derive(Debug)]
pub(in crate::gateway) struct Created {
    pub(in crate::gateway) id: ContainerId,
    /// What was asked and has no effect, or another one.
    pub(in crate::gateway) warnings: Vec<String>,
}

impl Creator {
    /// What would be granted, without making anything.
    pub(in crate::gateway) async fn plan(&self, caller: &Caller, wish: Wish) -> Result<Value, Error> {
        let image = images::admit(&self.engine, caller, &wish.image).await?;
        let wish = wish.of_image(image.working_dir.as_deref(), image.health.as_ref(), &image.exposed)?;
        let turn = self.locks.turn(caller.uid()).await?;
        let wish = borrow(&self.engine, caller, wish).await?;
        let admitted = self.admission.admit(caller, &turn, &wish, &image).await?;
        let Admitted { name, allowance, look: _look, .. } = admitted;
        let mounts = allowance.mounts().iter().map(|mount| {
            json!({ "Source": mount.root.join(&mount.relative), "Target": mount.target, "Mode": mount.access })
        });
        let ports = allowance.ports().iter().map(|port| {
            json!({ "Container": format!("{}/{}", port.container, port.protocol), "Host": port.host, "Address": port.address })
        });
        Ok(json!({
            "Name": name,
            "Image": image.shown,
            "Cpus": allowance.cpus().to_string(),
            "Memory": allowance.memory().to_string(),
            "Pids": allowance.pids(),
            "Shm": allowance.shm().to_string(),
            "Gpus": allowance.gpus(),
            "Mounts": mounts.collect::<Vec<_>>(),
            "Ports": ports.collect::<Vec<_>>(),
        }))
    }

    /// Makes a container, or leaves nothing of it.
    ///
    /// # Errors
    /// What the policy, the host or the engine says against it; it is in the audit log.
    pub(in crate::gateway) async fn create(
        &self,
        caller: &Caller,
        wish: Wish,
        time: Option<Span>,
    ) -> Result<Created, Error> {
        let name = wish.name.clone().map(|name| name.to_string()).unwrap_or_default();
        let made = self.admit_and_create(caller, wish, time).await;
        if let Err(error) = &made {
            audit::refused(caller, "create", &name, error);
        }
        made
    }

    async fn admit_and_create(
        &self,
        caller: &Caller,
        wish: Wish,
        time: Option<Span>,
    ) -> Result<Created, Error> {
        let mut image = images::admit(&self.engine, caller, &wish.image).await?;
        let turn = self.locks.turn(caller.uid()).await?;
        // A turn may have been waited for: from here on one policy decides, to the end.
        let renewed = caller.renewed(&self.in_force)?;
        if let Some(renewed) = &renewed {
            image = images::admit(&self.engine, renewed, &wish.image).await?;
        }
        let caller = renewed.as_ref().unwrap_or(caller);
        let wish = wish.of_image(image.working_dir.as_deref(), image.health.as_ref(), &image.exposed)?;
        let mut wish = borrow(&self.engine, caller, wish).await?;
        wish.warn_of_address(caller.limits()?.published_on());
        let admitted = self.admission.admit(caller, &turn, &wish, &image).await?;
        let Admitted { name, allowance, space, look } = admitted;
        let ports = look.map(|look| look.claim(allowance.ports())).unwrap_or_default();
        failpoint::at("create-admitted");
        let (claim, gpus) = self.gpus(caller, &wish, time)?.unzip();
        let gpus = gpus.unwrap_or_default();
        failpoint::at("create-claimed");
        audit::allowed(caller, "create", name.as_str());
        let networks = networks::find(&self.engine, &self.wall, caller, &wish.settings.networks).await?;
        let volumes = self.volumes(caller, &wish.settings.volumes).await?;
        let stages = stage_labels(allowance.mounts())?;
        let tokens: Vec<Token> = stages.iter().map(|stage| stage.token.clone()).collect();
        let channel = token()?;
        let hold = self.stager.hold(tokens.iter().chain([&channel]).cloned().collect());
        let shown = name.to_string();
        let parts = Parts {
            name,
            image,
            allowance,
            ports,
            gpus,
            networks,
            volumes,
            stages,
            channel: channel.clone(),
            settings: wish.settings,
            space,
        };
        let warnings = wish.warnings;
        let made = self.stage_and_create(caller, &turn, parts).await;
        drop(hold);
        if let (Ok(id), Some(claim)) = (&made, claim) {
            claim.for_container(id, &shown, Timestamp::now());
            failpoint::at("create-promised");
        }
        if made.is_err() {
            unstage(&self.stager, &tokens).await;
            self.channel.remove(&channel);
        }
        Ok(Created { id: made?, warnings })
    }

    /// The cards that are asked for, kept for this create.
    fn gpus(
        &self,
        caller: &Caller,
        wish: &Wish,
        time: Option<Span>,
    ) -> Result<Option<(Claim, GpuGrant)>, Error> {
        let account = caller.account()?;
        let limits = caller.limits()?;
        let Some(wish) = &wish.gpus else {
            return match time {
                Some(_) => Err(Error::Bad(told!("a time is for gpus, and none are asked for"))),
                None => Ok(None),
            };
        };
        let asker = Asker { uid: caller.uid(), login: account.login() };
        let wanted = self.gpus.wanted(wish, &limits)?;
        let (claim, time) = self.gpus.claim(asker, &wanted, time, &limits, Timestamp::now())?;
        let grant = GpuGrant { cards: claim.cards().to_vec(), time, driver: caller.policy().gpus().driver() };
        Ok(Some((claim, grant)))
    }

    /// The caller's volumes, made where they are not there yet, as Docker does.
    async fn volumes(&self, caller: &Caller, asked: &[VolumeAsk]) -> Result<Vec<VolumeGrant>, Error> {
        let mut granted = Vec::with_capacity(asked.len());
        for ask in asked {
            let engine_name = match &ask.name {
                Some(name) => {
                    let volume = volumes::ensure(&self.engine, caller, name, &BTreeMap::new()).await?;
                    Some(volume.engine_name().to_owned())
                }
                None => None,
            };
            granted.push(VolumeGrant { engine_name, target: ask.target.clone(), access: ask.access });
        }
        Ok(granted)
    }

    async fn stage_and_create(
        &self,
        caller: &Caller,
        turn: &Turn<'_>,
        parts: Parts,
    ) -> Result<ContainerId, Error> {
        let Parts {
            name,
            image,
            allowance,
            ports,
            gpus,
            networks,
            volumes,
            mut stages,
            channel,
            settings,
            space,
        } = parts;
        let account = caller.account()?;
        let staged = stage_anew(&self.stager, caller, &mut stages, space).await?;
        failpoint::at("create-staged");
        let files = self
            .files
            .of(caller, account, &channel)
            .map_err(|error| Error::State("your account files", error))?;
        let home = account.home().to_string_lossy().into_owned();
        let homed = stages.iter().any(|stage| stage.target == account.home());
        let mut links = Vec::with_capacity(settings.links.len());
        for link in &settings.links {
            let linked = self.engine.owned(caller, &link.container).await?;
            links.push(format!("{}:{}", linked.engine_name(), link.alias));
        }
        let grant = Grant {
            name,
            image: image.shown,
            image_id: image.id,
            channel,
            image_labels: image.labels,
            image_env: image.env,
            uid: caller.uid(),
            gids: account.groups().iter().map(|group| group.gid).collect(),
            login: account.login().to_owned(),
            home: homed.then_some(home),
            allowance,
            ports,
            gpus,
            network: networks.first.clone(),
            volumes,
            links,
            staged,
            stages,
            settings,
            files,
            space,
        };
        let id = turn.create(&grant).await.inspect_err(|error| {
            if !error.is_said() {
                grant.ports.linger();
            }
        })?;
        failpoint::at("create-made");
        let given = match turn.made(&id, &grant).await {
            Ok(Some(made)) => self.engine.give_volumes(&made, &grant).await.map_err(Error::from),
            Ok(None) => Err(LookError::Moved.into()),
            Err(error) => Err(error.into()),
        };
        let given = match given {
            Ok(()) => networks.join(&self.engine, caller, &id, &grant.name).await,
            given => given,
        };
        if let Err(error) = given {
            turn.undo(&id).await;
            return Err(error);
        }
        failpoint::at("create-given");
        Ok(id)
    }
}
