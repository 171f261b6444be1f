//! Looking through images that nobody has started yet, one at a time, so that a first start costs what a second does.
//!
//! All images are looked through when the gateway begins, and new ones when the engine tells of them.

use super::queue::Who;
use super::{Looks, seen};
use crate::gateway::engine::{EngineError, ImageId};
use serde_json::Value;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// How often is looked for new images that no event told of.
const NOW_AND_THEN: Duration = Duration::from_secs(600);

/// Runs for ever: once at the beginning, and whenever there may be a new image.
pub(in crate::gateway) async fn run(looks: Arc<Looks>) {
    loop {
        if let Err(error) = look_through_all(&looks).await {
            tracing::debug!("images were not looked through: {error}");
        }
        // Whatever ends it, the wait for it is over.
        drop(tokio::time::timeout(NOW_AND_THEN, looks.news.notified()).await);
    }
}

async fn look_through_all(looks: &Arc<Looks>) -> Result<(), EngineError> {
    let odd = |error: std::io::Error| EngineError::Odd(error.to_string());
    // Before the listing: what is found meanwhile in an image that is newer stays.
    let mut gone = looks.shelf.images().map_err(odd)?;
    gone.extend(looks.attempts.images());
    let images = looks.engine.images(false).await?;
    let id = |image: &Value| image.get("Id").and_then(Value::as_str).and_then(ImageId::parse);
    let known: HashSet<ImageId> = images.iter().filter_map(id).collect();
    // What a gateway died in, or beside, waits for somebody to start it.
    for image in known.iter().filter(|image| !looks.attempts.is_suspect(image)) {
        if let Err(error) = seen(looks, image, Who::Nobody).await {
            tracing::info!(image = image.as_str(), "an image was not looked through: {error}");
        }
    }
    // An image that is gone may have left containers, which are started by what was found in it.
    let started: HashSet<ImageId> =
        looks.engine.everyones().await?.iter().filter_map(|found| found.image_id()).collect();
    gone.retain(|image| !known.contains(image) && !started.contains(image));
    looks.attempts.take_away(&gone);
    looks.shelf.take_away(&gone).map_err(odd)
}
