//! A container's text, kept apart from the user's while a template is filled.
//!
//! A newline or a tab of the user's makes lines and columns; a container's is shown as an escape, as is everything else that
//! a terminal would act on. So a container's newlines and tabs are characters of a private area meanwhile.

use crate::protocol::escape::escape_line;

/// Where a container's newlines and tabs are meanwhile: the first character of a private area.
const AWAY: u32 = 0x10_0000;

/// A container's text, to be filled in.
pub(super) fn foreign(text: &str) -> String {
    let away = |c: char| char::from_u32(u32::from(c).saturating_add(AWAY)).unwrap_or(c);
    text.chars().map(|c| if is_break(c) { away(c) } else { c }).collect()
}

/// A text as it was before it was filled in.
pub(super) fn raw(text: &str) -> String {
    text.chars().map(back).collect()
}

/// What has been filled in, as it is shown.
pub(super) fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_break(c) {
            out.push(c);
        } else {
            out.push_str(&escape_line(back(c).encode_utf8(&mut [0; 4])));
        }
    }
    out
}

fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\t')
}

fn back(c: char) -> char {
    u32::from(c).checked_sub(AWAY).and_then(char::from_u32).filter(|c| is_break(*c)).unwrap_or(c)
}
