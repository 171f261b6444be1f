//! A bind's source swapped for a link after it was looked at: the engine follows it, at every start, as root.

use super::ground::Ground;
use crate::suite::{tests, world};
use crate::world::tools::wait_until;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::time::Duration;

tests![between_create_and_start, between_stop_and_restart, a_source_that_is_gone];

/// A directory that root alone may enter, with a file that the attack should bring out.
fn closed(ground: &Ground<'_>) -> PathBuf {
    let dir = ground.victim.home.with_file_name(format!("closed-{}", ground.victim.uid));
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("file"), "root's own\n").unwrap();
    fs::set_permissions(&dir, Permissions::from_mode(0o700)).unwrap();
    dir
}

fn between_create_and_start() {
    let world = world();
    let ground = Ground::new(&world);
    let (closed, image) = (closed(&ground), ground.image("swap", &[]));
    let home = &ground.victim.home;
    for option in ["-v=SOURCE:/work", "--mount=type=bind,source=SOURCE,target=/work"] {
        let source = home.join("dir");
        fs::create_dir(&source).unwrap();
        let option = option.replace("SOURCE", source.to_str().unwrap());
        let bare = world.docker(["create", "--network=none", &option, &image, "cat", "/work/file"]).line();
        fs::remove_dir(&source).unwrap();
        symlink(&closed, &source).unwrap();
        let stolen = world.docker(["start", "-a", &bare]).stdout();
        world.docker(["rm", &bare]).exits(0);
        fs::remove_file(&source).unwrap();
        assert_eq!(stolen, "root's own\n", "{option}: the control did not work");
    }
    let guest = &ground.guest;
    let source = guest.home.join("dir");
    for option in ["-v=SOURCE:/work", "--mount=type=bind,source=SOURCE,target=/work"] {
        guest.sh("mkdir dir").ok();
        let option = option.replace("SOURCE", source.to_str().unwrap());
        guest.run(["create", "--name", "box", "--network=none", &option, &image, "cat", "/work/file"]).ok();
        guest.sh(&format!("rmdir dir; ln -s {} dir", closed.display())).ok();
        guest.run("start -a box").hides(&["root's own"]).says(&["symbolic link"]).fails(1);
        guest.run("rm box").ok();
        guest.sh("rm dir").ok();
    }
}

fn between_stop_and_restart() {
    let world = world();
    let ground = Ground::new(&world);
    let (closed, image) = (closed(&ground), ground.image("swap", &[]));
    let script = "cat /work/file; exec sleep 1000";
    let source = ground.victim.home.join("dir");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("file"), "own\n").unwrap();
    let bind = format!("-v={}:/work", source.display());
    let bare = world.docker(["run", "-d", "--network=none", &bind, &image, "sh", "-c", script]).line();
    fs::rename(&source, source.with_extension("old")).unwrap();
    symlink(&closed, &source).unwrap();
    world.docker(["restart", "-t", "0", &bare]).exits(0);
    let stolen = || world.docker(["logs", &bare]).stdout().contains("root's own");
    let done = wait_until(Duration::from_secs(20), stolen);
    world.docker(["rm", "-f", &bare]).exits(0);
    assert!(done, "the control did not work");

    let guest = &ground.guest;
    guest.sh("mkdir dir; echo own > dir/file").ok();
    let bind = format!("-v={}:/work", guest.home.join("dir").display());
    guest.run(["run", "-d", "--name", "box", "--network=none", &bind, &image, "sh", "-c", script]).ok();
    guest.sh(&format!("mv dir old; ln -s {} dir", closed.display())).ok();
    guest.run("restart -t 0 box").says(&["symbolic link"]).fails(1);
    guest.run("logs box").hides(&["root's own"]).exits(0);
}

/// The engine makes a missing source anew, as root: a directory of root's in the home.
fn a_source_that_is_gone() {
    use std::os::unix::fs::MetadataExt;
    let world = world();
    let ground = Ground::new(&world);
    let image = ground.image("gone", &[]);
    let source = ground.victim.home.join("dir");
    fs::create_dir(&source).unwrap();
    let bind = format!("-v={}:/work", source.display());
    let bare = world.docker(["create", "--network=none", &bind, &image, "true"]).line();
    fs::remove_dir(&source).unwrap();
    world.docker(["start", "-a", &bare]).exits(0);
    world.docker(["rm", &bare]).exits(0);
    assert_eq!(fs::metadata(&source).unwrap().uid(), 0, "the control did not work");

    let guest = &ground.guest;
    guest.sh("mkdir dir").ok();
    let bind = format!("-v={}:/work", guest.home.join("dir").display());
    guest.run(["create", "--name", "box", "--network=none", &bind, &image, "true"]).ok();
    guest.sh("rmdir dir").ok();
    guest.run("start box").says(&["does not exist"]).fails(1);
    assert!(!guest.home.join("dir").exists());
}
