//! A volume's directory belongs to its owner: the engine makes it as root's.
//!
//! Only the directory itself is given, by an archive that holds nothing else. The engine mounts a container's volumes as
//! root and in the host's own namespace to unpack one, by names that a link in another live volume could lead elsewhere
//! between two looks at it. So it is done in a container of an empty image that never runs, where each volume has a place
//! of its own at the root and nothing else is.
//!
//! A volume begins empty. The engine would copy what the image has at the volume's place, as root. Another container of
//! the same owner may put links in the way there. With a read-only root the engine takes no archive, and the directory
//! stays root's.

use super::label::GIVEN;
use super::orders::{Order, Removal, VolumeName};
use super::spec::{VolumeGrant, still_body};
use super::{Body, ContainerId, Engine, EngineError, Grant, Target, read, wire};
use crate::gateway::failpoint;
use crate::protocol::copying::PathStat;
use crate::protocol::stage::Access;
use crate::tarball::entry::{Entry, Kind, Owner, Time};
use crate::tarball::write;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Method;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use serde_json::Value;

/// An image with nothing in it, made by the gateway. No registry is asked for this name, and no user has a pull of it: see
/// `images::RESERVED`.
const EMPTY: (&str, &str) = ("localhost/ie-container/empty", "1");
/// The digest of an archive without members: two blocks of zeroes.
const EMPTY_LAYER: &str = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef";
/// What containers to give volumes in are called.
const PREFIX: &str = "ie-give-";

/// A word that nobody can know beforehand.
pub(super) fn unguessable() -> Result<String, EngineError> {
    let mut random = [0; 16];
    rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())
        .map_err(|errno| EngineError::Odd(format!("no random bytes: {errno}")))?;
    Ok(random.iter().map(|b| format!("{b:02x}")).collect())
}

impl Engine {
    /// Makes the container's owner the owner of the volumes it can write to; `made` is the engine's record of it.
    pub(in crate::gateway) async fn give_volumes(
        &self,
        made: &Value,
        grant: &Grant,
    ) -> Result<(), EngineError> {
        let writable = |volume: &&VolumeGrant| volume.access == Access::ReadWrite;
        let targets: Vec<&str> =
            grant.volumes.iter().filter(writable).map(|volume| volume.target.as_str()).collect();
        if targets.is_empty() {
            return Ok(());
        }
        let volumes = volumes_at(made, &targets)?;
        let _not_tidied = self.giving.read().await;
        self.ensure_empty().await?;
        let body = still_body(&format!("{}:{}", EMPTY.0, EMPTY.1), grant.user_and_login(), &volumes);
        let holder = self.create_named(&format!("{PREFIX}{}", unguessable()?), &body).await?;
        failpoint::at("give-made");
        let mut given = Ok(());
        for (_, place) in &volumes {
            if given.is_ok() {
                given = self.give(&holder, place, grant.owner()).await;
            }
        }
        // Not with `v`: the volumes are somebody's.
        let removed = self.order(None, Order::Remove(&holder, Removal::default())).await;
        match removed {
            Err(error) if !error.is_not_found() && !error.is_conflict() => given.and(Err(error))?,
            _ => given?,
        }
        // Whoever removes the container meanwhile removes its nameless volumes, which the holder makes anew.
        match made.get("Id").and_then(Value::as_str).and_then(ContainerId::parse) {
            Some(id) => self.still_there(&id).await,
            None => Err(EngineError::Odd("a container without an id".to_owned())),
        }
    }

    async fn still_there(&self, id: &ContainerId) -> Result<(), EngineError> {
        match self.get(Target::new(format!("/containers/{id}/json"))).await {
            Err(error) if error.is_not_found() => {
                self.tidy_given().await?;
                Err(error)
            }
            there => there.map(drop),
        }
    }

