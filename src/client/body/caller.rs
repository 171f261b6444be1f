//! Where the caller stands.

use super::super::error::Error;
use super::super::terminal;
use crate::protocol::told::told;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Everything of the world that a body depends on.
#[derive(Debug, Default)]
pub(crate) struct Caller {
    pub(crate) env: HashMap<String, String>,
    /// The texts of the `--env-file`s, in order.
    pub(crate) env_files: Vec<String>,
    /// The texts of the `--label-file`s, in order.
    pub(crate) label_files: Vec<String>,
    /// The current directory, without symbolic links.
    pub(crate) cwd: PathBuf,
    /// The home as it is called, and without symbolic links.
    pub(crate) home: Option<(PathBuf, PathBuf)>,
    /// Rows and columns of the caller's terminal.
    pub(crate) terminal: Option<(u16, u16)>,
}

impl Caller {
    /// The caller of this process.
    pub(crate) fn here(env_files: &[PathBuf]) -> Result<Self, Error> {
        let cwd =
            std::env::current_dir().map_err(|why| Error::io(told!("find the current directory"), why))?;
        let home = std::env::home_dir().filter(|home| home.is_absolute() && home != Path::new("/"));
        let home = home.map(|home| {
            let real = home.canonicalize().unwrap_or_else(|_| home.clone());
            (home, real)
        });
        let env =
            std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
        Ok(Self {
            env: env.collect(),
            env_files: read_files(env_files)?,
            label_files: Vec::new(),
            cwd,
            home,
            terminal: terminal::size(),
        })
    }

    pub(crate) fn with_label_files(self, paths: &[PathBuf]) -> Result<Self, Error> {
        Ok(Self { label_files: read_files(paths)?, ..self })
    }

    /// The labels of the files, then those of the flags.
    pub(super) fn labels(&self, typed: &[String]) -> Vec<String> {
        let lines = self.label_files.iter().flat_map(|text| text.lines()).map(str::trim_start);
        let said = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        said.map(str::to_owned).chain(typed.iter().cloned()).collect()
    }
}

fn read_files(paths: &[PathBuf]) -> Result<Vec<String>, Error> {
    let read = |path: &PathBuf| {
        let text = std::fs::read_to_string(path);
        // What some editors put at the beginning of a file is no part of a name.
        let text = text.map(|text| text.strip_prefix('\u{feff}').map_or(text.clone(), str::to_owned));
        text.map_err(|why| Error::io(told!("read {}", path.display()), why))
    };
    paths.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_editor_puts_before_a_file_is_no_part_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("env");
        std::fs::write(&file, "\u{feff}A=1\r\nB=\u{feff}2\n").unwrap();
        let read = read_files(std::slice::from_ref(&file)).unwrap();
        assert_eq!(read, ["A=1\r\nB=\u{feff}2\n"]);
        let caller = Caller { env_files: read, ..Caller::default() };
        assert_eq!(super::super::env::variables(&[], &caller).unwrap(), ["A=1", "B=\u{feff}2"]);
        assert!(read_files(&[dir.path().join("none")]).is_err());
    }
}
