//! JSON laid out over lines, its keys in the order they came.

use crate::protocol::escape::escape_json;
use serde_json::value::RawValue;

const INDENT: &str = "    ";

/// The value over several lines, as `inspect` shows it. Numbers and strings stay as they were written.
pub(crate) fn pretty(value: &RawValue) -> String {
    let mut out = String::new();
    let mut depth = 0;
    let mut chars = value.get().chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => string(&mut out, &mut chars),
            '{' | '[' => {
                out.push(c);
                while chars.next_if(|c| c.is_ascii_whitespace()).is_some() {}
                // An empty one stays on its line.
                if let Some(end) = chars.next_if(|c| matches!(c, '}' | ']')) {
                    out.push(end);
                } else {
                    depth += 1;
                    line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth -= 1;
                line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            ' ' | '\t' | '\r' | '\n' => {}
            other => out.push(other),
        }
    }
    escape_json(&out) + "\n"
}

fn line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n(INDENT, depth));
}

/// The rest of a string whose opening quote has been taken.
fn string(out: &mut String, chars: &mut impl Iterator<Item = char>) {
    out.push('"');
    let mut escaped = false;
    for c in chars {
        out.push(c);
        match c {
            '"' if !escaped => return,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_their_order_and_strings_their_spelling() {
        let raw = r#"{"b":[ 1e3,{}, [ ] ],"a":"x, \"y\": {\\","u":"<"}"#;
        let expected = r#"{
    "b": [
        1e3,
        {},
        []
    ],
    "a": "x, \"y\": {\\",
    "u": "<"
}
"#;
        let raw: Box<RawValue> = serde_json::from_str(raw).unwrap();
        assert_eq!(pretty(&raw), expected);
    }

    #[test]
    fn a_terminal_sees_no_command() {
        let raw: Box<RawValue> = serde_json::from_str("[\"\u{9b}0m\"]").unwrap();
        assert_eq!(pretty(&raw), "[\n    \"\\u009b0m\"\n]\n");
    }
}
