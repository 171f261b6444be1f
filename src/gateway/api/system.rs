//! What the engine is, as far as a caller needs to know.

use super::routes::OLDEST;
use crate::gateway::caller::peer::Peer;
use crate::gateway::door::serve::Caller;
use crate::gateway::engine::Target;
use crate::gateway::error::Error;
use crate::gateway::state::Gateway;
use crate::protocol::escape::escape_line;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, HeaderName, HeaderValue};
use axum::{Extension, Json};
use serde_json::{Value, json};
use std::sync::Arc;

/// Docker's clients ask this first, and speak the version it names.
pub(in crate::gateway) async fn ping(
    caller: Extension<Caller>,
    State(gateway): State<Arc<Gateway>>,
) -> Result<(HeaderMap, &'static str), Error> {
    if let Caller::Refused(refused) = caller.0 {
        return Err(refused.into());
    }
    let version = gateway.engine.api_version().await?;
    let mut headers = HeaderMap::new();
    let value = HeaderValue::from_str(&version).map_err(|error| Error::Internal(error.to_string()))?;
    headers.insert(HeaderName::from_static("api-version"), value);
    headers.insert(HeaderName::from_static("ostype"), HeaderValue::from_static("linux"));
    headers.insert(HeaderName::from_static("docker-experimental"), HeaderValue::from_static("false"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store, must-revalidate"));
    Ok((headers, "OK"))
}

/// The engine's version, capped at what the gateway knows, and the gateway's own.
pub(in crate::gateway) async fn version(
    _: Peer,
    State(gateway): State<Arc<Gateway>>,
) -> Result<Json<Value>, Error> {
    let api = gateway.engine.api_version().await?;
    let mut version = gateway.version.get(|| engines(&gateway, "/version")).await?;
    if let Some(fields) = version.as_object_mut() {
        fields.insert("ApiVersion".into(), json!(api));
        fields.insert("MinAPIVersion".into(), json!(format!("{}.{}", OLDEST.0, OLDEST.1)));
        let own = json!({ "Name": "ie-containerd", "Version": env!("CARGO_PKG_VERSION"), "Details": {} });
        if let Some(components) = fields.get_mut("Components").and_then(Value::as_array_mut) {
            components.insert(0, own);
        }
    }
    Ok(Json(version))
}

/// What the engine says of itself. It runs its runtime and its init for that, each time.
fn engines(
    gateway: &Arc<Gateway>,
    path: &'static str,
) -> impl Future<Output = Result<Value, Error>> + Send + 'static {
    let gateway = gateway.clone();
    async move { Ok(gateway.engine.get(Target::new(path)).await?) }
}

/// There are no plugins here.
pub(in crate::gateway) async fn plugin(_: Peer, Path(word): Path<String>) -> Error {
    Error::NoPlugin(escape_line(&word).chars().take(200).collect())
}

/// What clients look at in `info`: the engine's kind and size, and the caller's own counts.
pub(in crate::gateway) async fn info(
    peer: Peer,
    State(gateway): State<Arc<Gateway>>,
) -> Result<Json<Value>, Error> {
    let info = gateway.info.get(|| engines(&gateway, "/info")).await?;
    let own = gateway.engine.own(&peer, false).await?;
    let running = own.iter().filter(|owned| owned.running()).count();
    let mut shown = json!({ "Containers": own.len(), "ContainersRunning": running,
        "ContainersPaused": 0, "ContainersStopped": own.len() - running,
        "Swarm": { "LocalNodeState": "inactive" } });
    for key in [
        // What clients warn of where it is missing.
        "MemoryLimit",
        "SwapLimit",
        "CpuCfsPeriod",
        "CpuCfsQuota",
        "CPUShares",
        "CPUSet",
        "PidsLimit",
        "OomKillDisable",
        "IPv4Forwarding",
        "BridgeNfIptables",
        "BridgeNfIp6tables",
        "SecurityOptions",
        "LoggingDriver",
        "ServerVersion",
        "OperatingSystem",
        "OSType",
        "Architecture",
        "KernelVersion",
        "NCPU",
        "MemTotal",
        "Driver",
        "CgroupDriver",
        "CgroupVersion",
        "DefaultRuntime",
        "SystemTime",
        "Name",
    ] {
        if let (Some(fields), Some(value)) = (shown.as_object_mut(), info.get(key)) {
            fields.insert(key.to_owned(), value.clone());
        }
    }
    Ok(Json(shown))
}
