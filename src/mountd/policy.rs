//! The policy that the roots are read from, and a copy of it for a start that finds the file broken: root's own, as nobody
//! else's word counts here.
//!
//! The copy lies in a directory of root's. ie-mountd believes no file but root's, so it goes by no copy of the
//! gateway's.

use super::roots::Roots;
use super::say;
use crate::policy::{LastGood, Policy, Problems, open_trusted};
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The file, and the copy of what was in force last.
#[derive(Debug)]
pub(super) struct File {
    path: PathBuf,
    copy: PathBuf,
}

impl File {
    pub(super) fn new(path: PathBuf, state: &Path) -> Self {
        Self { path, copy: state.join("policy.toml") }
    }

    /// At a start: the file, or the copy where that is broken.
    pub(super) fn start(&self) -> Result<Roots, Problems> {
        let start = Policy::at_start(&self.path, || self.copied())?;
        match start.broken {
            None => self.keep(&start.text),
            Some(broken) => say(format_args!("{broken}; mend it, and systemctl reload ie-containerd")),
        }
        Ok(Roots::of(&start.policy))
    }

    /// All of the file, or an error.
    pub(super) fn roots(&self) -> Result<Roots, Problems> {
        let (policy, text) = Policy::read(&self.path)?;
        self.keep(&text);
        Ok(Roots::of(&policy))
    }

    fn copied(&self) -> Option<LastGood> {
        let since = fs::symlink_metadata(&self.copy).and_then(|meta| meta.modified()).ok()?;
        open_trusted(&self.copy).ok().map(|text| LastGood { text, since })
    }

    /// Where it cannot be written, an older one must not stay: it may have roots that were taken away.
    fn keep(&self, text: &str) {
        if self.copied().is_some_and(|copy| copy.text == text) {
            return;
        }
        if let Err(error) = self.write(text) {
            let _gone = fs::remove_file(&self.copy);
            say(format_args!("no copy of the policy is kept for a start with a broken one: {error}"));
        }
    }

    fn write(&self, text: &str) -> io::Result<()> {
        if let Some(dir) = self.copy.parent() {
            fs::create_dir_all(dir)?;
        }
        let fresh = self.copy.with_extension("new");
        let _gone = fs::remove_file(&fresh);
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, &self.copy)
    }
}
