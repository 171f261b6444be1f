//! `filters`: the words of a list's filter, in both shapes that Docker's clients send. They are applied here, to what is
//! already the caller's; no word of them reaches an engine.

use crate::gateway::error::Error;
use crate::protocol::told::told;
use regex::bytes::{RegexSet, RegexSetBuilder};
use serde_json::Value;
use std::collections::BTreeMap;

/// The values asked for, by key.
pub(in crate::gateway) type Words = BTreeMap<String, Vec<String>>;

/// Values of one filter: each is held against each thing of a list.
const MOST_VALUES: usize = 256;

/// Docker sends `{"key": ["value"]}`; old clients `{"key": {"value": true}}`. A key that is not served is an error.
pub(in crate::gateway) fn parse(text: &str, keys: &[&str]) -> Result<Words, Error> {
    if text.is_empty() {
        return Ok(Words::new());
    }
    let raw: BTreeMap<String, Value> =
        serde_json::from_str(text).map_err(|error| Error::Bad(told!("{}: {error}", "filters")))?;
    let mut words = Words::new();
    for (key, values) in raw {
        let values: Vec<String> = match values {
            Value::Array(values) => values.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            Value::Object(values) => {
                values.into_iter().filter(|(_, on)| on == true).map(|(word, _)| word).collect()
            }
            _ => return Err(Error::Bad(told!("filters: {key:?} has no list of values"))),
        };
        if values.len() > MOST_VALUES {
            return Err(Error::Bad(told!("filters: {key:?} has more than {MOST_VALUES} values")));
        }
        if !keys.contains(&key.as_str()) {
            return Err(Error::Bad(told!("invalid filter {key:?}, the filters are {}", keys.join(" "))));
        }
        words.insert(key, values);
    }
    Ok(words)
}

/// A filter that is true or false, in the words that Docker knows for it; nothing where it is not given.
pub(in crate::gateway) fn truth(key: &str, values: &[String]) -> Result<Option<bool>, Error> {
    let word = match values {
        [] => return Ok(None),
        [word] => word.as_str(),
        _ => return Err(Error::Bad(told!("invalid filter {key}, it is given more than once"))),
    };
    match word {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(Some(true)),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(Some(false)),
        _ => Err(Error::Bad(told!("invalid filter {key}={word:?}, it is true or false"))),
    }
}

/// `name=`: regular expressions that are looked for anywhere in a name, as in Docker.
#[derive(Debug)]
pub(in crate::gateway) struct Names(RegexSet);

impl Names {
    /// The most patterns of one request: they are the caller's, and take the gateway's memory.
    const MOST: usize = 64;
    /// Bytes of memory that all of them together may take.
    const MOST_MEMORY: usize = 256 << 10;

    /// Takes the patterns out of the words.
    pub(in crate::gateway) fn take(words: &mut Words) -> Result<Option<Self>, Error> {
        let Some(patterns) = words.remove("name") else { return Ok(None) };
        if patterns.len() > Self::MOST {
            return Err(Error::Bad(told!("filters: {} names, the most is {}", patterns.len(), Self::MOST)));
        }
        let mut builder = RegexSetBuilder::new(&patterns);
        let compiled = builder.unicode(false).size_limit(Self::MOST_MEMORY).build();
        let wrong =
            |_| Error::Bad(told!("invalid filter name, no regular expression: {}", patterns.join(" ")));
        compiled.map(|names| Some(Self(names))).map_err(wrong)
    }

    /// Whether any of them is found in it.
    pub(in crate::gateway) fn match_any(&self, name: &str) -> bool {
        self.0.is_match(name.as_bytes())
    }
}

/// `KEY` or `KEY=VALUE`, against labels.
pub(in crate::gateway) fn has_label(labels: Option<&Value>, wanted: &str) -> bool {
    let (key, value) = wanted.split_once('=').map_or((wanted, None), |(key, value)| (key, Some(value)));
    let found = labels.and_then(|labels| labels.get(key)).and_then(Value::as_str);
    found.is_some_and(|found| value.is_none_or(|value| value == found))
}

/// The key again is OR, different keys are AND; labels alone must all be there, as in Docker.
pub(in crate::gateway) fn all_match(words: &Words, matches: impl Fn(&str, &str) -> bool) -> bool {
    words.iter().all(|(key, values)| match key.as_str() {
        "label" => values.iter().all(|value| matches(key, value)),
        _ => values.iter().any(|value| matches(key, value)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(patterns: &[&str]) -> Result<Option<Names>, Error> {
        let patterns = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
        Names::take(&mut Words::from([("name".to_owned(), patterns)]))
    }

    #[test]
    fn a_name_is_matched_as_docker_does() {
        for (patterns, matched) in [
            (vec!["box"], vec!["box", "box2", "mybox"]),
            (vec!["^box$"], vec!["box"]),
            (vec!["^box"], vec!["box", "box2"]),
            (vec!["^my", "2$"], vec!["box2", "mybox"]),
            (vec!["b.x\\d"], vec!["box2"]),
        ] {
            let all = ["box", "box2", "mybox", "other"];
            let names = names(&patterns).unwrap().unwrap();
            assert_eq!(all.into_iter().filter(|name| names.match_any(name)).collect::<Vec<_>>(), matched);
        }
        assert!(names(&["("]).is_err() && names(&["(((a{100}){100}){100})"]).is_err());
        assert!(names(&["a{1000}"; 64]).is_err() && names(&["a"; 65]).is_err());
        assert!(Names::take(&mut Words::new()).unwrap().is_none());
    }

    #[test]
    fn what_is_neither_true_nor_false_is_refused() {
        let truth =
            |words: &[&str]| truth("all", &words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!((truth(&[]).unwrap(), truth(&["T"]).unwrap()), (None, Some(true)));
        assert_eq!(truth(&["false"]).unwrap(), Some(false));
        assert!(truth(&["yes"]).is_err() && truth(&["1", "0"]).is_err());
    }
}
