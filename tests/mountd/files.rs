//! Stages of one file: as safe as those of a directory, and of that file whatever its name leads to later.

use crate::site::{ANN, BOB, Client, GATEWAY, MountLine, Site, TEAM, make_dir, mount_at, set_mode, token_of};
use ie_container::protocol::stage::{Access, Answer, Reason, Request, Shape, Stage};
use rustix::fs::{CWD, FileType, Mode, RenameFlags, mknodat, renameat_with};
use std::fs;
use std::os::unix::fs::{MetadataExt, chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::atomic::{AtomicBool, Ordering};

/// A file of this user's.
fn make_file(path: &Path, owner: u32, text: &str, mode: u32) {
    fs::write(path, text).unwrap();
    chown(path, Some(owner), Some(owner)).unwrap();
    set_mode(path, mode);
}

/// ann's, in her home.
fn of_ann(site: &Site, name: &str, text: &str) -> PathBuf {
    let file = site.base.join("homes/ann").join(name);
    make_file(&file, ANN, text, 0o644);
    file
}

fn line_of(site: &Site, path: &Path) -> MountLine {
    site.mounted().into_iter().find(|line| line.at == path).unwrap()
}

/// A script at `$f`, where the file is bound as an engine would bind it.
fn view(site: &Site, stage: &Path, user: Option<u32>, script: &str) -> Output {
    let inside = site.base.join("view/file");
    fs::write(&inside, "").unwrap();
    let script = script.replace("$f", inside.to_str().unwrap());
    let bound = format!("mount --bind '{}' '{}'", stage.display(), inside.display());
    let become_user = user.map_or(String::new(), |uid| {
        format!("setpriv --reuid {uid} --regid {uid} --groups {TEAM} --no-new-privs")
    });
    let script = format!("{bound}; exec {become_user} sh -ec '{script}'");
    std::process::Command::new("unshare")
        .args(["-m", "sh", "-ec", &script])
        .env("LC_ALL", "C")
        .output()
        .unwrap()
}

#[test]
fn a_file_is_staged_and_nothing_beside_it() {
    let site = Site::started();
    let file = of_ann(&site, "config", "text");
    let path = site.staged(site.wish(1, "ann/config"));
    assert_eq!(path, site.stage_of(1).join("f"));
    assert!(!site.stage_of(1).join("d").exists());
    for flag in ["nosuid", "nodev", "idmapped", "rw"] {
        assert!(line_of(&site, &path).has(flag), "{flag}");
    }
    assert_eq!(site.mounted().len(), 2);
    let out = view(&site, &path, Some(ANN), "cat $f; echo more >>$f");
    assert!(out.status.success() && out.stdout == b"text", "{out:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "textmore\n");
    assert_eq!(fs::metadata(&file).unwrap().uid(), ANN);
    // It is confirmed and not made anew.
    let before = line_of(&site, &path).id;
    site.staged(site.wish(1, "ann/config"));
    assert_eq!(line_of(&site, &path).id, before);
    site.staged(Stage { access: Access::ReadOnly, ..site.wish(2, "ann/config") });
    let out = view(&site, &site.stage_of(2).join("f"), Some(ANN), "echo more >>$f");
    assert!(String::from_utf8_lossy(&out.stderr).contains("Read-only"), "{out:?}");
}

#[test]
fn nobody_else_changes_whose_a_staged_file_is() {
    let site = Site::started();
    let file = of_ann(&site, "config", "text");
    set_mode(&file, 0o666);
    let path = site.staged(site.wish(1, "ann/config"));
    for script in ["chown 0 $f", "chown 5002 $f", "chgrp 0 $f"] {
        let out = view(&site, &path, None, script);
        assert!(String::from_utf8_lossy(&out.stderr).contains("Value too large"), "{script}: {out:?}");
        // The control: bound plainly it is done.
        assert!(view(&site, &file, None, script).status.success(), "{script}");
        chown(&file, Some(ANN), Some(ANN)).unwrap();
    }
}

#[test]
fn what_is_no_plain_file_or_not_ones_own_has_its_sentence() {
    let site = Site::started();
    let home = site.base.join("homes/ann");
    for (name, kind) in
        [("fifo", FileType::Fifo), ("device", FileType::CharacterDevice), ("disk", FileType::BlockDevice)]
    {
        mknodat(CWD, home.join(name), kind, Mode::from_raw_mode(0o666), rustix::fs::makedev(1, 3)).unwrap();
        chown(home.join(name), Some(ANN), Some(ANN)).unwrap();
    }
    let _socket = UnixListener::bind(home.join("socket")).unwrap();
    chown(home.join("socket"), Some(ANN), Some(ANN)).unwrap();
    let own = of_ann(&site, "own", "text");
    symlink("own", home.join("link")).unwrap();
    symlink("/proc/self/fd/0", home.join("magic")).unwrap();
    make_file(&home.join("roots"), 0, "", 0o644);
    make_file(&home.join("bobs"), BOB, "", 0o666);
    make_dir(&site.base.join("homes/bob/closed"), ANN, 0o755);
    make_file(&site.base.join("homes/bob/closed/anns"), ANN, "", 0o644);
    // Other names of what is other people's.
    for (name, of) in [("hard-roots", "roots"), ("hard-bobs", "bobs")] {
        fs::hard_link(home.join(of), home.join(name)).unwrap();
    }
    set_mode(&site.base.join("homes/bob"), 0o700);
    let neither = "is neither a directory nor a plain file";
    for (relative, word) in [
        ("ann/fifo", neither),
        ("ann/device", neither),
        ("ann/disk", neither),
        ("ann/socket", neither),
        ("ann/link", "is a symbolic link"),
        ("ann/magic", "is a symbolic link"),
        ("ann/own/x", "is not a directory"),
        ("ann/roots", "does not belong to you"),
        ("ann/bobs", "does not belong to you"),
        ("ann/hard-roots", "does not belong to you"),
        ("ann/hard-bobs", "does not belong to you"),
        ("bob/closed/anns", "is closed to you"),
    ] {
        let (_, told) = site.refused(site.wish(1, relative));
        assert!(told.contains(word), "{relative}: {told}");
    }
    // A group that is not mapped keeps it from being written, and not from being read.
    chown(&own, None, Some(BOB)).unwrap();
    assert!(site.refused(site.wish(1, "ann/own")).1.contains("is not one of yours"));
    site.staged(Stage { access: Access::ReadOnly, ..site.wish(1, "ann/own") });
    assert_eq!(site.mounted().len(), 2);
}

/// What is offered to all is judged by each file's own mode, as it is outside.
#[test]
fn a_shared_file_gives_what_its_mode_gives() {
    let site = Site::started();
    for (name, mode) in [("open", 0o644), ("closed", 0o600)] {
        make_file(&site.base.join("shared").join(name), BOB, "bob's", mode);
    }
    let stage = |token, name: &str| {
        let (root, access) = (site.base.join("shared"), Access::ReadOnly);
        site.staged(Stage { root, access, ..site.wish(token, name) })
    };
    let out = view(&site, &stage(1, "open"), Some(ANN), "cat $f");
    assert_eq!(out.stdout, b"bob's");
    let closed = stage(2, "closed");
    for user in [Some(ANN), Some(BOB)] {
        let out = view(&site, &closed, user, "cat $f");
        assert!(!out.status.success() && out.stdout.is_empty(), "{user:?}: {out:?}");
    }
}

#[test]
fn a_file_that_lies_on_another_mount_is_not_the_users() {
    let site = Site::started();
    let home = site.base.join("homes/ann");
    make_dir(&home.join("inner"), ANN, 0o755);
    mount_at(&home.join("inner"), "tmpfs", ANN);
    make_file(&home.join("inner/file"), ANN, "", 0o644);
    assert!(site.refused(site.wish(1, "ann/inner/file")).1.contains("is a mount inside"));
    let (over, under) = (of_ann(&site, "over", "text"), site.base.join("elsewhere"));
    make_file(&under, ANN, "elsewhere", 0o644);
    let none = Option::<&str>::None;
    nix::mount::mount(Some(&under), &over, none, nix::mount::MsFlags::MS_BIND, none).unwrap();
    assert!(site.refused(site.wish(1, "ann/over")).1.contains("is a mount inside"));
}

/// An editor writes another file and renames it over the first one.
#[test]
fn a_renamed_over_file_is_staged_anew_at_the_next_start() {
    let site = Site::started();
    let file = of_ann(&site, "config", "first");
    let path = site.staged(site.wish(1, "ann/config"));
    let second = of_ann(&site, "config.new", "second");
    fs::rename(&second, &file).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "first");
    let again = Stage { shape: Some(Shape::File), ..site.wish(1, "ann/config") };
    assert_eq!(site.staged(again.clone()), path);
    assert_eq!(fs::read_to_string(&path).unwrap(), "second");
    site.unstaged(&Request::Unstage { token: token_of(1) });
    fs::remove_file(&file).unwrap();
    let (reason, told) = site.refused(again.clone());
    assert!(reason == Reason::Missing && told.ends_with("homes/ann/config does not exist"), "{told}");
    // The engine binds what it was.
    make_dir(&file, ANN, 0o755);
    let (reason, told) = site.refused(again);
    assert!(reason == Reason::Missing && told.contains("was a file when"), "{told}");
    of_ann(&site, "other", "");
    let (reason, told) = site.refused(Stage { shape: Some(Shape::Directory), ..site.wish(1, "ann/other") });
    assert!(reason == Reason::Missing && told.ends_with("is not a directory"), "{told}");
}

#[test]
fn a_hollow_stage_has_an_empty_file_too() {
    let site = Site::started();
    of_ann(&site, "config", "text");
    let path = site.staged(site.wish(1, "ann/config"));
    let hollow = Request::Hollow { token: token_of(1), inside: Vec::new() };
    for _ in 0..2 {
        assert!(matches!(site.ask(&hollow), Answer::Staged { .. }));
        assert_eq!(fs::read(&path).unwrap(), b"");
        assert_eq!(fs::write(&path, "x").unwrap_err().raw_os_error(), Some(30), "not read-only");
        assert_eq!((fs::metadata(&path).unwrap().uid(), site.mounted().len()), (0, 1));
    }
    assert_eq!(fs::read_to_string(site.staged(site.wish(1, "ann/config"))).unwrap(), "text");
}

/// Ends the swapping, also when the test fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn swapping_a_file_for_a_link_never_wins() {
    const ROUNDS: usize = 1000;
    let site = Site::started();
    let file = of_ann(&site, "file", "own");
    // ann's as well: the owner must not be what saves the day.
    make_file(&site.base.join("prize"), ANN, "prize", 0o644);
    let link = site.base.join("homes/ann/link");
    symlink("../../prize", &link).unwrap();
    let own = fs::metadata(&file).unwrap().ino();
    let over = AtomicBool::new(false);
    let (mut staged, mut refused) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                renameat_with(CWD, &file, CWD, &link, RenameFlags::EXCHANGE).unwrap();
            }
        });
        let _over = Over(&over);
        let mut client = Client::connect(&site, GATEWAY).unwrap();
        for round in 0..ROUNDS {
            match client.ask(&Request::Stage(site.wish(1, "ann/file"))).unwrap().unwrap() {
                Answer::Staged { path, .. } => {
                    assert_eq!(fs::metadata(path).unwrap().ino(), own, "the attacker won");
                    staged += 1;
                }
                Answer::Refused { reason: Reason::NotAllowed, .. } => refused += 1,
                other => panic!("{other:?}"),
            }
            if round % 10 == 0 {
                client.ask(&Request::Unstage { token: token_of(1) }).unwrap();
            }
        }
    });
    assert!(staged > ROUNDS / 20 && refused > ROUNDS / 20, "no race: {staged} staged, {refused} refused");
}
