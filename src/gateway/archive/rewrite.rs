//! Rewrites an archive as it streams through: what comes out is ours, header by header, whatever went in.
//!
//! For containers that do not run: there the engine itself packs and unpacks, as root. So what it is given holds only
//! files, directories and links, all of one owner, without setuid bits, extended attributes or names that climb; and
//! it is never compressed, for the engine would run a program to undo that. Memory is bounded: one header, and the
//! names of the links that the archive made, up to a limit.

use crate::protocol::path::AskedPath;
use crate::tarball::entry::{Entry, Kind, Owner, PERMISSIONS};
use crate::tarball::name::{Absolute, NameFault, clean};
use crate::tarball::read::{Event, Malformed, Reader, compression};
use crate::tarball::{shown, write};
use std::collections::HashSet;

/// Why an archive is not passed on. What was passed on before is whole members only, but for the last one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("{name}: {fault}")]
    Name { name: String, fault: NameFault },
    #[error("{name}: the link's target is not one inside the archive: {fault}")]
    HardLink { name: String, fault: NameFault },
    #[error("{0}: a link without a target")]
    NoTarget(String),
    #[error("{0}: the archive's root can only be a directory")]
    Root(String),
    #[error("{name}: {what} is not copied, only files, directories and links are")]
    Special { name: String, what: &'static str },
    #[error("{0}: not what was asked for")]
    Beside(String),
    #[error("{0}: the name leads through a link that came with the archive")]
    ThroughLink(String),
    #[error("{name}: the archive has more than {most} members")]
    TooMany { name: String, most: u64 },
    #[error("{name}: the archive holds more than {most} bytes")]
    TooLarge { name: String, most: u64 },
    #[error("{0}: the archive has too many symbolic links")]
    TooManyLinks(String),
}

/// The most that an archive may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub members: u64,
    /// Of contents, as the headers announce them: refused before they travel.
    pub bytes: u64,
    /// Of the names of symbolic links, which have to be remembered.
    pub link_names: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { members: 10_000_000, bytes: 1 << 44, link_names: 4 << 20 }
    }
}

/// Which way an archive goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// From a user into a container: anything odd is refused.
    In,
    /// From the engine to a user: devices are left out, and a whole root's names begin with `/`.
    Out,
}

/// Rewrites one archive.
pub struct Rewriter {
    reader: Reader,
    way: Way,
    /// What every name begins with, where that is known.
    base: Option<Vec<u8>>,
    owner: Owner,
    limits: Limits,
    members: u64,
    bytes: u64,
    /// The current file's length, for the padding after it.
    size: u64,
    links: HashSet<Vec<u8>>,
    link_names: usize,
}

impl Rewriter {
    /// For an archive that a user sends into a container; everything in it becomes the user's.
    pub fn inward(owner: Owner, limits: Limits) -> Self {
        Self::new(Way::In, owner, limits)
    }

    /// For an archive of this path that whatever runs in a container made: all its names begin with the path's last
    /// component. Docker's clients take that for granted, and would write what is beside it beside it.
    pub fn outward_of(path: &AskedPath, owner: Owner, limits: Limits) -> Self {
        let whole = matches!(path.base(), b"." | b"/");
        let base = (!whole).then(|| path.base().to_vec());
        Self { base, ..Self::new(Way::Out, owner, limits) }
    }

    /// For an archive that the engine made of a container's files.
    pub fn outward(owner: Owner, limits: Limits) -> Self {
        Self::new(Way::Out, owner, limits)
    }

    fn new(way: Way, owner: Owner, limits: Limits) -> Self {
        let (reader, links) = (Reader::default(), HashSet::new());
        Self { reader, way, base: None, owner, limits, members: 0, bytes: 0, size: 0, links, link_names: 0 }
    }

    /// Takes the next bytes, however many, and appends what becomes of them to `out`.
    ///
    /// After an error nothing more must be passed on, and the stream must be cut off rather than ended.
    pub fn push(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) -> Result<(), ArchiveError> {
        while let Some(event) = self.reader.next(&mut bytes)? {
            match event {
                Event::Entry(entry) => self.entry(entry, out)?,
                Event::Special { what, name } if self.way == Way::In => {
                    return Err(ArchiveError::Special { name: shown(&name), what });
                }
                Event::Special { .. } | Event::End => {}
                Event::Data(data) => out.extend_from_slice(data),
                Event::Close => write::pad(out, self.size),
            }
        }
        Ok(())
    }

