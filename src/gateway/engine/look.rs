//! Looking through each image once, before anything of it is started: a device node in it is a hole in every wall.
//!
//! The control group keeps a container's processes from opening it, but its owner's shell on the host is in no such
//! group and reaches the container's files through `/proc/PID/root`. Where a file system or a disk has a node that its
//! mode leaves open, that is root.
//!
//! Nothing is run for it: the engine exports the files of a container that is never started, which are all that the
//! image has, whatever its volumes and links would hide from a process inside.

use super::spec::still_body;
use super::{ContainerId, Engine, EngineError, ImageId, Owned, Target, read};
use crate::gateway::mark;
use crate::gateway::places::Places;
use crate::protocol::escape::escape_line;
use crate::tarball::entry::{Entry, Kind};
use crate::tarball::read::{DEVICE, Event, Malformed, Reader};
use http_body_util::BodyExt;
use hyper::Method;
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OnceCell, Semaphore};

/// How long one image may take: all of it is read, some hundred mebibytes a second.
const PATIENCE: Duration = Duration::from_secs(600);
/// Images looked through at once, one for each user.
const AT_ONCE: usize = 2;

/// Why an image is not started.
#[derive(Debug, thiserror::Error)]
pub(in crate::gateway) enum LookError {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(
        "the image holds a device node, {0}, which whoever runs it could open from outside the container"
    )]
    Node(String),
    #[error("the image could not be looked through for device nodes: {0}")]
    Unread(String),
    /// What was looked at before the container was made, its words, is not what it was made of.
    #[error("it was made of another image than the one that was looked at, as the name moved on meanwhile")]
    Moved,
}

/// What is known of the engine's images, by their ids: a node's path, or that there is none.
#[derive(Debug)]
pub(super) struct Looked {
    images: Mutex<HashMap<ImageId, Arc<OnceCell<Option<String>>>>>,
    places: Semaphore,
    /// Who has many images is not in front of others with one.
    mine: Places,
}

impl Default for Looked {
    fn default() -> Self {
        Self { images: Mutex::default(), places: Semaphore::new(AT_ONCE), mine: Places::new(1) }
    }
}

