//! Layers made by hand, each with one thing that is or is not to be refused.

use super::*;
use crate::tarball::entry::{Owner, Time};
use crate::tarball::{BLOCK, write};
use tar::{Builder, EntryType, Header};

const ROOT: Owner = Owner { uid: 0, gid: 0 };

fn member(kind: Kind, name: &str, target: &str) -> Vec<u8> {
    let mtime = Time { seconds: 0, nanoseconds: 0 };
    let (name, target) = (name.as_bytes().to_vec(), target.as_bytes().to_vec());
    let mut tar = Vec::new();
    write::header(&mut tar, &Entry { kind, name, target, size: 0, mode: 0o666, mtime }, ROOT);
    tar
}

/// With its header, the last, changed so, and a sum that is right.
fn changed(mut tar: Vec<u8>, change: impl FnOnce(&mut Header)) -> Vec<u8> {
    let block = tar.split_off(tar.len() - BLOCK);
    let mut header = Header::from_byte_slice(&block).clone();
    change(&mut header);
    header.set_cksum();
    tar.extend_from_slice(header.as_bytes());
    tar
}

fn node(name: &str, kind: EntryType, major: u32, minor: u32) -> Vec<u8> {
    changed(member(Kind::File, name, ""), |header| {
        header.set_entry_type(kind);
        header.set_device_major(major).unwrap();
        header.set_device_minor(minor).unwrap();
    })
}

fn owned(member: Vec<u8>, mode: u32, uid: u64) -> Vec<u8> {
    changed(member, |header| {
        header.set_mode(mode);
        header.set_uid(uid);
    })
}

/// Of another type, whatever it is.
fn typed(name: &str, kind: u8) -> Vec<u8> {
    changed(member(Kind::File, name, ""), |header| header.set_entry_type(EntryType::new(kind)))
}

/// An extended header with these records before a member.
fn with_pax(records: &[(&str, &str)], member: Vec<u8>) -> Vec<u8> {
    let mut archive = Builder::new(Vec::new());
    archive.append_pax_extensions(records.iter().map(|(key, value)| (*key, value.as_bytes()))).unwrap();
    [archive.get_ref().as_slice(), &member].concat()
}

fn judged(members: &[Vec<u8>], step: usize) -> (Option<String>, Whole) {
    let mut tar = members.concat();
    write::end(&mut tar);
    let mut whole = Whole::default();
    let mut layer = Layer::new(&mut whole);
    tar.chunks(step).for_each(|part| layer.push(part));
    (layer.end().map(|why| why.to_string()), whole)
}

fn wrong(members: &[Vec<u8>]) -> Option<String> {
    let whole = judged(members, 1 << 20).0;
    assert_eq!(judged(members, 100).0, whole);
    whole
}

#[test]
fn no_node_but_dockers_own_is_let_through() {
    for (major, minor) in [(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 2)] {
        assert_eq!(wrong(&[node("any/where", EntryType::Char, major, minor)]), None, "{major}:{minor}");
        assert!(
            wrong(&[node("dev/null", EntryType::Block, major, minor)]).is_some(),
            "block {major}:{minor}"
        );
    }
    for (name, kind, major, minor) in [
        ("a/b/node", EntryType::Block, 7, 0),
        ("dev/d/node", EntryType::Block, 7, 0),
        ("./dev/mem", EntryType::Char, 1, 1),
        ("dev/kmsg", EntryType::Char, 1, 11),
        ("whiteout", EntryType::Char, 0, 0),
        ("dev/tty1", EntryType::Char, 4, 1),
        ("dev/x", EntryType::Char, 0o1_000_001, 3),
    ] {
        let said = wrong(&[node(name, kind, major, minor)]).unwrap();
        let plain = name.trim_start_matches("./");
        assert!(said.starts_with(&format!("the image holds a device node, /{plain} (")), "{said}");
    }
    assert_eq!(wrong(&[typed("a/fifo", b'6')]), None);
}

