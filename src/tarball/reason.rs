//! The kernel's reasons and other people's names, as a sentence shows them.

use crate::protocol::escape::escape_line;
use rustix::io::Errno;

/// The kernel's reason in the style of our sentences: `permission denied`.
pub(crate) fn reason(errno: Errno) -> String {
    let text = std::io::Error::from(errno).to_string();
    let bare = text.split(" (os error").next().unwrap_or(&text);
    let mut letters = bare.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

/// A name that came from outside, harmless on a terminal and in a log.
pub(crate) fn shown(name: &[u8]) -> String {
    escape_line(&String::from_utf8_lossy(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_read_as_ours() {
        assert_eq!(reason(Errno::ACCESS), "permission denied");
        assert_eq!(reason(Errno::NOENT), "no such file or directory");
        assert_eq!(shown(b"a\x1b[31m\nb\xff"), "a\\u{1b}[31m\\nb\u{fffd}");
    }
}
