//! What the engine says of itself: the user namespace that it gives, and how many processors.

use super::space::ids;
use super::{Engine, EngineError, Space, Target};
use serde_json::Value;
use std::path::Path;
use std::sync::PoisonError;

impl Engine {
    /// Before limits are asked for that they cut.
    pub(in crate::gateway) async fn knows_its_cpus(&self) -> Result<(), EngineError> {
        self.space().await.map(drop)
    }

    /// The user namespace that the engine gives to whoever does not ask for the host's. It is asked once in the engine's
    /// life: see [`Engine::forget_version`].
    pub(in crate::gateway) async fn space(&self) -> Result<Space, EngineError> {
        if let Some(known) = *self.space.read().unwrap_or_else(PoisonError::into_inner) {
            return Ok(known);
        }
        let info = self.get(Target::new("/info")).await?;
        let told = told(&info)?;
        let cpus = info.get("NCPU").and_then(Value::as_u64).unwrap_or_default();
        self.cpus.are(cpus);
        *self.space.write().unwrap_or_else(PoisonError::into_inner) = Some(told);
        Ok(told)
    }
}

/// A remapped engine says so, and keeps all it has in a directory that is named by the first of its ids.
fn told(info: &Value) -> Result<Space, EngineError> {
    let options = info.get("SecurityOptions").and_then(Value::as_array);
    let mut options = options.into_iter().flatten().filter_map(Value::as_str);
    if !options.any(|option| option.split(',').any(|word| word == "name=userns")) {
        return Ok(Space::Host);
    }
    let root = info.get("DockerRootDir").and_then(Value::as_str).unwrap_or_default();
    let name = Path::new(root).file_name().and_then(|name| name.to_str());
    let shift = name.and_then(ids).filter(|shift| shift.uid > 0 && shift.gid > 0);
    shift
        .map(Space::Own)
        .ok_or_else(|| EngineError::Odd(format!("user namespaces, and its root is {root:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::stage::Shift;
    use serde_json::json;

    #[test]
    fn an_engine_tells_where_its_ids_begin() {
        let info =
            |options: Value, root: &str| told(&json!({"SecurityOptions": options, "DockerRootDir": root}));
        let own = Space::Own(Shift { uid: 900_000, gid: 800_000 });
        let userns = || json!(["name=seccomp,profile=default", "name=userns"]);
        assert_eq!(info(userns(), "/var/lib/docker/900000.800000").unwrap(), own);
        assert_eq!(info(json!(["name=seccomp,profile=default"]), "/x/900000.800000").unwrap(), Space::Host);
        assert_eq!(info(Value::Null, "/var/lib/docker").unwrap(), Space::Host);
        for root in ["/var/lib/docker", "", "/x/900000", "/x/0.0", "/x/+1.1", "/x/1.2.3", "/x/4294967296.1"] {
            assert!(info(userns(), root).is_err(), "{root}");
        }
    }
}
