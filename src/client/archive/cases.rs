//! Docker's table of cases: what a copy is called where it arrives, by what is there already.

use crate::protocol::path::AskedPath;

/// Why a copy makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaseError {
    DirectoryOntoFile,
    NoSuchDirectory,
    LinkToDirectory,
}

/// What is copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    pub path: AskedPath,
    pub is_directory: bool,
}

/// What is at the destination, links followed: in a container as Docker does, here not those of the caller's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    Nothing,
    Directory,
    /// A file; or a link to one, or to nothing, that is not followed.
    Other,
    /// A link to a directory that is not followed.
    LinkToDirectory,
}

/// Where an archive is unpacked, and what its root is called there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    pub directory: AskedPath,
    /// One component; `.` and `/` mean that the contents arrive beside each other.
    pub root: Vec<u8>,
}

/// Chooses among the cases of `docker cp`:
///
/// | destination | source: file | source: directory | source: `directory/.` |
/// |---|---|---|---|
/// | missing | becomes that file; refused if it ends in `/` | becomes that directory | becomes that directory |
/// | a file | replaces it | refused | refused |
/// | a link to a directory, not followed | refused | refused | refused |
/// | a directory | goes into it | goes into it | its contents go into it |
///
/// # Errors
/// What the table calls refused: a directory onto a file, anything onto a link to a directory, and a file to a missing directory.
pub fn arrival(source: &Source, destination: &AskedPath, found: Found) -> Result<Arrival, CaseError> {
    match found {
        Found::Directory => Ok(Arrival { directory: destination.clone(), root: source.path.base().to_vec() }),
        Found::LinkToDirectory => Err(CaseError::LinkToDirectory),
        Found::Other if source.is_directory => Err(CaseError::DirectoryOntoFile),
        Found::Nothing if !source.is_directory && destination.asks_for_directory() => {
            Err(CaseError::NoSuchDirectory)
        }
        Found::Other | Found::Nothing => {
            Ok(Arrival { directory: destination.parent(), root: destination.base().to_vec() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrive(
        source: &str,
        is_directory: bool,
        destination: &str,
        found: Found,
    ) -> Result<(String, String), CaseError> {
        let path = |word: &str| AskedPath::new(word.as_bytes()).unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let source = Source { path: path(source), is_directory };
        arrival(&source, &path(destination), found).map(|to| (text(to.directory.as_bytes()), text(&to.root)))
    }

    fn at(directory: &str, root: &str) -> Result<(String, String), CaseError> {
        Ok((directory.to_owned(), root.to_owned()))
    }

    #[test]
    fn a_file_goes_where_docker_puts_it() {
        assert_eq!(arrive("/s/f", false, "/d", Found::Directory), at("/d", "f"));
        assert_eq!(arrive("/s/f", false, "/d/", Found::Directory), at("/d/", "f"));
        assert_eq!(arrive("/s/f", false, "/d/g", Found::Other), at("/d", "g"));
        assert_eq!(arrive("/s/f", false, "/d/g", Found::Nothing), at("/d", "g"));
        assert_eq!(arrive("/s/f", false, "/d/g/", Found::Nothing), Err(CaseError::NoSuchDirectory));
        assert_eq!(arrive("/s/f", false, "/d/g/.", Found::Nothing), Err(CaseError::NoSuchDirectory));
    }

    #[test]
    fn a_directory_goes_where_docker_puts_it() {
        for source in ["/s/e", "/s/e/"] {
            assert_eq!(arrive(source, true, "/d", Found::Directory), at("/d", "e"));
            assert_eq!(arrive(source, true, "/d/g", Found::Nothing), at("/d", "g"));
            assert_eq!(arrive(source, true, "/d/g/", Found::Nothing), at("/d", "g"));
            assert_eq!(arrive(source, true, "/d/g", Found::Other), Err(CaseError::DirectoryOntoFile));
        }
        assert_eq!(arrive("/s/e/.", true, "/d", Found::Directory), at("/d", "."));
        assert_eq!(arrive("/s/e/.", true, "/d/g", Found::Nothing), at("/d", "g"));
        assert_eq!(arrive("/", true, "/d", Found::Directory), at("/d", "/"));
        assert_eq!(arrive("/", true, "/g", Found::Nothing), at("/", "g"));
    }
}
