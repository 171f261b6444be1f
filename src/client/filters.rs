//! `-f KEY=VALUE`, as the API wants them: the gateway judges them.

use super::error::Error;
use crate::protocol::told::told;
use std::collections::BTreeMap;

/// Docker's map of key to values; nothing without a filter.
pub(crate) fn json(words: &[String]) -> Result<Option<String>, Error> {
    let mut map: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for word in words {
        let (key, value) = word
            .split_once('=')
            .ok_or_else(|| Error::usage(told!("the filter {word:?} is not of the form KEY=VALUE")))?;
        map.entry(key.trim()).or_default().push(value.trim());
    }
    if map.is_empty() {
        return Ok(None);
    }
    serde_json::to_string(&map).map(Some).map_err(|why| Error::usage(told!("{why}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_key_gathers_its_values() {
        let words = ["status=exited", "label=a=b", "status=dead"].map(str::to_owned);
        assert_eq!(json(&words).unwrap().unwrap(), r#"{"label":["a=b"],"status":["exited","dead"]}"#);
        assert_eq!(json(&[]).unwrap(), None);
        assert!(json(&["status".to_owned()]).is_err());
    }
}
