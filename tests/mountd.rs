//! The real `ie-mountd`, as root, spoken to as its gateway would; each test on ground of its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a step of a test that fails is the test's failure"
)]

#[path = "mountd/daemon.rs"]
mod daemon;
#[path = "mountd/files.rs"]
mod files;
#[path = "mountd/life.rs"]
mod life;
#[path = "mountd/path.rs"]
mod path;
#[path = "mountd/remap.rs"]
mod remap;
#[path = "mountd/sandbox.rs"]
mod sandbox;
#[path = "mountd/site.rs"]
mod site;
#[path = "mountd/wall.rs"]
mod wall;
