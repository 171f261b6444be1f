//! How stages come, stay and go: confirmed, made anew, taken away, through crashes and across mount namespaces.

use crate::site::{ANN, Client, GATEWAY, Site, make_dir, mount_lines, token_of};
use ie_container::protocol::stage::{Access, Answer, Place, Request, Shape, Stage};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::signal::Signal;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

/// How often the daemon says that it made a stage.
fn times_made(site: &Site) -> usize {
    site.log().matches("ie-mountd: staged ").count()
}

fn remount(path: &Path, flags: MsFlags) {
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | flags;
    mount(Option::<&str>::None, path, Option::<&str>::None, flags, Option::<&str>::None).unwrap();
}

#[test]
fn a_stage_that_is_there_is_confirmed() {
    let site = Site::started();
    let path = site.staged(site.wish(1, "ann"));
    let before = site.mounted();
    assert_eq!(before.len(), 2);
    // The gids are a set behind the first: their order makes no other stage.
    let again = Stage { gids: vec![crate::site::TEAM, ANN], ..site.wish(1, "ann") };
    for wish in [site.wish(1, "ann"), again] {
        assert_eq!(site.staged(wish), path);
    }
    let ids = |lines: &[crate::site::MountLine]| lines.iter().map(|line| line.id).collect::<Vec<_>>();
    assert_eq!(ids(&site.mounted()), ids(&before));
    assert_eq!(times_made(&site), 1);
}

#[test]
fn a_stage_of_something_else_is_made_anew() {
    let site = Site::started();
    let home = site.base.join("homes/ann");
    make_dir(&home.join("proj"), ANN, 0o755);
    let path = site.staged(site.wish(1, "ann"));
    fs::rename(&home, site.base.join("homes/old")).unwrap();
    make_dir(&home, ANN, 0o700);
    let ino = |path: &Path| fs::metadata(path).unwrap().ino();
    assert_ne!(ino(&path), ino(&home));
    site.staged(site.wish(1, "ann"));
    assert_eq!(ino(&path), ino(&home), "the replaced home");
    make_dir(&home.join("proj"), ANN, 0o755);
    let others = [
        Stage { gids: vec![ANN], ..site.wish(1, "ann") },
        Stage { access: Access::ReadOnly, ..site.wish(1, "ann") },
        site.wish(1, "ann"),
        site.wish(1, "ann/proj"),
    ];
    for (count, wish) in others.into_iter().enumerate() {
        site.staged(wish);
        assert_eq!(times_made(&site), 3 + count);
        assert_eq!(site.mounted().len(), 2);
    }
}

#[test]
fn a_stage_somebody_loosened_is_made_anew() {
    let site = Site::started();
    let wish = || Stage { access: Access::ReadOnly, ..site.wish(1, "ann") };
    let path = site.staged(wish());
    let all = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_RDONLY;
    for gone in [MsFlags::MS_NOSUID, MsFlags::MS_NODEV, MsFlags::MS_RDONLY] {
        let made = times_made(&site);
        remount(&path, all - gone);
        site.staged(wish());
        assert_eq!(times_made(&site), made + 1, "{gone:?}");
    }
    let made = times_made(&site);
    remount(&site.stage_of(1), MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC);
    site.staged(wish());
    assert_eq!(times_made(&site), made + 1, "a wrapper that can be written");
    // A mount on top hides the stage, one inside goes along with it.
    for at in [path.clone(), site.stage_of(1)] {
        crate::site::mount_at(&at, "tmpfs", 0);
        site.staged(wish());
        assert_eq!(site.mounted().len(), 2);
        assert!(site.mounted().iter().any(|line| line.at == path && line.has("idmapped") && line.has("ro")));
    }
}

#[test]
fn a_plain_bind_in_the_stages_place_is_made_anew() {
    let site = Site::started();
    let path = site.staged(site.wish(1, "ann"));
    umount2(&path, MntFlags::MNT_DETACH).unwrap();
    let home = site.base.join("homes/ann");
    mount(Some(&home), &path, Option::<&str>::None, MsFlags::MS_BIND, Option::<&str>::None).unwrap();
    remount(&path, MsFlags::MS_NOSUID | MsFlags::MS_NODEV);
    site.staged(site.wish(1, "ann"));
    assert!(
        site.mounted().iter().any(|line| line.at == path && line.has("idmapped")),
        "{:?}",
        site.mounted()
    );
}

