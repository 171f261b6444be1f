//! Archives on their way between a user and a container: pure pieces, no socket among them.

pub mod demux;
pub mod rewrite;
