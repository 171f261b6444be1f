//! Paths taken as text: absolute, plain, and never above what they claim to lie below.

use crate::protocol::told::Told;
use std::path::{Component, Path, PathBuf};

/// Why a path is not taken; the sentence goes on after the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, Told)]
pub enum PathFault {
    #[error("is not an absolute path")]
    Relative,
    #[error("holds `.` or `..`, give the path itself")]
    Dots,
    #[error("is not plain UTF-8 text without control characters")]
    Text,
    #[error("is longer than 4095 bytes")]
    Long,
}

/// The path without doubled and trailing slashes. `.` and `..` are refused, not resolved: what they mean depends on
/// symbolic links, which nobody looks at here.
pub(super) fn plain(path: &Path) -> Result<PathBuf, PathFault> {
    let text = path.to_str().filter(|text| !text.contains(char::is_control)).ok_or(PathFault::Text)?;
    if !text.starts_with('/') {
        return Err(PathFault::Relative);
    }
    if text.len() > 4095 {
        return Err(PathFault::Long);
    }
    if text.split('/').any(|part| part == "." || part == "..") {
        return Err(PathFault::Dots);
    }
    Ok(path.components().collect())
}

/// What of `path` lies below `root`; empty when they are the same. Both are plain.
pub(super) fn below<'p>(path: &'p Path, root: &Path) -> Option<&'p Path> {
    path.strip_prefix(root).ok()
}

/// Whether one of two plain paths lies below the other, or they are the same.
pub(super) fn overlap(one: &Path, two: &Path) -> bool {
    one.starts_with(two) || two.starts_with(one)
}

pub(super) fn is_root(path: &Path) -> bool {
    path.components().all(|part| part == Component::RootDir)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_plain_absolute_paths_are_taken() {
        let take = |text: &str| plain(Path::new(text)).map(|path| path.to_str().unwrap().to_owned());
        assert_eq!(take("/home/ann"), Ok("/home/ann".into()));
        assert_eq!(take("//home//ann/"), Ok("/home/ann".into()));
        assert_eq!(take("/home/ann/..data"), Ok("/home/ann/..data".into()));
        assert!(take(&format!("/{}", "x".repeat(4094))).is_ok());
        assert_eq!(take(&format!("/{}", "x".repeat(4095))), Err(PathFault::Long));
        assert_eq!(take("home"), Err(PathFault::Relative));
        assert_eq!(take(""), Err(PathFault::Relative));
        assert_eq!(take("/home/ann/../bob"), Err(PathFault::Dots));
        assert_eq!(take("/home/./ann"), Err(PathFault::Dots));
        assert_eq!(take("/home/ann/.."), Err(PathFault::Dots));
        assert_eq!(take("/home/a\0nn"), Err(PathFault::Text));
        assert_eq!(take("/home/a\nnn"), Err(PathFault::Text));
        assert_eq!(take(&format!("/{}", "a".repeat(4095))), Err(PathFault::Long));
    }

    #[test]
    fn below_goes_by_whole_names() {
        assert_eq!(below(Path::new("/home/ann/x"), Path::new("/home")), Some(Path::new("ann/x")));
        assert_eq!(below(Path::new("/home"), Path::new("/home")), Some(Path::new("")));
        assert_eq!(below(Path::new("/homes/ann"), Path::new("/home")), None);
    }

    proptest! {
        #[test]
        fn a_plain_path_has_only_names(text in "(/|[.]{1,2}|[a-c\\n]|é){0,12}") {
            if let Ok(path) = plain(Path::new(&text)) {
                prop_assert!(path.is_absolute());
                let names = path.components().skip(1).all(|part| matches!(part, Component::Normal(_)));
                prop_assert!(names);
            }
        }
    }
}
