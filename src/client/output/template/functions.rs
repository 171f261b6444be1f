//! The functions of a template: those of Docker's client, and those that stand for what Go has and gotmpl has not.

use super::data::{Data, Empty};
use super::names::{FIELD, LABEL, SHOW};
use super::text;
use crate::protocol::escape::escape_json;
use gotmpl::{FuncMap, TemplateError, Value};
use serde_json::Value as Json;
use std::sync::Arc;

/// The most spaces that are put beside a text.
const WIDEST_PAD: i64 = 4096;

type Answer = Result<Value, TemplateError>;
type Function = fn(&Data, &[Value]) -> Answer;

const OF_BOTH: [(&str, Function); 5] =
    [(FIELD, field), (SHOW, show), ("index", index), ("len", len), ("pad", pad)];
const OF_ROWS: [(&str, Function); 8] = [
    (LABEL, label),
    ("join", join),
    ("json", json),
    ("lower", lower),
    ("split", split),
    ("title", title),
    ("truncate", truncate),
    ("upper", upper),
];
const OF_HEADINGS: [(&str, Function); 8] = [
    (LABEL, label_heading),
    ("join", unchanged),
    ("json", unchanged),
    ("lower", unchanged),
    ("split", unchanged),
    ("title", unchanged),
    ("truncate", unchanged),
    ("upper", unchanged),
];

/// For what a list has.
pub(super) fn of_rows(data: &Arc<Data>) -> FuncMap {
    bound(data, &OF_ROWS)
}

/// For the line above a table: what changes a field leaves its heading as it is, as with Docker.
pub(super) fn of_headings(data: &Arc<Data>) -> FuncMap {
    bound(data, &OF_HEADINGS)
}

fn bound(data: &Arc<Data>, functions: &[(&str, Function)]) -> FuncMap {
    let mut map = FuncMap::new();
    for (name, function) in OF_BOTH.iter().chain(functions) {
        let (data, function) = (data.clone(), *function);
        map.insert((*name).to_owned(), Arc::new(move |args| function(&data, args)));
    }
    map
}

fn field(data: &Data, args: &[Value]) -> Answer {
    let (from, names) = args.split_first().unwrap_or((&Value::Nil, &[]));
    names.iter().try_fold(from.clone(), |from, name| data.field(&from, name.as_str().unwrap_or_default()))
}

fn show(data: &Data, args: &[Value]) -> Answer {
    match args {
        [value] => Ok(string(&text::shown(&shown(data, value, "<no value>")))),
        _ => wrong("a value", "nothing beside it"),
    }
}

fn label(data: &Data, args: &[Value]) -> Answer {
    match args {
        [Value::String(key)] => Ok(data.label(key)),
        _ => wrong(".Label", "the name of a label"),
    }
}

/// The last word of a label's name.
fn label_heading(_: &Data, args: &[Value]) -> Answer {
    match args {
        [Value::String(key)] => {
            Ok(string(&key.rsplit('.').next().unwrap_or_default().replace(['-', '_'], " ")))
        }
        _ => wrong(".Label", "the name of a label"),
    }
}

fn unchanged(_: &Data, args: &[Value]) -> Answer {
    Ok(args.first().cloned().unwrap_or(Value::Nil))
}

/// A key that a map does not have gives what is nothing of its type.
fn index(data: &Data, args: &[Value]) -> Answer {
    let Some((from, keys)) = args.split_first() else { return wrong("index", "a value") };
    keys.iter().try_fold(from.clone(), |from, key| match (&from, key) {
        (Value::Map(fields), Value::String(key)) if !fields.contains_key(&**key) => {
            Ok(match fields.values().next() {
                Some(Value::List(_)) => Value::Nil,
                Some(Value::Map(_)) => data.empty(Empty::Pointer),
                Some(Value::Bool(_)) => Value::Bool(false),
                Some(Value::Int(_) | Value::Uint(_)) => Value::Int(0),
                _ => string(""),
            })
        }
        _ => from.index(key),
    })
}

fn len(data: &Data, args: &[Value]) -> Answer {
    let length = match args {
        [Value::String(whole)] => Some(text::raw(whole).len()),
        [value] if data.null(value) != Some(Empty::Pointer) => value.len(),
        _ => None,
    };
    match length.map(i64::try_from) {
        Some(Ok(length)) => Ok(Value::Int(length)),
        _ => wrong("len", "a text, a list or a map"),
    }
}

fn join(_: &Data, args: &[Value]) -> Answer {
    match args {
        [Value::List(items), Value::String(between)] => {
            let items: Vec<String> = items.iter().map(Value::to_string).collect();
            Ok(string(&items.join(between)))
        }
        _ => wrong("join", "a list and what goes between"),
    }
}

