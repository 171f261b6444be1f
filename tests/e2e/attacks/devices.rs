//! Device nodes: the control group keeps a container from using one, but not its owner's shell on the host, which
//! reaches every file of the container through `/proc/PID/root`.

use super::ground::{Ground, SECRET};
use crate::suite::{tests, world};
use crate::world::User;
use crate::world::tools::{eventually, scan};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;

tests![a_node_made_in_a_container, a_node_out_of_an_image];

/// What a user reads of `path` in the container that a process with this uid is in, from the host.
pub(super) fn read_from_outside(user: &User<'_>, uid: u32, path: &str) -> String {
    let stays = || scan().into_iter().find(|p| p.uid == uid && p.arguments.iter().any(|word| word == "stay"));
    assert!(eventually(|| stays().is_some()), "no process of the user's stays");
    user.sh(&format!("head -c {} /proc/{}/root{path}", SECRET.len(), stays().unwrap().pid)).stdout()
}

fn a_node_made_in_a_container() {
    let world = world();
    let ground = Ground::new(&world);
    let (victim, guest) = (&ground.victim, &ground.guest);
    let (image, ids) = (ground.image("nodes", &[]), format!("{0}:{0}", victim.uid));
    let make = format!("mknod /tmp/node b {} && chmod 666 /tmp/node", ground.secret.numbers());
    let direct = format!("head -c 1 {}", ground.secret.device.display());
    assert_eq!((victim.sh(&direct).stdout(), guest.sh(&direct).stdout()), (String::new(), String::new()));

    let bare = world.docker(["run", "-d", "--network=none", "--init", &image, "/evil", "stay"]).line();
    world.docker(["exec", &bare, "sh", "-c", &make]).exits(0);
    world.docker(["exec", &bare, "head", "-c", "1", "/tmp/node"]).exits(1);
    world.docker(["exec", "-d", "-u", &ids, &bare, "/evil", "stay"]).exits(0);
    let stolen = read_from_outside(victim, victim.uid, "/tmp/node");
    world.docker(["rm", "-f", &bare]).exits(0);
    assert_eq!(stolen, SECRET, "the control did not work");

    guest.run(["run", "-d", "--name", "box", "--network=none", &image, "/evil", "stay"]).ok();
    guest.run(["exec", "box", "sh", "-c", &make]).says(&["Operation not permitted"]).fails(1);
    assert_eq!(read_from_outside(guest, world.outside(guest.uid), "/tmp/node"), "");
}

/// A layer may hold a node that needs no capability any more. Hidden ones count: they are read by path.
fn a_node_out_of_an_image() {
    let world = world();
    let ground = Ground::new(&world);
    let (victim, guest, root) = (&ground.victim, &ground.guest, ground.root());
    let deep = format!("hostile/{}", ["x"; 100].join("/"));
    for (name, dir, owner, changes) in [
        ("node", "hostile", 0, &[][..]),
        ("node-deep", deep.as_str(), 0, &[]),
        ("node-for-the-guest-alone", "hostile/closed", guest.uid, &[]),
        ("node-in-a-volume", "volume", 0, &["VOLUME /volume"]),
        ("node-below-dev", "dev/d", 0, &[]),
    ] {
        fs::create_dir_all(root.join(dir)).unwrap();
        chown(root.join(dir), Some(owner), None).unwrap();
        fs::set_permissions(root.join(dir), Permissions::from_mode(if owner == 0 { 0o755 } else { 0o700 }))
            .unwrap();
        let node = root.join(dir).join("node");
        make_node(&node, &ground.secret.numbers());
        let image = format!("evil-{}:{name}", victim.uid);
        ground.import(&image, changes);
        fs::remove_file(node).unwrap();
        let path = format!("/{dir}/node");

        // The engine's own `/dev` lies over that one, and what takes it out of there is `layers`' to show.
        if owner == 0 && name != "node-below-dev" {
            let ids = format!("{0}:{0}", victim.uid);
            let careful =
                ["run", "-d", "--network=none", "--cap-drop=ALL", "--security-opt=no-new-privileges"];
            let words = [careful.as_slice(), &["--user", &ids, &image, "/evil", "stay"]].concat();
            let bare = world.docker(words.as_slice()).line();
            let stolen = read_from_outside(victim, victim.uid, &path);
            world.docker(["rm", "-fv", &bare]).exits(0);
            assert_eq!(stolen, SECRET, "{name}: the control did not work");
        }

        let refused = guest.run(["run", "-d", "--network=none", &image, "/evil", "stay"]);
        refused.says(&["device node", &path]).fails(125);
        // What is known by now is said at once.
        let later = guest.run(["create", "--network=none", &image, "/evil", "stay"]);
        assert!(later.says(&["device node", &path]).code != 0);
    }
    // A volume of the image's own that would hide the node from a process inside: its place is found by way of a link
    // that leads elsewhere once there is a /proc.
    for dir in ["secret", "innocent/secret", "proc/1", "z"] {
        fs::create_dir_all(root.join(dir)).unwrap();
    }
    symlink("/innocent", root.join("proc/1/root")).unwrap();
    symlink("/proc/1/root/secret", root.join("z/l")).unwrap();
    make_node(&root.join("secret/node"), &ground.secret.numbers());
    let image = format!("evil-{}:hidden-node", victim.uid);
    ground.import(&image, &["VOLUME /z/l"]);
    let run = ["run", "--rm", "--network=none", &image, "/evil", "stay"];
    guest.run(run).says(&["device node", "/secret/node"]).fails(125);
    // A node where the engine covers it for who is inside, and a second name of it elsewhere.
    fs::remove_file(root.join("secret/node")).unwrap();
    make_node(&root.join("dev/node"), &ground.secret.numbers());
    fs::hard_link(root.join("dev/node"), root.join("hostile/second")).unwrap();
    let image = format!("evil-{}:second-name", victim.uid);
    ground.import(&image, &[]);
    let run = ["run", "--rm", "--network=none", &image, "/evil", "stay"];
    guest.run(run).says(&["device node", "/"]).fails(125);
    // Whatever an image has in the place of what looks at it, nothing of it is run.
    for (place, target) in [(".ie-copy", "/bin/true"), ("bin/true", "/bin/true")] {
        let _there = symlink(target, root.join(place));
    }
    let image = format!("evil-{}:false-helper", victim.uid);
    ground.import(
        &image,
        &["ENV LD_PRELOAD=/hostile/preload.so PATH=/hostile", "ENTRYPOINT [\"/evil\", \"stay\"]"],
    );
    guest.run(["run", "--rm", "--network=none", &image]).says(&["device node"]).fails(125);
    // What such an image is built upon is looked at for itself.
    let clean = ground.image("clean", &[]);
    guest.run(["run", "--rm", "--network=none", &clean, "true"]).ok();
}

pub(super) fn make_node(at: &Path, numbers: &str) {
    let numbers: Vec<&str> = numbers.split(' ').collect();
    let made = Command::new("mknod").args(["-m", "666"]).arg(at).arg("b").args(numbers).status().unwrap();
    assert!(made.success());
}
