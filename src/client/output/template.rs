//! `--format` templates: the part of Go's that people use with Docker.

use super::super::error::Error;
use crate::protocol::escape::{escape_json, escape_line};
use serde_json::Value;

/// A parsed template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Plain(Expr),
    Json(Expr),
}

/// What stands between the braces.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Expr {
    /// `.`, or `.A.B`.
    Path(Vec<String>),
    /// `.Label "x"`.
    Label(String),
    /// `index .A "k"`.
    Index(Vec<String>, Vec<String>),
}

/// What a template is filled from: the fields, and the labels that `.Label` looks in.
#[derive(Clone, Copy)]
pub(crate) struct Source<'v> {
    pub(crate) root: &'v Value,
    pub(crate) labels: &'v Value,
}

const HELP: &str =
    "{{.Field}}, {{json .}}, {{json .Field}}, {{index .Field \"key\"}} and {{.Label \"key\"}} are known";

impl Template {
    /// `\t` and `\n` stand for what they stand for in Docker's.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let text = text.replace("\\t", "\t").replace("\\n", "\n");
        let mut parts = Vec::new();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((inside, after)) = after.split_once("}}") else {
                return Err(Error::usage("this template has a {{ without its }}"));
            };
            parts.push(Part::Text(before.to_owned()));
            parts.push(part(inside.trim())?);
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self(parts))
    }

    pub(crate) fn fill(&self, source: Source<'_>) -> Result<String, Error> {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Text(literal) => text.push_str(literal),
                Part::Plain(expr) => text.push_str(&escape_line(&plain(&expr.find(source)?))),
                Part::Json(expr) => text.push_str(&escape_json(&expr.find(source)?.to_string())),
            }
        }
        Ok(text)
    }

    /// Whether this field is asked for.
    pub(crate) fn mentions(&self, field: &str) -> bool {
        self.0.iter().any(|part| match part {
            Part::Plain(Expr::Path(path)) | Part::Json(Expr::Path(path)) => {
                path.first().is_none_or(|first| first == field)
            }
            _ => false,
        })
    }
}

fn part(inside: &str) -> Result<Part, Error> {
    match inside.strip_prefix("json ") {
        Some(expr) => Ok(Part::Json(expression(expr.trim())?)),
        None => Ok(Part::Plain(expression(inside)?)),
    }
}

fn expression(text: &str) -> Result<Expr, Error> {
    let wrong = || Error::usage_hint(format!("the template {{{{{text}}}}} is not understood"), HELP);
    let words = words(text).ok_or_else(wrong)?;
    match words.as_slice() {
        [Word::Path(path)] => Ok(Expr::Path(path.clone())),
        [Word::Path(path), Word::Text(key)] if path == &["Label"] => Ok(Expr::Label(key.clone())),
        [Word::Name(name), Word::Path(path), keys @ ..] if name == "index" && !keys.is_empty() => {
            let keys = keys.iter().map(|word| match word {
                Word::Text(key) | Word::Name(key) => Ok(key.clone()),
                Word::Path(_) => Err(wrong()),
            });
            Ok(Expr::Index(path.clone(), keys.collect::<Result<_, _>>()?))
        }
        _ => Err(wrong()),
    }
}

enum Word {
    Path(Vec<String>),
    Text(String),
    Name(String),
}

fn words(text: &str) -> Option<Vec<Word>> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if let Some(quoted) = rest.strip_prefix('"') {
            let (inside, after) = quoted.split_once('"')?;
            words.push(Word::Text(inside.to_owned()));
            rest = after.trim_start();
        } else {
            let (word, after) = rest.split_once(' ').unwrap_or((rest, ""));
            words.push(bare(word)?);
            rest = after.trim_start();
        }
    }
    Some(words)
}

fn bare(word: &str) -> Option<Word> {
    let named = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    match word.strip_prefix('.') {
        Some("") => Some(Word::Path(Vec::new())),
        Some(path) => {
            let path: Vec<String> = path.split('.').map(str::to_owned).collect();
            path.iter().all(|name| named(name)).then_some(Word::Path(path))
        }
        None => named(word).then(|| Word::Name(word.to_owned())),
    }
}

