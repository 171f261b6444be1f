//! Stages for an engine whose containers have a user namespace of their own: its ids stand for the users' there.

use crate::site::{ANN, BOB, Site, TEAM, set_mode, token_of};
use ie_container::protocol::stage::{Map, Reason, Shift, Stage};
use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

const IDS: u32 = 65536;

/// A system user with ranges of subordinate ids, different ones for uids and gids.
struct Engine {
    user: String,
    shift: Shift,
}

impl Engine {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let (count, pid) = (COUNT.fetch_add(1, Ordering::Relaxed), std::process::id());
        let user = format!("iem{pid}x{count}");
        let first = 2_030_000_000 + pid % 130 * 8 * IDS + count * 2 * IDS;
        let engine = Self { user, shift: Shift { uid: first, gid: first + IDS } };
        account(&["useradd", "--system", "--no-create-home", &engine.user]);
        let range = |first: u32| format!("{first}-{}", first + IDS - 1);
        let (uids, gids) = (range(engine.shift.uid), range(engine.shift.gid));
        account(&["usermod", "--add-subuids", &uids, "--add-subgids", &gids, &engine.user]);
        engine
    }

    /// A site whose policy has homes, and containers in this engine's user namespace.
    fn site(&self, homes: &str) -> Site {
        let mut site = Site::new();
        self.write_policy(&mut site, homes);
        site.start();
        site
    }

    fn write_policy(&self, site: &mut Site, rest: &str) {
        let homes = site.base.join("homes");
        site.write_remapped(&format!("remap_user = {:?}\nhomes = [{homes:?}]\n{rest}", self.user));
    }

    /// A script in a stage, with these ids of a container's.
    fn view(&self, site: &Site, stage: &Path, uid: u32, gids: [u32; 2], script: &str) -> Output {
        let [gid, more] = gids.map(|gid| gid + self.shift.gid);
        let uid = uid + self.shift.uid;
        let ids = format!("setpriv --reuid {uid} --regid {gid} --groups {more}");
        site.view(stage, None, &format!("{ids} sh -ec '{script}'"))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        account(&["userdel", &self.user]);
    }
}

