//! What can go wrong, and what each of it reveals to the caller. Here alone an error becomes an answer.

mod lower;

use crate::gateway::caller::account::LookupError;
use crate::gateway::caller::peer::Refused;
use crate::gateway::engine::{ContainerId, EngineError};
use crate::gateway::host::staging::StageError;
use crate::protocol::copying::Ended;
use crate::protocol::escape::{escape, escape_line};
use crate::protocol::name::ContainerName;
use crate::protocol::report::Refusal;
use crate::protocol::told::{Phrase, Tell, Told, told};
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use std::io::ErrorKind;

/// Characters of a sentence: the words in it are the caller's to make long, and an admin's policy may have many mistakes.
const LONGEST: usize = 16 << 10;

/// The reason a request was not carried out.
#[derive(Debug, thiserror::Error, Told)]
pub(super) enum Error {
    /// The connection's caller is served nothing.
    #[error(transparent)]
    Peer(#[from] Refused),
    /// Method and path are not in the route table.
    #[error("{0} is not served here: {1}")]
    NotServed(String, Phrase),
    /// The policy, or a wall that no policy moves, says no.
    #[error("{}", .0.message)]
    Refused(Box<Refusal>),
    /// The request does not parse.
    #[error("{0}")]
    Bad(Told),
    /// No container of the caller's answers to this word: somebody else's container gives the same.
    #[error("No such container: {0}")]
    NoContainer(String),
    #[error("No such exec instance: {0}")]
    NoExec(String),
    /// In Docker's own letters: its clients look for them.
    #[error("No such image: {0}")]
    NoImage(String),
    #[error("network {0} not found")]
    NoNetwork(String),
    #[error("get {0}: no such volume")]
    NoVolume(String),
    /// In Docker's own words, as of what follows: tools ask such things in their teardown, and know the answer.
    #[error(
        "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this node to swarm and try again."
    )]
    NoSwarmManager,
    #[error("This node is not part of a swarm")]
    NoSwarm,
    /// A plain `docker inspect WORD` asks for one of these last of all.
    #[error("plugin {0} not found")]
    NoPlugin(String),
    /// Something that a create names is not there. Clients take a 404 for a missing image, and pull that.
    #[error(transparent)]
    Lacking(Box<Error>),
    /// The state of things forbids it just now.
    #[error("{0}")]
    Conflict(Told),
    /// A copy that was not made, or not whole.
    #[error("{1}")]
    Copy(Ended, Told),
    #[error(transparent)]
    Account(#[from] LookupError),
    #[error(transparent)]
    Stage(#[from] StageError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Something could not be written to the gateway's own directory: nothing was done.
    #[error("the gateway cannot write {0} to its state directory: {1}")]
    State(&'static str, std::io::Error),
    #[error("{0}")]
    Internal(Told),
}

/// Whether there is no room, rather than something wrong.
fn is_full(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

impl Error {
    /// A refusal of something no policy can allow: the field and the reason.
    pub(super) fn not_allowed(field: &str, reason: impl Into<Told>) -> Self {
        let reason = reason.into();
        Refusal::new("forbidden", told!("{field} is not allowed here: {reason}")).rule(field).into()
    }

    /// The name is that of another container of the caller's; Docker says this before that.
    pub(super) fn name_taken(before: &str, name: &ContainerName, by: &ContainerId, ours: Told) -> Self {
        let dockers = format!(
            "{before}Conflict. The container name \"/{name}\" is already in use by container \"{by}\". You have to remove (or \
             rename) that container to be able to reuse that name."
        );
        Refusal::new("conflict", ours).dockers(dockers).into()
    }

    /// The name is that of something of an account that had the uid before.
    pub(super) fn left_name(name: &str) -> Self {
        let what = told!("the name {name} is in use by what an account has left that had your uid before");
        Refusal::new("conflict", what)
            .hint(told!("choose another, or ask your administrator to remove what was left"))
            .into()
    }

    /// The same as the answer to a create: only the image may be what is not found.
    pub(super) fn of_create(self) -> Self {
        match &self {
            Self::NoImage(_) => self,
            Self::Engine(error) if error.is_no_image() => self,
            _ if self.status() == StatusCode::NOT_FOUND => Self::Lacking(Box::new(self)),
            _ => self,
        }
    }

    /// No wildcard: a new error must choose what it reveals.
    fn status(&self) -> StatusCode {
        match self {
            Self::Peer(Refused::TooMany(..)) => StatusCode::TOO_MANY_REQUESTS,
            Self::Refused(refusal) if refusal.code == "conflict" => StatusCode::CONFLICT,
            Self::Refused(refusal) if refusal.code == "no-such-container" => StatusCode::NOT_FOUND,
            Self::Peer(_) | Self::NotServed(..) | Self::Refused(_) => StatusCode::FORBIDDEN,
            Self::Bad(_) | Self::Lacking(_) => StatusCode::BAD_REQUEST,
            Self::NoContainer(_)
            | Self::NoExec(_)
            | Self::NoImage(_)
            | Self::NoNetwork(_)
            | Self::NoVolume(_)
            | Self::NoPlugin(_) => StatusCode::NOT_FOUND,
            Self::Conflict(_) | Self::Copy(Ended::Conflict, _) => StatusCode::CONFLICT,
            Self::Copy(Ended::Missing, _) => StatusCode::NOT_FOUND,
            Self::Copy(Ended::PermissionDenied, _) => StatusCode::FORBIDDEN,
            Self::Copy(Ended::NotADirectory | Ended::Archive | Ended::Usage, _) => StatusCode::BAD_REQUEST,
            Self::Copy(Ended::NoSpace, _) => StatusCode::INSUFFICIENT_STORAGE,
            Self::Copy(Ended::Failed | Ended::Done | Ended::NoChannel, _) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            Self::NoSwarmManager | Self::NoSwarm => StatusCode::SERVICE_UNAVAILABLE,
            Self::Account(LookupError::TimedOut | LookupError::Failed(_)) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Account(_) => StatusCode::FORBIDDEN,
            Self::Stage(error) => error.status(),
            Self::Engine(error) => error.status(),
            Self::State(_, error) if is_full(error) => StatusCode::INSUFFICIENT_STORAGE,
            Self::State(..) | Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The answer's body: Docker's `message` and our fields beside it.
    ///
    /// Callers' words, the engine's and those of the parsers stand in it. It goes to a log and to whatever client there
    /// is, so nothing in it acts on a terminal.
    pub(super) fn refusal(&self) -> Refusal {
        let told = self.answer();
        let cut = |text: &str| text.chars().take(LONGEST).collect::<String>();
        let line = |line: Option<String>| line.as_deref().map(|line| escape_line(&cut(line)));
        Refusal {
            message: told.message.with_texts(&|text| escape(&cut(text))),
            dockers: line(told.dockers),
            rule: line(told.rule),
            source: line(told.source),
            asked: line(told.asked),
            used: line(told.used),
            limit: line(told.limit),
            hint: told.hint.map(|hint| hint.with_texts(&|text| escape_line(&cut(text)))),
            ..told
        }
    }

    fn answer(&self) -> Refusal {
        let message = self.told();
        match self {
            Self::Peer(refused) => Refusal::new("peer", message).hint(refused.hint()),
            Self::NotServed(..) => Refusal::new("not-served", message),
            Self::Refused(refusal) => (**refusal).clone(),
            Self::Bad(_) => Refusal::new("bad-request", message),
            Self::NoContainer(_) => {
                Refusal::new("no-such-container", message).hint(told!("ie-container ps -a lists yours"))
            }
            Self::NoExec(_) => Refusal::new("no-such-exec", message),
            Self::NoImage(image) => {
                Refusal::new("no-such-image", message).hint(Told::Text(format!("ie-container pull {image}")))
            }
            Self::NoNetwork(_) => Refusal::new("no-such-network", message),
            Self::NoVolume(_) => Refusal::new("no-such-volume", message),
            Self::NoPlugin(_) => Refusal::new("no-such-plugin", message),
            Self::NoSwarmManager | Self::NoSwarm => Refusal::new("no-swarm", message),
            Self::Lacking(lacking) => lacking.answer(),
            Self::Conflict(_) => Refusal::new("conflict", message),
            Self::Copy(..) => Refusal::new("copy", message),
            Self::Account(_) => Refusal::new("account", message)
                .hint(told!("ps, logs, stop and rm still work; try again later, or ask the admin")),
            // Docker's words first.
            Self::Stage(error) if error.is_missing() => {
                error.refusal(told!("invalid mount config for type \"bind\": {message}"))
            }
            Self::Stage(error) => error.refusal(message),
            Self::Engine(error) => error.refusal(message),
            Self::State(_, error) if is_full(error) => Refusal::new("state", message)
                .hint(told!("tell your administrator that it is full; what runs goes on, and this works as soon as there is room")),
            Self::State(..) => Refusal::new("state", message)
                .hint(told!("tell your administrator: `ie-container admin doctor` looks at that directory")),
            Self::Internal(_) => {
                Refusal::new("internal", message).hint(told!("the gateway's log says more: ask the admin"))
            }
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        (self.status(), Json(self.refusal())).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_refusal_acts_on_a_terminal() {
        let bad = "\u{1b}[2Ja\u{9b}b\u{202e}c";
        let engine = EngineError::Said { status: StatusCode::CONFLICT, message: bad.to_owned() };
        for error in [
            Error::Bad(Told::text(bad)),
            Error::not_allowed(bad, Told::text(bad)),
            engine.into(),
            Error::NoImage(bad.into()),
        ] {
            let refusal = serde_json::to_string(&error.refusal()).unwrap();
            assert!(refusal.contains("a\\\\u{9b}b\\\\u{202e}c"), "{refusal}");
            assert!(!refusal.contains(['\u{9b}', '\u{202e}']) && !refusal.contains("\\u001b"), "{refusal}");
        }
    }
}
