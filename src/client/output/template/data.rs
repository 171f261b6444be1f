//! What a template is filled from, with the shapes that Docker's own types have.
//!
//! Go tells a field that a type does not have, which is an error, from a key that a map does not have, which is no value;
//! and a list, a map and a pointer that are not there print apart. JSON tells neither, so the names say it here.

use super::text;
use gotmpl::{TemplateError, Value};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::sync::Arc;

type Map = Arc<BTreeMap<Arc<str>, Value>>;

/// Fields that are maps: any key may be asked for.
const MAPS: [&str; 15] = [
    "Annotations",
    "Attributes",
    "Data",
    "DriverOpts",
    "ExposedPorts",
    "Labels",
    "Networks",
    "Opts",
    "Options",
    "PortBindings",
    "Ports",
    "StorageOpt",
    "Sysctls",
    "Tmpfs",
    "Volumes",
];

/// Fields that are pointers: they print as `<nil>` where they are not.
const POINTERS: [&str; 11] = [
    "Health",
    "Healthcheck",
    "IPAMConfig",
    "ImageManifestDescriptor",
    "Init",
    "MemorySwappiness",
    "OomKillDisable",
    "PidsLimit",
    "SizeRootFs",
    "SizeRw",
    "StopTimeout",
];

/// What an engine leaves out where it is empty: the field it is a field of, and its name.
const LEFT_OUT: [(&str, &str, Empty); 19] = [
    ("", "SizeRw", Empty::Pointer),
    ("", "SizeRootFs", Empty::Pointer),
    ("State", "Health", Empty::Pointer),
    ("Config", "ExposedPorts", Empty::Map),
    ("Config", "Healthcheck", Empty::Pointer),
    ("Config", "MacAddress", Empty::Text),
    ("Config", "NetworkDisabled", Empty::False),
    ("Config", "Shell", Empty::List),
    ("Config", "StopSignal", Empty::Text),
    ("Config", "StopTimeout", Empty::Pointer),
    ("HostConfig", "Annotations", Empty::Map),
    ("HostConfig", "Init", Empty::Pointer),
    ("HostConfig", "Mounts", Empty::List),
    ("HostConfig", "StorageOpt", Empty::Map),
    ("HostConfig", "Sysctls", Empty::Map),
    ("HostConfig", "Tmpfs", Empty::Map),
    ("Mounts", "Driver", Empty::Text),
    ("Mounts", "Name", Empty::Text),
    ("Mounts", "Source", Empty::Text),
];

/// Fields that Go has another name for than JSON: templates take both.
const IN_JSON: [(&str, &str); 4] = [
    ("APIVersion", "ApiVersion"),
    ("CPUCfsPeriod", "CpuCfsPeriod"),
    ("CPUCfsQuota", "CpuCfsQuota"),
    ("ID", "Id"),
];

/// What is not there, by its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Empty {
    List,
    Map,
    Pointer,
    Text,
    False,
}

/// What Docker's types say of a list or a map.
enum Shape {
    /// The fields of one type, by the name of the field that it is.
    Struct(String),
    Null(Empty),
}

/// The fields, and the shapes of those lists and maps that are no plain ones, by where they are in memory.
pub(super) struct Data {
    root: Value,
    labels: Json,
    shapes: BTreeMap<usize, Shape>,
    /// What is left out or null. Kept here, so that nothing else is where they are.
    nothing: [Value; 3],
}

impl Data {
    pub(super) fn new(root: &Json, labels: &Json) -> Self {
        let nothing = [list(Vec::new()), map(BTreeMap::new()), map(BTreeMap::new())];
        let mut data = Self { root: Value::Nil, labels: labels.clone(), shapes: BTreeMap::new(), nothing };
        for (value, kind) in data.nothing.iter().zip([Empty::List, Empty::Map, Empty::Pointer]) {
            data.shapes.extend(address(value).map(|at| (at, Shape::Null(kind))));
        }
        data.root = data.take(root, "", "");
        data
    }

    pub(super) fn root(&self) -> &Value {
        &self.root
    }

    pub(super) fn label(&self, key: &str) -> Value {
        match self.labels.get(key) {
            Some(Json::String(value)) => Value::String(text::foreign(value).into()),
            _ => Value::String("".into()),
        }
    }

    /// Whether it is null in JSON, and of which type.
    pub(super) fn null(&self, value: &Value) -> Option<Empty> {
        match self.shapes.get(&address(value)?) {
            Some(Shape::Null(kind)) => Some(*kind),
            _ => None,
        }
    }

