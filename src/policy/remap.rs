//! The ids that a remapped engine's containers have on the host: its user's ranges in /etc/subuid and /etc/subgid.
//!
//! R is the first id of the one line of `gateway.remap_user` in each file. A policy is not taken whose range is too
//! short for `gateway.uids`, meets those uids, or meets anybody else's line.
//!
//! By this reading alone ie-mountd stages. The engine's word is read in `gateway/engine/space.rs`.

use super::gateway::{Gateway, UidRange, Userns};
use super::subordinate::{Line, OddLine, Owner, lines};
use super::trusted::{Untrusted, open_trusted};
use crate::protocol::stage::Shift;
use crate::protocol::told::Told;
use std::path::Path;

/// Below this id are the host's own accounts, and the kernel's stand-in for an id without a mapping.
const LOWEST: u32 = 65536;
/// Beyond are ids that are negative numbers to some programs.
const HIGHEST: u32 = 2_147_483_647;

const FILES: [&str; 2] = ["/etc/subuid", "/etc/subgid"];

/// Ids of the host's that follow each other; the first is root's inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdRange {
    first: u32,
    count: u32,
}

impl IdRange {
    /// The host's id of whoever is root inside.
    pub fn first(self) -> u32 {
        self.first
    }

    /// How many ids there are inside, from 0 on.
    pub fn count(self) -> u32 {
        self.count
    }

    /// The id inside that this id of the host's stands for, if it is one of the range.
    pub fn inside(self, id: u32) -> Option<u32> {
        id.checked_sub(self.first).filter(|inside| self.covers(*inside))
    }

    /// Whether a process inside can have this id.
    pub fn covers(self, inside: u32) -> bool {
        inside < self.count
    }

    #[cfg(test)]
    pub(crate) fn fake(first: u32, count: u32) -> Self {
        Self { first, count }
    }

    fn last(self) -> u32 {
        self.first.saturating_add(self.count - 1)
    }

    /// Whether one of these is one of its ids.
    pub fn meets(self, first: u32, last: u32) -> bool {
        self.first <= last && first <= self.last()
    }
}

/// Where the ids of containers begin on the host, and how many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remap {
    pub uids: IdRange,
    pub gids: IdRange,
}

