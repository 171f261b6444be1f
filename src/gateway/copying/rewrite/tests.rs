//! The rewriter, by hand: what comes out of archives that were made for it.

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
            assert_eq!((header.username_bytes(), header.groupname_bytes()), (Some(&b""[..]), Some(&b""[..])));
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
        assert_eq!(asked("/out/data", &file(name)).unwrap_err(), format!("{name}: not what was asked for"));
    }
    assert!(asked("/out/data", &entry(Kind::HardLink, "data/x", "etc", 0)).is_err());
    assert!(asked("/out/data", &entry(Kind::HardLink, "data/x", "data/y", 0)).is_ok());
    // And nothing in it has a right of its own.
    let out = asked("/out/data", &file("data")).unwrap();
    assert_eq!(&out[100..107], b"0000755");
}

#[test]
fn what_a_container_made_leads_through_no_link() {
    let asked = |path: &str, entries: &[Entry]| {
        let path = AskedPath::new(path.as_bytes()).unwrap();
        rewritten(Rewriter::outward_of(&path, OWNER, Limits::default()), &archive(entries), 512)
    };
    let link = |name: &str| entry(Kind::Symlink, name, "/home/ann/.ssh", 0);
    let file = |name: &str| entry(Kind::File, name, "", 0);
    assert!(asked("/out/data", &[link("data/l"), file("data/x"), file("data/l2")]).is_ok());
    for (path, entries) in [
        ("/out/data", [link("data/l"), file("data/l/authorized_keys")]),
        ("/out/data", [link("data/l"), file("./data//l/deep/er")]),
        ("/out/data", [link("data"), file("data/x")]),
        ("/out/.", [link("l"), file("./l/x")]),
        ("/", [link("/l"), file("l/x")]),
        ("/out/data", [link("data/l"), entry(Kind::HardLink, "data/h", "data/l/x", 0)]),
        ("/out/data", [link("data/l"), entry(Kind::HardLink, "data/h", "data/l", 0)]),
    ] {
        let name = shown(&entries[1].name);
        assert_eq!(asked(path, &entries), Err(ArchiveError::ThroughLink(name)), "{path}");
    }
    // The engine's own archives are of trees that it walked through.
    let engines = archive(&[link("l"), file("l/x")]);
    let path = AskedPath::new(b"/.").unwrap();
    assert!(rewritten(Rewriter::outward(&path, OWNER, Limits::default()), &engines, 512).is_ok());
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
fn a_hard_link_leads_to_a_file_of_the_same_archive() {
    let hard = |name: &str, target: &str| entry(Kind::HardLink, name, target, 0);
    let file = |name: &str| entry(Kind::File, name, "", 0);
    assert!(inward(&[file("d/f"), hard("a", "./d//f"), hard("b", "a"), hard("a", "b")]).is_ok());
    for (before, target) in [
        (vec![], "dev/d/node"),
        (vec![], "./dev/d/node"),
        (vec![], "h"),
        (vec![file("f")], "f/x"),
        (vec![entry(Kind::Directory, "d", "", 0)], "d"),
        (vec![entry(Kind::Directory, "dev/d", "", 0)], "dev/d/node"),
        (vec![file("f"), entry(Kind::Directory, "f/", "", 0)], "f"),
        (vec![file("f"), hard("g", "f"), entry(Kind::Directory, "g", "", 0)], "./g"),
    ] {
        let refused = inward(&[before.as_slice(), &[hard("h", target)]].concat()).unwrap_err();
        assert!(
            matches!(&refused, ArchiveError::NotBrought { name, .. } if name == "h"),
            "{target}: {refused}"
        );
    }
    let limits = Limits { files: 1, ..Limits::default() };
    let second = archive(&[file("a"), file("b"), hard("c", "a"), hard("d", "b")]);
    let refused = rewritten(Rewriter::inward(OWNER, limits), &second, 512).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "d: a hard link leads to a file that the archive brought before, one of its first 1; pack b as a file"
    );
}

#[test]
fn limits_hold() {
    let limits = Limits { members: 2, bytes: 1000, links: 1, files: 1 };
    let push = |entries: &[Entry]| rewritten(Rewriter::inward(OWNER, limits), &archive(entries), 512);
    let directory = |name: &str| entry(Kind::Directory, name, "", 0);
    let link = |name: &str| entry(Kind::Symlink, name, "x", 0);
    assert!(push(&[directory("a"), entry(Kind::File, "b", "", 1000)]).is_ok());
    assert!(matches!(
        push(&[directory("a"), directory("b"), directory("c")]),
        Err(ArchiveError::TooMany { most: 2, .. })
    ));
    assert!(push(&[link("a"), link("a")]).is_ok());
    assert!(matches!(push(&[link("a"), link("b")]), Err(ArchiveError::TooManyLinks(_))));
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
    assert_eq!(inward(&[entry(Kind::File, "BZhello", "", 3)]), Err(Malformed::Compressed("bzip2").into()));
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
    // As the engine names what is below such a path.
    for (path, expected) in [
        ("/", [("/", ""), ("/bin/su", ""), ("/bin/also", "/bin/su")]),
        ("/.", [("./", ""), ("./bin/su", ""), ("./bin/also", "./bin/su")]),
    ] {
        let path = AskedPath::new(path.as_bytes()).unwrap();
        let out = rewritten(Rewriter::outward(&path, OWNER, Limits::default()), &bytes, 512).unwrap();
        assert_eq!(names(&out), pairs(&expected));
    }
    let error = rewritten(Rewriter::inward(OWNER, Limits::default()), &bytes, 512);
    assert!(matches!(error, Err(ArchiveError::Special { .. })));
}
