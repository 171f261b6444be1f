//! Packing, by hand: trees that are packed and read again with another reader.

use super::*;
use crate::tarball::read::{Event, Reader};
use std::os::unix::fs::{PermissionsExt, symlink};

fn packed(path: &Path, root: &[u8], piece: usize) -> (Vec<u8>, Vec<Note>) {
    let mut packer = Packer::open(path, root).unwrap();
    let (mut all, mut more) = (Vec::new(), true);
    while more {
        let mut out = Vec::with_capacity(piece);
        more = packer.fill(&mut out).unwrap();
        all.append(&mut out);
    }
    (all, packer.notes())
}

fn members(archive: &[u8]) -> Vec<(String, String)> {
    let mut archive = tar::Archive::new(archive);
    let entries = archive.entries().unwrap().map(Result::unwrap);
    let entries = entries.filter(|entry| entry.header().entry_type() != tar::EntryType::XGlobalHeader);
    entries
        .map(|mut entry| {
            let name = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            if let Some(target) = entry.link_name_bytes() {
                let kind = if entry.header().entry_type().is_hard_link() { "=" } else { "->" };
                text = format!("{kind}{}", String::from_utf8_lossy(&target));
            }
            (name, text)
        })
        .collect()
}

fn tree() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("d");
    std::fs::create_dir_all(root.join("sub/deep")).unwrap();
    std::fs::write(root.join("f"), "hi\n").unwrap();
    std::fs::write(root.join("sub/deep/g"), "x".repeat(2000)).unwrap();
    std::fs::hard_link(root.join("f"), root.join("hard")).unwrap();
    std::fs::set_permissions(root.join("f"), PermissionsExt::from_mode(0o4755)).unwrap();
    symlink("/etc/passwd", root.join("link")).unwrap();
    symlink("sub", root.join("to-sub")).unwrap();
    rustix::fs::mknodat(fs::CWD, root.join("fifo"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    dir
}

#[test]
fn a_tree_is_packed_as_docker_does() {
    let dir = tree();
    let path = dir.path().join("d");
    for piece in [1024, 20_000, 1 << 20] {
        let (archive, notes) = packed(&path, b"d", piece);
        let long = "x".repeat(2000);
        let expected = [
            ("d/", ""),
            ("d/f", "hi\n"),
            ("d/hard", "=d/f"),
            ("d/link", "->/etc/passwd"),
            ("d/sub/", ""),
            ("d/sub/deep/", ""),
            ("d/sub/deep/g", &long),
            ("d/to-sub", "->sub"),
        ];
        assert_eq!(members(&archive), expected.map(|(name, text)| (name.to_owned(), text.to_owned())));
        assert_eq!(notes.len(), 1);
        assert_eq!(notes[0].to_string(), format!("skipped a fifo: {}/fifo", path.display()));
        assert_eq!(archive.len() % 512, 0);
    }
}

#[test]
fn the_root_has_the_name_that_was_asked_for() {
    let dir = tree();
    let names = |path: &str, root: &[u8]| -> Vec<String> {
        let (archive, _) = packed(&dir.path().join(path), root, 4096);
        members(&archive).into_iter().map(|(name, _)| name).take(2).collect()
    };
    assert_eq!(names("d/.", b"."), ["./", "./f"]);
    assert_eq!(names("d/", b"/"), ["/", "/f"]);
    assert_eq!(names("d/f", b"other"), ["other"]);
    assert_eq!(names("d/to-sub", b"to-sub"), ["to-sub"]);
    assert_eq!(names("d/to-sub/", b"to-sub"), ["to-sub/", "to-sub/deep/"]);
}

#[test]
fn no_setuid_bit_leaves() {
    let dir = tree();
    let (archive, _) = packed(&dir.path().join("d/f"), b"f", 4096);
    let mut archive = tar::Archive::new(archive.as_slice());
    let entry = archive.entries().unwrap().next().unwrap().unwrap();
    assert_eq!(entry.header().mode().unwrap(), 0o755);
}

#[test]
fn what_is_not_there_is_an_error() {
    let dir = tree();
    let at = |path: &str| Packer::open(&dir.path().join(path), b"x").err().unwrap();
    assert_eq!(at("none").errno(), Some(Errno::NOENT));
    assert_eq!(at("d/f/").errno(), Some(Errno::NOTDIR));
    assert!(at("none").to_string().starts_with("no such file or directory: /"));
}

/// What the archive itself tells.
fn told(archive: &[u8]) -> Vec<(bool, String)> {
    let (mut reader, mut bytes, mut told) = (Reader::default(), archive, Vec::new());
    while let Some(event) = reader.next(&mut bytes).unwrap() {
        if let Event::Note { is_fault, words } = event {
            told.push((is_fault, words));
        }
    }
    reader.finish().unwrap();
    told
}

#[test]
fn what_is_gone_on_past_is_told_in_the_archive() {
    let dir = tree();
    let (archive, notes) = packed(&dir.path().join("d"), b"d", 1 << 16);
    let fifo = dir.path().join("d/fifo");
    assert_eq!(told(&archive), [(false, format!("skipped a fifo: {}", fifo.display()))]);
    assert_eq!(notes.len(), 1);
    // Asked for itself it is not gone on past.
    let refused = Packer::open(&fifo, b"fifo").err().unwrap();
    assert_eq!(refused.to_string(), format!("a fifo is not copied: {}", fifo.display()));
}

#[test]
fn what_is_removed_meanwhile_is_gone_on_past() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("d/z")).unwrap();
    for name in ["a", "b", "c"] {
        std::fs::write(dir.path().join("d").join(name), vec![b'x'; 5000]).unwrap();
    }
    let mut packer = Packer::open(&dir.path().join("d"), b"d").unwrap();
    std::fs::remove_file(dir.path().join("d/b")).unwrap();
    std::fs::remove_dir(dir.path().join("d/z")).unwrap();
    let mut all = Vec::with_capacity(1 << 20);
    assert!(!packer.fill(&mut all).unwrap());
    let names: Vec<String> = members(&all).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["d/", "d/a", "d/c"]);
    let gone =
        |name: &str| (false, format!("skipped a file that is gone: {}", dir.path().join(name).display()));
    assert_eq!(told(&all), [gone("d/b"), gone("d/z")]);
}

