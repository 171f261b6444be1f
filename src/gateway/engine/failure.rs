//! What goes wrong at the engine, said without its jargon.

use crate::protocol::report::Refusal;
use hyper::StatusCode;
use std::path::PathBuf;

/// Why the engine did not do it.
#[derive(Debug, thiserror::Error)]
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
    /// The engine's own sentence.
    #[error("{}", plain(.message))]
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

    pub(in crate::gateway) fn is_conflict(&self) -> bool {
        matches!(self, Self::Said { status: StatusCode::CONFLICT, .. })
    }

    pub(in crate::gateway) fn status(&self) -> StatusCode {
        match self {
            Self::Away(..) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Broken(_) | Self::Odd(_) => StatusCode::BAD_GATEWAY,
            Self::Late | Self::Crowded(_) => StatusCode::GATEWAY_TIMEOUT,
            Self::Said { status, .. } => *status,
        }
    }

    pub(in crate::gateway) fn refusal(&self, message: String) -> Refusal {
        match self {
            Self::Away(..) => Refusal::new("engine", message).hint(
                "ask the admin: `systemctl status docker` says why; running containers may go on without it",
            ),
            Self::Broken(_) | Self::Odd(_) | Self::Late => {
                Refusal::new("engine", message).hint("try again, or ask the admin")
            }
            Self::Crowded(_) => Refusal::new("engine", message)
                .hint("one of them is being started or copied with: wait until that is over, or remove it with rm -f"),
            Self::Said { message: said, .. } => match code(said) {
                "disk-full" => Refusal::new("disk-full", message)
                    .hint("`ie-container ps -a` shows containers of yours to remove; else tell the admin"),
                code => Refusal::new(code, message),
            },
        }
    }
}

/// What scripts may tell apart in an engine's sentence.
fn code(said: &str) -> &'static str {
    let has = |part| said.contains(part);
    if has("executable file not found") || has("no such file or directory: unknown") {
        "command-not-found"
    } else if has("permission denied: unknown") || has("is a directory: unknown") || has("exec format error")
    {
        "command-not-invokable"
    } else if has("no space left on device") {
        "disk-full"
    } else {
        "engine"
    }
}

/// The engine's sentence without the names of the layers it came through.
fn plain(said: &str) -> String {
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
    if let Some(said) = known(said) {
        return said.to_owned();
    }
    let mut rest = said.trim().trim_end_matches(": unknown");
    while let Some(shorter) = LAYERS.iter().find_map(|layer| rest.strip_prefix(layer)) {
        rest = shorter;
    }
    let words: Vec<String> = rest.split(' ').map(own_words).collect();
    let rest = words.join(" ");
    let mut letters = rest.chars();
    match letters.next() {
        // "OCI", "I/O" and the like stay as they are.
        Some(first) if letters.clone().next().is_some_and(char::is_lowercase) => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => rest,
    }
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

/// Sentences of the engine's that say nothing to a user.
fn known(said: &str) -> Option<&'static str> {
    if said.contains("value too large for defined data type") {
        Some(
            "the working directory, or a path that a mount needs, does not exist in the home, and the engine may not \
             make it there: make it first",
        )
    } else if said.contains("bind source path does not exist") {
        Some("the engine does not see the staged directories: nothing was started")
    } else if said.contains("no space left on device") {
        Some("no space left on the engine's disk")
    } else if lost_its_rules(said) {
        Some(
            "no port can be published, as the host's firewall was flushed and the engine's rules with it; ask the admin to \
             restart the engine",
        )
    } else {
        None
    }
}

/// The engine makes its chains when it starts, and only then.
fn lost_its_rules(said: &str) -> bool {
    let gone = ["No chain/target/match by that name", "Could not process rule: No such file or directory"];
    said.contains("external connectivity") && gone.iter().any(|word| said.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Docker 20.10 and 26.1 say it after `nft flush ruleset`, and as 29 does with its own tables.
    #[test]
    fn a_firewall_that_was_flushed_is_told() {
        let old = "driver failed programming external connectivity on endpoint ie-1000-web (0f0f): (iptables failed: \
                   iptables --wait -t nat -A DOCKER -p tcp -d 127.0.0.1 --dport 40000 -j DNAT --to-destination \
                   10.199.0.2:80 ! -i ie1000: iptables: No chain/target/match by that name.\n (exit status 1))";
        let new = "failed to set up container networking: driver failed programming external connectivity on endpoint \
                   ie-1000-web (0f0f): running nft: Error: Could not process rule: No such file or directory";
        for said in [old, new] {
            assert!(
                plain(said).starts_with("no port can be published, as the host's firewall was flushed"),
                "{said}"
            );
        }
        assert!(
            !plain("driver failed programming external connectivity: port is already allocated")
                .contains("flushed")
        );
    }

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
}
