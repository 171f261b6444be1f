//! What goes wrong at the engine, said without its jargon.

use super::known::known;
use crate::protocol::report::Refusal;
use crate::protocol::told::{Tell, Told, told};
use hyper::StatusCode;
use std::path::PathBuf;

/// Why the engine did not do it.
#[derive(Debug, thiserror::Error, Told)]
pub(in crate::gateway) enum EngineError {
    #[error("the container engine does not answer on {}", .0.display())]
    Away(PathBuf, #[source] std::io::Error),
    #[error("the connection to the container engine broke: {0}")]
    Broken(#[from] hyper::Error),
    #[error("the container engine gave an answer that makes no sense: {0}")]
    Odd(String),
    #[error("the container engine gave no answer in time")]
    Late,
    #[error(
        "the container engine has not answered {0} requests about your containers yet, the most that wait at once"
    )]
    Crowded(usize),
    #[error(
        "the container engine still has {0} connections to your containers whose clients have gone, and the most is {1}"
    )]
    Abandoned(usize, usize),
    /// The engine's own sentence, or ours where it is understood.
    #[error("{}", said(*.status, .message))]
    Said { status: StatusCode, message: String },
}

impl EngineError {
    pub(in crate::gateway) fn is_not_found(&self) -> bool {
        matches!(self, Self::Said { status: StatusCode::NOT_FOUND, .. })
    }

    /// Whether the engine itself said no: whatever was asked was not done.
    pub(in crate::gateway) fn is_said(&self) -> bool {
        matches!(self, Self::Said { .. })
    }

    /// Whether what was not found is an image.
    pub(in crate::gateway) fn is_no_image(&self) -> bool {
        matches!(self, Self::Said { status: StatusCode::NOT_FOUND, message } if message.starts_with("No such image"))
    }

    /// Whether what was asked for is a log that is not kept.
    pub(in crate::gateway) fn is_no_log(&self) -> bool {
        matches!(self, Self::Said { message, .. } if code(message) == NO_LOG)
    }

    /// Whether the engine was not even asked.
    pub(in crate::gateway) fn is_unasked(&self) -> bool {
        matches!(self, Self::Away(..) | Self::Crowded(_) | Self::Abandoned(..))
    }

    pub(in crate::gateway) fn is_conflict(&self) -> bool {
        matches!(self, Self::Said { status: StatusCode::CONFLICT, .. })
    }

    pub(in crate::gateway) fn status(&self) -> StatusCode {
        match self {
            Self::Away(..) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Broken(_) | Self::Odd(_) => StatusCode::BAD_GATEWAY,
            Self::Late | Self::Crowded(_) => StatusCode::GATEWAY_TIMEOUT,
            Self::Abandoned(..) => StatusCode::TOO_MANY_REQUESTS,
            Self::Said { status, .. } => *status,
        }
    }

    pub(in crate::gateway) fn refusal(&self, message: Told) -> Refusal {
        match self {
            Self::Away(..) => Refusal::new("engine", message).hint(told!("ask the admin: `systemctl status docker` says why; running containers may go on without it")),
            Self::Broken(_) | Self::Odd(_) | Self::Late => {
                Refusal::new("engine", message).hint(told!("try again, or ask the admin"))
            }
            Self::Crowded(_) => Refusal::new("engine", message)
                .hint(told!("one of them is being started or copied with: wait until that is over, or remove it with rm -f")),
            Self::Abandoned(..) => Refusal::new("quota", message)
                .rule("attach")
                .hint(told!("each goes when its container stops: stop or restart those that you have attached to most")),
            Self::Said { status, message: said } => match (known(said), code(said)) {
                (Some(known), _) => Refusal::new(known.code, message).hint(known.hint),
                (None, OTHER) if status.is_server_error() => Refusal::new(OTHER, message)
                    .hint(told!("ask your administrator what they mean: the engine's log has more")),
                (None, code) => Refusal::new(code, message).dockers(without_layers(said)),
            },
        }
    }
}

/// What is told of an engine's sentence. One that blames the caller is plain enough; one about itself is for whoever runs it.
fn said(status: StatusCode, said: &str) -> Told {
    match known(said) {
        Some(known) => known.sentence.told(),
        None if status.is_server_error() && code(said) == OTHER => {
            told!("the container engine did not do it; these are its own words: {}", plain(said))
        }
        None => Told::Text(plain(said)),
    }
}

