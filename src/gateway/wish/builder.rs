//! Containers that `docker build` makes for itself where the engine does not build.
//!
//! buildx turns to a builder container when a build is refused. It first asks for all cards, in a probe that does nothing,
//! and then for a privileged container. Both hear what a build hears, before anything is granted.

use super::refused::WishError;
use crate::protocol::told::{Phrase, Tell, phrase};
use serde_json::Value;

/// What to do instead of a build.
pub(in crate::gateway) const BUILD_INSTEAD: Phrase =
    phrase!("build where you are root (rootless podman or buildah do), push it, and pull it here");

/// What buildx calls its builder containers.
const NAMED: &str = "buildx_buildkit_";
/// The repository of its image, in whatever registry it lies.
const REPOSITORY: &str = "moby/buildkit";

pub(super) fn refuse(name: Option<&str>, body: &Value) -> Result<(), WishError> {
    let image = body.get("Image").and_then(Value::as_str).unwrap_or_default();
    let named = name.is_some_and(|name| name.trim_start_matches('/').starts_with(NAMED));
    if named || is_builder(image) || is_probe(name, body) {
        return Err(WishError::not_allowed("a builder container", BUILD_INSTEAD.told()));
    }
    Ok(())
}

fn is_builder(image: &str) -> bool {
    let bare = image.split('@').next().unwrap_or_default();
    let bare = match bare.rsplit_once(':') {
        Some((bare, tag)) if !tag.contains('/') => bare,
        _ => bare,
    };
    bare.strip_suffix(REPOSITORY).is_some_and(|registry| registry.is_empty() || registry.ends_with('/'))
}

/// Whether it asks for cards to do nothing with them, as the probe of a builder with an image of somebody's own does.
fn is_probe(name: Option<&str>, body: &Value) -> bool {
    let host = |key: &str| body.get("HostConfig").and_then(|host| host.get(key));
    let empty =
        |value: Option<&Value>| value.is_none_or(|value| value.is_null() || value == &Value::Array(vec![]));
    name.is_none_or(str::is_empty)
        && body.get("Entrypoint") == Some(&Value::from(vec!["/bin/true"]))
        && empty(body.get("Cmd"))
        && empty(body.get("Env"))
        && host("NetworkMode").and_then(Value::as_str) == Some("none")
        && host("AutoRemove").and_then(Value::as_bool) == Some(true)
        && !empty(host("DeviceRequests"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn builders_hear_what_a_build_hears() {
        let image = |image: &str| json!({ "Image": image });
        let gpus = json!([{ "Driver": "", "Count": -1, "Capabilities": [["gpu"]] }]);
        let host = json!({ "NetworkMode": "none", "AutoRemove": true, "DeviceRequests": gpus });
        let probe =
            json!({ "Image": "lab/kit", "Entrypoint": ["/bin/true"], "Cmd": null, "HostConfig": host });
        for (name, body) in [
            (None, image("moby/buildkit:buildx-stable-1")),
            (None, image("moby/buildkit")),
            (None, image("docker.io/moby/buildkit@sha256:00")),
            (None, image("mirror.lab:5000/moby/buildkit:v0.12.5")),
            (Some("buildx_buildkit_default0"), image("lab/kit")),
            (Some("/buildx_buildkit_mine0"), image("lab/kit")),
            (None, probe.clone()),
            (Some(""), probe.clone()),
        ] {
            let said = refuse(name, &body).unwrap_err().to_string();
            assert!(said.contains("build where you are root"), "{said}");
        }
        let other = |key: &str, value: Value| {
            let mut other = probe.clone();
            other[key] = value;
            other
        };
        let without_cards = json!({ "NetworkMode": "none", "AutoRemove": true });
        for (name, body) in [
            (None, image("moby/buildkit-tools")),
            (None, image("notmoby/buildkit:1")),
            (None, image("busybox:1")),
            (Some("mine"), probe.clone()),
            (None, other("Cmd", json!(["x"]))),
            (None, other("Entrypoint", json!(["true"]))),
            (None, other("HostConfig", without_cards)),
        ] {
            assert!(refuse(name, &body).is_ok(), "{name:?} {body}");
        }
    }
}
