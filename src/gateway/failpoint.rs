//! Failpoints: the steps at which the tests kill the gateway, to see what the next one makes of what is left.
//!
//! Only programs with debug assertions have them. In any other [`at`] is empty, and nothing of this file is left.
//!
//! The marked steps are those of a create, a start and an end. The program dies at the step that `IE_CONTAINERD_DIE_AT`
//! names. `make build` looks that a release has no such word.

/// Ends the program at the step that its environment names, as `kill -9` would: nothing is tidied, nothing answered.
#[cfg(debug_assertions)]
pub(super) fn at(step: &str) {
    if std::env::var("IE_CONTAINERD_DIE_AT").is_ok_and(|named| named == step) {
        let _dead = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

#[cfg(not(debug_assertions))]
pub(super) fn at(_step: &str) {}
