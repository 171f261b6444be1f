//! Words of a caller's that go into a body of ours, each checked for what it may be.

use super::refused::WishError;
use crate::protocol::told::told;
use serde::Deserialize;

/// Holds a list to a length: each entry becomes work, as root, at every start.
pub(super) fn at_most(field: &str, count: usize, most: usize) -> Result<(), WishError> {
    if count > most {
        return Err(WishError::Bad(told!("{field} has {count} entries, the most is {most}")));
    }
    Ok(())
}

/// A command: Docker takes a list, or one string.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(super) enum Words {
    List(Vec<String>),
    One(String),
}

impl Words {
    fn into_list(self) -> Vec<String> {
        match self {
            Self::List(list) => list,
            Self::One(word) => vec![word],
        }
    }
}

/// The most bytes a command line or an environment may hold together; the kernel's own limit is 2 MiB.
const MOST_BYTES: usize = 128 << 10;
/// The most words of them.
const MOST_WORDS: usize = 4096;

/// A command line, of bounded size and without NUL. An empty list is as good as none.
pub(super) fn command(field: &str, words: Option<Words>) -> Result<Option<Vec<String>>, WishError> {
    let Some(words) = words.map(Words::into_list).filter(|words| !words.is_empty()) else { return Ok(None) };
    let bytes: usize = words.iter().map(String::len).sum();
    if bytes > MOST_BYTES || words.len() > MOST_WORDS {
        return Err(WishError::Bad(told!(
            "{field} has {} words of {bytes} bytes, the most is {MOST_WORDS} words and {MOST_BYTES} bytes",
            words.len()
        )));
    }
    if words.iter().any(|word| word.contains('\0')) {
        return Err(WishError::Bad(told!("{field} holds a NUL character")));
    }
    Ok(Some(words))
}

/// An absolute path inside the container, without `..`, and not in a kernel file system.
pub(super) fn inner_path(field: &str, path: &str) -> Result<(), WishError> {
    let normal = path.starts_with('/') && !path.split('/').any(|part| part == "..") && !path.contains('\0');
    if !normal || path.len() > 4096 {
        return Err(WishError::Bad(told!("{field}: {path:?} is not an absolute path without '..'")));
    }
    let first = path.split('/').find(|part| !part.is_empty() && *part != ".").unwrap_or_default();
    if matches!(first, "proc" | "sys" | "dev") {
        return Err(WishError::not_allowed(field, told!("/proc, /sys and /dev are the kernel's")));
    }
    Ok(())
}

/// A host name of letters, digits, dots and dashes.
pub(super) fn hostname(field: &str, name: &str) -> Result<(), WishError> {
    let good = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
    if name.len() > 63 || !name.bytes().all(good) || name.starts_with(['-', '.']) {
        return Err(WishError::Bad(told!(
            "{field}: {name:?} is not a host name of up to 63 letters, digits, '-' and '.'"
        )));
    }
    Ok(())
}

/// A signal by name or number, as Docker takes it.
pub(in crate::gateway) fn signal(field: &str, word: &str) -> Result<(), WishError> {
    let bare = word.strip_prefix("SIG").unwrap_or(word);
    let number = bare.parse::<u8>().is_ok_and(|number| (1..=64).contains(&number));
    let name = bare.starts_with(|c: char| c.is_ascii_alphabetic())
        && bare.len() <= 12
        && bare.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'-');
    if number || name { Ok(()) } else { Err(WishError::Bad(told!("{field}: {word:?} is not a signal"))) }
}
/// A name that a container is found by in a network: like a host's, and underscores, which the engine's resolver takes.
pub(super) fn alias(field: &str, word: &str) -> Result<(), WishError> {
    let first = word.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
    let rest = word.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
    if first && rest && word.len() <= 128 {
        return Ok(());
    }
    Err(WishError::Bad(told!("{field}: {word:?} is not a name of letters, digits, '_', '.' and '-'")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_has_an_end() {
        let takes = |words: Vec<String>| {
            command("Cmd", Some(Words::List(words))).map(|kept| kept.map(|kept| kept.len()))
        };
        assert_eq!(takes(vec![]).ok(), Some(None));
        assert_eq!(takes(vec!["x".into(); MOST_WORDS]).ok(), Some(Some(MOST_WORDS)));
        assert_eq!(takes(vec!["x".repeat(MOST_BYTES)]).ok(), Some(Some(1)));
        assert_eq!(takes(vec!["x".repeat(MOST_BYTES / 2); 2]).ok(), Some(Some(2)));
        assert!(takes(vec!["x".into(); MOST_WORDS + 1]).is_err());
        assert!(takes(vec!["x".repeat(MOST_BYTES + 1)]).is_err());
        assert!(takes(vec!["a\0b".into()]).is_err());
        assert!(
            command("Cmd", Some(Words::One("sh".into()))).is_ok_and(|kept| kept == Some(vec!["sh".into()]))
        );
        assert!(at_most("X", 4, 4).is_ok() && at_most("X", 5, 4).is_err());
    }

    #[test]
    fn words_that_become_paths_and_names() {
        for good in ["/", "/x", "/./x", &format!("/{}", "x".repeat(4095))] {
            assert!(inner_path("X", good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "x",
            "/a/../b",
            "/a\0",
            "/proc",
            "//proc/x",
            "/./sys",
            "/dev/",
            &format!("/{}", "x".repeat(4096)),
        ] {
            assert!(inner_path("X", bad).is_err(), "{bad}");
        }
        for good in ["", "box", "a.b-c", "A1", &"x".repeat(63)] {
            assert!(hostname("X", good).is_ok(), "{good}");
        }
        for bad in ["a b", "-a", ".a", "a_b", "a/b", &"x".repeat(64)] {
            assert!(hostname("X", bad).is_err(), "{bad}");
        }
        for good in ["KILL", "SIGKILL", "9", "64", "SIGRTMIN+3", "rtmax-1", "SIGABCDEFGHIJKL"] {
            assert!(signal("X", good).is_ok(), "{good}");
        }
        for bad in ["", "0", "65", "-1", "SIG", "KILL ", "KI/LL", "+KILL", "ABCDEFGHIJKLM", "9x"] {
            assert!(signal("X", bad).is_err(), "{bad}");
        }
        for good in ["db", "a_b", "a.b-c", "1", &"x".repeat(128)] {
            assert!(alias("X", good).is_ok(), "{good}");
        }
        for bad in ["", "_a", "a b", "a/b", &"x".repeat(129)] {
            assert!(alias("X", bad).is_err(), "{bad}");
        }
    }
}
