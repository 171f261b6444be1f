//! Layers made by hand, each with one thing that is or is not to be refused.

use super::*;
use crate::tarball::entry::{Owner, Time};
use crate::tarball::write;

const ROOT: Owner = Owner { uid: 0, gid: 0 };

fn member(kind: Kind, name: &str, target: &str) -> Vec<u8> {
    let mtime = Time { seconds: 0, nanoseconds: 0 };
    let (name, target) = (name.as_bytes().to_vec(), target.as_bytes().to_vec());
    let mut tar = Vec::new();
    write::header(&mut tar, &Entry { kind, name, target, size: 0, mode: 0o666, mtime }, ROOT);
    tar
}

/// The last header with these bytes at these places, and a sum that is right.
fn changed(mut tar: Vec<u8>, changes: &[(usize, &[u8])]) -> Vec<u8> {
    let at = tar.len() - 512;
    let header = &mut tar[at..];
    for (place, bytes) in changes {
        header[*place..*place + bytes.len()].copy_from_slice(bytes);
    }
    // The checksum counts its own eight bytes as spaces.
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    tar
}

fn node(name: &str, kind: u8, major: u32, minor: u32) -> Vec<u8> {
    let (major, minor) = (format!("{major:07o}\0"), format!("{minor:07o}\0"));
    let numbers = [(156, &[kind][..]), (329, major.as_bytes()), (337, minor.as_bytes())];
    changed(member(Kind::File, name, ""), &numbers)
}

/// An extended header with these records before a member.
fn with_pax(records: &[(&str, &str)], member: Vec<u8>) -> Vec<u8> {
    let mut text = String::new();
    for (key, value) in records {
        let bare = key.len() + value.len() + 3;
        let length = (1..).map(|digits| bare + digits).find(|n| n.to_string().len() + bare == *n).unwrap();
        text.push_str(&format!("{length} {key}={value}\n"));
    }
    let size = format!("{:011o}\0", text.len());
    let mut tar = changed(self::member(Kind::File, "pax", ""), &[(156, b"x"), (124, size.as_bytes())]);
    tar.extend_from_slice(text.as_bytes());
    tar.resize(tar.len().next_multiple_of(512), 0);
    tar.extend(member);
    tar
}

fn judged(members: &[Vec<u8>], step: usize) -> (Option<String>, Whole) {
    let mut tar = members.concat();
    write::end(&mut tar);
    let mut whole = Whole::default();
    let mut layer = Layer::new(&mut whole);
    tar.chunks(step).for_each(|part| layer.push(part));
    (layer.end(), whole)
}

fn wrong(members: &[Vec<u8>]) -> Option<String> {
    let whole = judged(members, 1 << 20).0;
    assert_eq!(judged(members, 100).0, whole);
    whole
}

#[test]
fn no_node_but_dockers_own_is_let_through() {
    for (major, minor) in [(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 2)] {
        assert_eq!(wrong(&[node("any/where", b'3', major, minor)]), None, "{major}:{minor}");
        assert!(wrong(&[node("dev/null", b'4', major, minor)]).is_some(), "block {major}:{minor}");
    }
    for (name, kind, major, minor) in [
        ("a/b/node", b'4', 7, 0),
        ("dev/d/node", b'4', 7, 0),
        ("./dev/mem", b'3', 1, 1),
        ("dev/kmsg", b'3', 1, 11),
        ("whiteout", b'3', 0, 0),
        ("dev/tty1", b'3', 4, 1),
        ("dev/x", b'3', 0o1_000_001, 3),
    ] {
        let said = wrong(&[node(name, kind, major, minor)]).unwrap();
        let plain = name.trim_start_matches("./");
        assert!(said.starts_with(&format!("the image holds a device node, /{plain} (")), "{said}");
    }
    assert_eq!(wrong(&[changed(member(Kind::File, "a/fifo", ""), &[(156, b"6")])]), None);
}

