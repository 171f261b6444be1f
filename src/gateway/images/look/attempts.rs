//! Looks that are under way, on disk: what a gateway died in is not begun again and again.
//!
//! A note is there before a look begins, and gone when it has ended, whatever ended it; a gateway that is stopped takes its
//! notes back. So whoever finds one has found a death in the midst of a look. An image with a death is looked through alone,
//! and for whoever starts it: so what was only beside the one to blame is told from it.
//!
//! A look takes memory, and what kills one gateway must not be begun at once by the next. The notes are
//! `state/looking/ID`. A look that comes to its end clears the note. After the second death the image is refused.

use crate::gateway::engine::ImageId;
use crate::gateway::state_file;
use crate::protocol::told::{Told, told};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Gateways that may die in the midst of looking through one image.
const MOST_DEATHS: u32 = 2;

#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    /// Gateways that died in it.
    deaths: u32,
    under_way: bool,
}

/// The directory of the notes, a file for each image by its id's digits. An admin takes one away to try again.
#[derive(Debug)]
pub(super) struct Attempts(PathBuf);

impl Attempts {
    /// Counts the looks in which the gateway before this one died.
    pub(super) fn open(dir: &Path) -> Self {
        for (name, text) in state_file::files(dir) {
            let path = dir.join(&name);
            match image_of(&name).and_then(|_| parse(&text)) {
                Some(Note { deaths, under_way: true }) => count(&path, deaths.saturating_add(1)),
                Some(_) => {}
                None => state_file::set_aside(&path, "it cannot be understood"),
            }
        }
        Self(dir.to_owned())
    }

    /// Whether a gateway has died in it, or beside it.
    pub(super) fn is_suspect(&self, image: &ImageId) -> bool {
        self.deaths(image) > 0
    }

    /// Why it is not looked through any more.
    pub(super) fn refused(&self, image: &ImageId) -> Option<Told> {
        let (deaths, file) = (self.deaths(image), self.file(image));
        (deaths >= MOST_DEATHS).then(|| {
            told!(
                "a look through the image was cut short {deaths} times by the gateway's end; an admin can have it tried again by removing {}",
                file.display()
            )
        })
    }

    /// Notes a look that is about to begin: without a note there is none.
    pub(super) fn begin(&self, image: &ImageId) -> io::Result<Attempt> {
        let (file, deaths) = (self.file(image), self.deaths(image));
        write(&file, Note { deaths, under_way: true })?;
        Ok(Attempt { file, deaths })
    }

    /// The images of which there is a note.
    pub(super) fn images(&self) -> HashSet<ImageId> {
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        entries.filter_map(|entry| image_of(entry.file_name().to_str()?)).collect()
    }

    /// Takes away what is noted of these images.
    pub(super) fn take_away(&self, images: &HashSet<ImageId>) {
        images.iter().for_each(|image| drop(fs::remove_file(self.file(image))));
    }

    fn deaths(&self, image: &ImageId) -> u32 {
        let note = state_file::read(&self.file(image)).ok().and_then(|text| parse(&text));
        note.unwrap_or_default().deaths
    }

    fn file(&self, image: &ImageId) -> PathBuf {
        self.0.join(image.digits())
    }
}

/// A look that is under way for as long as this is there.
#[derive(Debug)]
pub(super) struct Attempt {
    file: PathBuf,
    deaths: u32,
}

impl Attempt {
    /// It came to its end: whatever died before did not die of it.
    pub(super) fn succeeded(mut self) {
        self.deaths = 0;
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let ended = match self.deaths {
            0 => fs::remove_file(&self.file),
            deaths => write(&self.file, Note { deaths, under_way: false }),
        };
        // It may have been taken away meanwhile, by an admin or with its image.
        if let Err(error) = ended
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!("{} still says that an image is looked through: {error}", self.file.display());
        }
    }
}

fn count(path: &Path, deaths: u32) {
    tracing::warn!("a gateway ended while it looked through the image of {}", path.display());
    if let Err(error) = write(path, Note { deaths, under_way: false }) {
        tracing::error!("{} cannot be written, this is counted later: {error}", path.display());
    }
}

fn write(path: &Path, note: Note) -> io::Result<()> {
    state_file::half_write(path.to_owned(), &serde_json::to_vec(&note)?)?.finish()
}

fn parse(text: &str) -> Option<Note> {
    serde_json::from_str(text).ok()
}

fn image_of(name: &str) -> Option<ImageId> {
    ImageId::parse(&format!("sha256:{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::state_file::Full;

    fn image(digit: char) -> ImageId {
        ImageId::parse(&format!("sha256:{}", digit.to_string().repeat(64))).unwrap()
    }

    /// The gateway dies in the midst of looks through these images, and the next one begins.
    fn died(dir: &Path, images: &[&ImageId]) -> Attempts {
        let attempts = Attempts::open(dir);
        images.iter().for_each(|image| std::mem::forget(attempts.begin(image).unwrap()));
        Attempts::open(dir)
    }

    #[test]
    fn what_gateways_die_of_is_not_begun_a_third_time() {
        let dir = tempfile::tempdir().unwrap();
        let (bad, beside) = (image('a'), image('b'));
        let attempts = died(dir.path(), &[&bad, &beside]);
        assert!(attempts.is_suspect(&bad) && attempts.is_suspect(&beside));
        assert_eq!((attempts.refused(&bad), attempts.refused(&beside)), (None, None));
        // A look that comes to its end clears it.
        attempts.begin(&beside).unwrap().succeeded();
        assert!(!attempts.is_suspect(&beside));
        let attempts = died(dir.path(), &[&bad]);
        let file = dir.path().join(bad.digits());
        let said = attempts.refused(&bad).unwrap().to_string();
        assert!(said.contains("2 times") && said.ends_with(file.to_str().unwrap()), "{said}");
        // Of that image alone, by each gateway that follows, until somebody takes it away.
        assert!(!attempts.is_suspect(&beside));
        assert!(Attempts::open(dir.path()).refused(&bad).is_some());
        fs::remove_file(file).unwrap();
        assert!(!attempts.is_suspect(&bad));
    }

    #[test]
    fn what_ends_a_look_or_stops_the_gateway_is_no_death() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (image('a'), image('b'));
        died(dir.path(), &[&one]);
        for _ in 0..5 {
            // Who waited for it hung up, or the gateway was stopped: neither counts, nor takes it back what was counted.
            let attempts = Attempts::open(dir.path());
            drop((attempts.begin(&one).unwrap(), attempts.begin(&two).unwrap()));
            assert_eq!((attempts.deaths(&one), attempts.deaths(&two)), (1, 0));
            assert_eq!(attempts.images(), HashSet::from([one.clone()]));
        }
        let attempts = Attempts::open(dir.path());
        attempts.take_away(&HashSet::from([one.clone(), two]));
        assert!(attempts.images().is_empty());
    }

    #[test]
    fn without_a_note_no_look_begins_and_what_is_none_is_set_aside() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("looking");
        died(&dir, &[&image('a')]);
        fs::write(dir.join(image('b').digits()), "x").unwrap();
        fs::write(dir.join("other"), r#"{"deaths":7,"under_way":true}"#).unwrap();
        let attempts = Attempts::open(&dir);
        assert_eq!(attempts.images(), HashSet::from([image('a')]));
        let full = Full::of(&dir);
        assert!(Attempts::open(&dir.join("deeper")).begin(&image('a')).is_err());
        drop(full);
        assert!(attempts.begin(&image('a')).is_ok());
    }
}