#[test]
fn half_a_stage_is_made_whole() {
    let site = Site::started();
    let whole = || {
        site.staged(site.wish(1, "ann"));
        assert_eq!(site.mounted().len(), 2);
    };
    fs::create_dir(site.stage_of(1)).unwrap();
    whole();
    umount2(&site.stage_of(1).join("d"), MntFlags::MNT_DETACH).unwrap();
    assert_eq!(site.mounted().len(), 1);
    whole();
    // Half-made ones go with the others, too.
    umount2(&site.stage_of(1).join("d"), MntFlags::MNT_DETACH).unwrap();
    fs::create_dir(site.stage_of(2)).unwrap();
    assert_eq!(site.unstaged(&Request::Keep { tokens: vec![] }), 2);
    assert_eq!(fs::read_dir(site.stages()).unwrap().count(), 0);
}

#[test]
fn a_stage_is_taken_away_whole() {
    let site = Site::started();
    site.staged(site.wish(1, "ann"));
    let unstage = Request::Unstage { token: token_of(1) };
    assert_eq!(site.unstaged(&unstage), 1);
    assert!(site.mounted().is_empty() && !site.stage_of(1).exists());
    assert_eq!(site.unstaged(&unstage), 0, "taking away nothing is no error");
    assert!(site.base.join("homes/ann").exists());
}

#[test]
fn a_stage_in_use_is_taken_away_and_its_user_keeps_it() {
    let site = Site::started();
    let path = site.staged(site.wish(1, "ann"));
    let open = fs::File::open(&path).unwrap();
    assert_eq!(site.unstaged(&Request::Unstage { token: token_of(1) }), 1);
    assert!(!site.stage_of(1).exists());
    assert_eq!(open.metadata().unwrap().ino(), fs::metadata(site.base.join("homes/ann")).unwrap().ino());
}

#[test]
fn what_is_not_kept_is_taken_away() {
    let site = Site::started();
    for token in 1..=4 {
        site.staged(site.wish(token, "ann"));
    }
    assert_eq!(site.unstaged(&Request::Keep { tokens: vec![token_of(2), token_of(4), token_of(9)] }), 2);
    let mut left: Vec<_> = fs::read_dir(site.stages()).unwrap().map(|entry| entry.unwrap().path()).collect();
    left.sort();
    assert_eq!(left, [site.stage_of(2), site.stage_of(4)]);
    assert_eq!(site.mounted().len(), 4);
}

#[test]
fn stages_outlive_the_daemon() {
    let mut site = Site::started();
    site.staged(site.wish(1, "ann"));
    let before = site.mounted();
    for signal in [Signal::SIGKILL, Signal::SIGTERM] {
        site.signal(signal);
        let status = site.ended();
        assert_eq!(status.code(), (signal == Signal::SIGTERM).then_some(0));
        assert_eq!(site.mounted().len(), 2);
        site.start();
        site.staged(site.wish(1, "ann"));
    }
    assert_eq!(times_made(&site), 1);
    assert_eq!(site.mounted()[0].id, before[0].id);
    assert_eq!(site.unstaged(&Request::Unstage { token: token_of(1) }), 1);
}

#[test]
fn killed_at_any_moment_it_leaves_nothing_it_cannot_mend() {
    let mut site = Site::started();
    for round in 0..40_u64 {
        let mut client = Client::connect(&site, GATEWAY).unwrap();
        for token in 1..=3 {
            client.send(&serde_json::to_vec(&Request::Unstage { token: token_of(token) }).unwrap()).unwrap();
            client.send(&serde_json::to_vec(&Request::Stage(site.wish(token, "ann"))).unwrap()).unwrap();
        }
        std::thread::sleep(Duration::from_micros(round * 250));
        site.kill();
        site.start();
        let path = site.staged(site.wish(2, "ann"));
        let here = site.mounted().into_iter().filter(|line| line.at.starts_with(site.stage_of(2)));
        assert_eq!(here.count(), 2, "round {round}");
        assert!(site.mounted().iter().any(|line| line.at == path && line.has("idmapped")));
    }
    site.unstaged(&Request::Keep { tokens: vec![] });
    assert!(site.mounted().is_empty());
    assert_eq!(fs::read_dir(site.stages()).unwrap().count(), 0);
}