fn split(_: &Data, args: &[Value]) -> Answer {
    match args {
        [Value::String(whole), Value::String(between)] if between.is_empty() => {
            Ok(Value::List(whole.chars().map(|c| string(c.encode_utf8(&mut [0; 4]))).collect()))
        }
        [Value::String(whole), Value::String(between)] => {
            let (whole, between) = (text::raw(whole), text::raw(between));
            Ok(Value::List(whole.split(&between).map(|part| string(&text::foreign(part))).collect()))
        }
        _ => wrong("split", "a text and what goes between"),
    }
}

/// The first bytes, and no part of a character.
fn truncate(_: &Data, args: &[Value]) -> Answer {
    let [Value::String(whole), Value::Int(length)] = args else {
        return wrong("truncate", "a text and a length");
    };
    let whole = text::raw(whole);
    let mut end = usize::try_from(*length).unwrap_or_default().min(whole.len());
    while !whole.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    Ok(string(&text::foreign(whole.get(..end).unwrap_or_default())))
}

fn pad(_: &Data, args: &[Value]) -> Answer {
    let [Value::String(text), Value::Int(before), Value::Int(after)] = args else {
        return wrong("pad", "a text and two numbers");
    };
    let spaces = |wanted: i64| match usize::try_from(wanted) {
        Ok(number) if wanted <= WIDEST_PAD => Ok(" ".repeat(number)),
        _ => wrong("pad", "numbers up to 4096"),
    };
    let (before, after) = (spaces(*before)?, spaces(*after)?);
    Ok(string(&if text.is_empty() { String::new() } else { format!("{before}{text}{after}") }))
}

fn upper(_: &Data, args: &[Value]) -> Answer {
    one_text("upper", args).map(|text| string(&text.to_uppercase()))
}

fn lower(_: &Data, args: &[Value]) -> Answer {
    one_text("lower", args).map(|text| string(&text.to_lowercase()))
}

/// Each word's first letter large.
fn title(_: &Data, args: &[Value]) -> Answer {
    let mut is_inside = false;
    let mut out = String::new();
    for c in one_text("title", args)?.chars() {
        if is_inside {
            out.push(c)
        } else {
            out.extend(c.to_uppercase())
        }
        is_inside = c.is_alphanumeric() || matches!(c, '_' | '\'');
    }
    Ok(string(&out))
}

fn json(data: &Data, args: &[Value]) -> Answer {
    match args {
        [value] => Ok(string(&escape_json(&as_json(data, value).to_string()))),
        _ => wrong("json", "one value"),
    }
}

fn one_text<'v>(name: &str, args: &'v [Value]) -> Result<&'v str, TemplateError> {
    match args {
        [Value::String(text)] => Ok(text),
        _ => wrong(name, "a text"),
    }
}

fn wrong<T>(name: &str, wanted: &str) -> Result<T, TemplateError> {
    Err(TemplateError::Exec(format!("{name} takes {wanted}")))
}

fn string(text: &str) -> Value {
    Value::String(text.into())
}

/// A value as Go prints it; `missing` is what stands for none.
fn shown(data: &Data, value: &Value, missing: &str) -> String {
    let inner = |value: &Value| shown(data, value, "<nil>");
    match value {
        Value::Nil => missing.to_owned(),
        Value::String(text) => text.to_string(),
        _ if data.null(value) == Some(Empty::Pointer) => "<nil>".to_owned(),
        Value::List(items) => format!("[{}]", items.iter().map(inner).collect::<Vec<_>>().join(" ")),
        Value::Map(fields) => {
            let fields = fields.iter().map(|(key, value)| format!("{key}:{}", inner(value)));
            format!("map[{}]", fields.collect::<Vec<_>>().join(" "))
        }
        other => other.to_string(),
    }
}

/// A value as it was in JSON.
fn as_json(data: &Data, value: &Value) -> Json {
    match value {
        _ if data.null(value).is_some() => Json::Null,
        Value::Nil | Value::Function(_) => Json::Null,
        Value::Bool(yes) => (*yes).into(),
        Value::Int(number) => (*number).into(),
        Value::Uint(number) => (*number).into(),
        Value::Float(number) => (*number).into(),
        Value::String(words) => text::raw(words).into(),
        Value::List(items) => items.iter().map(|item| as_json(data, item)).collect(),
        Value::Map(fields) => {
            Json::Object(fields.iter().map(|(key, value)| (text::raw(key), as_json(data, value))).collect())
        }
    }
}
