//! `POST /containers/create`: wish, admission, stages, body; each step undone if a later one fails.

use crate::gateway::api::body::{Whole, json_body};
use crate::gateway::caller::peer::Peer;
use crate::gateway::engine::{
    ContainerId, GpuGrant, Grant, Space, StageLabel, Turn, VolumeGrant, network_name,
};
use crate::gateway::error::Error;
use crate::gateway::gpu::desk::{Asker, Claim};
use crate::gateway::host::staging::{StageError, Staged};
use crate::gateway::images::look::LookError;
use crate::gateway::images::look::places::always_there;
use crate::gateway::lifecycle::naming;
use crate::gateway::lifecycle::ports::{Look, PortClaim};
use crate::gateway::lifecycle::space::space;
use crate::gateway::locks::lock::turn;
use crate::gateway::state::Gateway;
use crate::gateway::task::to_the_end;
use crate::gateway::wish::{NetworkWord, Settings, VolumeAsk, Wish, parse};
use crate::gateway::{audit, images, mark};
use crate::policy::{Allowance, Ask, Limits, MountGrant, Usage};
use crate::protocol::amount::Span;
use crate::protocol::escape::escape_line;
use crate::protocol::name::ContainerName;
use crate::protocol::report::Refusal;
use crate::protocol::stage::{Access, Map, Token};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::gateway) struct CreateQuery {
    name: Option<String>,
    platform: String,
    /// Ours: how long the GPUs are wanted for.
    time: Option<Span>,
}

/// Makes a container; a caller who goes away meanwhile leaves a whole one or none.
pub(in crate::gateway) async fn create(
    peer: Peer,
    State(gateway): State<Arc<Gateway>>,
    Query(query): Query<CreateQuery>,
    body: Whole,
) -> Result<(StatusCode, Json<Value>), Error> {
    let wish = wish(&peer, &query, &body)?;
    let time = query.time;
    let made = to_the_end(async move {
        let name = wish.name.clone().map(|name| name.to_string()).unwrap_or_default();
        let made = admit_and_create(&gateway, &peer, wish, time).await;
        if let Err(error) = &made {
            audit::refused(&peer, "create", &name, error);
        }
        made
    });
    let id = made.await?;
    Ok((StatusCode::CREATED, Json(json!({ "Id": id, "Warnings": [] }))))
}

fn wish(peer: &Peer, query: &CreateQuery, body: &Bytes) -> Result<Wish, Error> {
    images::own_platform(&query.platform)?;
    parse(query.name.as_deref(), json_body(body)?, peer)
}

