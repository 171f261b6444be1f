//! Lists as the user wants them: a table, a template, or JSON; and the writing of it.

pub(crate) mod age;
pub(crate) mod json;
pub(crate) mod natural;
pub(crate) mod size;
pub(crate) mod table;
pub(crate) mod template;

use super::error::Error;
use super::language;
use crate::protocol::escape::{escape_json, escape_line};
use crate::protocol::told::told;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Write};
use template::{Source, Template};

/// A column of a table: the field it shows and the words above it.
pub(crate) type Column = (&'static str, &'static str);

/// One line of a list: its fields as text, and its labels.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) fields: Map<String, Value>,
    pub(crate) labels: Value,
}

impl Row {
    pub(crate) fn set(&mut self, field: &str, value: impl Into<Value>) {
        self.fields.insert(field.to_owned(), value.into());
    }

    /// The field of the labels, and what `.Label` looks in.
    pub(crate) fn set_labels(&mut self, labels: Option<&BTreeMap<String, String>>) {
        let pairs = labels.into_iter().flatten().map(|(key, value)| format!("{key}={value}"));
        self.set("Labels", pairs.collect::<Vec<_>>().join(","));
        self.labels = serde_json::to_value(labels).unwrap_or_default();
    }

    fn cell(&self, field: &str) -> String {
        match self.fields.get(field) {
            Some(Value::String(text)) => escape_line(text),
            Some(Value::Null) | None => String::new(),
            Some(other) => escape_line(&other.to_string()),
        }
    }
}

/// What `--format` says.
#[derive(Debug, Clone)]
pub(crate) enum Format {
    Table,
    TableOf(Template),
    Json,
    Each(Template),
}

impl Format {
    pub(crate) fn parse(word: Option<&str>) -> Result<Self, Error> {
        match word {
            None | Some("" | "table") => Ok(Self::Table),
            Some("json") => Ok(Self::Json),
            Some(text) => match text.strip_prefix("table ") {
                Some(template) => Ok(Self::TableOf(Template::parse(template.trim())?)),
                None => Ok(Self::Each(Template::parse(text)?)),
            },
        }
    }

    pub(crate) fn is_table(&self) -> bool {
        matches!(self, Self::Table)
    }

    /// Whether this field will be shown by a template.
    pub(crate) fn mentions(&self, field: &str) -> bool {
        match self {
            Self::Table => false,
            Self::Json => false,
            Self::TableOf(template) | Self::Each(template) => template.mentions(field),
        }
    }
}

/// The whole list as text. `headings` are the words above every field there is, `columns` those of the usual table.
pub(crate) fn list(
    rows: &[Row],
    columns: &[&str],
    headings: &[Column],
    format: &Format,
) -> Result<String, Error> {
    match format {
        Format::Table => Ok(usual(rows, columns, headings)),
        Format::TableOf(template) => {
            let mut lines = vec![cells(&template.fill_heading(&heading_row(headings))?)];
            for row in rows {
                lines.push(cells(&fill(template, row)?));
            }
            Ok(table::align(&lines))
        }
        Format::Json => Ok(rows.iter().map(|row| one_line(&row.fields)).collect()),
        Format::Each(template) => {
            // An unknown field is an error in an empty list too.
            template.check(&heading_row(headings))?;
            rows.iter().map(|row| fill(template, row).map(|line| line + "\n")).collect()
        }
    }
}

fn usual(rows: &[Row], columns: &[&str], headings: &[Column]) -> String {
    let head = |field: &&str| {
        headings.iter().find(|(known, _)| known == field).map_or("", |(_, words)| words).to_owned()
    };
    let mut lines = vec![columns.iter().map(head).collect()];
    lines.extend(rows.iter().map(|row| columns.iter().map(|field| row.cell(field)).collect::<Vec<_>>()));
    table::align(&lines)
}

fn heading_row(headings: &[Column]) -> Value {
    headings.iter().map(|(field, words)| ((*field).to_owned(), Value::from(*words))).collect()
}

fn cells(line: &str) -> Vec<String> {
    line.replace('\n', "\\n").split('\t').map(str::to_owned).collect()
}

fn fill(template: &Template, row: &Row) -> Result<String, Error> {
    let root = Value::Object(row.fields.clone());
    template.fill(Source { root: &root, labels: &row.labels })
}

fn one_line(fields: &Map<String, Value>) -> String {
    // Keys of a map and its text values always serialise.
    escape_json(&serde_json::to_string(fields).unwrap_or_default()) + "\n"
}

/// Data for stdout. A reader who has had enough is [`Error::StdoutClosed`], which is no failure.
pub(crate) fn print(text: &str) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|why| match why.kind() {
        ErrorKind::BrokenPipe => Error::StdoutClosed,
        _ => Error::io(told!("write to stdout"), why),
    })
}

/// Talk for stderr; nobody listening is no failure.
pub(crate) fn say(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// An error for stderr, in the form that was asked for.
pub(crate) fn complain(error: &Error, as_json: bool) {
    if as_json {
        let refusal = serde_json::to_string(&error.refusal()).unwrap_or_default();
        say(&(escape_json(&refusal) + "\n"));
    } else {
        say(&error.text(&language::own()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADINGS: [Column; 2] = [("ID", "CONTAINER ID"), ("Names", "NAMES")];

    fn shown(format: &str) -> Result<String, Error> {
        let mut row = Row::default();
        row.set("ID", "0f3c");
        row.set("Names", "a\nb");
        list(&[row], &["ID", "Names"], &HEADINGS, &Format::parse(Some(format))?)
    }

    #[test]
    fn one_list_has_four_forms() {
        assert_eq!(shown("table").unwrap(), "CONTAINER ID   NAMES\n0f3c           a\\nb\n");
        assert_eq!(shown(r"table {{.Names}}\t{{.ID}}").unwrap(), "NAMES     CONTAINER ID\na\\nb      0f3c\n");
        assert_eq!(shown("json").unwrap(), "{\"ID\":\"0f3c\",\"Names\":\"a\\nb\"}\n");
        assert_eq!(shown("{{.ID}}!").unwrap(), "0f3c!\n");
    }

    #[test]
    fn an_unknown_field_is_an_error_in_an_empty_list_too() {
        let format = Format::parse(Some("{{.Id}}")).unwrap();
        assert!(list(&[], &["ID"], &HEADINGS, &format).is_err());
    }
}
