//! An image on its way from the engine to the thread that reads it.

use super::queue::Who;
use super::seen::Seen;
use super::{Looks, saved};
use crate::gateway::engine::{EngineError, ImageId};
use crate::protocol::told::told;
use bytes::{Buf, Bytes};
use http_body_util::BodyExt;
use std::io::{self, Read};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// How long one image may take, waits for others not counted: what takes longer is refused as what is too large.
const PATIENCE: Duration = Duration::from_secs(3600);
/// How long the engine may send nothing.
const SILENCE: Duration = Duration::from_secs(600);
/// Pieces on their way that nobody has read yet.
const UNREAD: usize = 8;

/// The pieces of an answer, as a thread reads them.
struct Pieces {
    coming: mpsc::Receiver<io::Result<Bytes>>,
    here: Bytes,
}

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.here.is_empty() {
            match self.coming.blocking_recv() {
                Some(piece) => self.here = piece?,
                None => return Ok(0),
            }
        }
        let count = self.here.len().min(into.len());
        self.here.copy_to_slice(into.get_mut(..count).unwrap_or_default());
        Ok(count)
    }
}

/// Looks through an image with these layers; each piece waits for its turn. Whoever drops this ends it, the
/// engine's part included.
pub(super) async fn look(
    looks: &Looks,
    image: &ImageId,
    layers: Vec<String>,
    who: Who,
) -> Result<Seen, EngineError> {
    // Of an image without layers there is nothing to be seen.
    if layers.is_empty() {
        return saved::read(io::empty(), &layers).map_err(|error| EngineError::Odd(error.to_string()));
    }
    let mut body = looks.engine.saved(image).await?.into_body();
    let (send, coming) = mpsc::channel(UNREAD);
    let named = layers.clone();
    let reading =
        tokio::task::spawn_blocking(move || saved::read(Pieces { coming, here: Bytes::new() }, &named));
    let (began, mut paused) = (Instant::now(), Duration::ZERO);
    loop {
        let pausing = Instant::now();
        looks.queue.turn(image, who).await;
        paused += pausing.elapsed();
        if began.elapsed().saturating_sub(paused) > PATIENCE {
            let minutes = PATIENCE.as_secs() / 60;
            let why = told!("the image took more than {minutes} minutes to look through");
            return Ok(Seen::refused(&layers, 0, why));
        }
        let piece = tokio::time::timeout(SILENCE, body.frame()).await.map_err(|_| EngineError::Late)?;
        let piece = match piece {
            None => break,
            Some(Ok(frame)) => frame.into_data().map(Ok),
            Some(Err(error)) => Ok(Err(io::Error::other(error))),
        };
        // It may have found something, and reads no more.
        if let Ok(piece) = piece
            && send.send(piece).await.is_err()
        {
            break;
        }
    }
    drop(send);
    let seen = reading.await.map_err(|error| EngineError::Odd(error.to_string()))?;
    seen.map_err(|error| EngineError::Odd(error.to_string()))
}
