//! The bodies of `/ie/v1` and of every error answer.

use serde::{Deserialize, Serialize};

/// What is answered when something is not done: Docker's `{"message": …}` and our fields beside it.
///
/// `message` is one sentence, lower case; `hint` is the next command or step that would help.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    pub message: String,
    /// What kind of refusal, for scripts: `quota`, `forbidden`, `not-found`, `conflict`, `engine`, …
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub code: String,
    /// The rule that says no: `total.memory`, `images`, `HostConfig.Privileged`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Where the rule is set: `policy.toml:14, [groups.os2026]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Refusal {
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { message: message.into(), code: code.to_owned(), ..Self::default() }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
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
}

/// `POST /ie/v1/admin/reload`: what the reload did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    pub warnings: Vec<String>,
}
