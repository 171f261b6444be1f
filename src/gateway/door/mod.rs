//! The way in: sockets, accepting, and HTTP on each connection until it ends.

mod drain;
pub(super) mod listen;
pub(super) mod serve;
