//! Archives and streams, in whatever pieces they come.

use crate::gateway::copying::rewrite::{ArchiveError, Limits, Rewriter};
use crate::gateway::fuzz::{Demux, Stream};
use crate::protocol::path::AskedPath;
use crate::tarball::BLOCK;
use crate::tarball::entry::Owner;
use crate::tarball::name::Root;
use crate::tarball::read::compression;
use crate::tarball::unpack::{Links, Replace, Rules, Unpacker};
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

const OWNER: Owner = Owner { uid: 5001, gid: 6001 };

/// Puts right the checksum of every block that says it is a header: otherwise hardly any would be looked at.
fn sealed(archive: &[u8]) -> Vec<u8> {
    let mut archive = archive.to_vec();
    for block in archive.chunks_exact_mut(BLOCK) {
        let mut header = tar::Header::from_byte_slice(block).clone();
        if header.as_old().pad.starts_with(b"ustar") {
            header.set_cksum();
            block.copy_from_slice(header.as_bytes());
        }
    }
    archive
}

/// The first byte says how it is done, the rest is the archive.
fn taken_apart(data: &[u8]) -> Option<(u8, Vec<u8>)> {
    let (how, archive) = data.split_first()?;
    Some((*how, if how & 0x80 == 0 { sealed(archive) } else { archive.to_vec() }))
}

fn rewritten(rewriter: Rewriter, archive: &[u8], step: usize) -> (Vec<u8>, Result<(), ArchiveError>) {
    let (mut rewriter, mut out) = (rewriter, Vec::new());
    let pushed = archive.chunks(step).try_for_each(|part| rewriter.push(part, &mut out));
    let result = pushed.and_then(|()| rewriter.finish(&mut out));
    (out, result)
}

/// An archive on its way into a container that does not run, and out of one.
pub fn rewrite(data: &[u8]) {
    let Some((how, archive)) = taken_apart(data) else { return };
    let inward = how & 1 == 0;
    let limits = Limits { members: 100, bytes: 1 << 20, links: 64, files: 64 };
    let asked: &[u8] = match how >> 1 & 3 {
        0 => b"/",
        1 => b"/d/.",
        _ => b"/d/a",
    };
    let Ok(asked) = AskedPath::new(asked) else { return };
    let new = || match inward {
        true => Rewriter::inward(OWNER, limits),
        false => Rewriter::outward(&asked, OWNER, limits),
    };
    let (out, result) = rewritten(new(), &archive, 1 << 20);
    assert!(out.len() <= archive.len() * 3 + 4096, "{} bytes became {}", archive.len(), out.len());
    for step in [1, 511, 700] {
        let (pieces, ended) = rewritten(new(), &archive, step);
        assert_eq!(ended, result, "in pieces of {step}");
        // What comes after an error depends on how much came with it; nothing of it counts.
        assert!(result.is_err() || pieces == out, "in pieces of {step}");
    }
    if inward {
        assert_plain(&out, OWNER.uid, "rewritten");
    }
    if result.is_ok() {
        assert_eq!(compression(&out), None, "an engine would run a program on it");
        let (again, ended) = rewritten(new(), &out, 4096);
        assert_eq!((ended, again == out), (Ok(()), true), "what was rewritten is not left as it is");
    }
}

/// Holds, by another reader's eyes, that an archive has files, directories and links of one owner and no more.
pub(crate) fn assert_plain(out: &[u8], uid: u32, told: &str) {
    let mut archive = tar::Archive::new(out);
    let climbs =
        |name: &[u8]| name.starts_with(b"/") || name.split(|byte| *byte == b'/').any(|part| part == b"..");
    let mut files = std::collections::HashSet::new();
    for member in archive.entries().unwrap() {
        // Its end is cut off where something was wrong: what came before is on its way already.
        let Ok(mut member) = member else { break };
        let name = member.path_bytes().into_owned();
        let target = member.link_name_bytes().unwrap_or_default().into_owned();
        let header = member.header();
        let told = || format!("{told}: {}", String::from_utf8_lossy(&name));
        assert_eq!(header.uid().unwrap(), u64::from(uid), "{}", told());
        assert_eq!(header.mode().unwrap() & !0o777, 0, "{}", told());
        assert!(matches!(header.entry_type().as_byte(), b'0' | b'1' | b'2' | b'5'), "{}", told());
        assert!(!climbs(&name) && !name.is_empty(), "{}", told());
        let leads = files.contains(target.strip_prefix(b"./").unwrap_or(&target));
        assert!(!header.entry_type().is_hard_link() || leads, "{} -> {target:?}", told());
        let plain = name.strip_prefix(b"./").unwrap_or(&name).to_vec();
        match header.entry_type().as_byte() {
            b'0' | b'1' => drop(files.insert(plain)),
            _ => drop(files.remove(plain.strip_suffix(b"/").unwrap_or(&plain))),
        }
        let extensions = member.pax_extensions().unwrap().into_iter().flatten().flatten();
        let known = ["path", "linkpath", "size", "mtime"];
        for extension in extensions {
            assert!(known.contains(&extension.key().unwrap()), "{}: {:?}", told(), extension.key());
        }
    }
}

/// A directory to unpack into, and beside it one that must stay as it is.
struct Sandbox {
    base: PathBuf,
    before: BTreeMap<PathBuf, String>,
}

