//! The kernel's reasons and other people's names, as a sentence shows them.

use crate::protocol::escape::escape_line;
use crate::protocol::told::{Told, told};
use rustix::io::Errno;

/// The kernel's reason in the style of our sentences: `permission denied`.
pub(crate) fn reason(errno: Errno) -> Told {
    match errno {
        Errno::ACCESS => return told!("permission denied"),
        Errno::NOENT => return told!("no such file or directory"),
        Errno::NOTDIR => return told!("not a directory"),
        Errno::ISDIR => return told!("is a directory"),
        Errno::EXIST => return told!("file exists"),
        Errno::NOSPC => return told!("no space left on device"),
        Errno::DQUOT => return told!("disk quota exceeded"),
        Errno::ROFS => return told!("read-only file system"),
        Errno::LOOP => return told!("too many levels of symbolic links"),
        _ => {}
    }
    let text = std::io::Error::from(errno).to_string();
    let bare = text.split(" (os error").next().unwrap_or(&text);
    let mut letters = bare.chars();
    let sentence: Option<String> = letters.next().map(|first| first.to_lowercase().chain(letters).collect());
    Told::Text(sentence.unwrap_or_default())
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
        assert_eq!(reason(Errno::ACCESS).to_string(), "permission denied");
        assert_eq!(reason(Errno::NOENT).to_string(), "no such file or directory");
        assert_eq!(shown(b"a\x1b[31m\nb\xff"), "a\\u{1b}[31m\\nb\u{fffd}");
    }
}
