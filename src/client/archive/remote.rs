//! A path in a container.

use crate::protocol::name::ContainerRef;
use crate::protocol::path::AskedPath;

/// A path in a container, as the calls name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    pub container: ContainerRef,
    pub path: AskedPath,
}
