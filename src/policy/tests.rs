//! What the tests of this room share.

use super::Policy;

/// What is wrong with a text, line by line.
pub(super) fn problems(text: &str) -> Vec<String> {
    Policy::parse("p.toml", text).unwrap_err().iter().map(ToString::to_string).collect()
}
