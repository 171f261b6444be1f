//! Why nothing of the caller's was found: what is somebody else's is not there either.

use super::{ContainerId, EngineError};
use crate::protocol::name::ContainerName;
use crate::protocol::told::Told;

/// The answer to a word that names nothing, or more than one thing, of the caller's.
#[derive(Debug, thiserror::Error, Told)]
pub(in crate::gateway) enum FindError {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("No such container: {0}")]
    NoContainer(String),
    #[error("network {0} not found")]
    NoNetwork(String),
    #[error("get {0}: no such volume")]
    NoVolume(String),
    /// The beginning of several ids.
    #[error("{0}")]
    Ambiguous(Told),
    /// It is there, and does not run, which is what was wanted of it.
    #[error("{1} is not running; start it first (ie-container start {1})")]
    NotRunning(ContainerId, ContainerName),
}
