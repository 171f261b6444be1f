//! Why ie-mountd says no: a reason for the gateway and a sentence for the user.

use crate::protocol::escape::escape_line;
use crate::protocol::stage::{Answer, Reason};
use crate::protocol::told::{Tell, Told};
use rustix::io::Errno;
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error, Told)]
pub(super) enum Error {
    #[error("{0}")]
    BadRequest(Told),
    #[error("uid {0} may not have directories staged here")]
    Uid(u32),
    #[error("gid {0} is the host's own and never enters a container")]
    HostGroup(u32),
    #[error("{} is not one of the directories that may be mounted here", shown(.0))]
    NotARoot(PathBuf),
    #[error("{} may be mounted read-only only", shown(.0))]
    ReadOnlyRoot(PathBuf),
    #[error("the mount helper has read another policy than the gateway of {}; ask the admin to reload both", shown(.0))]
    OtherPolicy(PathBuf),
    #[error(
        "{what} {id} is none that a container here can have: the engine's range has {count} ids; ask the admin"
    )]
    BeyondRange { what: &'static str, id: u32, count: u32 },
    #[error("{} holds homes, name a directory of your own below it", shown(.0))]
    RootOfHomes(PathBuf),
    #[error("{} can be changed by others than root, so nothing below it can be mounted; ask the admin", shown(.0))]
    NotRootsAlone(PathBuf),
    #[error("{} does not belong to you", shown(.0))]
    NotYours(PathBuf),
    #[error("{} has group {gid}, which is not one of yours here, so it could not be written; chgrp it to your own group, or mount it read-only", shown(.path))]
    GroupNotYours { path: PathBuf, gid: u32 },
    #[error("{} does not exist", shown(.0))]
    Missing(PathBuf),
    #[error("{} is not a directory", shown(.0))]
    NotADirectory(PathBuf),
    #[error("{} is a directory, and was a file when the container was made", shown(.0))]
    NotAFile(PathBuf),
    #[error("{} is neither a directory nor a plain file", shown(.0))]
    Neither(PathBuf),
    #[error("{} is a symbolic link; name what it leads to", shown(.0))]
    SymbolicLink(PathBuf),
    #[error("{} is a mount inside a directory that is not the system's; only what lies on the same mount can be mounted", shown(.0))]
    InnerMount(PathBuf),
    #[error("{} lies on a file system ({kind}) that a user has mounted; only the system's own can be mounted", shown(.path))]
    UsersMount { path: PathBuf, kind: String },
    #[error("{} is closed to you (permission denied)", shown(.0))]
    Closed(PathBuf),
    #[error("{} lies on a file system ({kind}) that cannot be idmapped; ask the admin", shown(.path))]
    NoIdmap { path: PathBuf, kind: String },
    #[error("the file system of {} does not answer; try again later or ask the admin", shown(.0))]
    NoAnswer(PathBuf),
    #[error("{step} failed: {cause}; ask the admin")]
    System { step: String, cause: std::io::Error },
}

impl Error {
    /// What it means that one step of a path could not be opened.
    pub(super) fn opening(path: &Path, errno: Errno) -> Self {
        let path = path.to_owned();
        match errno {
            Errno::NOENT => Self::Missing(path),
            Errno::NOTDIR => Self::NotADirectory(path),
            Errno::LOOP => Self::SymbolicLink(path),
            Errno::XDEV => Self::InnerMount(path),
            Errno::ACCESS => Self::Closed(path),
            other => Self::system(format!("opening {}", shown(&path)))(other),
        }
    }

    /// Turns what a failed step of ours left behind into an error that names the step.
    pub(super) fn system<E: Into<std::io::Error>>(step: impl Into<String>) -> impl FnOnce(E) -> Self {
        |cause| Self::System { step: step.into(), cause: cause.into() }
    }

    /// What the system said, for a step of ours that was tried.
    pub(super) fn cause(self) -> std::io::Error {
        match self {
            Self::System { cause, .. } => cause,
            other => std::io::Error::other(other.to_string()),
        }
    }

    /// No wildcard: a new error must choose what the gateway makes of it.
    fn reason(&self) -> Reason {
        match self {
            Self::BadRequest(_) => Reason::BadRequest,
            Self::Missing(_) | Self::NotADirectory(_) | Self::NotAFile(_) => Reason::Missing,
            Self::NoIdmap { .. } => Reason::NoIdmap,
            Self::NoAnswer(_) | Self::System { .. } => Reason::System,
            Self::Uid(_)
            | Self::HostGroup(_)
            | Self::NotARoot(_)
            | Self::ReadOnlyRoot(_)
            | Self::OtherPolicy(_)
            | Self::BeyondRange { .. }
            | Self::RootOfHomes(_)
            | Self::NotRootsAlone(_)
            | Self::NotYours(_)
            | Self::GroupNotYours { .. }
            | Self::Neither(_)
            | Self::SymbolicLink(_)
            | Self::InnerMount(_)
            | Self::UsersMount { .. }
            | Self::Closed(_) => Reason::NotAllowed,
        }
    }

    /// Whether the gateway may ask by a policy that is newer than ours.
    pub(super) fn may_be_stale(&self) -> bool {
        matches!(
            self,
            Self::Uid(_)
                | Self::NotARoot(_)
                | Self::ReadOnlyRoot(_)
                | Self::OtherPolicy(_)
                | Self::BeyondRange { .. }
        )
    }

    pub(super) fn answer(&self) -> Answer {
        Answer::Refused { reason: self.reason(), message: self.told() }
    }
}

/// A path fit for a message: the user chose its characters.
fn shown(path: &Path) -> String {
    escape_line(&path.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_fails_is_told_as_what_it_means() {
        let said = |errno| Error::opening(Path::new("/home/ann/x"), errno).to_string();
        assert_eq!(said(Errno::NOENT), "/home/ann/x does not exist");
        assert_eq!(said(Errno::LOOP), "/home/ann/x is a symbolic link; name what it leads to");
        assert_eq!(said(Errno::ACCESS), "/home/ann/x is closed to you (permission denied)");
        assert!(said(Errno::IO).starts_with("opening /home/ann/x failed: Input/output error"));
    }

    #[test]
    fn a_path_cannot_act_on_a_terminal() {
        let error = Error::Missing(PathBuf::from("/home/a\x1b[31m\nb"));
        assert_eq!(error.to_string(), "/home/a\\u{1b}[31m\\nb does not exist");
    }
}
