//! What is said about a copy: a path's stat, as Docker's header carries it, and the helper's exit codes.

use super::report::Refusal;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// The header of `HEAD` and `GET /containers/{id}/archive`.
pub const PATH_STAT_HEADER: &str = "X-Docker-Container-Path-Stat";

/// What the client asks `PUT /containers/{id}/archive` to upgrade to: without a body, as the raw connection then takes the
/// tar, which ends where the client closes its sending side. An [`Outcome`] follows, and the connection's end.
///
/// Neither side has to copy it then, as HTTP's chunks would make them. Other clients send a body, as Docker has it.
pub const RAW_TAR: &str = "ie-tar";

/// With this header, whatever it says, a tar of a running container comes as whatever runs there packed it: for a client
/// that holds names, kinds and modes against what it asked for by itself, as ours does. Docker's clients do not.
pub const UNREAD: &str = "x-ie-container-unread";

/// What became of a tar sent on the raw connection; one JSON value.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(clippy::large_enum_variant, reason = "there is one at the end of a copy")]
pub enum Outcome {
    Unpacked,
    /// Why it was not unpacked, or not all of it.
    Refused(Refusal),
}

/// One path in a container, in the engine's words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PathStat {
    /// The path's last component, as it was asked for; `.` for `dir/.`.
    pub name: String,
    #[serde(default)]
    pub size: i64,
    /// Go's `os.FileMode`: see [`go_mode`].
    pub mode: u32,
    /// RFC 3339.
    #[serde(default)]
    pub mtime: String,
    /// Where a link leads in the end, absolute; empty for everything else.
    #[serde(default)]
    pub link_target: String,
}

/// `os.ModeDir`, one of the bits of a mode in Go.
const GO_DIRECTORY: u32 = 1 << 31;
/// `os.ModeSymlink`, another of those bits.
const GO_SYMLINK: u32 = 1 << 27;
/// Go's bits for everything that is neither a file, a directory nor a link: device, pipe, socket, odd ones.
const GO_OTHER: u32 = (1 << 26) | (1 << 25) | (1 << 24) | (1 << 21) | (1 << 19);

impl PathStat {
    pub fn is_directory(&self) -> bool {
        self.mode & GO_DIRECTORY != 0
    }

    pub fn is_symlink(&self) -> bool {
        self.mode & GO_SYMLINK != 0
    }

    /// A device, a pipe, a socket: nothing that can be copied onto.
    pub fn is_special(&self) -> bool {
        self.mode & GO_OTHER != 0
    }

    /// The header's value; none if it cannot be written, which no stat of ours comes to.
    pub fn to_header(&self) -> Option<String> {
        Some(STANDARD.encode(serde_json::to_vec(self).ok()?))
    }

    /// Reads the header's value.
    pub fn from_header(value: &[u8]) -> Option<Self> {
        serde_json::from_slice(&STANDARD.decode(value).ok()?).ok()
    }
}

/// A mode as `stat` has it, in Go's encoding.
pub fn go_mode(mode: u32) -> u32 {
    const KINDS: [(u32, u32); 6] = [
        (0o040_000, GO_DIRECTORY),
        (0o120_000, GO_SYMLINK),
        (0o060_000, 1 << 26),
        (0o020_000, (1 << 26) | (1 << 21)),
        (0o010_000, 1 << 25),
        (0o140_000, 1 << 24),
    ];
    const BITS: [(u32, u32); 3] = [(0o4000, 1 << 23), (0o2000, 1 << 22), (0o1000, 1 << 20)];
    let kind = KINDS.iter().find(|(unix, _)| mode & 0o170_000 == *unix).map_or(0, |(_, go)| *go);
    let bits = BITS.iter().filter(|(unix, _)| mode & unix != 0).fold(0, |bits, (_, go)| bits | go);
    (mode & 0o777) | kind | bits
}

