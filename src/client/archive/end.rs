//! One end of a copy, as it is typed.

use super::remote::Remote;
use crate::protocol::name::{ContainerRef, NameError};
use crate::protocol::path::{AskedPath, PathError};
use crate::protocol::told::Told;
use crate::tarball::shown;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// Where a copy begins or ends.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    Container(Remote),
    Local(AskedPath),
    /// `-`: stdin or stdout.
    Stream,
}

/// Why a word is not an end.
#[derive(Debug, thiserror::Error, Told)]
pub enum EndError {
    #[error("{0}: {1}")]
    Container(String, NameError),
    #[error("{0}: {1}")]
    Path(String, PathError),
    #[error("the current directory cannot be told, use an absolute path: {0}")]
    NoDirectory(std::io::Error),
}

impl End {
    /// Reads a word as Docker does: `CONTAINER:PATH`, unless it begins with `/` or `.`.
    ///
    /// # Errors
    /// A word before the colon that no container can be called, a path that is none, or a current directory that cannot be told.
    pub fn parse(word: &OsStr) -> Result<Self, EndError> {
        let bytes = word.as_bytes();
        if bytes == b"-" {
            return Ok(Self::Stream);
        }
        let fault = |error| EndError::Path(shown(bytes), error);
        let is_path = bytes.starts_with(b"/") || bytes.starts_with(b".");
        let colon = bytes.iter().position(|byte| *byte == b':').filter(|_| !is_path);
        match colon.and_then(|at| bytes.split_at_checked(at)) {
            Some((container, path)) => {
                let word = shown(container);
                let container =
                    ContainerRef::try_from(word.clone()).map_err(|error| EndError::Container(word, error))?;
                let path = AskedPath::new(path.strip_prefix(b":").unwrap_or(path)).map_err(fault)?;
                Ok(Self::Container(Remote { container, path }))
            }
            None => {
                let here = std::env::current_dir().map_err(EndError::NoDirectory)?;
                let path = AskedPath::within(here.as_os_str().as_bytes(), bytes).map_err(fault)?;
                Ok(Self::Local(path))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(word: &str) -> Result<End, String> {
        End::parse(OsStr::new(word)).map_err(|error| error.to_string())
    }

    fn remote(container: &str, path: &str) -> Result<End, String> {
        let path = AskedPath::new(path.as_bytes()).unwrap();
        Ok(End::Container(Remote { container: container.parse().unwrap(), path }))
    }

    fn local(path: &str) -> Result<End, String> {
        Ok(End::Local(AskedPath::new(path.as_bytes()).unwrap()))
    }

    #[test]
    fn ends_are_told_apart_as_docker_does() {
        assert_eq!(parse("web:/a"), remote("web", "/a"));
        assert_eq!(parse("web:rel/"), remote("web", "/rel/"));
        assert_eq!(parse("web:/a:b"), remote("web", "/a:b"));
        assert_eq!(parse("-"), Ok(End::Stream));
        assert_eq!(parse("/b:c"), local("/b:c"));
        let here = std::env::current_dir().unwrap().into_os_string().into_string().unwrap();
        assert_eq!(parse("./a:b"), local(&format!("{here}/a:b")));
        assert_eq!(parse("."), local(&format!("{here}/.")));
        assert_eq!(parse("web:"), Err("web:: a path cannot be empty".to_owned()));
        assert_eq!(parse(""), Err(": a path cannot be empty".to_owned()));
        assert_eq!(parse("we b:/x"), Err("we b: no such container".to_owned()));
    }
}
