//! `--format` templates: Go's, with the functions and the words of Docker's client.
//!
//! The language is gotmpl's. What is ours is what Docker's client makes of it: its functions, `.Label "key"`, fields that
//! must be there, and the sentences. See [`tree`] for how they come together.

mod data;
mod functions;
mod names;
mod text;
mod tree;

use crate::client::error::Error;
use crate::protocol::told::{Told, told};
use data::{Data, HINT, NEAREST};
use gotmpl::TemplateError;
use serde_json::Value;
use std::sync::Arc;
use tree::{Breaks, Tree};

/// A template of more bytes is a mistake.
const LONGEST: usize = 16 << 10;
/// gotmpl goes one call deeper with each `else if` and does not count these, as it does whatever else nests: so many
/// times in one template at the most.
const MOST_ELSES: usize = 200;

const HELP: &str = "{{.Field}}, {{json .}}, {{range .List}}{{.}}{{end}}";

/// A parsed template.
#[derive(Debug, Clone)]
pub(crate) struct Template(Tree);

/// What a template is filled from: the fields, and the labels that `.Label` looks in.
#[derive(Clone, Copy)]
pub(crate) struct Source<'v> {
    pub(crate) root: &'v Value,
    pub(crate) labels: &'v Value,
}

impl Template {
    /// A template of a list, where `\t` and `\n` between the braces stand for what they stand for in Docker's lists.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        Self::of(text, Breaks::Spelt)
    }

    /// A template of one thing, whose text is as it is, as in `docker inspect`.
    pub(crate) fn parse_literal(text: &str) -> Result<Self, Error> {
        Self::of(text, Breaks::Literal)
    }

    fn of(text: &str, breaks: Breaks) -> Result<Self, Error> {
        if text.len() > LONGEST || text.matches("else").count() > MOST_ELSES {
            return Err(Error::usage(told!(
                "a template has {LONGEST} bytes and {MOST_ELSES} times else at the most"
            )));
        }
        Tree::parse(text, breaks).map(Self).map_err(told)
    }

    pub(crate) fn fill(&self, source: Source<'_>) -> Result<String, Error> {
        self.filled(Data::new(source.root, source.labels), functions::of_rows).map_err(told)
    }

    /// The line above a table: its fields are headings, which no function but `pad` changes.
    pub(crate) fn fill_heading(&self, headings: &Value) -> Result<String, Error> {
        self.filled(Data::new(headings, &Value::Null), functions::of_headings).map_err(told)
    }

    /// Whether these are fields of what it will be filled from. Nothing else that may go wrong matters here.
    pub(crate) fn check(&self, headings: &Value) -> Result<(), Error> {
        match self.filled(Data::new(headings, &Value::Null), functions::of_headings) {
            Err(wrong @ TemplateError::MissingKey { .. }) => Err(told(wrong)),
            _ => Ok(()),
        }
    }

    fn filled(
        &self,
        data: Data,
        functions: fn(&Arc<Data>) -> gotmpl::FuncMap,
    ) -> Result<String, TemplateError> {
        let data = Arc::new(data);
        let template = self.0.template(functions(&data));
        template.execute_template_to_string(tree::NAME, data.root())
    }

    /// Whether this field is asked for.
    pub(crate) fn mentions(&self, field: &str) -> bool {
        self.0.mentions(field)
    }
}