    /// Ends the archive, which must be whole.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), ArchiveError> {
        self.reader.finish()?;
        write::end(out);
        Ok(())
    }

    fn entry(&mut self, mut entry: Entry, out: &mut Vec<u8>) -> Result<(), ArchiveError> {
        self.count(&entry)?;
        let name = self.name(&entry)?;
        match entry.kind {
            Kind::Symlink => self.remember(&name, &entry)?,
            Kind::HardLink => entry.target = self.inside(&entry)?,
            Kind::File | Kind::Directory => {}
        }
        entry.name = self.dressed(&name, &entry.name, entry.kind == Kind::Directory);
        entry.mode &= PERMISSIONS;
        self.size = entry.size;
        write::header(out, &entry, self.owner);
        Ok(())
    }

    fn count(&mut self, entry: &Entry) -> Result<(), ArchiveError> {
        self.members += 1;
        self.bytes = self.bytes.saturating_add(entry.size);
        let Limits { members, bytes, .. } = self.limits;
        if self.members > members {
            return Err(ArchiveError::TooMany { name: shown(&entry.name), most: members });
        }
        if self.bytes > bytes {
            return Err(ArchiveError::TooLarge { name: shown(&entry.name), most: bytes });
        }
        Ok(())
    }

    fn absolute(&self) -> Absolute {
        match self.way {
            Way::In => Absolute::Refused,
            Way::Out => Absolute::Stripped,
        }
    }

    /// The clean name of a member that may have it.
    fn name(&self, entry: &Entry) -> Result<Vec<u8>, ArchiveError> {
        let fault = |fault| ArchiveError::Name { name: shown(&entry.name), fault };
        let name = clean(&entry.name, self.absolute()).map_err(fault)?;
        if name.is_empty() && entry.kind != Kind::Directory {
            return Err(ArchiveError::Root(shown(&entry.name)));
        }
        if self.leads_through_link(&name) {
            return Err(ArchiveError::ThroughLink(shown(&entry.name)));
        }
        if !self.is_asked_for(&name) {
            return Err(ArchiveError::Beside(shown(&entry.name)));
        }
        Ok(name)
    }

    fn is_asked_for(&self, name: &[u8]) -> bool {
        let Some(base) = &self.base else { return true };
        name.strip_prefix(base.as_slice()).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
    }

    /// A hard link's target: another member's name.
    fn inside(&self, entry: &Entry) -> Result<Vec<u8>, ArchiveError> {
        let fault = |fault| ArchiveError::HardLink { name: shown(&entry.name), fault };
        let target = clean(&entry.target, self.absolute()).map_err(fault)?;
        if target.is_empty() {
            return Err(ArchiveError::NoTarget(shown(&entry.name)));
        }
        // To a link itself, too: its other name would not be remembered.
        if self.links.contains(&target) || self.leads_through_link(&target) {
            return Err(ArchiveError::ThroughLink(shown(&entry.name)));
        }
        if !self.is_asked_for(&target) {
            return Err(ArchiveError::Beside(shown(&entry.name)));
        }
        Ok(self.dressed(&target, &entry.target, false))
    }

    /// Keeps a symbolic link's name, for whatever would lead through it. On the way out the unpacker minds that.
    fn remember(&mut self, name: &[u8], entry: &Entry) -> Result<(), ArchiveError> {
        if entry.target.is_empty() {
            return Err(ArchiveError::NoTarget(shown(&entry.name)));
        }
        if self.way == Way::In && self.links.insert(name.to_vec()) {
            self.link_names += name.len() + size_of::<Vec<u8>>();
            if self.link_names > self.limits.link_names {
                return Err(ArchiveError::TooManyLinks(shown(&entry.name)));
            }
        }
        Ok(())
    }

    /// Whether a directory on the way to `name` is a link of this archive.
    fn leads_through_link(&self, name: &[u8]) -> bool {
        let slashes = name.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        !self.links.is_empty()
            && slashes
                .map(|(at, _)| name.get(..at))
                .any(|part| part.is_some_and(|part| self.links.contains(part)))
    }

    /// The name as it is written: directories end in `/`, the root is `./`.
    fn dressed(&self, name: &[u8], raw: &[u8], directory: bool) -> Vec<u8> {
        let rooted = self.way == Way::Out && raw.starts_with(b"/");
        let mut dressed = if rooted { b"/".to_vec() } else { Vec::new() };
        // A first member called `BZh…` would make the engine take all of it for bzip2's. And the root is `./`.
        if compression(name).is_some() || (name.is_empty() && !rooted) {
            dressed.extend_from_slice(b"./");
        }
        dressed.extend_from_slice(name);
        if directory && !dressed.ends_with(b"/") {
            dressed.push(b'/');
        }
        dressed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tarball::entry::Time;

    const OWNER: Owner = Owner { uid: 5001, gid: 6001 };

    fn entry(kind: Kind, name: &str, target: &str, size: u64) -> Entry {
        let mtime = Time { seconds: 1_700_000_000, nanoseconds: 0 };
        Entry { kind, name: name.into(), target: target.into(), size, mode: 0o6755, mtime }
    }

    fn archive(entries: &[Entry]) -> Vec<u8> {
        let mut out = Vec::new();
        for entry in entries {
            write::header(&mut out, entry, Owner { uid: 0, gid: 0 });
            out.resize(out.len() + usize::try_from(entry.size).unwrap(), b'x');
            write::pad(&mut out, entry.size);
        }
        write::end(&mut out);
        out
    }

    fn rewritten(mut rewriter: Rewriter, bytes: &[u8], step: usize) -> Result<Vec<u8>, ArchiveError> {
        let mut out = Vec::new();
        for part in bytes.chunks(step) {
            rewriter.push(part, &mut out)?;
        }
        rewriter.finish(&mut out)?;
        Ok(out)
    }

    fn inward(entries: &[Entry]) -> Result<Vec<u8>, ArchiveError> {
        rewritten(Rewriter::inward(OWNER, Limits::default()), &archive(entries), 100)
    }

    fn names(bytes: &[u8]) -> Vec<(String, String)> {
        let mut archive = tar::Archive::new(bytes);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let members = archive.entries().unwrap().map(Result::unwrap);
        members
            .map(|member| {
                let header = member.header();
                assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (5001, 6001));
                assert_eq!(header.mode().unwrap(), 0o755);
                assert_eq!(
                    (header.username_bytes(), header.groupname_bytes()),
                    (Some(&b""[..]), Some(&b""[..]))
                );
                (text(&member.path_bytes()), text(&member.link_name_bytes().unwrap_or_default()))
            })
            .collect()
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(name, target)| (name.to_string(), target.to_string())).collect()
    }

    #[test]
    fn what_is_beside_the_path_that_was_asked_for_is_not_passed_on() {
        let asked = |path: &str, entry: &Entry| {
            let path = AskedPath::new(path.as_bytes()).unwrap();
            let rewriter = Rewriter::outward_of(&path, OWNER, Limits::default());
            rewritten(rewriter, &archive(std::slice::from_ref(entry)), 512).map_err(|error| error.to_string())
        };
        let file = |name: &str| entry(Kind::File, name, "", 0);
        for (path, name) in [
            ("/out/data", "data"),
            ("/out/data/", "data/x"),
            ("/out/.", "anything"),
            ("/", "/etc/passwd"),
            ("/out/data", "./data/x"),
        ] {
            assert!(asked(path, &file(name)).is_ok(), "{path} {name}");
        }
        for name in [".bashrc", "data2", "dat", "x/data", "./.ssh/authorized_keys"] {
            assert_eq!(
                asked("/out/data", &file(name)).unwrap_err(),
                format!("{name}: not what was asked for")
            );
        }
        assert!(asked("/out/data", &entry(Kind::HardLink, "data/x", "etc", 0)).is_err());
        assert!(asked("/out/data", &entry(Kind::HardLink, "data/x", "data/y", 0)).is_ok());
        // And nothing in it has a right of its own.
        let out = asked("/out/data", &file("data")).unwrap();
        assert_eq!(&out[100..107], b"0000755");
    }

    #[test]
    fn everything_becomes_the_user_s_and_plain() {
        let long = "l".repeat(300);
        let out = inward(&[
            entry(Kind::Directory, "./", "", 0),
            entry(Kind::Directory, "d", "", 0),
            entry(Kind::File, "./d//f", "", 700),
            entry(Kind::HardLink, "d/hard", "./d/f", 0),
            entry(Kind::Symlink, "d/away", "/etc/passwd", 0),
            entry(Kind::File, &long, "", 0),
        ]);
        let expected =
            [("./", ""), ("d/", ""), ("d/f", ""), ("d/hard", "d/f"), ("d/away", "/etc/passwd"), (&long, "")];
        assert_eq!(names(&out.unwrap()), pairs(&expected));
    }

    #[test]
    fn each_refusal_names_the_member() {
        let refused = |entries: &[Entry]| inward(entries).unwrap_err().to_string();
        let file = |name: &str| refused(&[entry(Kind::File, name, "", 0)]);
        assert_eq!(file("/etc/x"), "/etc/x: the name is absolute");
        assert_eq!(file("a/../../x"), "a/../../x: the name contains '..'");
        assert_eq!(file("."), ".: the archive's root can only be a directory");
        let link = entry(Kind::Symlink, "d/l", "/home", 0);
        assert_eq!(
            refused(&[link.clone(), entry(Kind::File, "d/l/x", "", 0)]),
            "d/l/x: the name leads through a link that came with the archive"
        );
        for target in ["d/l", "d/l/x"] {
            let hard = entry(Kind::HardLink, "h", target, 0);
            assert_eq!(inward(&[link.clone(), hard]), Err(ArchiveError::ThroughLink("h".to_owned())));
        }
        let hard = entry(Kind::HardLink, "h", "../x", 0);
        assert_eq!(
            refused(&[hard]),
            "h: the link's target is not one inside the archive: the name contains '..'"
        );
    }

    #[test]
    fn limits_hold() {
        let limits = Limits { members: 2, bytes: 1000, link_names: 60 };
        let push = |entries: &[Entry]| rewritten(Rewriter::inward(OWNER, limits), &archive(entries), 512);
        let directory = |name: &str| entry(Kind::Directory, name, "", 0);
        let link = |name: &str| entry(Kind::Symlink, name, "x", 0);
        assert!(push(&[directory("a"), entry(Kind::File, "b", "", 1000)]).is_ok());
        assert!(matches!(
            push(&[directory("a"), directory("b"), directory("c")]),
            Err(ArchiveError::TooMany { most: 2, .. })
        ));
        assert!(matches!(push(&[link("a"), link(&"b".repeat(20))]), Err(ArchiveError::TooManyLinks(_))));
        // By its header alone: none of its contents has to travel.
        let mut huge = Vec::new();
        write::header(&mut huge, &entry(Kind::File, "huge", "", 1 << 40), OWNER);
        let error = Rewriter::inward(OWNER, limits).push(&huge, &mut Vec::new());
        assert_eq!(error, Err(ArchiveError::TooLarge { name: "huge".to_owned(), most: 1000 }));
    }

    #[test]
    fn a_name_that_looks_compressed_is_passed_on_harmlessly() {
        let out = inward(&[entry(Kind::File, "./BZhello", "", 3)]).unwrap();
        assert_eq!(names(&out), pairs(&[("./BZhello", "")]));
        assert_eq!(
            inward(&[entry(Kind::File, "BZhello", "", 3)]),
            Err(Malformed::Compressed("bzip2").into())
        );
    }

    #[test]
    fn on_the_way_out_devices_are_left_out_and_roots_stay() {
        let mut header = tar::Header::new_ustar();
        let mut builder = tar::Builder::new(Vec::new());
        for (name, kind) in
            [("/", b'5'), ("/dev/sda", b'4'), ("/bin/su", b'0'), ("/bin/fifo", b'6'), ("/bin/also", b'1')]
        {
            header.as_ustar_mut().unwrap().name = [0; 100];
            header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
            header.set_entry_type(tar::EntryType::new(kind));
            if kind == b'1' {
                header.set_link_name("bin/su").unwrap();
            }
            header.set_size(0);
            header.set_mode(0o4755);
            header.set_cksum();
            builder.append(&header, &[][..]).unwrap();
        }
        let bytes = builder.into_inner().unwrap();
        let out = rewritten(Rewriter::outward(OWNER, Limits::default()), &bytes, 512).unwrap();
        assert_eq!(names(&out), pairs(&[("/", ""), ("/bin/su", ""), ("/bin/also", "bin/su")]));
        let error = rewritten(Rewriter::inward(OWNER, Limits::default()), &bytes, 512);
        assert!(matches!(error, Err(ArchiveError::Name { .. })));
    }
}