#[test]
fn an_engine_that_receives_no_mounts_finds_nothing_to_bind() {
    let mut site = Site::started();
    let engine = site.namespace("private");
    let path = site.staged(site.wish(1, "ann"));
    let seen = |path: &Path| Path::new(&format!("/proc/{engine}/root{}", path.display())).exists();
    assert!(seen(&site.stage_of(1)), "the directory itself is on the disk");
    assert!(!seen(&path), "an engine would bind an empty directory");
    let script = "mount --bind \"$1\" /mnt";
    let bind = std::process::Command::new("nsenter")
        .args(["-t", &engine.to_string(), "-m", "sh", "-ec", script, "sh"])
        .arg(&path)
        .output()
        .unwrap();
    assert!(!bind.status.success(), "{bind:?}");
    // What that namespace copied before it was cut off does not keep the directory.
    let late = site.namespace("private");
    assert!(Path::new(&format!("/proc/{late}/root{}", path.display())).exists());
    assert_eq!(site.unstaged(&Request::Unstage { token: token_of(1) }), 1);
    assert!(!site.stage_of(1).exists());
}

#[test]
fn an_engine_that_receives_mounts_sees_stages_come_and_go() {
    let mut site = Site::new();
    let base = site.base.clone();
    mount(Some(&base), &base, Option::<&str>::None, MsFlags::MS_BIND, Option::<&str>::None).unwrap();
    mount(Option::<&str>::None, &base, Option::<&str>::None, MsFlags::MS_SHARED, Option::<&str>::None)
        .unwrap();
    site.write_policy(&format!("homes = [{:?}]", base.join("homes")));
    site.start();
    let engine = site.namespace("slave").to_string();
    let path = site.staged(site.wish(1, "ann"));
    let seen = |path: &Path| mount_lines(&engine).into_iter().find(|line| line.at == path);
    let line = seen(&path).expect("the stage did not reach the engine");
    assert!(line.has("idmapped") && line.has("nosuid") && line.has("nodev"), "{line:?}");
    let root = format!("/proc/{engine}/root{}", path.display());
    assert_eq!(fs::metadata(root).unwrap().ino(), fs::metadata(base.join("homes/ann")).unwrap().ino());
    site.unstaged(&Request::Unstage { token: token_of(1) });
    assert!(seen(&path).is_none() && seen(&site.stage_of(1)).is_none(), "the stage stayed in the engine");
}

/// Where the engine mounts one thing inside another, it finds the place of that.
#[test]
fn a_hollow_stage_has_the_places_inside_it() {
    let site = Site::started();
    let path = site.staged(site.wish(1, "ann"));
    let place = |path: &str, shape| Place { path: path.into(), shape };
    let hollow =
        |inside: &[Place]| site.ask(&Request::Hollow { token: token_of(1), inside: inside.to_vec() });
    let (directory, file) = (Shape::Directory, Shape::File);
    let inside = [place("a/b/c", directory), place("a/b", directory), place("a/f", file), place("g", file)];
    assert!(matches!(hollow(&inside), Answer::Staged { .. }));
    assert!(path.join("a/b/c").is_dir() && path.join("a/f").is_file() && path.join("g").is_file());
    assert_eq!(fs::create_dir(path.join("a/x")).unwrap_err().raw_os_error(), Some(30), "not read-only");
    for bad in ["../x", "/x", "", "a/../../x"] {
        assert!(matches!(hollow(&[place(bad, directory)]), Answer::Refused { .. }), "{bad}");
    }
    assert!(site.staged(site.wish(1, "ann")).read_dir().unwrap().next().is_none());
}

/// What an engine sees while it copies: nothing that anybody could change.
#[test]
fn a_hollow_stage_is_empty_and_closed() {
    let site = Site::started();
    fs::write(site.base.join("homes/ann/letter"), "dear").unwrap();
    let path = site.staged(site.wish(1, "ann"));
    assert!(path.join("letter").exists());
    let hollow = || site.ask(&Request::Hollow { token: token_of(1), inside: Vec::new() });
    for _ in 0..2 {
        assert_eq!(hollow(), Answer::Staged { path: path.clone(), shape: Shape::Directory });
        assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
        assert_eq!(fs::write(path.join("x"), "").unwrap_err().raw_os_error(), Some(30), "not read-only");
        assert_eq!((fs::metadata(&path).unwrap().uid(), site.mounted().len()), (0, 1));
    }
    // A start is not content with it.
    assert!(site.staged(site.wish(1, "ann")).join("letter").exists());
    assert_eq!((site.mounted().len(), times_made(&site)), (2, 2));
    hollow();
    assert_eq!(site.ask(&Request::Unstage { token: token_of(1) }), Answer::Unstaged { count: 1 });
    assert_eq!(site.mounted().len(), 0);
}
