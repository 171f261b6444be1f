//! Paths as Docker's API and `docker cp` read them: by their letters, and with a meaning in a `/` or `/.` at the end.

use crate::protocol::told::Told;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Why a word is not a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, Told)]
pub enum PathError {
    #[error("a path cannot be empty")]
    Empty,
    #[error("a path has at most 4095 bytes")]
    TooLong,
    #[error("a path cannot contain a zero byte")]
    Zero,
}

/// An absolute path without `.`, `..` and double slashes; a `/` or `/.` at its end is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedPath {
    path: Vec<u8>,
}

impl AskedPath {
    /// Reads a path in a container: one that does not begin with `/` begins at the root all the same.
    ///
    /// # Errors
    /// The word is empty, has a zero byte, or is longer than 4095 bytes.
    pub fn new(word: &[u8]) -> Result<Self, PathError> {
        match word.len() {
            0 => return Err(PathError::Empty),
            1..=4095 => {}
            _ => return Err(PathError::TooLong),
        }
        if word.contains(&0) {
            return Err(PathError::Zero);
        }
        let mut parts: Vec<&[u8]> = Vec::new();
        for part in word.split(|byte| *byte == b'/') {
            match part {
                b"" | b"." => {}
                b".." => drop(parts.pop()),
                part => parts.push(part),
            }
        }
        let mut path = b"/".to_vec();
        path.extend_from_slice(&parts.join(&b'/'));
        // `dir/./` says `.` too.
        if word.rsplit(|byte| *byte == b'/').find(|part| !part.is_empty()) == Some(b".") {
            path.extend_from_slice(if parts.is_empty() { b"." } else { b"/." });
        } else if word.ends_with(b"/") && !parts.is_empty() {
            path.push(b'/');
        }
        Ok(Self { path })
    }

    /// Reads a path that begins in `directory` unless it begins with `/`.
    ///
    /// # Errors
    /// As [`AskedPath::new`], for both together.
    pub fn within(directory: &[u8], word: &[u8]) -> Result<Self, PathError> {
        match word.first() {
            None | Some(b'/') => Self::new(word),
            Some(_) => Self::new(&[directory, b"/", word].concat()),
        }
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.path
    }

    pub fn as_path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.path))
    }

    /// The last component: what an archive of the path calls it. `.` for `dir/.`, `/` for the root.
    pub fn base(&self) -> &[u8] {
        match self.bare().rsplit(|byte| *byte == b'/').next() {
            None | Some(b"") => b"/",
            Some(base) => base,
        }
    }

    /// The directory that [`base`](Self::base) lies in: `dir` for `dir/.`.
    pub fn parent(&self) -> Self {
        let bare = self.bare();
        let end = bare.iter().rposition(|byte| *byte == b'/').unwrap_or_default();
        Self { path: bare.get(..end.max(1)).unwrap_or(b"/").to_vec() }
    }

    /// Whether it ends in `/` or `/.`, and so can only be a directory.
    pub fn asks_for_directory(&self) -> bool {
        self.path.ends_with(b"/") || self.base() == b"."
    }

    fn bare(&self) -> &[u8] {
        self.path.strip_suffix(b"/").unwrap_or(&self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_what_the_engine_makes_of_them() {
        for (word, path, base, parent) in [
            ("/t/d", "/t/d", "d", "/t"),
            ("t/d/", "/t/d/", "d", "/t"),
            ("/t//d/.", "/t/d/.", ".", "/t/d"),
            ("/t/d/.//", "/t/d/.", ".", "/t/d"),
            ("/t/d/../.", "/t/.", ".", "/t"),
            ("/./", "/.", ".", "/"),
            ("/t/./x/../d", "/t/d", "d", "/t"),
            ("../../etc", "/etc", "etc", "/"),
            ("/", "/", "/", "/"),
            ("//", "/", "/", "/"),
            ("/.", "/.", ".", "/"),
            (".", "/.", ".", "/"),
            ("..", "/", "/", "/"),
        ] {
            let asked = AskedPath::new(word.as_bytes()).unwrap();
            let as_bytes = (asked.as_bytes(), asked.base());
            assert_eq!(as_bytes, (path.as_bytes(), base.as_bytes()), "{word}");
            assert_eq!(asked.parent().as_bytes(), parent.as_bytes(), "{word}");
        }
        assert_eq!(AskedPath::new(b""), Err(PathError::Empty));
        assert_eq!(AskedPath::new(&[b'a'; 4096]), Err(PathError::TooLong));
        assert_eq!(AskedPath::new(b"a\0"), Err(PathError::Zero));
    }

    #[test]
    fn a_local_path_begins_where_the_caller_is() {
        let within = |word: &str| AskedPath::within(b"/home/ann", word.as_bytes()).unwrap();
        assert_eq!(within("x").as_bytes(), b"/home/ann/x");
        assert_eq!(within(".").as_bytes(), b"/home/ann/.");
        assert_eq!(within("..").as_bytes(), b"/home");
        assert_eq!(within("/x/").as_bytes(), b"/x/");
        assert!(within("x/.").asks_for_directory() && within("x/").asks_for_directory());
        assert!(!within("x").asks_for_directory());
        assert_eq!(AskedPath::within(b"/home", b""), Err(PathError::Empty));
    }
}
