//! Text from outside made harmless before it reaches a terminal or a log.

/// Replaces what a terminal would act on: C0 but newline, DEL, C1, bidirectional and zero-width characters.
///
/// Each becomes its `\u{…}` escape, so that what was there stays readable.
pub fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        if c == '\n' || !is_active(c) {
            out.push(c);
        } else {
            out.extend(c.escape_unicode());
        }
        out
    })
}

/// [`escape`], and newlines too: for a cell of a table or a value in a line.
pub fn escape_line(text: &str) -> String {
    escape(text).replace('\n', "\\n")
}

/// The same for JSON text: what is active there stands inside a string, and becomes JSON's own `\uXXXX`.
pub fn escape_json(json: &str) -> String {
    json.chars().fold(String::with_capacity(json.len()), |mut out, c| {
        if c == '\n' || !is_active(c) {
            out.push(c);
        } else {
            let mut units = [0; 2];
            out.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        }
        out
    })
}

fn is_active(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_terminal_sees_no_command() {
        assert_eq!(escape("a\x1b[31mb\nc"), "a\\u{1b}[31mb\nc");
        assert_eq!(escape("\u{202e}evil\u{9b}0m"), "\\u{202e}evil\\u{9b}0m");
        assert_eq!(escape_line("a\nb\t日本語"), "a\\nb\\u{9}日本語");
    }

    #[test]
    fn json_stays_json() {
        let word = "\u{9b}0m\u{202e}\u{e0001}";
        let shown = escape_json(&serde_json::to_string(word).unwrap());
        assert_eq!(shown, r#""\u009b0m\u202e\udb40\udc01""#);
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), word);
    }

    proptest! {
        #[test]
        fn nothing_active_is_left(text in any::<String>()) {
            prop_assert!(escape(&text).chars().all(|c| c == '\n' || !is_active(c)));
            prop_assert!(!escape_line(&text).contains('\n'));
        }
    }
}
