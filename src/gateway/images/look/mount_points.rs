//! Where a container's mounts are meant to land, and what else the engine makes there by name.

use crate::policy;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// What is put into every container, by the gateway, the engine or the kernel.
pub(in crate::gateway) fn always_there() -> impl Iterator<Item = PathBuf> {
    policy::KEPT_PLACES.iter().map(PathBuf::from)
}

pub(super) fn is_always_there(place: &Path) -> bool {
    policy::KEPT_PLACES.iter().any(|kept| place == Path::new(kept))
}

/// A container's places, by the engine's record of it: what is always there, what is mounted, its image's volumes among
/// that, and the working directory, which the engine makes where it is missing.
pub(in crate::gateway) fn of_container(details: &Value) -> Vec<PathBuf> {
    let mounts = details.get("Mounts").and_then(Value::as_array).into_iter().flatten();
    let mounted = mounts.filter_map(|mount| mount.get("Destination")?.as_str());
    let memory = details.pointer("/HostConfig/Tmpfs").and_then(Value::as_object);
    let memory = memory.into_iter().flat_map(|memory| memory.keys().map(String::as_str));
    let working = details.pointer("/Config/WorkingDir").and_then(Value::as_str);
    always_there().chain(mounted.chain(memory).chain(working).map(PathBuf::from)).collect()
}

/// Where the engine put volumes, which an image may have asked for.
pub(in crate::gateway) fn volumes_of(details: &Value) -> impl Iterator<Item = &Path> {
    let mounts = details.get("Mounts").and_then(Value::as_array).into_iter().flatten();
    let volumes = mounts.filter(|mount| mount.get("Type").and_then(Value::as_str) == Some("volume"));
    volumes.filter_map(|mount| mount.get("Destination")?.as_str()).map(Path::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn everything_that_is_mounted_or_made_has_its_place() {
        let details = json!({
            "Mounts": [{"Type": "volume", "Destination": "/v"}, {"Type": "bind", "Destination": "/home/ann"}],
            "HostConfig": {"Tmpfs": {"/t": ""}},
            "Config": {"WorkingDir": "/w"},
        });
        let places = of_container(&details);
        for place in ["/v", "/home/ann", "/t", "/w", "/etc/passwd", "/.ie-copy", "/.ie-channel", "/proc"] {
            assert!(places.contains(&PathBuf::from(place)), "{place}");
        }
        assert_eq!(volumes_of(&details).collect::<Vec<_>>(), [Path::new("/v")]);
        assert!(is_always_there(Path::new("/etc/group")) && !is_always_there(Path::new("/v")));
    }
}