    /// A field, as Go finds it.
    pub(super) fn field(&self, from: &Value, name: &str) -> Result<Value, TemplateError> {
        if self.null(from) == Some(Empty::Pointer) {
            return Err(TemplateError::Exec(format!("there is nothing that could have a field .{name}")));
        }
        match from {
            Value::Nil => Ok(Value::Nil),
            Value::Map(fields) => match (fields.get(name), address(from).and_then(|at| self.shapes.get(&at)))
            {
                (Some(value), _) => Ok(value.clone()),
                (None, Some(Shape::Struct(of))) => {
                    let in_json =
                        IN_JSON.iter().find(|(go, _)| *go == name).and_then(|(_, json)| fields.get(*json));
                    let found = in_json.cloned().or_else(|| self.left_out(of, name));
                    found.ok_or_else(|| unknown(fields, name))
                }
                (None, _) => Ok(Value::Nil),
            },
            other => {
                let kind = other.type_name();
                Err(TemplateError::Exec(format!("can't evaluate field {name} in type {kind}")))
            }
        }
    }

    fn left_out(&self, of: &str, name: &str) -> Option<Value> {
        let found = LEFT_OUT.iter().find(|(owner, field, _)| *owner == of && *field == name);
        found.map(|(_, _, kind)| self.empty(*kind))
    }

    /// What is not there.
    pub(super) fn empty(&self, kind: Empty) -> Value {
        let [list, map, pointer] = &self.nothing;
        match kind {
            Empty::List => list.clone(),
            Empty::Map => map.clone(),
            Empty::Pointer => pointer.clone(),
            Empty::Text => Value::String("".into()),
            Empty::False => Value::Bool(false),
        }
    }

    /// A value that is the field `name` of the field `owner`, or an element of that.
    fn take(&mut self, json: &Json, owner: &str, name: &str) -> Value {
        match json {
            Json::Null if is_map(owner, name) => self.empty(Empty::Map),
            Json::Null if POINTERS.contains(&name) => self.empty(Empty::Pointer),
            Json::Null => self.empty(Empty::List),
            Json::Bool(yes) => Value::Bool(*yes),
            Json::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(number), _) => Value::Int(number),
                (None, Some(number)) => Value::Uint(number),
                (None, None) => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
            Json::String(words) => Value::String(text::foreign(words).into()),
            Json::Array(items) => list(items.iter().map(|item| self.take(item, owner, name)).collect()),
            Json::Object(fields) => {
                let is_map = is_map(owner, name);
                let (owner, inner) = if is_map { (name, Some("")) } else { (name, None) };
                let taken = fields.iter().map(|(key, value)| {
                    let value = self.take(value, owner, inner.unwrap_or(key));
                    (text::foreign(key).into(), value)
                });
                let value = map(taken.collect());
                if !is_map {
                    self.shapes.extend(address(&value).map(|at| (at, Shape::Struct(name.to_owned()))));
                }
                value
            }
        }
    }
}

fn is_map(owner: &str, name: &str) -> bool {
    MAPS.contains(&name) || (owner, name) == ("LogConfig", "Config")
}

/// One of its own, even if it is empty.
fn list(items: Vec<Value>) -> Value {
    Value::List(Arc::from(items))
}

fn map(fields: BTreeMap<Arc<str>, Value>) -> Value {
    Value::Map(Arc::new(fields))
}

fn address(value: &Value) -> Option<usize> {
    match value {
        Value::List(items) => Some(Arc::as_ptr(items).cast::<()>().addr()),
        Value::Map(fields) => Some(Arc::as_ptr(fields).addr()),
        _ => None,
    }
}

/// What stands between a name that is not there and what is: the one that may be meant, after a mark, or all.
pub(super) const HINT: char = '\n';
pub(super) const NEAREST: char = '~';

/// The error for a field that is not there, with what is after a newline.
fn unknown(fields: &Map, name: &str) -> TemplateError {
    let near = |field: &str| strsim::jaro_winkler(&field.to_lowercase(), &name.to_lowercase());
    let nearest = fields.keys().max_by(|a, b| near(a).total_cmp(&near(b)));
    let hint = match nearest {
        Some(nearest) if near(nearest) > 0.6 => format!("{NEAREST}{nearest}"),
        Some(_) => fields.keys().map(|key| &**key).collect::<Vec<_>>().join(" ."),
        None => String::new(),
    };
    TemplateError::MissingKey { key: format!("{name}{HINT}{hint}") }
}