#[test]
fn a_console_is_roots_alone() {
    let console = |mode: u32, uid: u64| owned(node("dev/console", EntryType::Char, 5, 1), mode, uid);
    assert_eq!(wrong(&[console(0o600, 0)]), None);
    for (mode, uid) in [(0o620, 0), (0o602, 0), (0o600, 1000)] {
        assert!(wrong(&[console(mode, uid)]).unwrap().contains("char 5:1"), "{mode:o} {uid}");
    }
    // The extended header's owner is the one that counts.
    let given = |uid| with_pax(&[("uid", uid)], console(0o600, 0));
    assert_eq!(wrong(&[given("0")]), None);
    assert!(wrong(&[given("1000")]).is_some() && wrong(&[given("x")]).is_some());
}

#[test]
fn a_console_with_a_hard_link_is_nobodys() {
    let closed = |name: &str| owned(node(name, EntryType::Char, 5, 1), 0o600, 0);
    let link = |target: &str| member(Kind::HardLink, "d/open", target);
    let other = || member(Kind::HardLink, "d/open", "d/consoles/x");
    assert_eq!(wrong(&[closed("d/console"), other(), member(Kind::Symlink, "s", "d/console")]), None);
    assert_eq!(wrong(&[member(Kind::File, "bin/console", ""), link("bin/console")]), None);
    for target in ["d/console", "/d/console", "d//console/.", "s/../s/console", "d/console/x/..", "console"] {
        for members in [[closed("d/console"), link(target)], [link(target), closed("d/console")]] {
            let said = wrong(&members).unwrap();
            assert!(said.contains("/d/console (char 5:1), and a hard link, /d/open,"), "{target}: {said}");
        }
    }
    // Under another name, by which no link would be known as one to it.
    assert!(wrong(&[closed("dev/other")]).unwrap().contains("char 5:1"));
    // In whichever layers they are.
    let mut whole = Whole::default();
    for (layer, is_wrong) in [(link("d/console"), false), (closed("d/console"), true)] {
        let mut reading = Layer::new(&mut whole);
        reading.push(&layer);
        assert_eq!(reading.end().is_some(), is_wrong);
    }
    assert!(whole.refused().is_some());
}

#[test]
fn numbers_that_can_be_read_in_two_ways_are_no_numbers() {
    let null = || node("dev/null", EntryType::Char, 1, 3);
    assert_eq!(wrong(&[null()]), None);
    let odd = |major: [u8; 8]| changed(null(), |header| header.as_gnu_mut().unwrap().dev_major = major);
    // In base 256: what is 1 is 1, what the engine would cut off to 1 is not.
    assert_eq!(wrong(&[odd(*b"\x80\0\0\0\0\0\0\x01")]), None);
    for major in [
        *b"\x80\0\0\x01\0\0\0\x01",
        [0xff; 8],
        *b"\x000000001",
        *b"1\x00000000",
        *b"x000001\0",
        *b" +00001\0",
    ] {
        assert!(wrong(&[odd(major)]).is_some(), "{major:?}");
    }
    // The oldest form has no numbers, whatever stands there; another writer's keys for them are nobody's.
    assert!(wrong(&[changed(null(), |header| header.as_old_mut().pad[..8].fill(0))]).is_some());
    assert!(wrong(&[with_pax(&[("SCHILY.devmajor", "7")], node("d", EntryType::Block, 7, 0))]).is_some());
    // A size of which other readers see another one: what is contents to one is a node to the other.
    let sized = changed(member(Kind::File, "f", ""), |header| header.as_old_mut().size = *b"\x0000000001000");
    assert!(wrong(&[sized]).is_some());
}