#[test]
fn a_console_is_roots_alone() {
    let console =
        |mode: &[u8], uid: &[u8]| changed(node("dev/console", b'3', 5, 1), &[(100, mode), (108, uid)]);
    assert_eq!(wrong(&[console(b"0000600\0", b"0000000\0")]), None);
    for (mode, uid) in [("0000620", "0000000"), ("0000602", "0000000"), ("0000600", "0001750")] {
        let console = console(format!("{mode}\0").as_bytes(), format!("{uid}\0").as_bytes());
        assert!(wrong(&[console]).unwrap().contains("char 5:1"), "{mode} {uid}");
    }
    // The extended header's owner is the one that counts.
    let given = |uid| with_pax(&[("uid", uid)], console(b"0000600\0", b"0000000\0"));
    assert_eq!(wrong(&[given("0")]), None);
    assert!(wrong(&[given("1000")]).is_some() && wrong(&[given("x")]).is_some());
}

#[test]
fn a_console_with_a_hard_link_is_nobodys() {
    let closed = |name: &str| changed(node(name, b'3', 5, 1), &[(100, b"0000600\0"), (108, b"0000000\0")]);
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
    let null = || node("dev/null", b'3', 1, 3);
    assert_eq!(wrong(&[null()]), None);
    // In base 256: what is 1 is 1, what the engine would cut off to 1 is not.
    assert_eq!(wrong(&[changed(null(), &[(329, b"\x80\0\0\0\0\0\0\x01")])]), None);
    for odd in [
        &b"\x80\0\0\x01\0\0\0\x01"[..],
        b"\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x000000001",
        b"1\x00000000",
        b"x000001\0",
    ] {
        assert!(wrong(&[changed(null(), &[(329, odd)])]).is_some(), "{odd:?}");
    }
    // The oldest form has no numbers, whatever stands there; another writer's keys for them are nobody's.
    assert!(wrong(&[changed(null(), &[(257, b"\0\0\0\0\0\0\0\0")])]).is_some());
    assert!(wrong(&[with_pax(&[("SCHILY.devmajor", "7")], node("d", b'4', 7, 0))]).is_some());
    // A size of which other readers see another one: what is contents to one is a node to the other.
    assert!(wrong(&[changed(member(Kind::File, "f", ""), &[(124, b"\x0000000001000")])]).is_some());
}

#[test]
fn what_overlayfs_would_obey_or_nobody_can_open_is_refused() {
    let file = |name: &str| member(Kind::File, name, "");
    for key in ["trusted.overlay.redirect", "trusted.overlay.opaque", "trusted.x", "user.overlay.redirect"] {
        let said = wrong(&[with_pax(&[(&format!("SCHILY.xattr.{key}"), "/a")], file("r"))]).unwrap();
        assert!(said.contains(key), "{said}");
    }
    assert_eq!(wrong(&[with_pax(&[("SCHILY.xattr.security.capability", "x")], file("ping"))]), None);
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
    assert!(wrong(&[changed(file("s"), &[(156, b"S")])]).is_some());
    assert!(wrong(&[changed(file("s"), &[(156, b"V")])]).is_some());
    let after = [b"\0".repeat(512), file("hidden")].concat();
    assert!(wrong(&[after]).unwrap().contains("after the archive's end"));
    // Star takes the name for a shorter one.
    let star = changed(file("f"), &[(257, b"ustar\x0000"), (508, b"tar\0")]);
    assert!(wrong(&[star]).unwrap().contains("two ways"));
    // Between an extended header and its member, other readers forget the first.
    let global = changed(file("pax"), &[(156, b"g")]);
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
        let said = links.lands(std::path::Path::new(place)).unwrap_err();
        assert!(said.starts_with(&format!("{link} is a link to ")), "{said}");
    }
    assert!(links.lands(std::path::Path::new("/short")).is_ok());
    let full = Whole { members: MEMBERS, ..Whole::default() };
    assert!(full.refused().is_none());
    assert!(Whole { members: MEMBERS + 1, ..Whole::default() }.refused().unwrap().contains("4000000 files"));
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
