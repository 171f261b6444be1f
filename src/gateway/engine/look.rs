//! Looking through each image once, before anything of it is started: a device node in it is a hole in every wall.
//!
//! The control group keeps a container's processes from opening it, but its owner's shell on the host is in no such
//! group and reaches the container's files through `/proc/PID/root`. Where a file system or a disk has a node that its
//! mode leaves open, that is root.

use super::give::unguessable;
use super::spec::look_body;
use super::{ContainerId, Engine, EngineError, Owned, Target, read};
use crate::gateway::mark;
use crate::protocol::escape::escape_line;
use hyper::Method;
use serde::Deserialize;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OnceCell, Semaphore};

/// How long one image may take; a million files take a few seconds.
const PATIENCE: Duration = Duration::from_secs(120);
/// Images looked through at once.
const AT_ONCE: usize = 2;
/// What is read of the helper's words.
const MOST_WORDS: usize = 4 << 10;

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
}

/// What is known of the engine's images, by their ids: a node's path, or that there is none.
#[derive(Debug)]
pub(super) struct Looked {
    images: Mutex<HashMap<String, Arc<OnceCell<Option<String>>>>>,
    places: Semaphore,
}

impl Default for Looked {
    fn default() -> Self {
        Self { images: Mutex::default(), places: Semaphore::new(AT_ONCE) }
    }
}

impl Looked {
    fn cell(&self, image: &str) -> Arc<OnceCell<Option<String>>> {
        self.images
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(image.to_owned())
            .or_default()
            .clone()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Left {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Ended {
    status_code: i64,
}

impl Engine {
    /// Lets only images without a device node through. The container names its image by id, so no tag can move between.
    pub(in crate::gateway) async fn look_through(
        &self,
        container: &Owned,
        helper: &Path,
    ) -> Result<(), LookError> {
        let image = container
            .found()
            .image_id()
            .ok_or_else(|| EngineError::Odd("a container without an image's id".to_owned()))?;
        let cell = self.looked.cell(image);
        let node = cell.get_or_try_init(|| self.find_node(image, helper)).await?;
        node.as_ref().map_or(Ok(()), |node| Err(LookError::Node(node.clone())))
    }

    /// Runs the helper in a container of the image's, in which there is nobody else.
    async fn find_node(&self, image: &str, helper: &Path) -> Result<Option<String>, LookError> {
        let _place = self.looked.places.acquire().await;
        let digits = image.trim_start_matches("sha256:");
        let name = format!("ie-look-{}", digits.get(..16).unwrap_or(digits));
        let at = format!("/.ie-{}", unguessable()?);
        let body = look_body(image, helper, &at);
        let id = match self.create_named(&name, &body).await {
            // Of a gateway that was killed at it.
            Err(error) if error.is_conflict() => {
                self.remove_look(&name).await?;
                self.create_named(&name, &body).await?
            }
            made => made?,
        };
        mark::at("look-made");
        let looked = tokio::time::timeout(PATIENCE, self.run_look(&id)).await;
        self.remove_look(id.as_str()).await?;
        looked.unwrap_or_else(|_| Err(LookError::Unread(format!("it took more than {PATIENCE:?}"))))
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

    async fn run_look(&self, id: &ContainerId) -> Result<Option<String>, LookError> {
        let target = |tail: &str| Target::new(format!("/containers/{id}{tail}"));
        self.call(Method::POST, target("/start")).await?;
        let ended: Ended = read(self.call(Method::POST, target("/wait")).await?).await?;
        let logs = self.call(Method::GET, target("/logs").with("stdout", "1").with("stderr", "1")).await?;
        let words =
            http_body_util::BodyExt::collect(http_body_util::Limited::new(logs.into_body(), MOST_WORDS))
                .await
                .map_err(|error| LookError::Unread(error.to_string()))?;
        let words = String::from_utf8_lossy(&words.to_bytes()).trim().to_owned();
        match (ended.status_code, words.is_empty()) {
            (0, true) => Ok(None),
            (0, false) => Ok(Some(words)),
            (code, _) => Err(LookError::Unread(format!("{} (exit code {code})", escape_line(&words)))),
        }
    }

    async fn remove_look(&self, word: &str) -> Result<(), EngineError> {
        let target = Target::new(format!("/containers/{word}")).with("v", "1").with("force", "1");
        match self.call(Method::DELETE, target).await {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }
}
