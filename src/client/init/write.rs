//! Files of root's, written whole or not at all.

use crate::client::error::Error;
use crate::protocol::told::told;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::fs::{File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// A file that is not there yet; one that has come meanwhile stays as it is, and that is an error.
pub(super) fn create(path: &Path, text: &str) -> Result<(), Error> {
    put(path, text, RenameFlags::NOREPLACE)
}

pub(super) fn replace(path: &Path, text: &str) -> Result<(), Error> {
    put(path, text, RenameFlags::empty())
}

fn put(path: &Path, text: &str, flags: RenameFlags) -> Result<(), Error> {
    let fresh = path.with_extension(format!("{}.new", std::process::id()));
    let written = (|| {
        if let Some(dir) = path.parent().filter(|dir| !dir.exists()) {
            std::fs::create_dir_all(dir)?;
            std::fs::set_permissions(dir, Permissions::from_mode(0o755))?;
        }
        let mut file = File::create_new(&fresh)?;
        file.set_permissions(Permissions::from_mode(0o644))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        Ok(renameat_with(CWD, &fresh, CWD, path, flags)?)
    })();
    written.map_err(|why: std::io::Error| {
        let _ = std::fs::remove_file(&fresh);
        Error::io(told!("write {}", path.display()), why)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_not_written_over_by_what_is_made() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/policy.toml");
        create(&path, "one").unwrap();
        assert!(create(&path, "two").is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one");
        replace(&path, "three").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "three");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o644);
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
}