/// What would be granted, without making anything.
pub(in crate::gateway) async fn plan(
    gateway: &Gateway,
    peer: &Peer,
    name: Option<String>,
    body: &Bytes,
) -> Result<Value, Error> {
    let wish = wish(peer, &CreateQuery { name, ..CreateQuery::default() }, body)?;
    let image = images::admit(gateway, peer, &wish.image).await?;
    let turn = turn(gateway, peer).await?;
    let (name, allowance, _, _look) = admit(gateway, peer, &turn, &wish, &image).await?;
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

async fn admit_and_create(
    gateway: &Gateway,
    peer: &Peer,
    wish: Wish,
    time: Option<Span>,
) -> Result<String, Error> {
    let image = images::admit(gateway, peer, &wish.image).await?;
    let turn = turn(gateway, peer).await?;
    let (name, allowance, space, look) = admit(gateway, peer, &turn, &wish, &image).await?;
    let ports = look.map(|look| look.claim(allowance.ports())).transpose()?.unwrap_or_default();
    mark::at("create-admitted");
    let (claim, gpus) = gpus(gateway, peer, &wish, time)?.unzip();
    let gpus = gpus.unwrap_or_default();
    mark::at("create-claimed");
    audit::allowed(Some(peer), "create", name.as_str());
    let network = network(gateway, peer, &wish.settings.network).await?;
    let volumes = volumes(gateway, peer, &wish.settings.volumes).await?;
    let stages = stage_labels(allowance.mounts())?;
    let tokens: Vec<Token> = stages.iter().map(|stage| stage.token.clone()).collect();
    let channel = token()?;
    let hold = gateway.stager.hold(tokens.iter().chain([&channel]).cloned().collect());
    let shown = name.to_string();
    let parts = Parts {
        name,
        image,
        allowance,
        ports,
        gpus,
        network,
        volumes,
        stages,
        channel: channel.clone(),
        settings: wish.settings,
        space,
    };
    let made = stage_and_create(gateway, peer, &turn, parts).await;
    drop(hold);
    if let (Ok(id), Some(claim)) = (&made, claim) {
        claim.for_container(id, &shown, Timestamp::now());
        mark::at("create-promised");
    }
    if made.is_err() {
        unstage(gateway, &tokens).await;
        gateway.channel.remove(&channel);
    }
    Ok(made?.to_string())
}

/// The cards that are asked for, kept for this create.
fn gpus(
    gateway: &Gateway,
    peer: &Peer,
    wish: &Wish,
    time: Option<Span>,
) -> Result<Option<(Claim, GpuGrant)>, Error> {
    let account = peer.account()?;
    let limits = gateway.limits(account);
    let Some(wish) = &wish.gpus else {
        return match time {
            Some(_) => Err(Error::Bad("a time is for gpus, and none are asked for".into())),
            None => Ok(None),
        };
    };
    let asker = Asker { uid: peer.uid(), login: account.login() };
    let wanted = gateway.gpus.wanted(wish, &limits);
    let (claim, time) = gateway.gpus.claim(asker, &wanted, time, &limits, Timestamp::now())?;
    let grant = GpuGrant { cards: claim.cards().to_vec(), time, driver: gateway.policy().gpus().driver() };
    Ok(Some((claim, grant)))
}

/// The engine's name of the network a container is made in; none for loopback only.
async fn network(gateway: &Gateway, peer: &Peer, word: &NetworkWord) -> Result<Option<String>, Error> {
    match word {
        NetworkWord::Nothing => Ok(None),
        NetworkWord::Own => {
            gateway.wall.stands()?;
            gateway.engine.ensure_network(peer, gateway.policy().gateway()).await?;
            Ok(Some(network_name(peer.uid())))
        }
        NetworkWord::Named(word) => {
            gateway.wall.stands()?;
            Ok(Some(gateway.engine.network_of(peer, word).await?.engine_name().to_owned()))
        }
    }
}

/// The caller's volumes, made where they are not there yet, as Docker does.
async fn volumes(gateway: &Gateway, peer: &Peer, asked: &[VolumeAsk]) -> Result<Vec<VolumeGrant>, Error> {
    let mut granted = Vec::with_capacity(asked.len());
    for ask in asked {
        let engine_name = match &ask.name {
            Some(name) => {
                let volume =
                    crate::gateway::api::volumes::ensure(gateway, peer, name, &BTreeMap::new()).await?;
                Some(volume.engine_name().to_owned())
            }
            None => None,
        };
        granted.push(VolumeGrant { engine_name, target: ask.target.clone(), access: ask.access });
    }
    Ok(granted)
}

/// What a create has been given; staged, it is a grant.
struct Parts {
    name: ContainerName,
    image: images::Admitted,
    allowance: Allowance,
    ports: PortClaim,
    gpus: GpuGrant,
    network: Option<String>,
    volumes: Vec<VolumeGrant>,
    stages: Vec<StageLabel>,
    channel: Token,
    settings: Settings,
    space: Space,
}

async fn stage_and_create(
    gateway: &Gateway,
    peer: &Peer,
    turn: &Turn<'_>,
    parts: Parts,
) -> Result<ContainerId, Error> {
    let Parts { name, image, allowance, ports, gpus, network, volumes, stages, channel, settings, space } =
        parts;
    let account = peer.account()?;
    let staged = stage(gateway, peer, &stages, space).await?;
    mark::at("create-staged");
    let files =
        gateway.files(peer, account, &channel).map_err(|error| Error::State("your account files", error))?;
    let home = account.home().to_string_lossy().into_owned();
    let homed = stages.iter().any(|stage| stage.target == account.home());
    let mut links = Vec::with_capacity(settings.links.len());
    for link in &settings.links {
        let linked = gateway.engine.owned(peer, &link.container).await?;
        links.push(format!("{}:{}", linked.engine_name(), link.alias));
    }
    let grant = Grant {
        name,
        image: image.shown,
        image_id: image.id,
        channel,
        image_labels: image.labels,
        image_env: image.env,
        uid: peer.uid(),
        gids: account.groups().iter().map(|group| group.gid).collect(),
        login: account.login().to_owned(),
        home: homed.then_some(home),
        allowance,
        ports,
        gpus,
        network,
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
    mark::at("create-made");
    let given = match turn.made(&id, &grant).await {
        Ok(Some(made)) => gateway.engine.give_volumes(&made, &grant).await.map_err(Error::from),
        Ok(None) => Err(LookError::Moved.into()),
        Err(error) => Err(error.into()),
    };
    if let Err(error) = given {
        turn.undo(&id).await;
        return Err(error);
    }
    mark::at("create-given");
    Ok(id)
}

/// What is granted; and where ports are, the look at everybody's by which they were chosen, which keeps others waiting.
async fn admit<'g>(
    gateway: &'g Gateway,
    peer: &Peer,
    turn: &Turn<'_>,
    wish: &Wish,
    image: &images::Admitted,
) -> Result<(ContainerName, Allowance, Space, Option<Look<'g>>), Error> {
    gateway.engine.knows_its_cpus().await?;
    let limits = gateway.limits(peer.account()?);
    let usage = turn.usage(peer).await?;
    let look = match wish.ports.is_empty() {
        true => None,
        false => Some(gateway.ports.look(&gateway.engine).await?),
    };
    let usage = Usage { taken_ports: look.as_ref().map(Look::taken).unwrap_or_default(), ..usage };
    let name = free_name(&usage, wish.name.as_ref())?;
    let ask = Ask {
        image: image.ask.clone(),
        cpus: wish.cpus,
        memory: wish.memory,
        pids: wish.pids,
        shm: wish.shm,
        ports: wish.ports.clone(),
        mounts: wish.mounts.clone(),
        memory_mounts: {
            let tmpfs = wish.settings.tmpfs.iter().map(|tmpfs| tmpfs.target.clone());
            let volumes = wish.settings.volumes.iter().map(|volume| volume.target.clone());
            tmpfs.chain(volumes).map(Into::into).collect()
        },
        image_volumes: image.volumes.clone(),
        gpus: wish
            .gpus
            .as_ref()
            .map_or(0, |wish| u32::try_from(gateway.gpus.wanted(wish, &limits).count()).unwrap_or(u32::MAX)),
    };
    let allowance = limits.admit(&usage, &ask)?;
    gateway.looks.known_to_allow(&image.id, &places(&ask, &allowance, wish))?;
    let space = space(gateway, peer, allowance.mounts().iter().map(|mount| mount.root.as_path())).await?;
    volumes_fit(gateway, space, &wish.settings.volumes)?;
    Ok((name, allowance, space, look))
}

/// A remapped engine gives a volume to one of its own ids, whoever mounts it.
fn volumes_fit(gateway: &Gateway, space: Space, volumes: &[VolumeAsk]) -> Result<(), Error> {
    let remapped = gateway.policy().remap().is_some();
    let written = volumes.iter().find(|volume| volume.access == Access::ReadWrite);
    let Some(volume) = written.filter(|_| remapped && space == Space::Host) else { return Ok(()) };
    let message = format!(
        "{} is a volume, and what is mounted beside it is not idmapped here: it could not be written",
        volume.target
    );
    Err(Refusal::new("forbidden", message)
        .rule("gateway.userns")
        .hint("mount the volume read-only, or use it in a container of its own")
        .into())
}

/// Where something will be mounted, and what the engine makes where it is missing.
fn places(ask: &Ask, allowance: &Allowance, wish: &Wish) -> Vec<PathBuf> {
    let mounts = allowance.mounts().iter().map(|mount| mount.target.clone());
    let working = wish.settings.working_dir.iter().map(PathBuf::from);
    let others = ask.memory_mounts.iter().chain(&ask.image_volumes).cloned();
    always_there().chain(mounts).chain(others).chain(working).collect()
}

/// The wished name if it is free among the caller's, or a new one of two words.
fn free_name(usage: &Usage, wished: Option<&ContainerName>) -> Result<ContainerName, Error> {
    let having = |name: &str| usage.containers.iter().find(|used| used.name == name);
    let taken = |name: &str| having(name).is_some();
    match wished {
        Some(name) if having(name.as_str()).is_some_and(|used| used.left_by.is_some()) => {
            Err(Error::left_name(name.as_str()))
        }
        Some(name) if taken(name.as_str()) => Err(Error::Conflict(format!(
            "the name {name} is in use by one of your containers; remove it (ie-container rm {name}) or choose another"
        ))),
        Some(name) => Ok(name.clone()),
        None => naming::fresh(taken, random).ok_or_else(|| Error::Internal("no free name was found".into())),
    }
}

fn random() -> u64 {
    let mut bytes = [0u8; 8];
    // Names need no secrecy: without randomness the tries run out and say so.
    let _filled = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    u64::from_ne_bytes(bytes)
}

/// One that nobody can know beforehand.
fn token() -> Result<Token, Error> {
    let mut bytes = [0u8; 16];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
        .map_err(|error| Error::Internal(format!("no randomness: {error}")))?;
    Ok(Token::from_bytes(bytes))
}

fn stage_labels(mounts: &[MountGrant]) -> Result<Vec<StageLabel>, Error> {
    let label = |mount: &MountGrant| {
        Ok(StageLabel {
            token: token()?,
            root: mount.root.clone(),
            relative: mount.relative.clone(),
            target: mount.target.clone(),
            access: mount.access,
        })
    };
    mounts.iter().map(label).collect()
}

/// Has every directory staged or confirmed, one after the other.
pub(in crate::gateway) async fn stage(
    gateway: &Gateway,
    peer: &Peer,
    stages: &[StageLabel],
    space: Space,
) -> Result<Vec<Staged>, Error> {
    let account = peer.account()?;
    let limits = gateway.limits(account);
    let gids: Vec<u32> = account.groups().iter().map(|group| group.gid).collect();
    let mut staged = Vec::with_capacity(stages.len());
    let roots = gateway.policy().roots();
    for stage in stages {
        // One that is no root any more ie-mountd refuses.
        let idmap = roots.iter().find(|root| root.path == stage.root).is_none_or(|root| root.idmap);
        let map = if idmap { space.map() } else { Map::Off };
        let request = stage.request(peer.uid(), gids.clone(), map);
        let answer = gateway.stager.stage(request, stage.target.clone()).await;
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
            let what = format!("the administrator's policy has {shown} in each container: {why}");
            let mut refusal = Refusal::new("site", format!("mounts: {what} ({source})")).rule("mounts");
            refusal.source = Some(source.to_string());
            refusal.hint("tell your administrator: nothing starts until it is mended").into()
        }
        (error, _) => error.into(),
    }
}

/// Takes stages away; what fails is tidied by the next sweep.
pub(super) async fn unstage(gateway: &Gateway, tokens: &[Token]) {
    for token in tokens {
        if let Err(error) = gateway.stager.unstage(token).await {
            tracing::warn!("a stage is left for the next sweep: {error}");
        }
    }
}

impl From<crate::gateway::engine::NetworkError> for Error {
    fn from(error: crate::gateway::engine::NetworkError) -> Self {
        use crate::gateway::engine::NetworkError;
        match error {
            NetworkError::Engine(error) => Self::Engine(error),
            NetworkError::PoolEmpty(..) => crate::protocol::report::Refusal::new("quota", error.to_string())
                .rule("gateway.networks")
                .hint("use --network none, or ask the admin for a larger pool")
                .into(),
            NetworkError::NotYours(_) => crate::protocol::report::Refusal::new("conflict", error.to_string())
                .rule("network")
                .hint("ask your administrator to remove its containers, or use --network none")
                .into(),
        }
    }
}