impl Expr {
    fn find(&self, source: Source<'_>) -> Result<Value, Error> {
        match self {
            Self::Path(path) => descend(source.root, path).cloned(),
            Self::Label(key) => Ok(source.labels.get(key).cloned().unwrap_or_else(|| Value::from(""))),
            Self::Index(path, keys) => {
                let at = keys.iter().try_fold(descend(source.root, path)?, |at, key| {
                    at.get(key).or_else(|| at.get(key.parse::<usize>().ok()?))
                });
                // As in Go, a map without the key gives nothing, not an error.
                Ok(at.cloned().unwrap_or_else(|| Value::from("")))
            }
        }
    }
}

fn descend<'v>(root: &'v Value, path: &[String]) -> Result<&'v Value, Error> {
    path.iter().try_fold(root, |at, name| at.get(name).ok_or_else(|| unknown(at, name)))
}

/// The error for a field that is not there, with the nearest that is.
fn unknown(at: &Value, name: &str) -> Error {
    let known: Vec<String> =
        at.as_object().map(|fields| fields.keys().cloned().collect()).unwrap_or_default();
    let message = format!("there is no field .{name} here");
    let near = |field: &String| strsim::jaro_winkler(&field.to_lowercase(), &name.to_lowercase());
    match known.iter().max_by(|a, b| near(a).total_cmp(&near(b))) {
        Some(nearest) if near(nearest) > 0.6 => {
            Error::usage_hint(message, format!("did you mean .{nearest}"))
        }
        Some(_) => Error::usage_hint(message, format!("there are .{}", known.join(" ."))),
        None => Error::usage(message),
    }
}

/// A value as Go prints it.
fn plain(value: &Value) -> String {
    match value {
        // Nearly always a list or map that was never filled, which Go prints like this.
        Value::Null => "[]".to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(items) => format!("[{}]", items.iter().map(plain).collect::<Vec<_>>().join(" ")),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, value)| format!("{key}:{}", plain(value)));
            format!("map[{}]", fields.collect::<Vec<_>>().join(" "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn filled(template: &str) -> Result<String, Error> {
        let root = json!({"Names": "web\u{1b}", "State": {"Pid": 7, "Run": true}, "Args": ["a", "b"], "None": null, "L": {"a.b": "c"}});
        let labels = json!({"x": "y"});
        Template::parse(template)?.fill(Source { root: &root, labels: &labels })
    }

    #[test]
    fn fields_are_filled_in() {
        for (template, expected) in [
            (r"{{.Names}}\t{{ .State.Pid }}\n", "web\\u{1b}\t7\n"),
            ("{{.State}} {{.Args}}", "map[Pid:7 Run:true] [a b]"),
            ("{{json .State}}", r#"{"Pid":7,"Run":true}"#),
            ("{{json .Names}}", r#""web\u001b""#),
            (r#"{{.Label "x"}}{{.Label "none"}}"#, "y"),
            (r#"{{index .L "a.b"}} {{index .Args 1}}{{index .L "none"}}"#, "c b"),
            ("{{.None}}", "[]"),
            ("plain", "plain"),
        ] {
            assert_eq!(filled(template).unwrap(), expected, "{template}");
        }
    }

    #[test]
    fn an_unknown_field_names_the_nearest() {
        let refusal = filled("{{.Name}}").unwrap_err().refusal();
        assert_eq!(refusal.message, "there is no field .Name here");
        assert_eq!(refusal.hint.unwrap(), "did you mean .Names");
    }

    #[test]
    fn what_is_not_known_is_an_error_not_a_guess() {
        for bad in ["{{.Names", "{{range .Args}}", "{{}}", "{{.a b}}", "{{index .L}}", "{{upper .Names}}"] {
            assert!(Template::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_template_knows_what_it_asks_for() {
        assert!(Template::parse("{{.Size}}").unwrap().mentions("Size"));
        assert!(Template::parse("{{json .}}").unwrap().mentions("Size"));
        assert!(!Template::parse("{{.ID}}").unwrap().mentions("Size"));
    }
}
