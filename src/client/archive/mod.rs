//! The client's side of a copy: where things go, and the archive on its way.

pub(crate) mod calls;
pub mod cases;
pub mod end;
pub mod pack;
pub mod remote;
pub mod summary;
pub mod unpack;
pub mod upload;
