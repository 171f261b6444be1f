//! Groups of the host's own, whose gid is worth a part of it: no container gets them, whoever is a member.
//!
//! Gateway and mount helper both hold to this. It reads the host's own files and asks no name service, which could hang:
//! what a name service alone knows of these names the gateway adds.
//!
//! Host groups are those that the host's group file names so, the group of the engine's socket, and the gateway's own.
//! The helper reads the file anew for each stage. It asks no name service, so it does not know which users are in a
//! group. A group that a directory service alone names is the gateway's to leave out.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// By name, as distributions and programs call them.
pub const HOST_GROUPS: [&str; 21] = [
    "root",
    "docker",
    "disk",
    "kmem",
    "shadow",
    "video",
    "render",
    "sudo",
    "wheel",
    "adm",
    "tty",
    "tape",
    "lxd",
    "incus",
    "libvirt",
    "kvm",
    "mem",
    "staff",
    "systemd-journal",
    "ie-container",
    "ie-engine",
];

/// Where the host keeps its own groups.
const FILE: &str = "/etc/group";

/// The gids of such groups.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostGroups {
    gids: BTreeSet<u32>,
    /// While a directory cannot be asked what it calls so: the gids that the host's own file names, of which that is known.
    judged: Option<BTreeSet<u32>>,
}

impl HostGroups {
    /// Those that the host's group file names, and the one that may speak to the engine, whatever it is called.
    ///
    /// # Errors
    /// `/etc/group` cannot be read, or what lies at `engine` cannot be looked at; it may be missing.
    pub fn read(engine: &Path) -> io::Result<Self> {
        let mut groups = Self::by_name()?;
        match std::fs::metadata(engine) {
            Ok(socket) => groups.add([socket.gid()]),
            // Nothing is bound for an engine that is not there.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(groups)
    }

    /// Those alone that the host's group file names.
    ///
    /// # Errors
    /// `/etc/group` cannot be read.
    pub fn by_name() -> io::Result<Self> {
        // Bytes, as nobody promises more of the file; a name among ours is plain.
        Ok(Self::named_in(&String::from_utf8_lossy(&std::fs::read(FILE)?)))
    }

    /// In lines such as `disk:x:6:`.
    fn named_in(file: &str) -> Self {
        let gid = |line: &str| {
            let mut fields = line.split(':');
            let name = fields.next().filter(|name| HOST_GROUPS.contains(name));
            name.and(fields.nth(1))?.parse().ok()
        };
        Self { gids: file.lines().filter_map(gid).collect(), judged: None }
    }

    /// A directory did not answer: a group that the host's own file does not name may be any of these.
    ///
    /// # Errors
    /// `/etc/group` cannot be read; nothing has changed then.
    pub fn distrust_directories(&mut self) -> io::Result<()> {
        let file = std::fs::read(FILE)?;
        let gid = |line: &str| line.split(':').nth(2)?.parse().ok();
        self.judged = Some(String::from_utf8_lossy(&file).lines().filter_map(gid).collect());
        Ok(())
    }

    /// Whether nobody can say of this gid at present whether it is one of these.
    pub fn cannot_judge(&self, gid: u32) -> bool {
        self.judged.as_ref().is_some_and(|judged| !judged.contains(&gid))
    }

    /// More of them.
    pub fn add(&mut self, gids: impl IntoIterator<Item = u32>) {
        self.gids.extend(gids);
    }

    /// Whether this gid stays outside. root's always does, and -1, "no change" to many calls.
    pub fn contains(&self, gid: u32) -> bool {
        [0, u32::MAX].contains(&gid) || self.gids.contains(&gid) || self.cannot_judge(gid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn they_are_found_by_name_in_the_hosts_file() {
        let file = "root:x:0:\ndisk:x:6:ann,bob\nusers:x:100:\n# docker:x:7:\nsudo:!:27\nshadow\nkvm:x:\ndocker:x:999:\n\
                    adm:x:-4:\nmy-docker:x:998:\ndisk:x:66:\n";
        let mut groups = HostGroups::named_in(file);
        assert_eq!(groups, HostGroups { gids: [0, 6, 27, 66, 999].into(), judged: None });
        groups.add([4242]);
        for (gid, outside) in
            [(0, true), (u32::MAX, true), (6, true), (999, true), (4242, true), (100, false), (998, false)]
        {
            assert_eq!(groups.contains(gid), outside, "{gid}");
        }
        assert!(HostGroups::default().contains(0));
    }

    #[test]
    fn what_only_a_directory_could_judge_stays_outside_while_it_is_away() {
        let mut groups = HostGroups::by_name().unwrap();
        let (games, unknown) = (nix::unistd::Group::from_name("games").unwrap().unwrap().gid, 3_999_999_999);
        assert!(!groups.contains(games.as_raw()) && !groups.contains(unknown));
        groups.distrust_directories().unwrap();
        assert!(!groups.contains(games.as_raw()) && groups.contains(unknown) && groups.cannot_judge(unknown));
    }

    #[test]
    fn the_engines_group_is_one_whatever_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let engine = dir.path().join("docker.sock");
        let shadow = nix::unistd::Group::from_name("shadow").unwrap().unwrap().gid.as_raw();
        let without = HostGroups::read(&engine).unwrap();
        assert!(without.contains(shadow));
        let _listens = UnixListener::bind(&engine).unwrap();
        let gid = std::fs::metadata(&engine).unwrap().gid();
        assert!(HostGroups::read(&engine).unwrap().contains(gid));
        assert!(HostGroups::read(&engine.join("below")).is_err());
    }
}
