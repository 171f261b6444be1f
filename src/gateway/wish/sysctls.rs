//! `--sysctl`: settings of a container's own network namespace. `ie-runc` holds each start to the same list.

use super::refused::WishError;
use crate::protocol::escape::escape_line;
use crate::protocol::sysctl::{is_number, is_own};
use crate::protocol::told::told;
use std::collections::BTreeMap;

pub(super) fn sysctls(asked: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, WishError> {
    if let Some(name) = asked.keys().find(|name| !is_own(name)) {
        let field = format!("HostConfig.Sysctls: {}", escape_line(name));
        let reason = told!("only settings of the container's own network are, such as net.core.somaxconn");
        return Err(WishError::not_allowed(&field, reason));
    }
    match asked.iter().find(|(_, value)| !is_number(value)) {
        None => Ok(asked),
        Some((name, value)) => {
            Err(WishError::Bad(told!("HostConfig.Sysctls: {name} is a number, not {value:?}")))
        }
    }
}
