//! Mounts in mounts, by hand, in a mount namespace of the test's own thread.

use super::super::sources::{Alone, Source};
use super::*;
use rustix::fs::{StatVfsMountFlags, statvfs};
use serde_json::json;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::PathBuf;

fn planned(destination: &str, kind: Kind, source: Option<&Path>, options: &[&str]) -> Planned {
    let mount = json!({"destination": destination, "type": "bind", "options": options});
    Planned {
        mount: serde_json::from_value(mount).unwrap(),
        place: Some(destination.into()),
        source: source.map(|source| Source::open(source).unwrap()),
        kind,
    }
}

fn shown(trees: &[Tree]) -> String {
    let one = |tree: &Tree| format!("{}({})", tree.top().mount.destination().display(), shown(&tree.inside));
    trees.iter().map(one).collect::<Vec<_>>().join(" ")
}

#[test]
fn each_lies_in_the_nearest_around_it() {
    let all = [
        ("/proc", Kind::Kernel),
        ("/a/b/c/d", Kind::Volume),
        ("/a", Kind::Stage),
        ("/etc/hosts", Kind::Engines),
        ("/m", Kind::Memory),
        ("/a/b/c", Kind::Memory),
        ("/ab", Kind::Stage),
        ("/a/x", Kind::Stage),
        ("/m/y", Kind::Stage),
    ];
    let trees = trees(all.map(|(at, kind)| planned(at, kind, None, &[])).into());
    assert_eq!(shown(&trees), "/proc() /a(/a/b/c(/a/b/c/d()) /a/x()) /etc/hosts() /m(/m/y()) /ab()");
}

/// An outer directory, a volume and a file, and what runc is told of them; `act` sees it as runc would.
fn nested(
    inner: impl Fn(&Path) -> Vec<Planned> + Send + 'static,
    act: impl FnOnce(&Path, Result<Vec<Mount>, Refused>) + Send + 'static,
) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().canonicalize().unwrap();
    for made in ["stages", "outer/here", "volume", "prize"] {
        fs::create_dir_all(path.join(made)).unwrap();
    }
    fs::write(path.join("volume/mine"), "in the volume").unwrap();
    fs::write(path.join("file"), "in the file").unwrap();
    fs::write(path.join("outer/taken"), "kept").unwrap();
    symlink(path.join("prize"), path.join("outer/link")).unwrap();
    let ran = std::thread::spawn(move || {
        let alone = Alone::begin().expect("needs root: run the tests as root");
        let shelf = Shelf::over(&alone, &path.join("stages")).unwrap();
        let ids = Ids::hosts();
        let mut nest = Nest { shelf, process: None, ids: &ids };
        let mut mounts = vec![planned("/app", Kind::Stage, Some(&path.join("outer")), &["bind", "nodev"])];
        mounts.extend(inner(&path));
        let mut told = Vec::new();
        let done = trees(mounts).into_iter().try_for_each(|tree| nest.told(tree, &mut told));
        act(&path, done.map(|()| told));
        assert_eq!(
            fs::read_dir(path.join("prize")).unwrap().count(),
            0,
            "something was made where a link leads"
        );
    });
    ran.join().unwrap();
}

#[test]
fn runc_is_told_of_the_outer_one_and_finds_the_others_in_it() {
    let inner = |path: &Path| {
        vec![
            planned("/app/new/deep", Kind::Volume, Some(&path.join("volume")), &["bind"]),
            planned("/app/here", Kind::Volume, Some(&path.join("volume")), &["bind", "ro"]),
            planned("/app/new/file", Kind::Stage, Some(&path.join("file")), &["bind", "noexec"]),
            planned("/app/memory", Kind::Memory, None, &["noexec", "size=65536", "mode=700"]),
            planned("/app/memory/in", Kind::Volume, Some(&path.join("volume")), &["bind"]),
        ]
    };
    nested(inner, |path, told| {
        let told = told.unwrap();
        assert_eq!(told.len(), 1);
        let options = told[0].options().clone().unwrap();
        assert_eq!(options, ["nodev", "rbind"]);
        let seen = |at: &str| told[0].source().clone().unwrap().join(at);
        for place in ["new/deep", "here", "memory/in"] {
            assert_eq!(fs::read_to_string(seen(place).join("mine")).unwrap(), "in the volume", "{place}");
        }
        assert_eq!(fs::read_to_string(seen("new/file")).unwrap(), "in the file");
        assert_eq!(fs::metadata(seen("memory")).unwrap().mode() & 0o7777, 0o700);
        let flags = |at: &str| statvfs(seen(at).as_path()).unwrap().f_flag;
        let closed = StatVfsMountFlags::NOSUID | StatVfsMountFlags::NODEV;
        for place in ["", "new/deep", "here", "new/file", "memory", "memory/in"] {
            assert!(flags(place).contains(closed), "{place}");
            assert_eq!(flags(place).contains(StatVfsMountFlags::RDONLY), place == "here", "{place}");
        }
        assert!(flags("memory").contains(StatVfsMountFlags::NOEXEC));
        assert!(flags("new/file").contains(StatVfsMountFlags::NOEXEC));
        // What was missing is made in the directory itself, and nothing else is there.
        for place in ["new/deep", "here", "memory"] {
            assert_eq!(fs::read_dir(path.join("outer").join(place)).unwrap().count(), 0, "{place}");
        }
        assert_eq!(fs::read(path.join("outer/new/file")).unwrap(), b"");
    });
}

