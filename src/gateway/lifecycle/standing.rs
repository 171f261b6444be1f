//! What a container was granted when it was made, out of its labels and the engine's record.

use crate::gateway::engine::{Engine, EngineError, Owned};
use crate::gateway::error::Error;
use crate::gateway::images;
use crate::gateway::images::look::mount_points;
use crate::policy::{self, MountAsk, Standing};
use crate::protocol::amount::Bytes;
use crate::protocol::cpu_set::CpuSet;
use serde_json::Value;
use std::net::IpAddr;
use std::path::PathBuf;

/// What the container was granted when it was made, and where its mounts are meant to land.
pub(in crate::gateway) async fn standing(
    engine: &Engine,
    container: &Owned,
) -> Result<(Standing, Vec<PathBuf>), Error> {
    let details = engine.get(container.target("/json")).await?;
    for place in mount_points::volumes_of(&details) {
        policy::volume_of_image(place)?;
    }
    Ok((granted(engine, container, &details).await?, mount_points::of_container(&details)))
}

async fn granted(engine: &Engine, container: &Owned, details: &Value) -> Result<Standing, Error> {
    let stages = &container.labels().stages;
    Ok(Standing {
        image: images::of_container(engine, details).await?,
        ports: published(details)?,
        shm: details.pointer("/HostConfig/ShmSize").and_then(Value::as_u64).map(Bytes),
        cpuset: bound_to(details)?,
        mounts: stages
            .iter()
            .map(|stage| MountAsk {
                source: stage.host_path(),
                target: stage.target.clone(),
                access: stage.access,
            })
            .collect(),
    })
}

/// The processors in the engine's record; what cannot be read was not granted.
fn bound_to(details: &Value) -> Result<Option<CpuSet>, Error> {
    let word = details.pointer("/HostConfig/CpusetCpus").and_then(Value::as_str).unwrap_or_default();
    let set = (!word.is_empty()).then(|| word.parse()).transpose();
    Ok(set.map_err(|_| EngineError::Odd(format!("a container's processors {word:?}")))?)
}

/// The host ports in the engine's record; one that cannot be read is no port of ours.
fn published(details: &Value) -> Result<Vec<(u16, IpAddr)>, Error> {
    let bindings = details.pointer("/HostConfig/PortBindings").and_then(Value::as_object);
    let bindings =
        bindings.into_iter().flat_map(|ports| ports.values()).filter_map(Value::as_array).flatten();
    let port = |binding: &Value| {
        let text = |key: &str| binding.get(key).and_then(Value::as_str).unwrap_or_default();
        let odd = |_| EngineError::Odd(format!("a port's binding {binding}"));
        let port = text("HostPort").parse().map_err(|_| odd(()))?;
        Ok((port, text("HostIp").parse().map_err(|_| odd(()))?))
    };
    bindings.map(port).collect()
}