thread_local! {
    static SANDBOX: OnceCell<Sandbox> = const { OnceCell::new() };
}

impl Sandbox {
    fn new() -> Self {
        let base = super::directory("unpack");
        std::fs::create_dir_all(base.join("outside/dir")).unwrap();
        std::fs::write(base.join("outside/secret"), "precious\n").unwrap();
        let mut sandbox = Self { base, before: BTreeMap::new() };
        sandbox.before = sandbox.outside();
        sandbox
    }

    fn target(&self) -> PathBuf {
        self.base.join("target")
    }

    /// The target as it is found: something of each kind, and links that lead out.
    fn reset(&self) {
        let target = self.target();
        let _none_yet = std::fs::remove_dir_all(&target);
        std::fs::create_dir_all(target.join("d")).unwrap();
        std::fs::write(target.join("f"), "mine\n").unwrap();
        symlink("../outside", target.join("out")).unwrap();
        symlink(self.base.join("outside"), target.join("far")).unwrap();
        symlink("d", target.join("near")).unwrap();
    }

    /// All but the target: kind, mode, owner, links, time and contents.
    fn outside(&self) -> BTreeMap<PathBuf, String> {
        let target = self.target();
        let there = walk(&self.base, &target).into_iter();
        let described = there.map(|path| {
            let meta = path.symlink_metadata().unwrap();
            let contents = if meta.is_file() { std::fs::read(&path).unwrap() } else { Vec::new() };
            let text = format!("{:o} {} {} {:?}", meta.mode(), meta.uid(), meta.mtime(), contents);
            let links = if meta.is_dir() { 0 } else { meta.nlink() };
            (path, format!("{text} {links}"))
        });
        described.collect()
    }

    /// Files, directories and links of our own, without setuid.
    fn check_inside(&self) {
        check(&self.target());
    }
}

/// Directories are opened on the way: whoever unpacks may close them, and they have to go away again.
fn check(path: &Path) {
    let meta = path.symlink_metadata().unwrap();
    let kind = meta.file_type();
    assert!(kind.is_file() || kind.is_dir() || kind.is_symlink(), "{path:?} is {kind:?}");
    assert!(kind.is_symlink() || meta.mode() & 0o7000 == 0, "{path:?} has mode {:o}", meta.mode());
    assert_eq!(meta.uid(), rustix::process::geteuid().as_raw(), "{path:?} is another one's");
    if kind.is_dir() {
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o700)).unwrap();
        std::fs::read_dir(path).unwrap().for_each(|entry| check(&entry.unwrap().path()));
    }
}

/// Everything below a directory but one, no link followed.
fn walk(directory: &Path, but: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path == but {
            continue;
        }
        if path.symlink_metadata().unwrap().is_dir() {
            found.extend(walk(&path, but));
        }
        found.push(path);
    }
    found
}

/// An archive that is unpacked here: by the client's rules, or by those of `ie-copy`.
pub fn unpack(data: &[u8]) {
    let Some((how, archive)) = taken_apart(data) else { return };
    let root = |from: &[u8], to: &[u8]| Root { from: from.to_vec(), to: to.to_vec() };
    let rules = |links, replace, root| Rules { links, replace, root };
    let client = |root| rules(Links::Never, Replace::SameKind, root);
    let rules = match how & 3 {
        0 => client(root(b"", b"")),
        1 => client(root(b"a", b"b")),
        2 => rules(Links::Beneath, Replace::AnyKind, root(b"", b"")),
        _ => rules(Links::Beneath, Replace::SameKind, root(b"", b"")),
    };
    SANDBOX.with(|sandbox| {
        let sandbox = sandbox.get_or_init(Sandbox::new);
        sandbox.reset();
        let directory = std::fs::File::open(sandbox.target()).unwrap();
        let mut unpacker = Unpacker::new(directory.into(), rules);
        let step = usize::from(how & 0x7c).max(1) * 64;
        let pushed = archive.chunks(step).try_for_each(|part| unpacker.push(part));
        let result = pushed.and_then(|()| unpacker.finish());
        assert_eq!(sandbox.outside(), sandbox.before, "{result:?}");
        sandbox.check_inside();
    });
}

type Split = (Vec<u8>, Vec<u8>, bool);

fn split(chunks: &mut dyn Iterator<Item = &[u8]>) -> Split {
    let (mut demux, mut out, mut err) = (Demux::default(), Vec::new(), Vec::new());
    for chunk in chunks {
        for piece in demux.push(bytes::Bytes::copy_from_slice(chunk)) {
            match piece {
                Ok((Stream::Stdin | Stream::Stdout, data)) => out.extend_from_slice(&data),
                Ok((Stream::Stderr | Stream::System, data)) => err.extend_from_slice(&data),
                Err(_) => return (out, err, false),
            }
        }
    }
    (out, err, true)
}

/// The engine's frames of two streams: the gateway and the client take them apart alike, however they are cut.
pub fn demux(data: &[u8]) {
    let whole = split(&mut std::iter::once(data));
    for step in [1, 7, 64] {
        assert_eq!(split(&mut data.chunks(step)), whole, "in pieces of {step}");
        assert_eq!(crate::client::fuzz::demux(&mut data.chunks(step)), whole, "the client, by {step}");
    }
}