/// One of the account tools, again while another program holds the lock of the account files.
fn account(words: &[&str]) {
    let late = Instant::now() + Duration::from_secs(120);
    loop {
        let output = Command::new(words[0]).args(&words[1..]).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        if output.status.success() {
            return;
        }
        assert!(told.contains("cannot lock") && Instant::now() < late, "{words:?}: {told}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn shifted(engine: &Engine, wish: Stage) -> Stage {
    Stage { map: Map::Shifted(engine.shift), ..wish }
}

#[test]
fn what_is_made_inside_is_the_users_own_outside() {
    let engine = Engine::new();
    let site = engine.site("");
    let home = site.base.join("homes/ann");
    fs::create_dir(home.join("team")).unwrap();
    chown(home.join("team"), Some(ANN), Some(TEAM)).unwrap();
    set_mode(&home.join("team"), 0o2770);
    let stage = site.staged(shifted(&engine, site.wish(1, "ann")));
    let seen = engine.view(&site, &stage, ANN, [ANN, TEAM], "stat -c %u:%g . team; touch made team/ours");
    let Shift { uid, gid } = engine.shift;
    let expected = format!("{}:{}\n{}:{}\n", uid + ANN, gid + ANN, uid + ANN, gid + TEAM);
    assert_eq!(String::from_utf8_lossy(&seen.stdout), expected, "{seen:?}");
    assert!(seen.status.success(), "{seen:?}");
    for (name, gid) in [("made", ANN), ("team/ours", TEAM)] {
        let meta = fs::metadata(home.join(name)).unwrap();
        assert_eq!((meta.uid(), meta.gid()), (ANN, gid), "{name}");
    }
}

#[test]
fn nobody_else_leaves_anything_root_inside_and_root_outside_included() {
    let engine = Engine::new();
    let site = engine.site("");
    let home = site.base.join("homes/ann");
    fs::write(home.join("mine"), "").unwrap();
    chown(home.join("mine"), Some(ANN), Some(ANN)).unwrap();
    // As open as a home can be: only the idmap stands in the way.
    set_mode(&home, 0o777);
    let stage = site.staged(shifted(&engine, site.wish(1, "ann")));
    for uid in [0, BOB] {
        for script in ["touch left", "mkdir left"] {
            let tried = engine.view(&site, &stage, uid, [uid, uid], script);
            let told = String::from_utf8_lossy(&tried.stderr).into_owned();
            assert!(!tried.status.success() && told.contains("Value too large"), "{uid} {script}: {tried:?}");
        }
    }
    // Whoever has the user's id on the host, or is root there, is nobody in this stage.
    for (user, script) in [(Some(ANN), "touch left"), (None, "touch left"), (None, "chown 0 mine")] {
        let tried = site.view(&stage, user, script);
        let told = String::from_utf8_lossy(&tried.stderr).into_owned();
        assert!(!tried.status.success() && told.contains("Value too large"), "{user:?} {script}: {tried:?}");
    }
    assert_eq!(fs::read_dir(&home).unwrap().count(), 1);
    // The control: the same ids do leave something where the home is bound plainly.
    assert!(engine.view(&site, &home, 0, [0, 0], "touch left").status.success());
}

/// As labs have it: root's, and a group's to write; a colleague's in it.
#[test]
fn what_a_group_may_write_is_written_and_no_more() {
    let engine = Engine::new();
    let mut site = Site::new();
    let shared = site.base.join("shared");
    let write_policy = |site: &mut Site, share: &str| {
        let rest =
            format!("[defaults]\nmounts = [{{ source = {shared:?}, mode = \"rw\", share = {share:?} }}]");
        engine.write_policy(site, &rest);
    };
    write_policy(&mut site, "group");
    site.start();
    let make = |name: &str, owner: u32, mode: u32| {
        let path = shared.join(name);
        fs::create_dir(&path).unwrap();
        chown(&path, Some(owner), Some(TEAM)).unwrap();
        set_mode(&path, mode);
    };
    make("lab", 0, 0o2770);
    make("lab/bobs", BOB, 0o2775);
    make("open", BOB, 0o2777);
    fs::write(shared.join("lab/bobs/data"), "bob's\n").unwrap();
    chown(shared.join("lab/bobs/data"), Some(BOB), Some(TEAM)).unwrap();
    set_mode(&shared.join("lab/bobs/data"), 0o664);
    fs::write(shared.join("lab/closed"), "root's").unwrap();
    set_mode(&shared.join("lab/closed"), 0o644);

    let wish = |token, gids: &[u32], map| {
        let gids = gids.to_vec();
        Stage { root: shared.clone(), gids, map, ..site.wish(token, "") }
    };
    let (group, own) = (Map::Group(engine.shift), Map::Shifted(engine.shift));
    let stage = site.staged(wish(1, &[ANN, TEAM], group));
    let works = "echo ann >lab/new; mkdir lab/dir; echo ann >lab/bobs/new; echo ann >>lab/bobs/data; stat -c %u:%g lab/new";
    let out = engine.view(&site, &stage, ANN, [ANN, TEAM], works);
    let Shift { uid, gid } = engine.shift;
    assert_eq!(String::from_utf8_lossy(&out.stdout), format!("{}:{}\n", uid + ANN, gid + TEAM), "{out:?}");
    for name in ["lab/new", "lab/dir", "lab/bobs/new"] {
        let meta = fs::metadata(shared.join(name)).unwrap();
        assert_eq!((meta.uid(), meta.gid()), (ANN, TEAM), "{name}");
    }
    assert_eq!(fs::read_to_string(shared.join("lab/bobs/data")).unwrap(), "bob's\nann\n");
    for script in [
        "echo x >lab/closed",
        "chmod 4777 lab/bobs/data",
        "chown 0 lab/new",
        "chgrp 0 lab/new",
        "chmod 777 lab",
    ] {
        assert!(!engine.view(&site, &stage, ANN, [ANN, TEAM], script).status.success(), "{script}");
    }
    // Nobody else leaves anything, where all may write: root inside, others inside, root outside, and who is none of the group.
    // With a group that is mapped, so that the owner alone stands in the way.
    for (uid, gids) in [(0, [0, 0]), (0, [TEAM, TEAM]), (BOB, [BOB, TEAM]), (BOB, [TEAM, TEAM])] {
        let out = engine.view(&site, &stage, uid, gids, "touch open/left");
        let told = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(!out.status.success() && told.contains("Value too large"), "{uid}: {out:?}");
    }
    let as_root = format!("setpriv --regid {} --clear-groups touch open/left", gid + TEAM);
    let out = site.view(&stage, None, &as_root);
    assert!(
        !out.status.success() && String::from_utf8_lossy(&out.stderr).contains("Value too large"),
        "{out:?}"
    );
    let outside = site.staged(wish(2, &[ANN], group));
    assert!(!engine.view(&site, &outside, ANN, [ANN, ANN], "touch lab/left").status.success());
    assert_eq!(fs::read_dir(shared.join("open")).unwrap().count(), 0);
    // Gateway and helper must mean the same; and without the word an owner that is not mapped keeps everybody from writing.
    for map in [own, Map::Same, Map::Off] {
        assert!(site.refused(wish(3, &[ANN, TEAM], map)).1.contains("another policy"), "{map:?}");
    }
    assert!(site.refused(Stage { map: group, ..site.wish(3, "ann") }).1.contains("another policy"));
    let wish = Stage { map: own, ..wish(4, &[ANN, TEAM], own) };
    write_policy(&mut site, "own");
    site.signal(nix::sys::signal::Signal::SIGHUP);
    let stage = site.staged(wish);
    let out = engine.view(&site, &stage, ANN, [ANN, TEAM], "touch lab/other");
    assert!(!out.status.success(), "{out:?}");
}

#[test]
fn a_shift_that_is_not_the_helpers_own_reading_is_refused() {
    let engine = Engine::new();
    let mut site = engine.site("");
    let Shift { uid, gid } = engine.shift;
    let maps = [
        Map::Same,
        Map::Off,
        Map::Shifted(Shift { uid: 0, gid: 0 }),
        Map::Shifted(Shift { uid: uid + 1, gid }),
        Map::Shifted(Shift { uid, gid: uid }),
        Map::Shifted(Shift { uid: u32::MAX, gid: u32::MAX }),
    ];
    for map in maps {
        let (reason, told) = site.refused(Stage { map, ..site.wish(1, "ann") });
        assert!(reason == Reason::NotAllowed && told.contains("another policy"), "{map:?}: {told}");
    }
    for gids in [vec![ANN, IDS], vec![IDS + 7]] {
        let (reason, told) = site.refused(shifted(&engine, Stage { gids, ..site.wish(1, "ann") }));
        assert!(reason == Reason::NotAllowed && told.contains("has 65536 ids"), "{told}");
    }
    // Beside a root that is not idmapped there are containers in the host's user namespace, and their ids are the users'.
    let data = site.base.join("shared");
    let mounts = format!("[defaults]\nmounts = [{{ source = {data:?}, mode = \"ro\", idmap = \"off\" }}]");
    engine.write_policy(&mut site, &mounts);
    site.signal(nix::sys::signal::Signal::SIGHUP);
    let stage = site.staged(Stage { map: Map::Same, token: token_of(2), ..site.wish(2, "ann") });
    assert!(site.view(&stage, Some(ANN), "touch made").status.success());
    site.staged(shifted(&engine, site.wish(1, "ann")));
}

#[test]
fn a_stage_for_other_ids_is_made_anew() {
    let engine = Engine::new();
    let mut site = Site::started();
    let path = site.staged(site.wish(1, "ann"));
    assert_eq!(fs::metadata(&path).unwrap().uid(), ANN);
    engine.write_policy(&mut site, "");
    let path = site.staged(shifted(&engine, site.wish(1, "ann")));
    assert_eq!(fs::metadata(&path).unwrap().uid(), engine.shift.uid + ANN);
}

#[test]
fn without_ranges_of_ids_it_does_not_start() {
    let mut site = Site::new();
    let homes = site.base.join("homes");
    for (keys, told) in [("", "no line for ie-nobody-has-it"), ("userns = \"host\"", "")] {
        site.write_remapped(&format!("remap_user = \"ie-nobody-has-it\"\n{keys}\nhomes = [{homes:?}]"));
        if told.is_empty() {
            site.start();
            continue;
        }
        let tried = site.tried(&[], &site.arguments());
        let said = String::from_utf8_lossy(&tried.stderr).into_owned();
        assert!(!tried.status.success() && said.contains(told), "{said}");
    }
}
