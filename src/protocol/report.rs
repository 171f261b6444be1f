//! The bodies of `/ie/v1` and of every error answer.

use super::told::Told;
use serde::{Deserialize, Serialize};

/// What is answered when something is not done: Docker's `{"message": …}` and our fields beside it.
///
/// `message` is one sentence, lower case; `hint` is the next command or step that would help.
/// On the wire both are English, and `told` beside them has what they were made of, for our own client. Docker's own
/// sentence stands before ours there: its clients look for words of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Wire", into = "Wire")]
pub struct Refusal {
    pub message: Told,
    /// As an engine says it, where one has words for it. Only on its way to the wire.
    pub dockers: Option<String>,
    /// What kind of refusal, for scripts: `quota`, `forbidden`, `not-found`, `conflict`, `engine`, …
    pub code: String,
    /// The rule that says no: `total.memory`, `images`, `HostConfig.Privileged`.
    pub rule: Option<String>,
    /// Where the rule is set: `policy.toml:14, [groups.os2026]`.
    pub source: Option<String>,
    pub asked: Option<String>,
    pub used: Option<String>,
    pub limit: Option<String>,
    pub hint: Option<Told>,
}

#[derive(Serialize, Deserialize)]
struct Wire {
    message: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    code: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asked: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    used: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    limit: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    #[serde(default, skip_serializing_if = "Made::is_empty")]
    told: Made,
}

/// What can be told in other words than English.
#[derive(Default, Serialize, Deserialize)]
struct Made {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message: Option<Told>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hint: Option<Told>,
}

impl Made {
    fn is_empty(&self) -> bool {
        self.message.is_none() && self.hint.is_none()
    }
}

impl From<Refusal> for Wire {
    fn from(refusal: Refusal) -> Self {
        let Refusal { message, dockers, code, rule, source, asked, used, limit, hint } = refusal;
        let english = (dockers_first(dockers, message.to_string()), hint.as_ref().map(Told::to_string));
        let told = Made { message: Some(message).filter(Told::is_made), hint: hint.filter(Told::is_made) };
        Self { message: english.0, code, rule, source, asked, used, limit, hint: english.1, told }
    }
}

impl From<Wire> for Refusal {
    fn from(wire: Wire) -> Self {
        let Wire { message, code, rule, source, asked, used, limit, hint, told } = wire;
        let message = told.message.unwrap_or(Told::Text(message));
        let hint = hint.map(|hint| told.hint.unwrap_or(Told::Text(hint)));
        Self { message, dockers: None, code, rule, source, asked, used, limit, hint }
    }
}

/// Once, where both say the same.
fn dockers_first(dockers: Option<String>, ours: String) -> String {
    match dockers {
        Some(dockers) if dockers.eq_ignore_ascii_case(&ours) || dockers.ends_with(&ours) => dockers,
        Some(dockers) if dockers.ends_with('.') => format!("{dockers} {ours}"),
        Some(dockers) => format!("{dockers}; {ours}"),
        None => ours,
    }
}

impl Refusal {
    pub fn new(code: &str, message: impl Into<Told>) -> Self {
        Self { message: message.into(), code: code.to_owned(), ..Self::default() }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<Told>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// For scripts, which get the same words in every language.
    #[must_use]
    pub fn in_english(mut self) -> Self {
        self.message = Told::text(self.message);
        self.hint = self.hint.map(Told::text);
        self
    }

    /// Docker's own sentence for it.
    #[must_use]
    pub fn dockers(mut self, sentence: impl Into<String>) -> Self {
        self.dockers = Some(sentence.into());
        self
    }

    #[must_use]
    pub fn rule(mut self, rule: impl Into<String>) -> Self {
        self.rule = Some(rule.into());
        self
    }
}

/// One limit, how much of it is in use, and who set it. Amounts are written as people write them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaLine {
    /// The rule's name: `containers`, `total.cpus`, `ports.max`.
    pub rule: String,
    pub used: String,
    pub limit: String,
    /// What is left: limit less used, never below zero.
    pub left: String,
    pub source: String,
}

/// `GET /ie/v1/quota`: what the caller may have and what is in use.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    pub login: String,
    pub uid: u32,
    pub lines: Vec<QuotaLine>,
    /// What one container gets if it does not ask, and the most it may ask for: rule, value.
    pub each: Vec<(String, String)>,
    pub max: Vec<(String, String)>,
    pub images: Vec<String>,
    /// Directories that may be mounted: path and mode.
    pub mounts: Vec<(String, String)>,
    pub home: String,
    /// Host ports that may be published: range and address; empty where none may be.
    pub ports: String,
}

/// `GET /ie/v1/admin/policy`: why the policy in force is not the file's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InForce {
    pub broken: Option<String>,
    /// The same, for our own client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Told>,
}

/// `POST /ie/v1/admin/reload`: what the reload did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    pub warnings: Vec<String>,
}
