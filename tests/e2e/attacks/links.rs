//! Links of an image where mounts are to land: the engine follows them, as root.

use super::ground::Ground;
use crate::suite::{tests, world};
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};

tests![a_mount_lands_where_it_was_asked_for, an_images_volume_lies_where_one_may_be_asked_for];

fn a_mount_lands_where_it_was_asked_for() {
    let world = world();
    let ground = Ground::new(&world);
    let (guest, root) = (&ground.guest, ground.root());
    fs::create_dir_all(root.join("deep/er")).unwrap();
    for (link, to) in [
        ("v", "dev"),
        ("s", "sys"),
        ("e", "/etc"),
        ("c", ".ie-channel"),
        ("h", guest.home.to_str().unwrap()),
        ("deep/er/l", "../../hostile"),
        ("var-run", "/run"),
    ] {
        symlink(to, root.join(link)).unwrap();
    }
    fs::hard_link(root.join("deep/er/l"), root.join("hard")).unwrap();
    let image = format!("evil-{}:links", ground.victim.uid);
    ground.import(&image, &[]);
    let run = ["run", "--rm", "--network=none"];
    let bare = ["-v", "/deep/er/l", &image, "cat", "/proc/mounts"];
    world.docker([&run[..], &bare].concat().as_slice()).says(&[" /hostile "]).exits(0);

    guest.sh("mkdir d").ok();
    let mine = format!("{}:/c", guest.home.join("d").display());
    let mine_below = format!("{}:/deep/er/l/x", guest.home.join("d").display());
    for (options, link) in [
        (["-v", "vol:/v"], "/v is a link to dev"),
        (["-v", "vol:/v/shm/x"], "/v is a link to dev"),
        (["-v", "/e/new"], "/e is a link to /etc"),
        (["--tmpfs", "/s/kernel"], "/s is a link to sys"),
        (["-v", &mine], "/c is a link to .ie-channel"),
        (["-v", &mine_below], "/deep/er/l is a link to ../../hostile"),
        (["--tmpfs", "/h/x"], "/h is a link to"),
        (["-w", "/h/made"], "/h is a link to"),
        (["-v", "vol:/hard"], "/hard is a link to"),
        (["-v", "vol:/var-run/x"], "/var-run is a link to /run"),
    ] {
        let words = [&run[..], &options, &[&image, "true"]].concat();
        let refused = guest.run(words.as_slice());
        refused.says(&["is not a place to mount at", link, "name a place without links in it"]).fails(125);
    }
    assert_eq!(guest.sh("ls").ok(), "d\n");
    guest
        .run([&run[..], &["-v", "vol:/deep/er/new", "--tmpfs", "/vv", &image, "true"]].concat().as_slice())
        .ok();
    // By now it is known: what is to be made is refused before it is.
    let create = guest.run(["create", "--name", "box", "-v", "other:/v", &image, "true"]);
    assert!(create.says(&["/v is a link to dev"]).code != 0);
    guest.run("volume inspect other").fails(1);
    // A layer that puts a directory in a link's place takes nothing back.
    let name = format!("evil-{}:over", ground.victim.uid);
    fs::hard_link(root.join("bin/sh"), root.join("bin/rm")).unwrap();
    fs::hard_link(root.join("bin/sh"), root.join("bin/mkdir")).unwrap();
    ground.import(&image, &[]);
    let over = world.docker(["run", "-d", "--network=none", &image, "sh", "-c", "rm /v && mkdir /v"]).line();
    assert_eq!(world.docker(["wait", &over]).line(), "0");
    world.docker(["commit", &over, &name]).exits(0);
    world.docker(["rm", &over]).exits(0);
    guest
        .run([&run[..], &["-v", "vol:/v", &name, "true"]].concat().as_slice())
        .says(&["/v is a link"])
        .fails(125);
}

/// Nobody asks for an image's own volumes.
fn an_images_volume_lies_where_one_may_be_asked_for() {
    let world = world();
    let ground = Ground::new(&world);
    let (guest, root) = (&ground.guest, ground.root());
    symlink("dev", root.join("v")).unwrap();
    let image = format!("evil-{}:volume-link", ground.victim.uid);
    ground.import(&image, &["VOLUME /v"]);
    let run = ["run", "--rm", "--network=none"];
    let started = |image: &str| guest.run([&run[..], &[image, "true"]].concat().as_slice());
    started(&image).says(&["/v is not a place to mount at", "/v is a link to dev"]).fails(125);
    for place in ["/dev/shm/x", "/proc", "/sys/x", "/etc", "/.ie-channel/x"] {
        let image = ground.image("volume-place", &[format!("VOLUME {place}")]);
        started(&image).says(&[&format!("the image's VOLUME {place}")]).fails(125);
    }
    // Inside the home its place is the user's own, and around it the home is where it was.
    let below = format!("{}/new/x", guest.home.display());
    let above = guest.home.parent().unwrap().to_str().unwrap().to_owned();
    guest.write("mine", "mine\n");
    for place in [&below, &above] {
        let image = ground.image("volume-place", &[format!("VOLUME {place}")]);
        let told = guest
            .run([&run[..], &[&image, "cat", &format!("{}/mine", guest.home.display())]].concat().as_slice());
        assert_eq!(told.ok(), "mine\n", "{place}");
    }
    for name in ["new", "new/x"] {
        assert_eq!(fs::metadata(guest.home.join(name)).unwrap().uid(), guest.uid, "{name}");
    }
    // A volume of the image's is root's inside, and has a place for what is asked for in it all the same.
    let around = ground.image("volume-around", &["VOLUME /srv/data".to_owned()]);
    let inner = format!("-v={}:/srv/data/new/conf", guest.home.join("mine").display());
    let told = guest.run([&run[..], &[&inner, &around, "cat", "/srv/data/new/conf"]].concat().as_slice());
    assert_eq!(told.ok(), "mine\n");
    // What is asked for at the same place stands in its stead; the home does.
    let home = ground.image("volume-home", &[format!("VOLUME {}", guest.home.display())]);
    started(&home).ok();
}
