//! One line a decision, as JSON on stderr: who, what, on which container, and the verdict.

use crate::gateway::caller::peer::Peer;
use crate::gateway::error::Error;

/// Characters of a caller's own words in a line.
const LONGEST: usize = 500;

/// Sends events to stderr, which the journal keeps; a user's words are JSON strings there and forge no line.
pub(super) fn start() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("IE_CONTAINER_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().json().flatten_event(true).with_target(false).with_env_filter(filter);
    // A second start is a test's: the first one's log goes on.
    let _already = log.with_writer(std::io::stderr).try_init();
}

/// A decision that stands, before the engine acts on it.
pub(super) fn allowed(peer: &Peer, verb: &str, container: &str) {
    noted(peer.uid(), peer.login(), verb, container);
}

/// The same, where it is root who decides.
pub(super) fn allowed_to_root(verb: &str, container: &str) {
    noted(0, Some("root"), verb, container);
}

fn noted(uid: u32, login: Option<&str>, verb: &str, container: &str) {
    tracing::info!(uid, login, verb, container, verdict = "allowed", "decided");
}

/// A refusal, with the rule that says so.
pub(super) fn refused(peer: &Peer, verb: &str, container: &str, error: &Error) {
    let refusal = error.refusal();
    // What was asked for is the caller's to make long.
    let cut = |text: &str| text.chars().take(LONGEST).collect::<String>();
    let (container, reason) = (cut(container), cut(&refusal.message.to_string()));
    tracing::info!(
        uid = peer.uid(),
        login = peer.login(),
        verb,
        container,
        verdict = "refused",
        code = refusal.code,
        rule = refusal.rule,
        reason,
        "decided"
    );
}
