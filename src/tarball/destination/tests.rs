//! Placing, by hand: with nameless files and without.

use super::*;
use std::os::unix::fs::MetadataExt;

/// A place, with nameless files and as where there are none.
fn places(directory: &std::path::Path) -> [Destination; 2] {
    [true, false].map(|nameless| {
        let root = fs::open(directory, OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap();
        let place = Destination::new(root, Links::Never, Replace::SameKind);
        Destination { nameless: place.nameless && nameless, ..place }
    })
}

fn names(directory: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_file_appears_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    for mut place in places(dir.path()) {
        let dropped = place.file(b"a/f").unwrap();
        dropped.write(b"half").unwrap();
        assert!(!dir.path().join("a/f").exists());
        drop(dropped);
        assert_eq!(names(&dir.path().join("a")), [""; 0]);
        for text in ["first", "second"] {
            let file = place.file(b"f").unwrap();
            file.write(text.as_bytes()).unwrap();
            place.finish(file, 0o6640, Time { seconds: 1000, nanoseconds: 5 }).unwrap();
            assert_eq!(std::fs::read_to_string(dir.path().join("f")).unwrap(), text);
        }
        let meta = std::fs::metadata(dir.path().join("f")).unwrap();
        assert_eq!((meta.mode() & 0o7777, meta.mtime(), meta.mtime_nsec()), (0o640, 1000, 5));
        assert_eq!(names(dir.path()), ["a", "f"]);
    }
}

#[test]
fn a_name_taken_meanwhile_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    for mut place in places(dir.path()) {
        let file = place.file(b"f").unwrap();
        std::fs::write(dir.path().join("f"), "came between").unwrap();
        place.finish(file, 0o644, Time::default()).unwrap();
        assert_eq!(std::fs::read(dir.path().join("f")).unwrap(), b"");
        place.hard_link(b"g", b"f").unwrap();
        // Over another name of the same file, which renaming alone leaves as it was.
        place.hard_link(b"g", b"f").unwrap();
        place.symlink(b"g", b"/etc/passwd", Time::default()).unwrap();
        assert_eq!(names(dir.path()), ["f", "g"]);
        std::fs::remove_file(dir.path().join("f")).unwrap();
        std::fs::remove_file(dir.path().join("g")).unwrap();
    }
}

#[test]
fn only_files_made_here_are_joined() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("old"), "").unwrap();
    let [mut place, _] = places(dir.path());
    assert_eq!(place.hard_link(b"h", b"old"), Err(Fault::NotFromHere));
    assert_eq!(place.hard_link(b"h", b"none"), Err(Fault::Kernel(Errno::NOENT)));
    assert_eq!(names(dir.path()), ["old"]);
}
