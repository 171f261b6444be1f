//! What every verb needs.

use super::connect::Api;

/// The gateway, and how to show things.
pub(crate) struct Context {
    pub(crate) api: Api,
    pub(crate) format: Option<String>,
}

impl Context {
    pub(crate) fn wants_json(&self) -> bool {
        self.format.as_deref() == Some("json")
    }
}
