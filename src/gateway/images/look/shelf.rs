//! What was found, from one gateway to the next: a file for each image, named by its id's digits.
//!
//! The files are `state/images/ID`, each with the version of the way of looking.

use super::seen::Seen;
use crate::gateway::engine::ImageId;
use crate::gateway::state_file;
use crate::protocol::layout::ASIDE;
use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The directory of those files, which the gateway's user alone reads and writes.
#[derive(Debug)]
pub(super) struct Shelf(PathBuf);

impl Shelf {
    /// Whatever lies there: what is none of these files is taken away if it was half-written, and else set aside.
    pub(super) fn open(dir: &Path) -> Self {
        if let Err(error) = state_file::dir(dir) {
            tracing::error!("{} cannot be made yet, images are looked through anew: {error}", dir.display());
        }
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let (path, is_file) = (entry.path(), entry.file_type().is_ok_and(|kind| kind.is_file()));
            if path.to_string_lossy().contains(ASIDE) {
                continue;
            }
            match (image_of(&path), is_file) {
                (Some(_), true) => {}
                (None, true) => drop(fs::remove_file(&path)),
                (_, false) => state_file::set_aside(&path, "it is no file"),
            }
        }
        Self(dir.to_owned())
    }

    /// What was found in an image by this way of looking; none where nobody looked, or by another way.
    pub(super) fn read(&self, image: &ImageId) -> Option<Seen> {
        Seen::parse(&fs::read(self.0.join(image.digits())).ok()?)
    }

    pub(super) fn write(&self, image: &ImageId, seen: &Seen) -> io::Result<()> {
        state_file::half_write(self.0.join(image.digits()), &serde_json::to_vec(seen)?)?.finish()
    }

    /// The images of which something is known.
    pub(super) fn images(&self) -> io::Result<HashSet<ImageId>> {
        let entries = fs::read_dir(&self.0)?;
        Ok(entries.flatten().filter_map(|entry| image_of(&entry.path())).collect())
    }

    /// Takes away what was found in these images.
    pub(super) fn take_away(&self, images: &HashSet<ImageId>) -> io::Result<()> {
        images.iter().try_for_each(|image| match fs::remove_file(self.0.join(image.digits())) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        })
    }
}

fn image_of(path: &Path) -> Option<ImageId> {
    ImageId::parse(&format!("sha256:{}", path.file_name()?.to_str()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::images::look::links::Links;
    use crate::protocol::told::Told;

    #[test]
    fn what_was_found_is_kept_whole_and_by_the_way_it_was_found() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(&dir.path().join("images"));
        let image =
            |digit: char| ImageId::parse(&format!("sha256:{}", digit.to_string().repeat(64))).unwrap();
        let (clean, refused) =
            (Seen::clean(&[], 3, Links::default()), Seen::refused(&[], 3, Told::text("no")));
        shelf.write(&image('a'), &clean).unwrap();
        shelf.write(&image('b'), &refused).unwrap();
        let shelf = Shelf::open(&dir.path().join("images"));
        assert_eq!((shelf.read(&image('a')), shelf.read(&image('b'))), (Some(clean), Some(refused)));
        let file = dir.path().join("images").join("b".repeat(64));
        let text = fs::read_to_string(&file).unwrap();
        for other in [text.replace("\"version\":2", "\"version\":1"), text[..20].to_owned(), String::new()] {
            fs::write(&file, other).unwrap();
            assert_eq!(shelf.read(&image('b')), None);
        }
        assert_eq!(shelf.images().unwrap(), HashSet::from([image('a'), image('b')]));
        fs::write(dir.path().join("images/x.new"), "half").unwrap();
        let shelf = Shelf::open(&dir.path().join("images"));
        shelf.take_away(&HashSet::from([image('b'), image('c')])).unwrap();
        let left: Vec<_> =
            fs::read_dir(dir.path().join("images")).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, ["a".repeat(64).as_str()]);
    }
}
