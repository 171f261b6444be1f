//! The wall between the networks of different users: `packaging/ie-wall` puts it up, this knows whether it did.

use super::error::Error;
use crate::policy::open_trusted;
use crate::protocol::report::Refusal;
use std::path::PathBuf;

/// Where the wall says that it stands, in a file that root alone can write.
#[derive(Debug)]
pub(super) struct Wall(PathBuf);

impl Wall {
    pub(super) fn told_by(file: PathBuf) -> Self {
        Self(file)
    }

    /// Nothing with a network is created or started without it: an engine's own rules lapse whenever it makes a network.
    pub(super) fn stands(&self) -> Result<(), Error> {
        match open_trusted(&self.0) {
            Ok(text) if text.trim_end() == "up" => Ok(()),
            Ok(_) => Err(missing()),
            Err(reason) => {
                tracing::error!("the wall between networks does not stand: {reason}");
                Err(missing())
            }
        }
    }
}

fn missing() -> Error {
    Refusal::new("forbidden", "the wall between users' networks is not up, so nothing with a network starts")
        .rule("network")
        .hint("use --network none, or ask the admin to look at systemctl status ie-wall")
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_missing_or_not_roots_alone_counts_for_nothing() {
        assert!(Wall::told_by("/nonexistent/up".into()).stands().is_err());
        assert!(Wall::told_by("/etc/hostname".into()).stands().is_err());
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("up");
        std::fs::write(&file, "up\n").unwrap();
        // Below /tmp, where others could have put another directory in its place.
        assert!(Wall::told_by(file).stands().is_err());
    }
}