/// The same for what an engine says in the midst of an answer.
pub(in crate::gateway) fn explain(error: &str) -> Told {
    said(StatusCode::INTERNAL_SERVER_ERROR, error)
}

const OTHER: &str = "engine";
const NO_LOG: &str = "no-log";

/// What scripts may tell apart in an engine's sentence.
fn code(said: &str) -> &'static str {
    let has = |part| said.contains(part);
    if has("executable file not found") || has("no such file or directory: unknown") {
        "command-not-found"
    } else if has("permission denied: unknown") || has("is a directory: unknown") || has("exec format error")
    {
        "command-not-invokable"
    } else if has("logging driver does not support reading") {
        NO_LOG
    } else {
        OTHER
    }
}

/// The engine's sentence as we say ours.
fn plain(said: &str) -> String {
    let rest = without_layers(said);
    let mut letters = rest.chars();
    match letters.next() {
        // "OCI", "I/O" and the like stay as they are.
        Some(first) if letters.clone().next().is_some_and(char::is_lowercase) => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => rest,
    }
}

/// The engine's sentence without the names of the layers it came through.
fn without_layers(said: &str) -> String {
    const LAYERS: [&str; 9] = [
        "Error response from daemon: ",
        "failed to create shim task: ",
        "failed to create task for container: ",
        "OCI runtime create failed: ",
        "OCI runtime exec failed: ",
        "runc create failed: ",
        "exec failed: ",
        "unable to start container process: ",
        "Cannot start container: ",
    ];
    let mut rest = said.trim().trim_end_matches(": unknown");
    while let Some(shorter) = LAYERS.iter().find_map(|layer| rest.strip_prefix(layer)) {
        rest = shorter;
    }
    let words: Vec<String> = rest.split(' ').map(own_words).collect();
    words.join(" ")
}

/// A container's name without what the engine's has before it, a full id as short as `ps` shows it.
fn own_words(word: &str) -> String {
    let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    if bare.len() == 64 && bare.bytes().all(|b| b.is_ascii_hexdigit()) {
        return word.replace(bare, bare.get(..12).unwrap_or(bare));
    }
    match word.split_once("ie-") {
        Some((before, rest)) => match rest.split_once('-') {
            Some((uid, name)) if !uid.is_empty() && uid.bytes().all(|b| b.is_ascii_digit()) => {
                format!("{}{name}", before.trim_end_matches('/'))
            }
            _ => word.to_owned(),
        },
        None => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_left_out() {
        let said = "failed to create shim task: OCI runtime create failed: runc create failed: unable to start \
                    container process: exec: \"nope\": executable file not found in $PATH: unknown";
        assert_eq!(plain(said), "exec: \"nope\": executable file not found in $PATH");
        assert_eq!(code(said), "command-not-found");
        assert_eq!(plain("Container abc is not running"), "container abc is not running");
        assert_eq!(plain("OCI thing"), "OCI thing");
        let id = "0f".repeat(32);
        assert_eq!(plain(&format!("Container {id} is paused")), "container 0f0f0f0f0f0f is paused");
        assert_eq!(plain("name \"/ie-1000-web\" is taken"), "name \"web\" is taken");
    }

    #[test]
    fn an_engine_s_own_words_stand_below_a_sentence_of_ours() {
        let of = |status, said: &str| {
            let error = EngineError::Said { status, message: said.to_owned() };
            let refusal = error.refusal(error.told());
            (refusal.code, refusal.message.to_string(), refusal.hint.is_some())
        };
        let unknown = "the container engine did not do it; these are its own words: shim without a gear";
        let broke = StatusCode::INTERNAL_SERVER_ERROR;
        assert_eq!(
            of(broke, "Shim without a gear: unknown"),
            ("engine".to_owned(), unknown.to_owned(), true)
        );
        // What blames the caller, and what the container's own command does, is said as it is.
        let paused = "container 0f is paused";
        assert_eq!(of(StatusCode::CONFLICT, paused), ("engine".to_owned(), paused.to_owned(), false));
        let missing = "exec: \"nope\": executable file not found in $PATH";
        assert_eq!(of(broke, missing), ("command-not-found".to_owned(), missing.to_owned(), false));
        let (code, message, has_hint) = of(broke, "mkdir /x: no space left on device");
        assert_eq!(
            (code.as_str(), message.as_str(), has_hint),
            ("disk-full", "no space left on the engine's disk", true)
        );
    }
}