/// How `ie-copy` ended; its one line on stderr says more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    Done,
    /// Anything that has no code of its own.
    Failed,
    /// The arguments are not the helper's.
    Usage,
    /// A path does not exist.
    Missing,
    /// A path that should be a directory is none.
    NotADirectory,
    PermissionDenied,
    /// The archive is not one that is unpacked: malformed, or with members that are not copied.
    Archive,
    /// A directory in the way of something else, or the other way round.
    Conflict,
    /// The disk, or the caller's share of it, is full.
    NoSpace,
    /// The gateway's channel was not there: nothing was done.
    NoChannel,
}

impl Ended {
    const CODES: [(Self, u8); 10] = [
        (Self::Done, 0),
        (Self::Failed, 1),
        (Self::Usage, 2),
        (Self::Missing, 3),
        (Self::NotADirectory, 4),
        (Self::PermissionDenied, 5),
        (Self::Archive, 6),
        (Self::Conflict, 7),
        (Self::NoSpace, 8),
        (Self::NoChannel, 9),
    ];

    /// Each exit code and what it says, for the manual page.
    pub fn meanings() -> impl Iterator<Item = (u8, &'static str)> {
        Self::CODES.into_iter().map(|(ended, code)| (code, ended.meaning()))
    }

    fn meaning(self) -> &'static str {
        match self {
            Self::Done => "Done.",
            Self::Failed => "It failed, and no other code is for that.",
            Self::Usage => "The arguments are not the helper's.",
            Self::Missing => "A path does not exist.",
            Self::NotADirectory => "A path that should be a directory is none.",
            Self::PermissionDenied => "The user may not do that.",
            Self::Archive => "The archive is malformed, or has members that are not copied.",
            Self::Conflict => "A directory is in the way of something else, or the other way round.",
            Self::NoSpace => "The disk, or the user's share of it, is full.",
            Self::NoChannel => "The gateway's channel was not there, and nothing was done.",
        }
    }

    pub fn code(self) -> u8 {
        Self::CODES.iter().find(|(ended, _)| *ended == self).map_or(1, |(_, code)| *code)
    }

    /// The meaning of an exit code; one that is not ours means it failed.
    pub fn of(code: i64) -> Self {
        Self::CODES
            .iter()
            .find(|(_, known)| i64::from(*known) == code)
            .map_or(Self::Failed, |(ended, _)| *ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_go_s() {
        // The numbers are an engine's, for the same files.
        for (unix, go) in
            [(0o040_755, 2_147_484_141), (0o104_755, 8_389_101), (0o120_777, 134_218_239), (0o100_644, 0o644)]
        {
            assert_eq!(go_mode(unix), go);
        }
        let stat = |mode| PathStat { mode: go_mode(mode), ..PathStat::default() };
        assert!(stat(0o040_755).is_directory() && !stat(0o040_755).is_special());
        assert!(stat(0o120_777).is_symlink() && !stat(0o120_777).is_special());
        assert!([0o010_644, 0o020_644, 0o060_644, 0o140_644].iter().all(|mode| stat(*mode).is_special()));
    }

    #[test]
    fn the_header_is_an_engine_s() {
        let json = br#"{"name":"l","size":1,"mode":134218239,"mtime":"2026-11-20T21:41:22.927672903Z","linkTarget":"/t/d"}"#;
        let stat = PathStat::from_header(STANDARD.encode(json).as_bytes()).unwrap();
        assert_eq!(stat.link_target, "/t/d");
        assert!(stat.is_symlink());
        assert_eq!(STANDARD.decode(stat.to_header().unwrap()).unwrap(), json);
        assert_eq!(PathStat::from_header(b"no base64"), None);
    }

    #[test]
    fn codes_are_told_apart() {
        for (at, (ended, code)) in Ended::CODES.iter().enumerate() {
            assert_eq!(usize::from(*code), at);
            assert_eq!((ended.code(), Ended::of(i64::from(*code))), (*code, *ended));
        }
        assert_eq!(Ended::of(137), Ended::Failed);
    }
}
