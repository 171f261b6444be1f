//! What was found in an image, as it is kept.

use super::LookError;
use super::links::Links;
use crate::protocol::told::Told;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Of the way images are looked through: what an older one has found does not count.
const VERSION: u32 = 2;

/// One image, looked through from its first layer to its last, or refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seen {
    version: u32,
    /// Those that were read: an id can mean other layers when the engine has more of an image than before.
    layers: Vec<String>,
    members: u64,
    /// Why nothing of it is started, in a sentence.
    refused: Option<Told>,
    links: Links,
}

impl Seen {
    pub(super) fn clean(layers: &[String], members: u64, links: Links) -> Self {
        Self { version: VERSION, layers: layers.to_vec(), members, refused: None, links }
    }

    pub(super) fn refused(layers: &[String], members: u64, why: Told) -> Self {
        Self { refused: Some(why), ..Self::clean(layers, members, Links::default()) }
    }

    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        serde_json::from_slice(text).ok().filter(|seen: &Self| seen.version == VERSION)
    }

    pub(super) fn is_of(&self, layers: &[String]) -> bool {
        self.layers == layers
    }

    /// Whether it may be started with mounts at these places.
    pub(super) fn allows(&self, places: &[PathBuf]) -> Result<(), LookError> {
        if let Some(why) = &self.refused {
            return Err(LookError::Refused(why.clone()));
        }
        let leads = |place: &PathBuf, why| LookError::Leads { place: place.clone(), why };
        places.iter().try_for_each(|place| self.links.lands(place).map_err(|why| leads(place, why)))
    }

    /// For the log.
    pub(super) fn tell(&self, image: &str) {
        let (layers, members) = (self.layers.len(), self.members);
        match &self.refused {
            None => tracing::info!(image, layers, members, "looked through an image: clean"),
            Some(why) => tracing::warn!(image, layers, members, "looked through an image, refused: {why}"),
        }
    }
}