    /// Removes what only a holder has made, which never has a name of its own; what somebody has stays.
    async fn tidy_given(&self) -> Result<(), EngineError> {
        let filters = serde_json::json!({ "label": [GIVEN], "dangling": ["true"] }).to_string();
        let left = self.get(Target::new("/volumes").with("filters", &filters)).await?;
        let names = left.get("Volumes").and_then(Value::as_array).into_iter().flatten();
        for name in names.filter_map(|volume| VolumeName::nameless(volume.get("Name")?.as_str()?)) {
            match self.order(None, Order::RemoveVolume(name)).await {
                Err(error) if !error.is_not_found() && !error.is_conflict() => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    async fn give(&self, holder: &ContainerId, place: &str, owner: Owner) -> Result<(), EngineError> {
        let archive = |path: &str| Target::new(format!("/containers/{holder}/archive")).with("path", path);
        let answer = self.call(Method::HEAD, archive(place)).await?;
        let header = answer.headers().get("x-docker-container-path-stat");
        let stat = header.and_then(|header| PathStat::from_header(header.as_bytes()));
        let stat = stat.ok_or_else(|| EngineError::Odd("a volume without a stat".into()))?;
        let tar = directory(place.trim_start_matches('/').as_bytes(), stat.mode & 0o777, owner);
        let target = archive("/").with("noOverwriteDirNonDir", "true");
        let request = wire::Wire::request(Method::PUT, &self.prefix().await?, target, whole(tar))?;
        wire::good(self.wire.send(request).await?).await.map(drop)
    }

    /// Makes the empty image where it is not there; whatever else is there by its name is not used.
    async fn ensure_empty(&self) -> Result<(), EngineError> {
        let (name, tag) = EMPTY;
        match self.image(&format!("{name}:{tag}")).await {
            Ok(image) if is_empty(&image) => Ok(()),
            Ok(_) => Err(EngineError::Odd(format!("an image {name}:{tag} that is not the gateway's"))),
            Err(error) if error.is_not_found() => {
                let target =
                    Target::new("/images/create").with("fromSrc", "-").with("repo", name).with("tag", tag);
                let mut tar = Vec::new();
                write::end(&mut tar);
                let mut request =
                    wire::Wire::request(Method::POST, &self.prefix().await?, target, whole(tar))?;
                request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-tar"));
                let answer = wire::good(self.wire.send(request).await?).await?;
                // It is made when the engine has said everything.
                let _told =
                    answer.into_body().collect().await.map_err(|e| EngineError::Odd(e.to_string()))?;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Takes away what a gateway that was killed at giving has left.
    pub(in crate::gateway) async fn tidy_gives(&self) -> Result<(), EngineError> {
        // While somebody gives another time will do.
        let Ok(_alone) = self.giving.try_write() else { return Ok(()) };
        let filters = serde_json::json!({ "name": [format!("^/{PREFIX}[0-9a-f]{{32}}$")] }).to_string();
        let target = Target::new("/containers/json").with("all", "1").with("filters", &filters);
        let left: Vec<Value> = read(self.call(Method::GET, target).await?).await?;
        let id = |left: &Value| ContainerId::parse(left.get("Id")?.as_str()?);
        for id in left.iter().filter_map(id) {
            match self.order(None, Order::Remove(&id, Removal::default())).await {
                Err(error) if !error.is_not_found() && !error.is_conflict() => return Err(error),
                _ => {}
            }
        }
        // Nobody's, and no reason not to tidy the rest.
        if let Err(error) = self.tidy_given().await {
            tracing::warn!("volumes that only were to be given are left for the next sweep: {error}");
        }
        Ok(())
    }
}

/// The engine's names of the volumes at these places of a container, each with a new place of its own.
fn volumes_at(made: &Value, targets: &[&str]) -> Result<Vec<(String, String)>, EngineError> {
    let mounts = made.get("Mounts").and_then(Value::as_array);
    let name = |target: &str| {
        let text = |mount: &Value, key: &str| mount.get(key).and_then(Value::as_str).map(str::to_owned);
        let at = |mount: &&Value| text(mount, "Destination").as_deref() == Some(target);
        mounts.into_iter().flatten().find(at).and_then(|mount| text(mount, "Name"))
    };
    let placed = |(number, target): (usize, &&str)| {
        let missing = || EngineError::Odd(format!("no volume at {target:?}"));
        Ok((name(target).ok_or_else(missing)?, format!("/{number}")))
    };
    targets.iter().enumerate().map(placed).collect()
}

/// No files, and no volume of its own. Its layers are known by what is in them, whoever made it.
fn is_empty(image: &Value) -> bool {
    let volumes = image.pointer("/Config/Volumes").and_then(Value::as_object);
    let layers = image.pointer("/RootFS/Layers").and_then(Value::as_array);
    volumes.is_none_or(serde_json::Map::is_empty)
        && layers.is_some_and(|layers| layers.iter().all(|layer| layer.as_str() == Some(EMPTY_LAYER)))
}

fn whole(bytes: Vec<u8>) -> Body {
    Full::new(Bytes::from(bytes)).map_err(|never| match never {}).boxed()
}

/// An archive of one directory and nothing in it.
fn directory(name: &[u8], mode: u32, owner: Owner) -> Vec<u8> {
    let (name, target) = ([name, b"/"].concat(), Vec::new());
    let mtime = Time { seconds: jiff::Timestamp::now().as_second(), nanoseconds: 0 };
    let mut tar = Vec::new();
    write::header(&mut tar, &Entry { kind: Kind::Directory, name, target, size: 0, mode, mtime }, owner);
    write::end(&mut tar);
    tar
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_has_nothing_in_it_is_empty() {
        let image = |layers: Value, volumes: Value| json!({"RootFS": {"Layers": layers}, "Config": {"Volumes": volumes}});
        assert!(
            is_empty(&image(json!([EMPTY_LAYER]), Value::Null)) && is_empty(&image(json!([]), json!({})))
        );
        for (layers, volumes) in [
            (json!([EMPTY_LAYER, "sha256:aa"]), Value::Null),
            (json!(["sha256:aa"]), Value::Null),
            (json!([EMPTY_LAYER]), json!({"/v": {}})),
            (Value::Null, Value::Null),
        ] {
            assert!(!is_empty(&image(layers, volumes)));
        }
    }
}