impl Looked {
    fn cell(&self, image: &ImageId) -> Arc<OnceCell<Option<String>>> {
        self.images.lock().unwrap_or_else(PoisonError::into_inner).entry(image.clone()).or_default().clone()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Left {
    id: String,
}

impl Engine {
    /// Lets only images without a device node through, that are what was looked at when the container was made: the
    /// engine made it of what the name meant by then. Its own id of the image no tag can move.
    pub(in crate::gateway) async fn look_through(&self, container: &Owned) -> Result<(), LookError> {
        let image = container
            .found()
            .image_id()
            .ok_or_else(|| EngineError::Odd("a container without an image's id".to_owned()))?;
        if container.labels().image.as_ref() != Some(&image) {
            return Err(LookError::Moved);
        }
        let cell = self.looked.cell(&image);
        // Before anybody may wait for this image: not behind the caller's other ones.
        let _mine = match cell.initialized() {
            true => None,
            false => Some(self.looked.mine.of(container.found().owner()).acquire_owned().await),
        };
        let node = cell.get_or_try_init(|| self.find_node(&image)).await?;
        node.as_ref().map_or(Ok(()), |node| Err(LookError::Node(node.clone())))
    }

    async fn find_node(&self, image: &ImageId) -> Result<Option<String>, LookError> {
        let _place = self.looked.places.acquire().await;
        let digits = image.digits();
        let name = format!("ie-look-{}", digits.get(..16).unwrap_or(digits));
        let looked = tokio::time::timeout(PATIENCE, self.look_in(image, &name)).await;
        // By its name: there may be one although nobody was told its id.
        self.remove_look(&name).await?;
        looked.unwrap_or_else(|_| Err(LookError::Unread(format!("it took more than {PATIENCE:?}"))))
    }

    async fn look_in(&self, image: &ImageId, name: &str) -> Result<Option<String>, LookError> {
        let volumes = self.image(image.digits()).await?;
        let volumes = volumes.pointer("/Config/Volumes").and_then(Value::as_object);
        let body = still_body(image.as_str(), &[]);
        let id = match self.create_named(name, &body).await {
            // Of a gateway that was killed at it.
            Err(error) if error.is_conflict() => {
                self.remove_look(name).await?;
                self.create_named(name, &body).await?
            }
            made => made?,
        };
        mark::at("look-made");
        let mut files =
            self.call(Method::GET, Target::new(format!("/containers/{id}/export"))).await?.into_body();
        let mut look = Look::new(volumes.is_none_or(serde_json::Map::is_empty));
        while let Some(frame) = files.frame().await {
            let frame = frame.map_err(|error| LookError::Unread(error.to_string()))?;
            let Ok(bytes) = frame.into_data() else { continue };
            if let Some(node) = look.at(&bytes)? {
                return Ok(Some(node));
            }
        }
        look.end().map(|()| None)
    }

    /// Takes away what a gateway that was killed at looking has left.
    pub(in crate::gateway) async fn tidy_looks(&self) -> Result<(), EngineError> {
        // All places: while this is done nobody looks. If somebody does, another time will do.
        let places = u32::try_from(AT_ONCE).unwrap_or(u32::MAX);
        let Ok(_places) = self.looked.places.try_acquire_many(places) else { return Ok(()) };
        let filters = serde_json::json!({ "name": ["^/ie-look-[0-9a-f]{16}$"] }).to_string();
        let target = Target::new("/containers/json").with("all", "1").with("filters", &filters);
        let left: Vec<Left> = read(self.call(Method::GET, target).await?).await?;
        for id in left.iter().filter_map(|left| ContainerId::parse(&left.id)) {
            match self.remove_look(id.as_str()).await {
                // The engine is at it already, for a gateway that was killed.
                Err(error) if !error.is_conflict() => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    async fn remove_look(&self, word: &str) -> Result<(), EngineError> {
        let target = Target::new(format!("/containers/{word}")).with("v", "1").with("force", "1");
        match self.call(Method::DELETE, target).await {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }
}

/// The walk through an exported image.
struct Look {
    reader: Reader,
    /// The engine mounts its own over `/dev`, so that what an image has there is out of reach; but not out of a volume's
    /// that is below it, into which the engine copies what the image has in its place.
    dev_is_covered: bool,
}

impl Look {
    fn new(dev_is_covered: bool) -> Self {
        Self { reader: Reader::default(), dev_is_covered }
    }

    /// The first device node in the next bytes.
    fn at(&mut self, mut bytes: &[u8]) -> Result<Option<String>, LookError> {
        let unread = |error: Malformed| LookError::Unread(escape_line(&error.to_string()));
        while let Some(event) = self.reader.next(&mut bytes).map_err(unread)? {
            let found = match event {
                Event::Special { what: DEVICE, name } => Some(name).filter(|name| !self.covered(name)),
                // A second name of what may be a node that was passed over.
                Event::Entry(Entry { kind: Kind::HardLink, name, target, .. }) => {
                    Some(name).filter(|name| self.covered(&target) && !self.covered(name))
                }
                _ => None,
            };
            if let Some(name) = found {
                return Ok(Some(format!("/{}", escape_line(&String::from_utf8_lossy(plain(&name))))));
            }
        }
        Ok(None)
    }

    fn covered(&self, name: &[u8]) -> bool {
        self.dev_is_covered && plain(name).starts_with(b"dev/")
    }

    fn end(&self) -> Result<(), LookError> {
        self.reader.finish().map_err(|error| LookError::Unread(error.to_string()))
    }
}

/// A name in an export, from the root.
fn plain(name: &[u8]) -> &[u8] {
    let name = name.strip_prefix(b".").filter(|rest| rest.starts_with(b"/")).unwrap_or(name);
    name.iter().position(|byte| *byte != b'/').and_then(|at| name.get(at..)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tarball::entry::{Owner, Time};
    use crate::tarball::write;

    /// An archive of one device of this name.
    fn device(name: &str, kind: u8) -> Vec<u8> {
        let mut tar = Vec::new();
        let mtime = Time { seconds: 0, nanoseconds: 0 };
        let (name, target) = (name.as_bytes().to_vec(), Vec::new());
        let entry = Entry { kind: Kind::File, name, target, size: 0, mode: 0o666, mtime };
        write::header(&mut tar, &entry, Owner { uid: 0, gid: 0 });
        tar[156] = kind;
        // The checksum counts its own eight bytes as spaces.
        tar[148..156].fill(b' ');
        let sum: u32 = tar[..512].iter().map(|byte| u32::from(*byte)).sum();
        tar[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        write::end(&mut tar);
        tar
    }

    #[test]
    fn a_node_is_found_wherever_it_can_be_reached() {
        let found = |name: &str, dev_is_covered, step: usize| {
            let mut look = Look::new(dev_is_covered);
            let tar = device(name, b'4');
            let found = tar.chunks(step).find_map(|bytes| look.at(bytes).unwrap());
            assert!(found.is_some() || look.end().is_ok());
            found
        };
        for step in [1, 100, 4096] {
            assert_eq!(found("a/b/node", true, step).as_deref(), Some("/a/b/node"));
            assert_eq!(found("./dev/sda", true, step), None);
            assert_eq!(found("dev/d/node", false, step).as_deref(), Some("/dev/d/node"));
            assert_eq!(found("devices/x", true, step).as_deref(), Some("/devices/x"));
        }
        let link = |name: &str, target: &str| {
            let mut tar = Vec::new();
            let mtime = Time { seconds: 0, nanoseconds: 0 };
            let (name, target) = (name.as_bytes().to_vec(), target.as_bytes().to_vec());
            let entry = Entry { kind: Kind::HardLink, name, target, size: 0, mode: 0o666, mtime };
            write::header(&mut tar, &entry, Owner { uid: 0, gid: 0 });
            Look::new(true).at(&tar).unwrap()
        };
        assert_eq!(link("home/x", "dev/sda").as_deref(), Some("/home/x"));
        assert_eq!((link("dev/x", "./dev/sda"), link("home/x", "home/dev/y")), (None, None));
        let mut fifo = Look::new(true);
        assert_eq!((fifo.at(&device("a/fifo", b'6')).unwrap(), fifo.end().is_ok()), (None, true));
    }

    #[test]
    fn what_breaks_off_or_is_no_archive_was_not_looked_through() {
        let mut look = Look::new(true);
        assert!(look.at(&device("a/fifo", b'6')[..300]).unwrap().is_none() && look.end().is_err());
        assert!(Look::new(true).at(&[7; 1024]).is_err());
    }
}
