//! The gateway's entry points for fuzzing, with the properties that hold whatever comes in.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a broken property, and a broken world of the fuzzer's own, are told by a panic"
)]

mod answers;
mod bodies;
mod requests;

pub(crate) use answers::{engine_error, engine_inspect, engine_list};
pub(crate) use bodies::{create_body, exec_body};
pub(crate) use requests::{image_reference, requests};

pub(crate) use super::engine::demux::{Demux, Stream};

use crate::fuzz::{assert_harmless, assert_line};
use crate::gateway::caller::peer::Peer;
use crate::gateway::error::Error;
use crate::policy::Policy;
use axum::response::IntoResponse;

/// The caller of all requests.
fn ann() -> Peer {
    Peer::fake(1000, "ann")
}

/// Much is allowed, so that what is refused is refused for what it is.
fn policy(engine: &std::path::Path) -> Policy {
    let text = format!(
        "[gateway]
uids = '1000-1999'
homes = ['/home']
engine = 'unix://{}'
[defaults]
containers = 10
images = ['**']
max = {{ cpus = 64, memory = '1t', pids = 100000, shm = '1t' }}
total = {{ cpus = 64, memory = '1t', pids = 100000 }}
ports = {{ range = '40000-40999', max = 8, address = '127.0.0.1' }}
home = 'rw'
mounts = [{{ source = '/data', mode = 'ro' }}, {{ source = '/scratch', mode = 'rw' }}]
",
        engine.display()
    );
    Policy::parse("fuzz.toml", &text).unwrap()
}

/// Holds that a refusal is one: a client's fault, told in words that no terminal acts on.
fn check_refusal(error: Error) {
    let refusal = error.refusal();
    let message = refusal.message.to_string();
    assert!(!message.is_empty(), "a refusal without a word");
    assert_harmless(&message);
    let hint = refusal.hint.map(|hint| hint.to_string());
    for line in [&refusal.rule, &refusal.source, &refusal.asked, &hint].into_iter().flatten() {
        assert_line(line);
    }
    let status = error.into_response().status();
    assert!(status.is_client_error(), "{status} for what a caller said");
}
