//! What can go wrong in the client, and what it says.

use super::language::Language;
use crate::protocol::escape::escape_line;
use crate::protocol::report::Refusal;
use std::io;

/// One sentence for the user; [`Error::hint`] is the next step that would help.
#[derive(Debug, thiserror::Error)]
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
    Usage { message: String, hint: Option<String> },
    #[error("cannot {doing}: {why}")]
    Io { doing: String, why: io::Error },
    #[error("the gateway's answer is not understood: {0}")]
    Answer(String),
    #[error("the gateway's answer cannot be read")]
    Unreadable,
    /// Whoever read our stdout has had enough; no failure.
    #[error("stdout is closed")]
    StdoutClosed,
}

impl Error {
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), hint: None }
    }

    pub(crate) fn usage_hint(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), hint: Some(hint.into()) }
    }

    pub(crate) fn io(doing: impl Into<String>, why: io::Error) -> Self {
        Self::Io { doing: doing.into(), why }
    }

    /// The answer for a word that can be no container's: the same as for a container that is not there.
    pub(crate) fn no_such_container(word: &str) -> Self {
        let refusal = Refusal::new("not-found", format!("No such container: {word}"));
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

    fn hint(&self) -> Option<&str> {
        match self {
            Self::NoGateway(_) => {
                Some("systemctl status ie-containerd, or journalctl -u ie-containerd, says why")
            }
            Self::NotPermitted(_) => Some("ask the admin whether your account may use containers here"),
            Self::Slow(_) => Some("try again; journalctl -u ie-containerd says what it is doing"),
            Self::Refused { refusal, .. } => refusal.hint.as_deref(),
            Self::Usage { hint, .. } => hint.as_deref(),
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
        let sentence = format!("ie-container: {}\n", escape_line(&self.sentence(language)));
        match self.hint() {
            Some(hint) => format!("{sentence}  {}\n", escape_line(&language.tell(hint))),
            None => sentence,
        }
    }

    /// The policy's refusals name the rule before and its place after what they say.
    fn sentence(&self, language: &Language) -> String {
        let whole = self.to_string();
        let Self::Refused { refusal, .. } = self else { return language.tell(&whole).into_owned() };
        let (before, after) = match (&refusal.rule, &refusal.source) {
            (Some(rule), Some(source)) => (format!("{rule}: "), format!(" ({source})")),
            _ => Default::default(),
        };
        match whole.strip_prefix(&before).and_then(|rest| rest.strip_suffix(&after)) {
            Some(what) => format!("{before}{}{after}", language.tell(what)),
            None => language.tell(&whole).into_owned(),
        }
    }

    /// As a script reads it: the refusal as it came, or one made of our own words.
    pub(crate) fn refusal(&self) -> Refusal {
        if let Self::Refused { refusal, .. } = self {
            return (**refusal).clone();
        }
        let refusal = Refusal::new(self.code(), self.to_string());
        match self.hint() {
            Some(hint) => refusal.hint(hint),
            None => refusal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_a_sentence_and_at_most_one_hint() {
        let refusal = Refusal::new("quota", "no room\u{1b}[2J").hint("ie-container rm old");
        let error = Error::Refused { status: 403, refusal: Box::new(refusal) };
        let english = Language::default();
        assert_eq!(error.text(&english), "ie-container: no room\\u{1b}[2J\n  ie-container rm old\n");
        assert_eq!(Error::Lost.text(&english), "ie-container: the connection to the gateway was lost\n");
    }

    #[test]
    fn scripts_get_our_own_errors_in_the_same_shape() {
        let expected = Refusal::new("usage", "no").hint("do");
        assert_eq!(Error::usage_hint("no", "do").refusal(), expected);
    }
}
