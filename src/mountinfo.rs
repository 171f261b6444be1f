//! The kernel's table of mounts, as `/proc/self/mountinfo` tells it.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mount {
    pub(crate) id: u64,
    pub(crate) parent: u64,
    /// Where it is mounted.
    pub(crate) at: PathBuf,
    options: Vec<String>,
    /// The file system's type.
    pub(crate) kind: String,
    superblock: Vec<String>,
}

impl Mount {
    /// Whether an option of the mount itself (`nosuid`, `idmapped`) is set.
    pub(crate) fn has(&self, option: &str) -> bool {
        self.options.iter().any(|word| word == option)
    }

    /// Whether a user mounted it: only FUSE lets users mount, and it writes down who did.
    pub(crate) fn is_a_users(&self) -> bool {
        is_fuse(&self.kind) && !self.superblock.iter().any(|word| word == "user_id=0")
    }
}

/// Whether a process serves a file system of this type.
pub(crate) fn is_fuse(kind: &str) -> bool {
    ["fuse", "fuseblk"].contains(&kind) || kind.starts_with("fuse.")
}

/// All mounts of the mount namespace that this thread lives in.
pub(crate) fn mounts() -> io::Result<Vec<Mount>> {
    mounts_of("thread-self")
}

/// All that this process sees.
pub(crate) fn mounts_of(process: &str) -> io::Result<Vec<Mount>> {
    let table = std::fs::read(format!("/proc/{process}/mountinfo"))?;
    Ok(read(&table))
}

/// All lines of a table that can be read.
pub(crate) fn read(table: &[u8]) -> Vec<Mount> {
    table.split(|byte| *byte == b'\n').filter_map(parse).collect()
}

/// `36 35 98:0 /root /at rw,nosuid shared:1 - ext4 /dev/sda rw,errors=continue`
pub(crate) fn parse(line: &[u8]) -> Option<Mount> {
    let mut words = line.split(|byte| *byte == b' ');
    let id = number(words.next()?)?;
    let parent = number(words.next()?)?;
    let at = PathBuf::from(OsString::from_vec(unescape(words.nth(2)?)));
    let options = list(words.next()?);
    // Any number of optional fields stands before the single dash.
    words.find(|word| *word == b"-")?;
    let kind = text(words.next()?);
    let superblock = list(words.nth(1)?);
    Some(Mount { id, parent, at, options, kind, superblock })
}

fn number(word: &[u8]) -> Option<u64> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

fn text(word: &[u8]) -> String {
    String::from_utf8_lossy(&unescape(word)).into_owned()
}

fn list(word: &[u8]) -> Vec<String> {
    word.split(|byte| *byte == b',').map(text).collect()
}

/// Undoes `\040` and its like: the kernel writes space, tab, newline, backslash and `#` so.
fn unescape(mut word: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(word.len());
    while let [first, rest @ ..] = word {
        let escaped = match word {
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..] => {
                Some((((a - b'0') << 6) | ((b - b'0') << 3) | (c - b'0'), after))
            }
            _ => None,
        };
        let (byte, after) = escaped.unwrap_or((*first, rest));
        out.push(byte);
        word = after;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_line_is_read() {
        let line =
            br"36 35 98:0 /a /mnt/two\040words\134 rw,nosuid,idmapped shared:1 master:2 - ext4 /dev/x rw,y";
        let mount = parse(line).unwrap();
        assert_eq!((mount.id, mount.parent, mount.kind.as_str()), (36, 35, "ext4"));
        assert_eq!(mount.at, PathBuf::from("/mnt/two words\\"));
        assert!(mount.has("idmapped") && mount.has("nosuid") && !mount.has("id") && !mount.has("y"));
        assert_eq!(parse(b"36 35 98:0 /a"), None);
    }

    #[test]
    fn a_users_mount_is_known_by_its_superblock() {
        let mount = |kind: &str, words: &str| {
            parse(format!("1 2 0:3 / /a rw - {kind} x {words}").as_bytes()).unwrap()
        };
        assert!(mount("fuse.sshfs", "rw,user_id=5001,group_id=5001").is_a_users());
        assert!(mount("fuse", "rw").is_a_users());
        assert!(!mount("fuse.sshfs", "rw,user_id=0,allow_other").is_a_users());
        assert!(!mount("ext4", "rw").is_a_users());
        assert!(!mount("fusectl", "rw").is_a_users());
    }

    #[test]
    fn the_own_table_is_read_whole() {
        let lines = std::fs::read("/proc/self/mountinfo").unwrap();
        let count = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
        assert_eq!(lines.split(|byte| *byte == b'\n').filter_map(parse).count(), count);
        assert!(mounts().unwrap().iter().any(|mount| mount.at == std::path::Path::new("/proc")));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&line);
        }
    }
}
