//! File systems in memory: `--tmpfs` and `--mount type=tmpfs`, with the options that are about such a one alone.
//!
//! Whatever is said, no program in it is setuid and nothing a device, and its pages are the container's memory.

use super::refused::WishError;
use super::words::inner_path;
use crate::gateway::caller::peer::Peer;
use crate::protocol::amount::Bytes;
use crate::protocol::told::told;
use std::path::Path;

/// Bits of a mode that are served: neither setuid nor setgid.
const MODE: u32 = 0o1777;
/// Files of one file system, at the most: the kernel keeps some hundred bytes of each, which count as the container's memory.
const INODES: u64 = 1 << 24;

/// A file system in memory, at a path of the container's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::gateway) struct Tmpfs {
    pub(in crate::gateway) target: String,
    /// In bytes; nothing where none was said.
    size: Option<u64>,
    mode: u32,
    exec: bool,
    read_only: bool,
    owner: Option<u32>,
    group: Option<u32>,
    inodes: Option<u64>,
    /// How times of access are kept, in the kernel's word.
    times: Option<&'static str>,
}

/// In bytes. A tmpfs without a size would be half of the host's memory in name.
const SIZE: u64 = 64 << 20;

/// What is there anyhow, or is the default.
const PLAIN: [&str; 6] = ["rw", "noexec", "nosuid", "nodev", "atime", "diratime"];
/// What has no effect.
const NEVER: [&str; 2] = ["suid", "dev"];
const TIMES: [&str; 5] = ["noatime", "nodiratime", "relatime", "norelatime", "strictatime"];

impl Tmpfs {
    /// As everybody's is who says nothing of it.
    pub(super) fn at(target: &str) -> Result<Self, WishError> {
        inner_path("the tmpfs's target", target)?;
        Ok(Self {
            // Without doubled and trailing slashes.
            target: Path::new(target)
                .components()
                .collect::<std::path::PathBuf>()
                .to_string_lossy()
                .into_owned(),
            size: None,
            mode: MODE,
            exec: false,
            read_only: false,
            owner: None,
            group: None,
            inodes: None,
            times: None,
        })
    }

    /// As `TmpfsOptions` of a mount say it, where 0 is nothing.
    pub(super) fn sized(mut self, size: u64, mode: u32, read_only: bool) -> Self {
        self.size = (size > 0).then_some(size);
        self.mode = if mode == 0 { MODE } else { mode & MODE };
        self.read_only = read_only;
        self
    }

    /// One of `size=…`, `mode=…`, `exec` and the like.
    pub(super) fn with(&mut self, option: &str, warnings: &mut Vec<String>) -> Result<(), WishError> {
        let bad = || {
            WishError::not_allowed(
                &format!("a tmpfs's option {}", crate::protocol::escape::escape_line(option)),
                told!("size, mode, uid, gid, nr_inodes, ro, rw, exec, noexec and those of times are"),
            )
        };
        let id = |value: &str| value.parse::<u32>().map_err(|_| bad());
        match option.split_once('=') {
            Some(("size", size)) => self.size = Some(size.parse::<Bytes>().map_err(|_| bad())?.0),
            Some(("mode", mode)) => {
                let octal = mode.bytes().all(|b| (b'0'..=b'7').contains(&b));
                let mode = octal.then(|| u32::from_str_radix(mode, 8).ok()).flatten().ok_or_else(bad)?;
                self.mode = mode & MODE;
            }
            Some(("uid", value)) => self.owner = Some(id(value)?),
            Some(("gid", value)) => self.group = Some(id(value)?),
            Some(("nr_inodes", count)) => {
                let count = count.parse::<Bytes>().map_err(|_| bad())?.0;
                self.inodes = Some(Some(count).filter(|count| (1..=INODES).contains(count)).ok_or_else(bad)?);
            }
            None if option == "exec" => self.exec = true,
            None if option == "noexec" => self.exec = false,
            None if option == "ro" => self.read_only = true,
            None if PLAIN.contains(&option) => {}
            None if NEVER.contains(&option) => {
                warnings.push(format!("a tmpfs's option {option} has no effect: no{option} always holds"));
            }
            None => self.times = Some(TIMES.into_iter().find(|times| *times == option).ok_or_else(bad)?),
            Some(_) => return Err(bad()),
        }
        Ok(())
    }

    #[cfg(test)]
    pub(in crate::gateway) fn fake(target: &str, options: &str) -> Self {
        let mut tmpfs = Self::at(target).unwrap();
        options.split(',').for_each(|option| tmpfs.with(option, &mut Vec::new()).unwrap());
        tmpfs
    }

    /// Whom it is to be given to is its asker, or no one.
    pub(super) fn judge_owner(&self, peer: &Peer) -> Result<(), WishError> {
        match self.owner {
            Some(uid) if uid != peer.uid() => Err(WishError::not_allowed(
                "a tmpfs's option uid",
                told!("it is its container's owner's, or root's there"),
            )),
            _ => Ok(()),
        }
    }