/// Why the ranges cannot be used.
#[derive(Debug, thiserror::Error, Told)]
pub enum RemapError {
    #[error(transparent)]
    Untrusted(#[from] Untrusted),
    #[error(
        "`gateway.userns` is \"remap\", and {file} has no line for {user}: add {user}:2100000000:{wanted}"
    )]
    None { user: String, file: &'static str, wanted: u32 },
    #[error("{user} has {count} lines in {file}, it must have one")]
    Several { user: String, file: &'static str, count: usize },
    #[error(transparent)]
    Odd(#[from] OddLine),
    #[error("{line} in {file} is no range of ids from {LOWEST} to {HIGHEST}")]
    Outside { line: String, file: &'static str },
    #[error("{line} in {file} is by number, and may be {user}'s own: name its owner by login")]
    Number { line: String, file: &'static str, user: String },
    #[error("{line} in {file} meets {other}: whoever has both ids could act as another's container")]
    Meets { line: String, other: String, file: &'static str },
    #[error("{line} in {file} meets `gateway.uids` ({uids}): a container's process would pass for a user")]
    MeetsUsers { line: String, uids: UidRange, file: &'static str },
    #[error("{line} in {file} is too short for `gateway.uids` ({uids}): make it {user}:{first}:{wanted}")]
    Short { line: String, file: &'static str, uids: UidRange, user: String, first: u32, wanted: u32 },
}

impl Remap {
    pub fn shift(self) -> Shift {
        Shift { uid: self.uids.first(), gid: self.gids.first() }
    }

    /// Reads the ranges where the policy wants them; nothing where containers are in the host's user namespace.
    pub(super) fn of(gateway: &Gateway) -> Result<Option<Self>, RemapError> {
        if gateway.userns() == Userns::Host {
            return Ok(None);
        }
        Self::of_user(gateway.remap_user(), gateway.uids()).map(Some)
    }

    /// The ranges of this user, in which all of these uids must have a place.
    ///
    /// # Errors
    /// A file that others than root can change, or [`RemapError`] for what [`Remap::of_texts`] finds in it.
    pub fn of_user(user: &str, uids: UidRange) -> Result<Self, RemapError> {
        let [subuid, subgid] = FILES.map(|file| open_trusted(Path::new(file)));
        Self::of_texts(user, uids, [&subuid?, &subgid?])
    }

    /// The same, were these the texts of the two files.
    ///
    /// # Errors
    /// There is no such range or more than one, it is too short, meets the users or somebody else, or a line can be read in two
    /// ways, whoever's it is.
    pub fn of_texts(user: &str, uids: UidRange, texts: [&str; 2]) -> Result<Self, RemapError> {
        let owner = Owner::of(user);
        let ([subuid, subgid], [uid_lines, gid_lines]) = (FILES, texts);
        Ok(Self {
            uids: range(uid_lines, subuid, owner, uids)?,
            gids: range(gid_lines, subgid, owner, uids)?,
        })
    }
}

/// The one range of this user: above the host's accounts, nobody else's, none of the users' own, and long enough for them.
fn range(text: &str, file: &'static str, owner: Owner<'_>, uids: UidRange) -> Result<IdRange, RemapError> {
    let user = owner.login;
    let (own, others): (Vec<Line<'_>>, Vec<Line<'_>>) =
        lines(text, file)?.into_iter().partition(|line| line.owner == user);
    let wanted = uids.last().saturating_add(1);
    let line = match own.as_slice() {
        [] => return Err(RemapError::None { user: user.to_owned(), file, wanted: wanted.max(LOWEST) }),
        [line] => line,
        several => return Err(RemapError::Several { user: user.to_owned(), file, count: several.len() }),
    };
    let shown = line.shown.to_owned();
    let Line { first, count, .. } = *line;
    if first < LOWEST || count == 0 || first.checked_add(count - 1).is_none_or(|last| last > HIGHEST) {
        return Err(RemapError::Outside { line: shown, file });
    }
    let range = IdRange { first, count };
    if let Some(other) = others.iter().find(|other| owner.may_have(other)) {
        return Err(RemapError::Number { line: other.shown.to_owned(), file, user: user.to_owned() });
    }
    if let Some(other) =
        others.iter().find(|other| other.last().is_some_and(|last| range.meets(other.first, last)))
    {
        return Err(RemapError::Meets { line: shown, other: other.shown.to_owned(), file });
    }
    if range.meets(uids.first(), uids.last()) {
        return Err(RemapError::MeetsUsers { line: shown, uids, file });
    }
    if count < wanted {
        let user = user.to_owned();
        return Err(RemapError::Short { line: shown, file, uids, user, first, wanted });
    }
    Ok(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<IdRange, String> {
        let owner = Owner { login: "ie-engine", uid: Some(998) };
        range(text, "/etc/subuid", owner, "1000-59999".parse().unwrap()).map_err(|e| e.to_string())
    }

    #[test]
    fn the_one_line_of_the_engines_user_counts() {
        let range = read("ann:100000:65536\n\n# x\nie-engine:2100000000:65536\nbob:165536:65536\n").unwrap();
        assert_eq!((range.first(), range.count()), (2_100_000_000, 65536));
        assert_eq!(range.inside(2_100_001_000), Some(1000));
        assert_eq!((range.inside(2_099_999_999), range.inside(2_100_065_536)), (None, None));
        assert!(range.covers(0) && range.covers(65535) && !range.covers(65536));
        // Another's name that begins alike is another's.
        assert!(read("ie-engine2:2000000000:65536").unwrap_err().contains("add ie-engine:2100000000:65536"));
    }

    #[test]
    fn a_range_that_is_anybody_elses_is_none() {
        for (text, told) in [
            ("ie-engine:2100000000:65536\nie-engine:2200000000:65536", "has 2 lines"),
            ("ie-engine:2100000000:65536\nann:2100065535:65536", "meets ann:2100065535:65536"),
            ("ann:2099999000:1001\nie-engine:2100000000:65536", "meets ann"),
            ("ie-engine:0:4294967295", "no range"),
            ("ie-engine:1000:65536", "no range"),
            ("ie-engine:65535:65536", "no range"),
            ("ie-engine:4294901760:65536", "no range"),
            ("ie-engine:2100000000:0", "no range"),
            ("ie-engine:2147483000:65536", "no range"),
            ("ie-engine:2100000000:59999", "make it ie-engine:2100000000:60000"),
        ] {
            let why = read(text).unwrap_err();
            assert!(why.contains(told), "{text:?}: {why}");
        }
        assert!(read("ann:2100065536:65536\nie-engine:2100000000:65536").is_ok());
    }

    /// An engine adds the lines of its user's uid to those of the login.
    #[test]
    fn a_line_by_number_is_nobodys_own_only_where_that_is_known() {
        let text = "ie-engine:2100000000:65536\n999:100000:65536\n";
        let by = |uid| {
            let owner = Owner { login: "ie-engine", uid };
            range(text, "/etc/subuid", owner, "1000-59999".parse().unwrap()).map_err(|e| e.to_string())
        };
        assert!(by(Some(998)).is_ok());
        for uid in [Some(999), None] {
            assert!(by(uid).unwrap_err().contains("999:100000:65536 in /etc/subuid is by number"), "{uid:?}");
        }
    }

    #[test]
    fn no_process_of_a_container_passes_for_a_user() {
        let uids: UidRange = "1000-2000000000".parse().unwrap();
        let owner = Owner { login: "e", uid: None };
        let told = |text: &str| range(text, "/etc/subuid", owner, uids).unwrap_err().to_string();
        assert!(told("e:2000000000:65536").contains("meets `gateway.uids`"));
        assert!(told("e:2000000001:65536").contains("too short"));
    }
}