#[test]
fn what_overlayfs_would_obey_or_nobody_can_open_is_refused() {
    let file = |name: &str| member(Kind::File, name, "");
    for key in ["trusted.overlay.redirect", "trusted.overlay.opaque", "trusted.x", "user.overlay.redirect"] {
        let said = wrong(&[with_pax(&[(&format!("SCHILY.xattr.{key}"), "/a")], file("r"))]).unwrap();
        assert!(said.contains(key), "{said}");
    }
    // Of two capabilities together one byte is a newline's.
    for value in ["x", "\x01\0\0\x02\n\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"] {
        assert_eq!(wrong(&[with_pax(&[("SCHILY.xattr.security.capability", value)], file("ping"))]), None);
    }
    let (part, path, parts) =
        ("x".repeat(256), vec!["y".repeat(200); 12].join("/"), vec!["z"; 129].join("/"));
    for (name, what) in [
        (part.as_str(), "a name with a length of 256, the most is 255"),
        (&path, "a path with a length of 2411, the most is 2000"),
        (&parts, "a path with a number of names of 129, the most is 128"),
        ("a/../v", "the name contains '..'"),
        (".", "the image's root can only be a directory"),
    ] {
        assert!(wrong(&[file(name)]).unwrap().ends_with(what), "{:?}", wrong(&[file(name)]));
    }
    assert_eq!(wrong(&[file(&part[1..]), file(&path[..1900]), file(&parts[2..]), file(".wh.a")]), None);
    assert!(wrong(&[typed("s", b'S')]).is_some());
    assert!(wrong(&[typed("s", b'V')]).is_some());
    let after = [b"\0".repeat(BLOCK), file("hidden")].concat();
    assert!(wrong(&[after]).unwrap().contains("after the archive's end"));
    // Star takes the name for a shorter one, whatever the version is.
    let posix = |version: &[u8; 2], end: &[u8; 4]| {
        changed(file("f"), |header| {
            let fields = &mut header.as_old_mut().pad;
            fields[..8].copy_from_slice(&[&b"ustar\0"[..], version].concat());
            fields[251..].copy_from_slice(end);
        })
    };
    for version in [b"00", b"\0\0"] {
        assert_eq!(wrong(&[posix(version, b"\0\0\0\0")]), None);
        assert!(wrong(&[posix(version, b"tar\0")]).unwrap().contains("two ways"), "{version:?}");
    }
    // Between an extended header and its member, other readers forget the first.
    let global = typed("pax", b'g');
    assert!(wrong(&[with_pax(&[("path", "v")], [global, file("q")].concat())]).is_some());
}

#[test]
fn links_are_told_by_their_clean_names_and_members_are_counted() {
    let members = [
        member(Kind::Symlink, "./v", "dev"),
        member(Kind::Symlink, "/e//x", "/etc"),
        member(Kind::HardLink, "h", "f"),
        with_pax(&[("path", "p/long")], member(Kind::Symlink, "short", "x")),
    ];
    let (wrong, whole) = judged(&members, 7);
    assert_eq!((wrong, whole.members), (None, 4));
    let links = whole.links.finish();
    for (place, link) in [("/v", "/v"), ("/e/x/y", "/e/x"), ("/h", "/h"), ("/p/long", "/p/long")] {
        let said = links.lands(std::path::Path::new(place)).unwrap_err().to_string();
        assert!(said.starts_with(&format!("{link} is a link to ")), "{said}");
    }
    assert!(links.lands(std::path::Path::new("/short")).is_ok());
    let full = Whole { members: MEMBERS, ..Whole::default() };
    assert!(full.refused().is_none());
    assert!(
        Whole { members: MEMBERS + 1, ..Whole::default() }
            .refused()
            .unwrap()
            .to_string()
            .contains("4000000 files")
    );
}

#[test]
fn what_breaks_off_or_is_no_archive_was_not_looked_through() {
    let end = |bytes: &[u8]| {
        let mut whole = Whole::default();
        let mut layer = Layer::new(&mut whole);
        layer.push(bytes);
        layer.end()
    };
    assert!(end(&member(Kind::File, "f", "")[..300]).is_some());
    assert!(end(&[7; 1024]).is_some() && end(b"{}").is_some());
    // tar itself allows it.
    assert_eq!(end(&member(Kind::File, "f", "")), None);
}
