//! The wall between the networks of different users: `packaging/ie-wall` puts it up, this knows whether it stands.
//!
//! Each user's containers are in a bridge network of the user's own, whose interface is named `ie<uid>`. Docker keeps
//! bridges apart, but not for moments while it makes any network. With 20.10, one in ten requests gets through while
//! networks come and go (`tests/e2e/network.rs`).
//!
//! `packaging/ie-wall` is a short script with a unit. It puts rules before those of any engine, and a packet that they
//! drop stays dropped, whatever is accepted later. Nothing is routed between interfaces that begin with `ie`, nor
//! between them and the engine's other bridges.
//!
//! With nftables the table has an owner, which is a process of the unit's. The kernel keeps everybody else from the
//! table, `flush ruleset` included, and takes it away when that process ends. The process also holds a named pipe of
//! root's open for writing. An empty pipe is at its end only where nobody writes to it. So the gateway sees without any
//! right that the process lives, and with it the rules.
//!
//! A file with the time in it would be a minute behind. A `flock` could be anybody's who can read the file. Without
//! nftables the process looks at its rules every five seconds, and ends when they cannot be put back.

use super::trouble::Trouble;
use crate::policy::{Untrusted, open_trusted_pipe};
use crate::protocol::told::Told;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

/// Nothing stands between the networks of different users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, Told)]
#[error("the wall between users' networks is not up, so nothing with a network starts")]
pub(in crate::gateway) struct WallDown;

/// Where the process that holds the rules is seen to live: it has this pipe open for writing, which root alone can do.
#[derive(Debug)]
pub(in crate::gateway) struct Wall {
    pipe: PathBuf,
    trouble: Trouble,
}

impl Wall {
    pub(in crate::gateway) fn told_by(pipe: PathBuf) -> Self {
        Self { pipe, trouble: Trouble::new("the wall between networks does not stand") }
    }

    /// Nothing with a network is created or started without it: an engine's own rules lapse whenever it makes a network.
    ///
    /// # Errors
    /// While it is down.
    pub(in crate::gateway) fn stands(&self) -> Result<(), WallDown> {
        let why = match is_held(&self.pipe) {
            Ok(true) => {
                self.trouble.is_over();
                return Ok(());
            }
            Ok(false) => format!("nobody holds {}", self.pipe.display()),
            Err(reason) => reason.to_string(),
        };
        self.trouble.is(why);
        Err(WallDown)
    }
}

/// A pipe that somebody writes to is not at its end.
fn is_held(pipe: &Path) -> Result<bool, Untrusted> {
    let read = open_trusted_pipe(pipe)?.read(&mut [0]);
    Ok(read.is_err_and(|error| error.kind() == ErrorKind::WouldBlock))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    use std::fs::{self, File};

    /// A directory of root's alone.
    struct Dir(PathBuf);

    impl Dir {
        fn new(name: &str) -> Self {
            let dir = PathBuf::from(format!("/var/lib/ie-wall-test-{name}-{}", std::process::id()));
            fs::create_dir(&dir).expect("a directory of root's: run the tests as root");
            Self(dir)
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    fn pipe(dir: &Path) -> PathBuf {
        let path = dir.join("up");
        mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o644), 0).unwrap();
        path
    }

    #[test]
    fn it_stands_while_somebody_holds_it() {
        let dir = Dir::new("held");
        let path = pipe(&dir.0);
        let wall = Wall::told_by(path.clone());
        assert!(wall.stands().is_err(), "nobody does yet");
        let holder = File::options().read(true).write(true).open(&path).unwrap();
        assert!(wall.stands().is_ok() && wall.stands().is_ok());
        drop(holder);
        assert!(wall.stands().is_err(), "who held it has ended");
    }

    #[test]
    fn a_file_that_is_missing_or_not_roots_alone_counts_for_nothing() {
        assert!(Wall::told_by("/nonexistent/up".into()).stands().is_err());
        assert!(Wall::told_by("/etc/hostname".into()).stands().is_err());
        // What an older one wrote.
        let own = Dir::new("word");
        fs::write(own.0.join("up"), "up\n").unwrap();
        assert!(Wall::told_by(own.0.join("up")).stands().is_err());
        // Below /tmp, where others could have put another directory in its place.
        let dir = tempfile::tempdir().unwrap();
        let path = pipe(dir.path());
        let _holder = File::options().read(true).write(true).open(&path).unwrap();
        assert!(Wall::told_by(path).stands().is_err());
    }
}
