//! A volume's directory belongs to its owner: the engine makes it as root's.
//!
//! Only the directory itself is given, by an archive that holds nothing else, into a container that has never run: its
//! parent lies in a file system that nobody has touched, so nobody can have put a link there.

use super::spec::VolumeGrant;
use super::{ContainerId, Engine, EngineError, Grant, Target, wire};
use crate::protocol::copying::PathStat;
use crate::protocol::stage::Access;
use crate::tarball::entry::{Entry, Kind, Owner, Time};
use crate::tarball::write;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Method;
use std::path::Path;

impl Engine {
    /// Makes the container's owner the owner of the volumes it can write to. With a root that cannot be written the engine
    /// takes no archive: there a volume keeps the owner it has.
    pub(in crate::gateway) async fn give_volumes(
        &self,
        id: &ContainerId,
        grant: &Grant,
    ) -> Result<(), EngineError> {
        if grant.settings.read_only {
            return Ok(());
        }
        for volume in grant.volumes.iter().filter(|volume| volume.access == Access::ReadWrite) {
            self.give(id, volume, grant.owner()).await?;
        }
        Ok(())
    }

    async fn give(&self, id: &ContainerId, volume: &VolumeGrant, owner: Owner) -> Result<(), EngineError> {
        let archive = |path: &str| Target::new(format!("/containers/{id}/archive")).with("path", path);
        let answer = self.call(Method::HEAD, archive(&volume.target)).await?;
        let header = answer.headers().get("x-docker-container-path-stat");
        let stat = header.and_then(|header| PathStat::from_header(header.as_bytes()));
        let stat = stat.ok_or_else(|| EngineError::Odd("a volume without a stat".into()))?;
        let target = Path::new(&volume.target);
        let (Some(parent), Some(name)) = (target.parent(), target.file_name()) else {
            return Err(EngineError::Odd(format!("a volume at {:?}", volume.target)));
        };
        let tar = directory(name.as_encoded_bytes(), stat.mode & 0o777, owner);
        let body = Full::new(Bytes::from(tar)).map_err(|never| match never {}).boxed();
        let target = archive(&parent.to_string_lossy()).with("noOverwriteDirNonDir", "true");
        let request = wire::Wire::request(Method::PUT, &self.prefix().await?, target, body)?;
        wire::good(self.wire.send(request).await?).await.map(drop)
    }
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
