//! What a container was granted when it was made, out of its labels and the engine's record.

use crate::gateway::engine::{EngineError, Owned};
use crate::gateway::error::Error;
use crate::gateway::images;
use crate::gateway::state::Gateway;
use crate::policy::{MountAsk, Standing};
use serde_json::Value;
use std::net::IpAddr;

/// What the container was granted when it was made.
pub(super) async fn standing(gateway: &Gateway, container: &Owned) -> Result<Standing, Error> {
    let details = gateway.engine.get(container.target("/json")).await?;
    let stages = &container.labels().stages;
    Ok(Standing {
        image: images::of_container(gateway, &details).await?,
        ports: published(&details)?,
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
