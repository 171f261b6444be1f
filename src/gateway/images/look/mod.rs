//! Looking through each image once, before anything of it is started: a device node in it is a hole in every wall, and a
//! link leads a mount elsewhere.
//!
//! The control group keeps a container's processes from opening a node, but its owner's shell on the host is in no such
//! group and reaches the container's files through `/proc/PID/root`. Where a file system or a disk has a node that its
//! mode leaves open, that is root.
//!
//! Nothing is run for it and nothing unpacked: the engine gives out the image's layers, [`saved`] holds that none is
//! missing, [`layer`] judges each for itself, and [`shelf`] keeps what was found until the engine has the image no more.
//! [`attempts`] holds that no image ends one gateway after the other.
//!
//! Without capabilities a layer's device node still works: with a disk's node of mode 0666 in the image, the owner's
//! shell is root. No merged view of the layers is asked, as it can leave files out or hide them.
//!
//! Images are asked about at create where they are known, and at each start.

mod attempts;
pub(in crate::gateway) mod background;
mod layer;
mod links;
pub(in crate::gateway) mod mount_points;
mod queue;
mod saved;
mod seen;
mod shelf;
mod stream;
mod unpack;

use crate::gateway::engine::{Engine, EngineError, ImageId, Owned};
use crate::gateway::error::Error;
use crate::gateway::failpoint;
use crate::protocol::escape::escape_line;
use crate::protocol::report::Refusal;
use crate::protocol::told::{Phrase, Told, phrase, told};
use attempts::Attempts;
use queue::{LookQueue, Who};
use seen::Seen;
use shelf::Shelf;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why an image is not started.
#[derive(Debug, thiserror::Error, Told)]
pub(in crate::gateway) enum LookError {
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// What was found, or that it could not be seen whole.
    #[error("{0}")]
    Refused(Told),
    /// The engine would follow the link, as root.
    #[error("{} is not a place to mount at: {why}", .place.display())]
    Leads { place: PathBuf, why: Told },
    #[error("the image could not be looked through now: {0}")]
    Failed(String),
    /// What was looked at before the container was made, its words, is not what it was made of.
    #[error("it was made of another image than the one that was looked at, as the name moved on meanwhile")]
    Moved,
}

/// What is known of the engine's images, and who waits to know more.
#[derive(Debug)]
pub(in crate::gateway) struct Looks {
    engine: Arc<Engine>,
    shelf: Shelf,
    attempts: Attempts,
    queue: LookQueue,
    /// There may be an image that nobody has looked through.
    pub(in crate::gateway) news: tokio::sync::Notify,
}

impl Looks {
    pub(in crate::gateway) fn open(state: &Path, engine: Arc<Engine>) -> Self {
        let shelf = Shelf::open(&state.join("images"));
        let attempts = Attempts::open(&state.join("looking"));
        Self { engine, shelf, attempts, queue: LookQueue::default(), news: tokio::sync::Notify::new() }
    }

    /// Judges what is known already of an image, for a create: what is not is judged at the start.
    pub(in crate::gateway) fn known_to_allow(
        &self,
        image: &ImageId,
        places: &[PathBuf],
    ) -> Result<(), LookError> {
        self.shelf.read(image).map_or(Ok(()), |seen| seen.allows(places))
    }
}

/// Lets only images through that were seen whole and hold nothing that is refused, and mounts only at places that no link
/// of theirs leads away from. The image is the one that was looked at when the container was made: the engine made it of
/// what the name meant by then. Its own id of the image no tag can move.
pub(in crate::gateway) async fn through(
    looks: &Arc<Looks>,
    container: &Owned,
    places: &[PathBuf],
) -> Result<(), LookError> {
    let image = container
        .found()
        .image_id()
        .ok_or_else(|| EngineError::Odd("a container without an image's id".to_owned()))?;
    if container.labels().image.as_ref() != Some(&image) {
        return Err(LookError::Moved);
    }
    seen(looks, &image, Who::User(container.found().owner())).await?.allows(places)
}

/// What is in an image: as it was found before, or is found now.
async fn seen(looks: &Arc<Looks>, image: &ImageId, who: Who) -> Result<Arc<Seen>, LookError> {
    let known = || looks.shelf.read(image);
    let layers = match looks.engine.layers(image).await {
        // Gone, though a container of it is there: it cannot become another one any more.
        Err(error) if error.is_not_found() => return known().map(Arc::new).ok_or_else(|| error.into()),
        layers => layers?,
    };
    let known = || known().filter(|seen| seen.is_of(&layers)).map(Arc::new);
    if let Some(seen) = known() {
        return Ok(seen);
    }
    // Before anybody may wait for this image: not behind the caller's other ones.
    let _interest = looks.queue.enter(image, who).await;
    match known() {
        Some(seen) => Ok(seen),
        None => looks.queue.join(looks, image, &layers, who).await.map_err(LookError::Failed),
    }
}

/// One look, to its end, and what came of it kept.
async fn look(looks: Arc<Looks>, image: ImageId, layers: Vec<String>, who: Who) -> Result<Arc<Seen>, String> {
    let refused = || looks.attempts.refused(&image).map(|why| Arc::new(Seen::refused(&layers, 0, why)));
    if let Some(refused) = refused() {
        return Ok(refused);
    }
    let _permit = looks.queue.permit(who, looks.attempts.is_suspect(&image)).await;
    let attempt = looks.attempts.begin(&image).map_err(|error| format!("it cannot be noted: {error}"))?;
    failpoint::at("look-begun");
    let seen = stream::look(&looks, &image, layers, who).await;
    let seen = seen.map_err(|error| escape_line(&error.to_string()))?;
    seen.tell(image.as_str());
    if let Err(error) = looks.shelf.write(&image, &seen) {
        tracing::warn!(image = image.as_str(), "what was found in an image is not kept: {error}");
    }
    attempt.succeeded();
    Ok(Arc::new(seen))
}

impl From<LookError> for Error {
    fn from(error: LookError) -> Self {
        let forbidden = |rule: &'static str, hint: Phrase| {
            Refusal::new("forbidden", told!("{error}")).rule(rule).hint(hint).into()
        };
        match error {
            LookError::Engine(error) => Self::Engine(error),
            LookError::Failed(_) => Refusal::new("engine", told!("{error}")).hint(told!("try again")).into(),
            LookError::Refused(_) => {
                forbidden("image", phrase!("use another image, or build it anew without that"))
            }
            LookError::Leads { ref place, .. } if mount_points::is_always_there(place) => {
                forbidden("image", phrase!("use another image, or build it anew without the link"))
            }
            LookError::Leads { .. } => {
                forbidden("mounts.target", phrase!("name a place without links in it"))
            }
            LookError::Moved => forbidden("image", phrase!("remove it, and run the image again")),
        }
    }
}