#[test]
fn a_file_that_changes_keeps_the_archive_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    std::fs::write(&path, vec![b'a'; 100_000]).unwrap();
    for (length, shrank) in [(30_000, true), (500_000, false)] {
        let mut packer = Packer::open(&path, b"log").unwrap();
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(length).unwrap();
        let mut all = Vec::new();
        let mut more = true;
        while more {
            let mut out = Vec::with_capacity(20_000);
            more = packer.fill(&mut out).unwrap();
            all.append(&mut out);
        }
        let size = members(&all)[0].1.len();
        assert_eq!(size, if shrank { 100_000 } else { 30_000 });
        assert_eq!(!packer.notes().is_empty(), shrank);
        assert_eq!(told(&all).iter().any(|(is_fault, _)| *is_fault), shrank);
    }
}

#[test]
fn proc_is_not_walked() {
    let (archive, notes) = packed(Path::new("/proc"), b"proc", 1 << 16);
    assert_eq!(members(&archive).len(), 1);
    assert_eq!(notes[0].to_string(), "skipped the contents of a pseudo file system: /proc");
}

/// Its size is nought, or a page, and what is read of it neither.
#[test]
fn what_the_kernel_makes_is_as_long_as_it_is() {
    let same = ["/proc/version", "/proc/sys/kernel/ostype", "/sys/kernel/mm/transparent_hugepage/enabled"];
    for path in same.into_iter().filter(|path| Path::new(path).exists()) {
        let text = std::fs::read_to_string(path).unwrap();
        for piece in [1024, 1 << 16] {
            let (archive, notes) = packed(Path::new(path), b"file", piece);
            assert_eq!(
                (members(&archive), notes.len()),
                (vec![("file".to_owned(), text.clone())], 0),
                "{path}"
            );
        }
    }
    // More than a piece, and it changes all the while.
    let (archive, _) = packed(Path::new("/proc/self/maps"), b"maps", 1024);
    let [(_, text)] = members(&archive).try_into().unwrap();
    assert!(text.len() > 4096 && text.lines().all(|line| line.contains("-")), "{text}");
    assert!(Packer::open(Path::new("/proc/self/mem"), b"x").is_err());
    let whole = |most| read_whole(std::fs::File::open("/proc/version").unwrap().into(), most).unwrap();
    let text = std::fs::read("/proc/version").unwrap();
    assert_eq!((whole(text.len()).as_ref(), whole(text.len() - 1)), (Some(&text), None));
}
