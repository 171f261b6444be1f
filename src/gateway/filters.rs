//! `filters`: the words of a list's filter, in both shapes that Docker's clients send. They are applied here, to what is
//! already the caller's; no word of them reaches an engine.

use super::error::Error;
use serde_json::Value;
use std::collections::BTreeMap;

/// The values asked for, by key.
pub(super) type Words = BTreeMap<String, Vec<String>>;

/// Docker sends `{"key": ["value"]}`; old clients `{"key": {"value": true}}`. A key that is not served is an error.
pub(super) fn parse(text: &str, keys: &[&str]) -> Result<Words, Error> {
    if text.is_empty() {
        return Ok(Words::new());
    }
    let raw: BTreeMap<String, Value> =
        serde_json::from_str(text).map_err(|error| Error::Bad(format!("filters: {error}")))?;
    let mut words = Words::new();
    for (key, values) in raw {
        let values: Vec<String> = match values {
            Value::Array(values) => values.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            Value::Object(values) => {
                values.into_iter().filter(|(_, on)| on == true).map(|(word, _)| word).collect()
            }
            _ => return Err(Error::Bad(format!("filters: {key:?} has no list of values"))),
        };
        if !keys.contains(&key.as_str()) {
            return Err(Error::Bad(format!("invalid filter {key:?}, the filters are {}", keys.join(" "))));
        }
        words.insert(key, values);
    }
    Ok(words)
}

/// `KEY` or `KEY=VALUE`, against labels.
pub(super) fn has_label(labels: Option<&Value>, wanted: &str) -> bool {
    let (key, value) = wanted.split_once('=').map_or((wanted, None), |(key, value)| (key, Some(value)));
    let found = labels.and_then(|labels| labels.get(key)).and_then(Value::as_str);
    found.is_some_and(|found| value.is_none_or(|value| value == found))
}

/// The key again is OR, different keys are AND; labels alone must all be there, as in Docker.
pub(super) fn all_match(words: &Words, matches: impl Fn(&str, &str) -> bool) -> bool {
    words.iter().all(|(key, values)| match key.as_str() {
        "label" => values.iter().all(|value| matches(key, value)),
        _ => values.iter().any(|value| matches(key, value)),
    })
}
