//! Names in archives: relative paths below a directory, and nothing else.

use super::LONGEST_NAME;
use crate::protocol::told::Told;

/// Why a name is not one below a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, Told)]
pub enum NameFault {
    #[error("the name is empty")]
    Empty,
    #[error("the name contains '..'")]
    Parent,
    #[error("the name contains a zero byte")]
    Zero,
    #[error("the name is longer than 4095 bytes")]
    TooLong,
}

/// The name without empty and `.` components: `./a//b/` is `a/b`; empty for the directory itself.
///
/// `/etc/x` is `etc/x`, below wherever the archive goes, as the engine has it: the archive of a whole root is named so.
///
/// `..` is refused, not resolved: `a/../b` is another place when `a` is a link.
///
/// # Errors
/// A name that is empty, longer than [`LONGEST_NAME`], or has a zero byte or `..`.
pub fn clean(raw: &[u8]) -> Result<Vec<u8>, NameFault> {
    if raw.is_empty() {
        return Err(NameFault::Empty);
    }
    if raw.len() > LONGEST_NAME {
        return Err(NameFault::TooLong);
    }
    if raw.contains(&0) {
        return Err(NameFault::Zero);
    }
    let mut name = Vec::with_capacity(raw.len());
    for part in raw.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".") {
        if part == b".." {
            return Err(NameFault::Parent);
        }
        join(&mut name, part);
    }
    Ok(name)
}

/// Appends one component.
pub(crate) fn join(name: &mut Vec<u8>, part: &[u8]) {
    if !name.is_empty() && !name.ends_with(b"/") {
        name.push(b'/');
    }
    name.extend_from_slice(part);
}

/// A clean name's directory and last component: `a/b/c` is `a/b` and `c`.
pub(crate) fn split(name: &[u8]) -> (&[u8], &[u8]) {
    match name.iter().rposition(|byte| *byte == b'/').and_then(|at| name.split_at_checked(at)) {
        Some((directory, last)) => (directory, last.strip_prefix(b"/").unwrap_or(last)),
        None => (b"", name),
    }
}

/// An archive's root component: the one everything was asked for by, and what it is called where it arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// The component each name must begin with; empty if the names lie beside each other.
    pub from: Vec<u8>,
    /// What stands there instead; empty for nothing.
    pub to: Vec<u8>,
}

impl Root {
    /// The clean name under its new root; none if it does not lie below the root that was asked for.
    pub fn rename(&self, name: &[u8]) -> Option<Vec<u8>> {
        let below = match name.strip_prefix(self.from.as_slice())? {
            b"" => b"".as_slice(),
            rest if self.from.is_empty() => rest,
            rest => rest.strip_prefix(b"/")?,
        };
        let mut renamed = self.to.clone();
        if !below.is_empty() {
            join(&mut renamed, below);
        }
        Some(renamed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cleaned(raw: &[u8]) -> Result<String, NameFault> {
        clean(raw).map(|name| String::from_utf8(name).unwrap())
    }

    #[test]
    fn names_are_relative_and_plain() {
        assert_eq!(cleaned(b"./a//b/./c/"), Ok("a/b/c".to_owned()));
        assert_eq!(cleaned(b"./"), Ok(String::new()));
        assert_eq!(cleaned(b"..a/...b"), Ok("..a/...b".to_owned()));
        assert_eq!(cleaned(b""), Err(NameFault::Empty));
        assert_eq!(cleaned(b"/etc/passwd"), Ok("etc/passwd".to_owned()));
        assert_eq!(cleaned(b"/"), Ok(String::new()));
        assert_eq!(cleaned(b"a/../b"), Err(NameFault::Parent));
        assert_eq!(cleaned(b".."), Err(NameFault::Parent));
        assert_eq!(cleaned(b"a\0b"), Err(NameFault::Zero));
        assert_eq!(cleaned(&[b'a'; 4096]), Err(NameFault::TooLong));
        assert_eq!(cleaned(b"//etc/x"), Ok("etc/x".to_owned()));
        assert_eq!(cleaned(b"/../x"), Err(NameFault::Parent));
    }

    #[test]
    fn a_root_is_renamed_and_nothing_beside_it_passes() {
        let root = Root { from: b"web".to_vec(), to: b"copy".to_vec() };
        assert_eq!(root.rename(b"web"), Some(b"copy".to_vec()));
        assert_eq!(root.rename(b"web/a/web"), Some(b"copy/a/web".to_vec()));
        for beside in [b"website".as_slice(), b"webs/a", b".bashrc", b""] {
            assert_eq!(root.rename(beside), None);
        }
        let flat = Root { from: vec![], to: b"new".to_vec() };
        assert_eq!(flat.rename(b""), Some(b"new".to_vec()));
        assert_eq!(flat.rename(b"a/b"), Some(b"new/a/b".to_vec()));
        let same = Root { from: vec![], to: vec![] };
        assert_eq!(same.rename(b"a/b"), Some(b"a/b".to_vec()));
    }

    #[test]
    fn a_name_is_a_directory_and_a_last_part() {
        assert_eq!(split(b"a/b/c"), (b"a/b".as_slice(), b"c".as_slice()));
        assert_eq!(split(b"c"), (b"".as_slice(), b"c".as_slice()));
    }

    proptest! {
        #[test]
        fn a_clean_name_never_climbs(raw in proptest::collection::vec(prop_oneof![Just(b'.'), Just(b'/'), any::<u8>()], 0..40)) {
            if let Ok(name) = clean(&raw) {
                prop_assert!(!name.starts_with(b"/") && !name.contains(&0));
                prop_assert!(name.is_empty() || name.split(|b| *b == b'/').all(|part| !part.is_empty() && part != b"." && part != b".."));
                prop_assert!(name.is_empty() || clean(&name) == Ok(name.clone()));
            }
        }
    }
}
