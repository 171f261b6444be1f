//! Accounts of people, out of lines such as those of /etc/passwd, and the ids that a host gives to people.

use std::path::{Path, PathBuf};

/// One account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) login: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) home: PathBuf,
    /// Whether its shell lets somebody in.
    has_shell: bool,
}

/// The ids that /etc/login.defs gives to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) first: u32,
    pub(super) last: u32,
}

/// As useradd has it where the file says nothing.
const USUAL: Range = Range { first: 1000, last: 60000 };
/// The kernel's stand-in for an id without a mapping, and "no change" to many calls.
const NOBODY: [u32; 2] = [65534, u32::MAX];

impl Account {
    /// `ann:x:1000:1000:Ann:/home/ann:/bin/bash`
    pub(super) fn read(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split(':').collect();
        let [login, _, uid, gid, _, home, shell] = fields.as_slice() else { return None };
        let shell = Path::new(shell).file_name().unwrap_or_default().to_string_lossy();
        Some(Self {
            login: (*login).to_owned(),
            uid: uid.parse().ok()?,
            gid: gid.parse().ok()?,
            home: PathBuf::from(home),
            // Without a word there, it is /bin/sh.
            has_shell: !["nologin", "false", "sync", "halt", "shutdown"].contains(&shell.as_ref()),
        })
    }

    /// Whether it is somebody's, and not a service's. A service may have an id above those of people (`libvirt-qemu`), and
    /// no shell; and whoever can log in has one.
    pub(super) fn is_a_persons(&self, ids: Range) -> bool {
        self.uid >= ids.first && !NOBODY.contains(&self.uid) && self.has_shell && self.home.is_absolute()
    }
}

impl Range {
    pub(super) fn read(login_defs: &str) -> Self {
        let value = |key: &str| {
            let mut words = login_defs.lines().map(str::split_whitespace);
            words.find_map(|mut words| {
                (words.next() == Some(key)).then(|| words.next()?.parse().ok()).flatten()
            })
        };
        let first = value("UID_MIN").unwrap_or(USUAL.first).max(1);
        Self { first, last: value("UID_MAX").unwrap_or(USUAL.last).max(first) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_have_a_shell_and_an_id_of_people() {
        let is_a_persons =
            |line: &str| Account::read(line).is_some_and(|account| account.is_a_persons(USUAL));
        for line in [
            "ann:x:1000:1000:Ann,,,:/home/ann:/bin/bash",
            "b-o.b:x:70000:70000::/nfs/bob:",
            "e:x:1001:5::/e:/usr/bin/zsh",
        ] {
            assert!(is_a_persons(line), "{line}");
        }
        for line in [
            "root:x:0:0:root:/root:/bin/bash",
            "www:x:33:33::/var/www:/usr/sbin/nologin",
            "nobody:x:65534:65534::/nonexistent:/bin/sh",
            "libvirt-qemu:x:64055:103::/var/lib/libvirt:/usr/sbin/nologin",
            "x:x:1000:1000::/x:/bin/false",
            "x:x:1000:1000::relative:/bin/sh",
            "x:x:-1:1000::/x:/bin/sh",
            "x:x:1000",
            "",
        ] {
            assert!(!is_a_persons(line), "{line}");
        }
    }

    #[test]
    fn the_ids_of_people_are_what_login_defs_says() {
        let read = |text: &str| Range::read(text);
        assert_eq!(
            read("# UID_MIN 5\nUID_MIN\t\t 500\nUID_MAX 59999 # x\n"),
            Range { first: 500, last: 59999 }
        );
        assert_eq!(read(""), USUAL);
        assert_eq!(read("UID_MIN 0\nUID_MAX none\n"), Range { first: 1, last: 60000 });
    }
}
