//! The client's side of a copy: where things go, and the archive on its way.

pub mod cases;
pub mod end;
pub mod http;
pub mod pack;
pub mod summary;
pub mod unpack;
pub mod upload;
