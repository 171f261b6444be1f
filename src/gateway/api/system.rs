//! What the engine is, as far as a caller needs to know.

use super::images;
use super::version::OLDEST;
use crate::gateway::bounds::cache::Cache;
use crate::gateway::caller::{Caller, Identity};
use crate::gateway::engine::{Engine, Target};
use crate::gateway::error::Error;
use crate::gateway::gpu::service::Gpus;
use crate::protocol::escape::escape_line;
use crate::protocol::told::told;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, HeaderName, HeaderValue};
use axum::{Extension, Json};
use serde_json::{Value, json};
use std::sync::Arc;

/// What the engine says of itself, for which it runs programs.
#[derive(Debug, Default)]
pub(in crate::gateway) struct Told {
    version: Cache<Value>,
    info: Cache<Value>,
}

/// Docker's clients ask this first, and speak the version it names.
pub(in crate::gateway) async fn ping(
    identity: Extension<Identity>,
    State(engine): State<Arc<Engine>>,
) -> Result<(HeaderMap, &'static str), Error> {
    if let Identity::Refused(refused) = identity.0 {
        return Err(refused.into());
    }
    let version = engine.api_version().await?;
    let mut headers = HeaderMap::new();
    let value = HeaderValue::from_str(&version).map_err(|error| Error::Internal(told!("{error}")))?;
    headers.insert(HeaderName::from_static("api-version"), value);
    headers.insert(HeaderName::from_static("ostype"), HeaderValue::from_static("linux"));
    headers.insert(HeaderName::from_static("docker-experimental"), HeaderValue::from_static("false"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store, must-revalidate"));
    Ok((headers, "OK"))
}

/// The engine's version, capped at what the gateway knows, and the gateway's own.
pub(in crate::gateway) async fn version(
    _: Caller,
    State(engine): State<Arc<Engine>>,
    State(told): State<Arc<Told>>,
) -> Result<Json<Value>, Error> {
    let api = engine.api_version().await?;
    let mut version = told.version.get(|| engines(&engine, "/version")).await?;
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
    engine: &Arc<Engine>,
    path: &'static str,
) -> impl Future<Output = Result<Value, Error>> + Send + 'static {
    let engine = engine.clone();
    async move { Ok(engine.get(Target::new(path)).await?) }
}

/// Every container has runc. Tools look for one more to learn whether there are cards, and then ask for them by `--gpus`.
fn runtimes(cards: bool) -> Value {
    let path = |path: &str| json!({ "path": path });
    match cards {
        true => json!({ "runc": path("runc"), "nvidia": path("nvidia-container-runtime") }),
        false => json!({ "runc": path("runc") }),
    }
}

/// There are no plugins here.
pub(in crate::gateway) async fn plugin(_: Caller, Path(word): Path<String>) -> Error {
    Error::NoPlugin(escape_line(&word).chars().take(200).collect())
}

/// What clients look at in `info`: the engine's kind and size, and the caller's own counts.
pub(in crate::gateway) async fn info(
    caller: Caller,
    State(engine): State<Arc<Engine>>,
    State(gpus): State<Arc<Gpus>>,
    State(told): State<Arc<Told>>,
) -> Result<Json<Value>, Error> {
    let info = told.info.get(|| engines(&engine, "/info")).await?;
    let own = engine.own(&caller, false).await?;
    let running = own.iter().filter(|owned| owned.running()).count();
    let paused = own.iter().filter(|owned| owned.found().state() == "paused").count();
    // While the name service is away there is nothing that one may use, and the rest is told all the same.
    let limits = caller.limits().ok();
    let usable = match &limits {
        Some(limits) => images::allowed(&engine, limits, false).await?.len(),
        None => 0,
    };
    let mut shown = json!({
        "Containers": own.len(),
        "ContainersRunning": running - paused,
        "ContainersPaused": paused,
        "ContainersStopped": own.len() - running,
        "Images": usable,
        "Swarm": { "NodeID": "", "NodeAddr": "", "LocalNodeState": "inactive", "ControlAvailable": false, "Error": "",
            "RemoteManagers": null },
        "Runtimes": runtimes(limits.is_some_and(|limits| gpus.any_for(&limits))),
        "DefaultRuntime": "runc",
        "Plugins": { "Volume": ["local"], "Network": ["bridge", "null"], "Authorization": null, "Log": ["json-file", "local"] },
        "Labels": [],
        "ExperimentalBuild": false,
        "LiveRestoreEnabled": false,
    });
    for key in [
        "ID",
        "IndexServerAddress",
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
        "SystemTime",
        "Name",
    ] {
        if let (Some(fields), Some(value)) = (shown.as_object_mut(), info.get(key)) {
            fields.insert(key.to_owned(), value.clone());
        }
    }
    Ok(Json(shown))
}
