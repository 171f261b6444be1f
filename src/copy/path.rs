//! The path that was asked for: absolute, tidied, and with the `/` or `/.` at its end that means something.

use super::Stopped;
use crate::protocol::copying::Ended;
use crate::tarball::LONGEST_NAME;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// A path as the engine's API takes it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    path: Vec<u8>,
}

impl Asked {
    /// Begins the path at the root and takes `.`, `..` and double slashes out of it, as the engine does, by its letters.
    pub(super) fn new(word: &[u8]) -> Result<Self, Stopped> {
        if word.is_empty() || word.len() > LONGEST_NAME {
            return Err(Stopped::new(Ended::Usage, "a path has 1 to 4096 bytes"));
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
        match word.rsplit(|byte| *byte == b'/').next() {
            Some(b".") => path.extend_from_slice(if parts.is_empty() { b"." } else { b"/." }),
            Some(b"") if !parts.is_empty() => path.push(b'/'),
            _ => {}
        }
        Ok(Self { path })
    }

    pub(super) fn as_path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.path))
    }

    /// What the path's member is called: its last component, `.` for `dir/.`, `/` for the root.
    pub(super) fn base(&self) -> &[u8] {
        let bare = self.path.strip_suffix(b"/").unwrap_or(&self.path);
        match bare.rsplit(|byte| *byte == b'/').next() {
            None | Some(b"") => b"/",
            Some(base) => base,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_what_the_engine_makes_of_them() {
        for (word, path, base) in [
            ("/t/d", "/t/d", "d"),
            ("t/d/", "/t/d/", "d"),
            ("/t//d/.", "/t/d/.", "."),
            ("/t/./x/../d", "/t/d", "d"),
            ("../../etc", "/etc", "etc"),
            ("/", "/", "/"),
            ("//", "/", "/"),
            ("/.", "/.", "."),
            (".", "/.", "."),
            ("..", "/", "/"),
        ] {
            let asked = Asked::new(word.as_bytes()).unwrap();
            assert_eq!(
                (asked.as_path().as_os_str(), asked.base()),
                (OsStr::new(path), base.as_bytes()),
                "{word}"
            );
        }
        assert!(Asked::new(b"").is_err());
        assert!(Asked::new(&[b'a'; 4097]).is_err());
    }
}
