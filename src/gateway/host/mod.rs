//! What the gateway has on the host beside the engine: the mount helper, the copy channel, the wall between networks.

pub(super) mod channel;
pub(super) mod listening;
pub(super) mod staging;
pub(super) mod trouble;
pub(super) mod wall;
