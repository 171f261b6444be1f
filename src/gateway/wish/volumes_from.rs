//! `--volumes-from`: what another container of the caller's has mounted, again. Whose it is and what it has remains to be
//! looked up, and what comes of it is judged as if it had been asked for by name.

use super::refused::WishError;
use super::words::at_most;
use crate::protocol::name::ContainerRef;
use crate::protocol::told::told;

const FIELD: &str = "HostConfig.VolumesFrom";
/// More containers than one may have mounts.
const MOST: usize = 32;

/// The mounts of one container, as it has them or read-only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::gateway) struct VolumesFrom {
    pub(in crate::gateway) container: ContainerRef,
    pub(in crate::gateway) read_only: bool,
}

/// `CONTAINER[:ro|rw]` each.
pub(super) fn volumes_from(words: Option<Vec<String>>) -> Result<Vec<VolumesFrom>, WishError> {
    let words = words.unwrap_or_default();
    at_most(FIELD, words.len(), MOST)?;
    words.iter().map(|word| one(word)).collect()
}

fn one(word: &str) -> Result<VolumesFrom, WishError> {
    let wrong = || WishError::Bad(told!("{FIELD}: {word:?} is not CONTAINER[:ro]"));
    let (container, mode) = word.split_once(':').unwrap_or((word, "rw"));
    let read_only = match mode {
        "ro" => true,
        "rw" => false,
        _ => return Err(wrong()),
    };
    let bare = container.strip_prefix('/').unwrap_or(container);
    Ok(VolumesFrom { container: bare.to_owned().try_into().map_err(|_| wrong())?, read_only })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_container_and_a_mode() {
        let of = |word: &str| one(word).map(|from| (from.container.as_str().to_owned(), from.read_only));
        assert_eq!(of("data").unwrap(), ("data".to_owned(), false));
        assert_eq!(of("/data:ro").unwrap(), ("data".to_owned(), true));
        assert_eq!(of("data:rw").unwrap(), ("data".to_owned(), false));
        for bad in ["", ":ro", "a/b", "a b", "data:", "data:shared", "data:ro:rw", "../x", "data:ro,z"] {
            assert!(of(bad).is_err(), "{bad}");
        }
        assert!(volumes_from(Some(vec!["a".to_owned(); 33])).is_err());
        assert_eq!(volumes_from(None).unwrap(), []);
    }
}