/// An error of the template's, as one of our sentences.
fn told(wrong: TemplateError) -> Error {
    match wrong {
        TemplateError::MissingKey { key } => match key.split_once(HINT) {
            Some((name, fields)) => {
                let message = told!("there is no field .{name} here");
                match fields.strip_prefix(NEAREST) {
                    _ if fields.is_empty() => Error::usage(message),
                    Some(nearest) => Error::usage_hint(message, told!("did you mean .{nearest}")),
                    None => Error::usage_hint(message, told!("there are .{fields}")),
                }
            }
            None => Error::usage(Told::Text(key)),
        },
        TemplateError::Lex { message, .. } if message == "unclosed action" => {
            Error::usage(told!("this template has a {{{{ without its }}}}"))
        }
        other => {
            let reason = other.to_string();
            let reason = reason.trim_start_matches("template: ").trim_start_matches("execution error: ");
            Error::usage_hint(
                told!("the template is not understood: {}", text::raw(reason)),
                told!("templates are Go's, as docker takes them: {HELP}"),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn source() -> (Value, Value) {
        let root = json!({"Names": "web\u{1b}", "State": {"Pid": 7, "Run": true}, "Args": ["a", "b"], "None": null, "L": {"a.b": "c"}});
        (root, json!({"x": "y"}))
    }

    fn filled(template: &str) -> Result<String, Error> {
        let (root, labels) = source();
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
        let refusal = filled("{{range .Args}}{{$.State.Pod}}{{end}}").unwrap_err().refusal();
        assert_eq!(refusal.hint.unwrap(), "did you mean .Pid");
    }

    #[test]
    fn what_is_not_known_is_an_error_not_a_guess() {
        for bad in [
            "{{.Names",
            "{{range .Args}}",
            "{{end}}",
            "a{{else}}b",
            "{{if .Names}}a{{else}}b",
            "{{}}",
            "{{.a b}}",
            "{{.Names b}}",
            "{{.field . \"a\"}}",
            "{{define \"a\"}}",
        ] {
            assert!(Template::parse(bad).is_err(), "{bad}");
        }
        let refusal = Template::parse("{{.Names").unwrap_err().refusal();
        assert_eq!(refusal.message, "this template has a {{ without its }}");
        for bad in
            ["{{.Label 1}}", "{{index .Args 7}}", "{{.Names.x}}", "{{index .L .State}}", "{{join .Names 1}}"]
        {
            let refusal = filled(bad).unwrap_err().refusal();
            assert!(
                refusal.message.to_string().starts_with("the template is not understood: "),
                "{bad}: {}",
                refusal.message
            );
        }
    }

    #[test]
    fn a_template_knows_what_it_asks_for() {
        let asks = |text: &str| Template::parse(text).unwrap().mentions("Size");
        for text in [
            "{{.Size}}",
            "{{json .}}",
            "{{if .ID}}{{.Size}}{{end}}",
            "{{range .Mounts}}{{$.Size}}{{end}}",
            "{{.Size | printf \"%s\"}}",
            "{{with $x := .}}{{$x.Size}}{{end}}",
            "{{define \"a\"}}{{.Size}}{{end}}{{template \"a\" .}}",
        ] {
            assert!(asks(text), "{text}");
        }
        assert!(!asks("{{.ID}}") && !asks("{{range split .Names \",\"}}{{.}}{{end}}"));
    }

    /// From a container's own words comes no line, no tab and no command to the terminal, whatever functions make of them.
    #[test]
    fn a_terminal_sees_no_command() {
        let root = json!({"N": "a\nb\tc\u{1b}[2J\u{202e}", "L": {"k\n": ["\u{9b}\n"]}, "P": "\u{f001b}\u{10001b}\n"});
        for (template, expected) in [
            ("{{.N}}", "a\\nb\\u{9}c\\u{1b}[2J\\u{202e}"),
            ("{{upper .N}}", "A\\nB\\u{9}C\\u{1b}[2J\\u{202e}"),
            ("{{.L}}", "map[k\\n:[\\u{9b}\\n]]"),
            ("{{range $k, $v := .L}}{{$k}}={{join $v \"\\n\"}}{{end}}", "k\\n=\\u{9b}\\n"),
            ("{{json .L}}{{json .N}}", r#"{"k\n":["\u009b\n"]}"a\nb\tc\u001b[2J\u202e""#),
            ("{{printf \"%s\" .N}}", "a\\nb\\u{9}c\\u{1b}[2J\\u{202e}"),
            ("{{index (split .N \"b\") 0}}", "a\\n"),
            ("{{printf \"%c\" 27}}{{\"\\x1b\"}}", "\\u{1b}\\u{1b}"),
            ("{{with .P}}{{.}}{{end}}|{{json .P}}", "\u{f001b}\u{10001b}\\n|\"\u{f001b}\u{10001b}\\n\""),
            ("{{len .N}}{{truncate .N 2}}|", "12a\\n|"),
            // What the user types is the user's own.
            ("\u{1b}[1m{{println 1}}{{\"\\n\"}}", "\u{1b}[1m1\n\n"),
        ] {
            let template = Template::parse(template).unwrap();
            let filled = template.fill(Source { root: &root, labels: &Value::Null }).unwrap();
            assert_eq!(filled, expected);
        }
    }

    #[test]
    fn a_template_without_end_is_refused() {
        let nested =
            |open: &str, close: &str, times| format!("{}1{}", open.repeat(times), close.repeat(times));
        for text in [
            nested("{{if 1}}", "{{end}}", 1_000),
            format!("{{{{{}}}}}", nested("(", ")", 8_000)),
            nested("{{if 1}}", "{{end}}", 10_000),
            "{{range 99999999999}}{{end}}".to_owned(),
            "{{define \"a\"}}{{template \"a\"}}{{end}}{{template \"a\"}}".to_owned(),
            format!("{{{{pad \"a\" {} 0}}}}", i64::MAX),
        ] {
            assert!(filled(&text).is_err(), "{}", text.get(..40).unwrap_or(&text));
        }
        let chain = |times| format!("{{{{if 0}}}}{}{{{{end}}}}", "{{else if 0}}".repeat(times));
        assert_eq!(filled(&chain(150)).unwrap(), "");
        assert!(filled(&chain(1_200)).is_err());
        assert_eq!(filled(&format!("{{{{1{}}}}}", "|print".repeat(2_000))).unwrap(), "1");
        assert!(filled(&format!("{{{{{}}}}}", ".a".repeat(8_000))).is_err());
    }
}