    /// Its group, which is to be one of its asker's.
    pub(in crate::gateway) fn group(&self) -> Option<u32> {
        self.group
    }

    /// What the engine is told of it; larger than the container's memory it cannot be.
    pub(in crate::gateway) fn options(&self, memory: u64) -> String {
        let access = if self.read_only { "ro" } else { "rw" };
        let exec = if self.exec { "exec" } else { "noexec" };
        // The kernel's 0 is no limit at all.
        let size = match self.size {
            Some(0) => memory,
            size => size.unwrap_or(SIZE).min(memory),
        };
        let mut options = format!("{access},nosuid,nodev,{exec},size={size},mode={:o}", self.mode);
        let numbers = [
            ("uid", self.owner.map(u64::from)),
            ("gid", self.group.map(u64::from)),
            ("nr_inodes", self.inodes),
        ];
        for (name, number) in numbers {
            if let Some(number) = number {
                options.push_str(&format!(",{name}={number}"));
            }
        }
        if let Some(times) = self.times {
            options.push(',');
            options.push_str(times);
        }
        options
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(options: &str) -> Result<(Tmpfs, Vec<String>), WishError> {
        let (mut tmpfs, mut warnings) = (Tmpfs::at("/t")?, Vec::new());
        let words = options.split(',').filter(|option| !option.is_empty());
        words.into_iter().try_for_each(|option| tmpfs.with(option, &mut warnings))?;
        Ok((tmpfs, warnings))
    }

    fn told(options: &str) -> String {
        of(options).unwrap().0.options(1 << 30)
    }

    #[test]
    fn what_is_asked_for_is_what_is_mounted() {
        for (asked, told_to) in [
            ("", "rw,nosuid,nodev,noexec,size=67108864,mode=1777"),
            ("rw,noexec,nosuid,nodev,atime,diratime,", "rw,nosuid,nodev,noexec,size=67108864,mode=1777"),
            ("size=1m,mode=0700,exec,ro", "ro,nosuid,nodev,exec,size=1048576,mode=700"),
            ("exec,noexec", "rw,nosuid,nodev,noexec,size=67108864,mode=1777"),
            (
                "uid=1000,gid=5,nr_inodes=4k,noatime",
                "rw,nosuid,nodev,noexec,size=67108864,mode=1777,uid=1000,gid=5,nr_inodes=4096,noatime",
            ),
            // No more than the container's memory, and neither setuid nor setgid.
            ("size=4g,mode=7777", "rw,nosuid,nodev,noexec,size=1073741824,mode=1777"),
            ("size=0", "rw,nosuid,nodev,noexec,size=1073741824,mode=1777"),
        ] {
            assert_eq!(told(asked), told_to, "{asked}");
        }
        assert_eq!(Tmpfs::at("/a//b/").unwrap().target, "/a/b");
        let sized = Tmpfs::at("/t").unwrap().sized(0, 0, true);
        assert_eq!(sized.options(1 << 30), "ro,nosuid,nodev,noexec,size=67108864,mode=1777");
        let sized = Tmpfs::at("/t").unwrap().sized(5, 0o7755, false);
        assert_eq!(sized.options(1 << 30), "rw,nosuid,nodev,noexec,size=5,mode=1755");
    }

    #[test]
    fn what_has_no_effect_is_said() {
        let (tmpfs, warnings) = of("suid,dev,exec").unwrap();
        assert!(tmpfs.options(1 << 30).starts_with("rw,nosuid,nodev,exec,"));
        assert!(warnings.len() == 2 && warnings[0].contains("nosuid always holds"), "{warnings:?}");
    }

    #[test]
    fn nothing_else_is_an_option() {
        for bad in [
            "size=",
            "size=1x",
            "size=50%",
            "mode=9",
            "mode=+7",
            "mode=",
            "uid=-1",
            "uid=ann",
            "gid=4294967296",
            "nr_inodes=0",
            "nr_inodes=1g",
            "bind",
            "shared",
            "remount",
            "mand",
            "sync",
            "mpol=bind:0",
            "huge=always",
            "context=x",
            "exec=1",
            "ro,rbind",
        ] {
            assert!(of(bad).is_err(), "{bad}");
        }
        for bad in ["t", "/proc/x", "/a/../b"] {
            assert!(Tmpfs::at(bad).is_err(), "{bad}");
        }
        let peer = Peer::fake(1000, "ann");
        assert!(of("uid=0").unwrap().0.judge_owner(&peer).is_err());
        assert!(
            of("uid=1000").unwrap().0.judge_owner(&peer).is_ok()
                && of("").unwrap().0.judge_owner(&peer).is_ok()
        );
    }
}
