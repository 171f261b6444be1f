//! What is kept of containers from one gateway to the next: a directory with a file for each, named by its id.

use super::engine::ContainerId;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;

/// Reads what was kept, and takes away what cannot be read: it was half-written when a gateway ended.
pub(super) fn open<T>(dir: &Path, parse: impl Fn(&str) -> Option<T>) -> io::Result<HashMap<ContainerId, T>> {
    fs::create_dir_all(dir)?;
    let mut held = HashMap::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let id = path.file_name().and_then(|name| ContainerId::parse(name.to_str()?));
        let kept = fs::read_to_string(&path).ok().and_then(|text| parse(&text));
        match id.zip(kept) {
            Some((id, kept)) => drop(held.insert(id, kept)),
            None => fs::remove_file(&path)?,
        }
    }
    Ok(held)
}

/// Takes away what was kept of one container.
pub(super) fn forget(dir: &Path, id: &ContainerId) {
    if let Err(error) = fs::remove_file(dir.join(id.as_str())) {
        tracing::warn!(container = id.as_str(), "what was kept of a container is left: {error}");
    }
}
