//! What can go wrong in the client, and what it says.

use super::language::Language;
use crate::protocol::escape::escape_line;
use crate::protocol::report::Refusal;
use crate::protocol::told::{Tell, Told, told};
use std::io;

/// One sentence for the user; [`Error::hint`] is the next step that would help.
#[derive(Debug, thiserror::Error, Told)]
pub enum Error {
    #[error("the gateway does not answer on {0}")]
    NoGateway(String),
    #[error("you may not speak to the gateway on {0}")]
    NotPermitted(String),
    #[error("the gateway on {0} does not answer in time")]
    Slow(String),
    #[error("the connection to the gateway was lost")]
    Lost,
    /// The streams broke while the container was running; it is untouched.
    #[error("connection lost; the container goes on: ie-container attach {0}")]
    ContainerGoesOn(String),
    #[error("connection lost, and {0} has gone meanwhile: how it ended is not known")]
    GoneMeanwhile(String),
    #[error("connection lost; what was executed in {0} may go on: ie-container top {0}")]
    ExecGoesOn(String),
    #[error("{0} has ended, and with it what was executed there")]
    ExecEnded(String),
    #[error("connection lost; nothing or not all was copied: run it again")]
    CopyLost,
    #[error("{}", .refusal.message)]
    Refused { status: u16, refusal: Box<Refusal> },
    #[error("{message}")]
    Usage { message: Told, hint: Option<Told> },
    #[error("cannot {doing}: {why}")]
    Io { doing: Told, why: io::Error },
    #[error("the gateway's answer is not understood: {0}")]
    Answer(Told),
    #[error("the gateway's answer cannot be read")]
    Unreadable,
    /// Whoever read our stdout has had enough; no failure.
    #[error("stdout is closed")]
    StdoutClosed,
}

impl Error {
    pub(crate) fn usage(message: impl Into<Told>) -> Self {
        Self::Usage { message: message.into(), hint: None }
    }

    pub(crate) fn usage_hint(message: impl Into<Told>, hint: impl Into<Told>) -> Self {
        Self::Usage { message: message.into(), hint: Some(hint.into()) }
    }

    pub(crate) fn io(doing: impl Into<Told>, why: io::Error) -> Self {
        Self::Io { doing: doing.into(), why }
    }

    /// The answer for a word that can be no container's: the same as for a container that is not there.
    pub(crate) fn no_such_container(word: &str) -> Self {
        let refusal = Refusal::new("not-found", told!("No such container: {word}"));
        Self::Refused { status: 404, refusal: Box::new(refusal) }
    }

    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }

    fn code(&self) -> &str {
        match self {
            Self::NoGateway(_) | Self::NotPermitted(_) | Self::Slow(_) => "no-gateway",
            Self::Lost
            | Self::ContainerGoesOn(_)
            | Self::GoneMeanwhile(_)
            | Self::ExecGoesOn(_)
            | Self::CopyLost => "connection-lost",
            Self::ExecEnded(_) => "conflict",
            Self::Refused { refusal, .. } => &refusal.code,
            Self::Usage { .. } => "usage",
            Self::Io { .. } | Self::StdoutClosed => "system",
            Self::Answer(_) | Self::Unreadable => "gateway",
        }
    }

    fn hint(&self) -> Option<Told> {
        match self {
            Self::NoGateway(_) => {
                Some(told!("systemctl status ie-containerd, or journalctl -u ie-containerd, says why"))
            }
            Self::NotPermitted(_) => {
                Some(told!("ask the admin whether your account may use containers here"))
            }
            Self::Slow(_) => Some(told!("try again; journalctl -u ie-containerd says what it is doing")),
            Self::Refused { refusal, .. } => refusal.hint.clone(),
            Self::Usage { hint, .. } => hint.clone(),
            Self::Lost
            | Self::ContainerGoesOn(_)
            | Self::GoneMeanwhile(_)
            | Self::ExecGoesOn(_)
            | Self::ExecEnded(_)
            | Self::CopyLost
            | Self::Io { .. }
            | Self::Answer(_)
            | Self::Unreadable
            | Self::StdoutClosed => None,
        }
    }

    /// As the user reads it on stderr: a sentence, then at most one hint.
    pub(crate) fn text(&self, language: &Language) -> String {
        let sentence = format!("ie-container: {}\n", escape_line(&language.tell(&self.told())));
        match self.hint() {
            Some(hint) => format!("{sentence}  {}\n", escape_line(&language.tell(&hint))),
            None => sentence,
        }
    }

    /// As a script reads it: the refusal as it came, or one made of our own words.
    pub(crate) fn refusal(&self) -> Refusal {
        if let Self::Refused { refusal, .. } = self {
            return (**refusal).clone().in_english();
        }
        let refusal = Refusal::new(self.code(), self.told());
        let refusal = match self.hint() {
            Some(hint) => refusal.hint(hint),
            None => refusal,
        };
        refusal.in_english()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_a_sentence_and_at_most_one_hint() {
        let refusal =
            Refusal::new("quota", Told::text("no room\u{1b}[2J")).hint(Told::text("ie-container rm old"));
        let error = Error::Refused { status: 403, refusal: Box::new(refusal) };
        let english = crate::client::language::ENGLISH;
        assert_eq!(error.text(&english), "ie-container: no room\\u{1b}[2J\n  ie-container rm old\n");
        assert_eq!(Error::Lost.text(&english), "ie-container: the connection to the gateway was lost\n");
    }

    #[test]
    fn scripts_get_our_own_errors_in_the_same_shape() {
        let expected = Refusal::new("usage", Told::text("no")).hint(Told::text("do"));
        assert_eq!(Error::usage_hint(Told::text("no"), Told::text("do")).refusal(), expected);
    }
}
