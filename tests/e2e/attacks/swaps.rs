//! A bind's source swapped for a link after it was looked at: the engine follows it, at every start, as root.

use super::ground::Ground;
use crate::suite::{tests, world};
use crate::world::tools::wait_until;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::time::Duration;

tests![
    between_create_and_start,
    between_stop_and_restart,
    a_source_that_is_gone,
    a_copy_with_a_stopped_container
];

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

/// An engine that copies mounts everything first, as root and in the host's namespace. A link of the image's leads one
/// mount into another, where the user swaps names meanwhile: so it must not see the user's directory at all.
fn a_copy_with_a_stopped_container() {
    let world = world();
    let ground = Ground::new(&world);
    let (victim, guest, root) = (&ground.victim, &ground.guest, ground.root());
    for user in [victim, guest] {
        user.sh("mkdir d evil; echo mine > d/file").ok();
        // Deep, so that the engine mounts what is below it after the home.
        fs::create_dir_all(root.join("1/2/3/4/5/6/7")).unwrap();
        symlink(user.home.join("d"), root.join("1/2/3/4/5/6/7").join(&user.login)).unwrap();
    }
    let image = format!("evil-{}:astray", victim.uid);
    ground.import(&image, &[]);
    let link = |user: &crate::world::User<'_>| format!("/1/2/3/4/5/6/7/{}", user.login);
    let nested = |user: &crate::world::User<'_>| format!("-v={}/evil:{}/x", user.home.display(), link(user));
    let bind = format!("-v={0}:{0}", victim.home.display());
    let bare = world.docker(["create", "--network=none", &bind, &nested(victim), &image, "true"]).line();
    let there = format!("{bare}:{}/file", link(victim));
    world.docker(["cp", &there, "-"]).says(&["mine"]).exits(0);
    world.docker(["rm", &bare]).exits(0);
    assert!(
        victim.home.join("d/x").exists(),
        "the control did not work: nothing was made in the live directory"
    );

    guest.run(["create", "--name", "plain", "--network=none", &image, "true"]).ok();
    let there = format!("plain:{}/file", link(guest));
    guest.run(["cp", &there, "-"]).says(&["no such file"]).fails(1);
    guest.write("planted", "x");
    assert_ne!(guest.run(["cp", "planted", &format!("plain:{}/planted", link(guest))]).code, 0);
    guest.run(["create", "--name", "box", "--network=none", &nested(guest), &image, "true"]).ok();
    assert_ne!(guest.run("cp box:/etc/passwd -").code, 0);
    assert_eq!(guest.sh("ls d").ok(), "file\n");
    guest
        .run(["run", "--rm", "--network=none", &image, "cat", &format!("{}/d/file", guest.home.display())])
        .says(&["mine"])
        .exits(0);
}
