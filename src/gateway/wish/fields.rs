//! One JSON object of a caller's, taken apart field by field until only zero values are left.

use super::refused::WishError;
use super::zero::{is_documented_default, is_zero, reason};
use crate::protocol::told::told;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// The fields of one object that were not read yet.
pub(super) struct Fields {
    /// What stands before a field's name in a message: "" or "HostConfig.".
    section: String,
    map: Map<String, Value>,
    /// The names this parser reads, for the test that every name of Docker's is classified.
    served: &'static [&'static str],
}

impl Fields {
    pub(super) fn of(
        section: &str,
        value: Value,
        served: &'static [&'static str],
    ) -> Result<Self, WishError> {
        let section = if section.is_empty() { String::new() } else { format!("{section}.") };
        match value {
            Value::Null => Ok(Self { section, map: Map::new(), served }),
            Value::Object(map) => Ok(Self { section, map, served }),
            _ => Err(WishError::Bad(told!("{} is not an object", section.trim_end_matches('.')))),
        }
    }

    /// Takes a field; absent and null are the type's default.
    pub(super) fn take<T: DeserializeOwned + Default>(&mut self, key: &str) -> Result<T, WishError> {
        debug_assert!(self.served.contains(&key), "{}{key} is read but not listed", self.section);
        match self.map.remove(key) {
            None | Some(Value::Null) => Ok(T::default()),
            Some(value) => serde_json::from_value(value)
                .map_err(|error| WishError::Bad(told!("{}{key}: {error}", self.section))),
        }
    }

    /// Takes a field of any shape.
    pub(super) fn raw(&mut self, key: &str) -> Value {
        debug_assert!(self.served.contains(&key), "{}{key} is read but not listed", self.section);
        self.map.remove(key).unwrap_or(Value::Null)
    }

    /// Holds the zero-value rule over whatever was not taken.
    pub(super) fn rest_is_zero(self) -> Result<(), WishError> {
        for (key, value) in &self.map {
            let path = format!("{}{key}", self.section);
            if !is_zero(value) && !is_documented_default(&path, value) {
                return Err(WishError::not_allowed(
                    &crate::protocol::escape::escape_line(&path),
                    reason(&path),
                ));
            }
        }
        Ok(())
    }
}