#[test]
fn no_link_and_nothing_of_another_kind_is_mounted_on() {
    for (place, file, word) in [
        ("/app/link", false, "through a link"),
        ("/app/link/x", false, "through a link"),
        ("/app/link/x", true, "through a link"),
        ("/app/taken", false, "a file is there"),
        ("/app/taken/x", false, "cannot be made"),
        ("/app/here", true, "a directory is there"),
    ] {
        let inner = move |path: &Path| {
            vec![planned(place, Kind::Stage, Some(&path.join(if file { "file" } else { "volume" })), &[])]
        };
        nested(inner, move |path, told| {
            let told = told.unwrap_err().to_string();
            assert!(told.contains(word), "{place}: {told}");
            assert_eq!(fs::read(path.join("outer/taken")).unwrap(), b"kept");
        });
    }
}

/// Nothing is made in what is mounted read-only; what is there is mounted on.
#[test]
fn nothing_is_made_in_what_is_read_only() {
    let inner = |place: &'static str| {
        move |path: &Path| {
            let (outer, inner) = (path.join("outer"), path.join("volume"));
            let inner = planned(place, Kind::Volume, Some(&inner), &["bind"]);
            vec![planned("/ro", Kind::Volume, Some(&outer), &["bind", "rro"]), inner]
        }
    };
    nested(inner("/ro/new"), |path, told| {
        let told = told.unwrap_err().to_string();
        assert!(told.contains("cannot be made") && told.contains("Read-only"), "{told}");
        assert!(!path.join("outer/new").exists());
    });
    nested(inner("/ro/here"), |_, told| {
        let outer = told.unwrap().pop().unwrap();
        assert_eq!(outer.options().clone().unwrap(), ["ro", "rbind"]);
        let source: PathBuf = outer.source().clone().unwrap();
        assert!(
            fs::write(source.join("here/made"), "").is_ok() && fs::write(source.join("made"), "").is_err()
        );
    });
}

/// The swap between the look and the mount, at the worst moment: it lands on what was looked at.
#[test]
fn a_name_that_is_swapped_before_the_mount_leads_nowhere() {
    nested(
        |_| Vec::new(),
        |path, told| {
            let source = told.unwrap().pop().unwrap().source().clone().unwrap();
            let outer = Source::open(&source).unwrap();
            let place = outer.place(Path::new("swapped"), true).unwrap();
            let swapped = path.join("outer/swapped");
            fs::rename(&swapped, path.join("outer/moved")).unwrap();
            symlink(path.join("prize"), &swapped).unwrap();
            let volume = Source::open(&path.join("volume")).unwrap();
            let volume = || Unmounted::clone_of(&volume, MountAttrFlags::empty()).unwrap();
            volume().onto(&place).unwrap();
            assert!(source.join("moved/mine").exists() && !path.join("prize/mine").exists());
            assert!(!path.join("outer/moved/mine").exists(), "it is mounted outside, too");
            assert_eq!(outer.place(Path::new("swapped"), true).err(), Some(Errno::LOOP));
            // What was removed meanwhile is nothing to mount on.
            let place = outer.place(Path::new("gone"), true).unwrap();
            fs::remove_dir(path.join("outer/gone")).unwrap();
            assert_eq!(volume().onto(&place), Err(Errno::NOENT));
        },
    );
}
