//! A bind's source swapped for a link after it was looked at: the engine follows it, at every start, as root.

use super::ground::Ground;
use crate::suite::{tests, world, world_alone};
use crate::world::tools::eventually;
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

tests![
    between_create_and_start,
    between_stop_and_restart,
    a_source_that_is_gone,
    a_place_in_a_mount_that_is_gone,
    a_copy_with_a_stopped_container,
    alone a_copy_whose_caller_hangs_up
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
    let done = eventually(stolen);
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
    assert_eq!(fs::metadata(&source).unwrap().uid(), world.outside(0), "the control did not work");

    let guest = &ground.guest;
    guest.sh("mkdir dir").ok();
    let bind = format!("-v={}:/work", guest.home.join("dir").display());
    guest.run(["create", "--name", "box", "--network=none", &bind, &image, "true"]).ok();
    guest.sh("rmdir dir").ok();
    guest.run("start box").says(&["does not exist"]).fails(1);
    assert!(!guest.home.join("dir").exists());
}

/// runc makes the place of a mount inside another one, as root: a directory of root's in the home, or through a link that
/// was put there between two looks somewhere else (`e2e::races::swaps`).
fn a_place_in_a_mount_that_is_gone() {
    use std::os::unix::fs::MetadataExt;
    let world = world();
    let ground = Ground::new(&world);
    let image = ground.image("inside", &[]);
    for user in [&ground.victim, &ground.guest] {
        user.sh("mkdir dir; chmod 777 dir; echo own >dir/file").ok();
    }
    let bind = |home: &std::path::Path| format!("-v={}:/work", home.join("dir").display());
    let inner = format!("--mount=type=volume,source=inside-{},target=/work/new/deep", ground.victim.uid);
    let bind_of_victim = bind(&ground.victim.home);
    let run = ["run", "--rm", "--runtime=bare", "--network=none", &bind_of_victim, &inner, &image, "true"];
    world.docker(run).exits(0);
    let made = fs::metadata(ground.victim.home.join("dir/new")).unwrap();
    assert_eq!(made.uid(), 0, "the control did not work");

    let guest = &ground.guest;
    let bind = bind(&guest.home);
    let run = |place: &str| {
        let inner = format!("-v=inside:/work/{place}");
        guest.run(["run", "--rm", "--network=none", &bind, &inner, &image, "true"])
    };
    run("new/deep").ok();
    for name in ["dir/new", "dir/new/deep"] {
        assert_eq!(fs::metadata(guest.home.join(name)).unwrap().uid(), guest.uid, "{name}");
    }
    // A link is followed nowhere, not even to what is the guest's own.
    let closed = closed(&ground);
    fs::set_permissions(&closed, Permissions::from_mode(0o777)).unwrap();
    guest
        .sh(&format!(
            "mkdir own; ln -s {} dir/out; ln -s ../own dir/up; ln -s file dir/link",
            closed.display()
        ))
        .ok();
    for place in ["out", "out/new", "up", "up/new", "link"] {
        let refused = run(place);
        refused.says(&["leads through a link"]);
        assert_ne!(refused.code, 0, "{place}");
    }
    assert_eq!(fs::read_dir(&closed).unwrap().count(), 1);
    assert_eq!(guest.sh("ls own").ok(), "");
    // Nor does the engine's own socket lead around it.
    let user = format!("--user={0}:{0}", guest.uid);
    let stages = world.mountd_dir().join("stage");
    guest.run(["run", "-d", "--name=box", "--network=none", &bind, &image, "/evil", "stay"]).ok();
    let sources =
        world.inspect(&guest.engine_name("box"), "{{range .Mounts}}{{.Source}} {{.Destination}}\n{{end}}");
    let stage = sources.lines().find_map(|line| line.strip_suffix(" /work")).unwrap();
    assert!(stage.starts_with(stages.to_str().unwrap()));
    let staged = format!("--mount=type=bind,source={stage},target=/work");
    let (own, gateways) = (
        format!("--mount=type=volume,source=inside-{},target=/work/out/new", guest.uid),
        format!("--mount=type=bind,source={},target=/work/file", world.program("ie-copy").display()),
    );
    for (inner, word) in [(&own, "leads through a link"), (&gateways, "at or below")] {
        let careful = [
            "--cap-drop=ALL",
            "--security-opt=no-new-privileges",
            "--memory=64m",
            "--pids-limit=64",
            "--cgroupns=private",
            "--ipc=private",
        ];
        let words =
            [&["run", "--rm", "--network=none", &user, &staged, inner], &careful[..], &[&image, "true"]];
        world.docker_as_gateway(words.concat().as_slice()).says(&["ie-runc refuses", word]).exits(125);
    }
    assert_eq!((fs::read_dir(&closed).unwrap().count(), guest.read("dir/file").as_str()), (1, "own\n"));
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
    // Refused at once where the image was looked through already, and otherwise at the start.
    let nested = guest.run(["create", "--name", "box", "--network=none", &nested(guest), &image, "true"]);
    if nested.code != 0 {
        nested.says(&["is a link to"]);
    }
    assert_ne!(guest.run("cp box:/etc/passwd -").code, 0);
    assert_eq!(guest.sh("ls d").ok(), "file\n");
    guest
        .run(["run", "--rm", "--network=none", &image, "cat", &format!("{}/d/file", guest.home.display())])
        .says(&["mine"])
        .exits(0);
}

/// An engine goes on with a copy whose caller has hung up, and mounts what it finds when its turn comes: until then the
/// container is not started, which would put the live directories there.
fn a_copy_whose_caller_hangs_up() {
    #[derive(Default)]
    struct Heard {
        asked: bool,
        goes_on: bool,
        started: bool,
    }
    let world = world_alone();
    let ann = world.newcomer("ann");
    // The other gateway has no mount helper.
    world.limit(&ann, "home = \"none\"");
    ann.run("create --name box --network none busybox:test sleep 1000").ok();
    let put = format!("Content-Length: 10240\r\n\r\n{}", "x".repeat(600));
    let heard = Arc::new((Mutex::new(Heard::default()), Condvar::new()));
    let ear = heard.clone();
    let gateway = world.overheard(move |said| {
        let said = String::from_utf8_lossy(said);
        let mut heard = ear.0.lock().unwrap();
        heard.started |= said.contains("/start ");
        if said.contains("/archive?") {
            heard.asked = true;
            drop(ear.1.wait_while(heard, |heard| !heard.goes_on).unwrap());
        }
    });
    for (method, rest) in [("HEAD", "\r\n"), ("GET", "\r\n"), ("PUT", put.as_str())] {
        *heard.0.lock().unwrap() = Heard::default();
        let mut copy = ann.caller_of(&gateway).connect().unwrap();
        let request = format!("{method} /containers/box/archive?path=/tmp HTTP/1.1\r\nHost: d\r\n{rest}");
        copy.write_all(request.as_bytes()).unwrap();
        assert!(eventually(|| heard.0.lock().unwrap().asked), "{method}: the engine was not asked");
        drop(copy);
        let start = ann.spawn_command(gateway.client(&ann, "start box"));
        std::thread::sleep(Duration::from_secs(2));
        assert!(!heard.0.lock().unwrap().started, "{method}: it was started meanwhile");
        heard.0.lock().unwrap().goes_on = true;
        heard.1.notify_all();
        start.finish().ok();
        ann.run("stop -t 0 box").ok();
    }
}
