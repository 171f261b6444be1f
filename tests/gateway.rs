//! The real `ie-containerd` by itself, without an engine: when it does not start, and what it says then.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a step of a test that fails is the test's failure"
)]

#[path = "gateway/policy.rs"]
mod policy;
#[path = "gateway/sandbox.rs"]
mod sandbox;
#[path = "gateway/site.rs"]
mod site;
