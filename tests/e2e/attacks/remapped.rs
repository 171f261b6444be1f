//! Containers in a user namespace of their own: whoever becomes root inside is nobody outside. The control is a container in
//! the host's, on the same engine.

use super::ground::{Ground, SECRET};
use crate::suite::{tests, world, world_alone};
use crate::world::output::Output;
use crate::world::tools::{eventually, scan};
use crate::world::{User, World};
use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;
use std::process::Command;

tests![
    root_inside_is_nobody_outside,
    a_process_inside_is_closed_to_its_owners_shell,
    the_sockets_know_nobody_of_the_range,
    people_are_told_and_not_the_engines_ids,
    a_directory_without_idmaps_takes_the_hosts_user_namespace,
    alone engine_and_policy_must_agree,
];

/// What the engine runs for whoever asks for nothing else.
fn run(world: &World, words: &[&str]) -> Output {
    world.docker([&["run", "--rm", "--userns=", "--network=none"], words].concat().as_slice())
}

fn root_inside_is_nobody_outside() {
    let world = world();
    let dir = world.homes().with_file_name("roots-own");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("file"), "root's own\n").unwrap();
    fs::set_permissions(&dir, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let bind = format!("--volume={}:/outside", dir.display());
    let script = "id -u; cat /outside/file; touch /outside/left; echo x >/proc/sys/kernel/core_pattern";
    let words = ["--privileged", &bind, "busybox:test", "sh", "-c", script];
    let theirs = world.docker(
        [&["run", "--rm", "--network=none"], &words[1..5], &["cat /outside/file"]].concat().as_slice(),
    );
    assert_eq!(theirs.ok(), "root's own\n", "the control did not work");
    let ours = run(&world, &words[1..]);
    let left: Vec<_> = fs::read_dir(&dir).unwrap().flatten().map(|entry| entry.file_name()).collect();
    fs::remove_dir_all(&dir).unwrap();
    assert_eq!(ours.stdout(), "0\n", "{ours}");
    ours.says(&["Permission denied"]).hides(&["root's own"]);
    assert_eq!(left, ["file"]);
}

/// The first process of whoever stays in a container.
fn stays(world: &World, user: &User<'_>, uid: u32) -> u32 {
    let name = user.engine_name("box");
    let pid = world.inspect(&name, "{{.State.Pid}}").parse().unwrap();
    assert!(eventually(|| scan().iter().any(|p| p.pid.unsigned_abs() == pid && p.uid == uid)), "{uid}");
    pid
}

fn a_process_inside_is_closed_to_its_owners_shell() {
    let world = world();
    let ground = Ground::new(&world);
    let (victim, guest) = (&ground.victim, &ground.guest);
    let image = ground.image("open", &[]);
    let ids = format!("--user={0}:{0}", victim.uid);
    let name = victim.engine_name("box");
    let careful = ["--cap-drop=ALL", "--security-opt=no-new-privileges"];
    let words = [
        &["run", "-d", "--network=none", "--name", &name, &ids, "--env=KEY=private"],
        careful.as_slice(),
        &[&image, "/evil", "stay"],
    ];
    world.docker(words.concat().as_slice()).exits(0);
    let looks = |user: &User<'_>, pid: u32| {
        let script = format!(
            "cat /proc/{pid}/root/evil.node; tr '\\0' '\\n' </proc/{pid}/environ; kill -0 {pid} && echo killed"
        );
        user.sh(&script)
    };
    let pid = stays(&world, victim, victim.uid);
    looks(victim, pid).says(&["KEY=private", "killed", &ground.secret.numbers()]);
    world.docker(["rm", "-f", &name]).exits(0);

    guest
        .run(["run", "-d", "--name", "box", "--network=none", "-e", "KEY=private", &image, "/evil", "stay"])
        .ok();
    let pid = stays(&world, guest, world.outside(guest.uid));
    looks(guest, pid).says(&["denied"]).hides(&["KEY=private", "killed", &ground.secret.numbers(), SECRET]);
    // Inside it is as ever.
    assert_eq!(guest.run("exec box id -u").line(), guest.uid.to_string());
    guest.run("exec box sh -c echo>own").ok();
    assert_eq!(fs::metadata(guest.home.join("own")).unwrap().uid(), guest.uid);
}

/// The kernel says of a process inside who it is on the host: by that nobody is known.
fn the_sockets_know_nobody_of_the_range() {
    let world = world();
    let ground = Ground::new(&world);
    let (image, guest) = (ground.image("asks", &[]), &ground.guest);
    let id = guest.sleeper("box");
    let socket = format!("--volume={}:/socket", world.user_socket().display());
    let request = ["/evil", "ask", "/socket", "GET /v1.41/containers/json"];
    for uid in [0, 1000, guest.uid] {
        let ids = format!("--user={uid}:{uid}");
        let words = [&[ids.as_str(), &socket, &image], request.as_slice()].concat();
        let told = run(&world, &words);
        told.says(&["403", &format!("uid {} may not", world.outside(uid))]).hides(&["200 OK", &id]);
    }
    // The control: who has the guest's uid in the host's user namespace is the guest.
    let ids = format!("--user={0}:{0}", guest.uid);
    let words = [&["run", "--rm", "--network=none", &ids, &socket, &image], request.as_slice()].concat();
    world.docker(words.as_slice()).says(&["200 OK", &id]);
}

fn people_are_told_and_not_the_engines_ids() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.sleeper("box");
    let outside = world.outside(ann.uid).to_string();
    let bare = world.docker(["top", &ann.engine_name("box"), "-o", "pid,uid"]);
    bare.says(&[&outside]).exits(0);
    for (words, told) in [("", &ann.login), ("aux", &ann.login), ("-o pid,uid,args", &ann.uid.to_string())] {
        let top = ann.docker(format!("top box {words}"));
        // A name that is too long for its column is cut, as a number is.
        top.says(&[&told[..told.len().min(7)]]).hides(&[&outside, &outside[..7]]).exits(0);
    }
}

/// NFS and its like: what shows everybody's ids as they are means nothing in another user namespace.
fn a_directory_without_idmaps_takes_the_hosts_user_namespace() {
    let world = world();
    let ann = world.newcomer("ann");
    let plain = world.homes().with_file_name(format!("plain-{}", ann.uid));
    fs::create_dir(&plain).unwrap();
    let mount = |words: &[&str]| {
        assert!(Command::new(words[0]).args(&words[1..]).arg(&plain).status().unwrap().success())
    };
    mount(&["mount", "-t", "ramfs", "none"]);
    chown(&plain, Some(ann.uid), Some(ann.gid)).unwrap();
    with_a_plain_directory(&world, &ann, &plain);
    mount(&["umount", "--lazy"]);
    fs::remove_dir(&plain).unwrap();
}

fn with_a_plain_directory(world: &World, ann: &User<'_>, plain: &Path) {
    let shown = plain.display();
    world.limit(ann, &format!("mounts = [{{ source = \"{shown}\", mode = \"rw\", idmap = \"off\" }}]"));
    let run = format!("run -d --name box -v {shown}:/plain busybox:test sleep 1000");
    ann.run(run.as_str()).ok();
    let name = ann.engine_name("box");
    assert_eq!(world.inspect(&name, "{{.HostConfig.UsernsMode}}"), "host");
    stays(world, ann, ann.uid);
    ann.run([
        "exec",
        "box",
        "sh",
        "-c",
        "echo inside >/plain/made; echo inside >made; echo inside >/tmp/made",
    ])
    .ok();
    for made in [plain.join("made"), ann.home.join("made")] {
        assert_eq!(fs::metadata(&made).unwrap().uid(), ann.uid, "{}", made.display());
    }
    // The image's own files are the engine's, and everybody may read them.
    assert_eq!(ann.run("exec box stat -c %u /bin/busybox").line(), world.outside(0).to_string());
    // The engine would give what it copies into it, and a volume, to an id that is nobody's there.
    ann.run("stop -t 0 box").ok();
    ann.run("cp made box:/tmp/more").says(&["only copied to and from while it runs"]).fails(1);
    ann.run("start box").ok();
    ann.run("cp made box:/tmp/more").ok();
    assert_eq!(ann.run("exec box stat -c %u /tmp/more").line(), ann.uid.to_string());
    let refused = ann.run(format!("run --rm -v {shown}:/plain -v data:/d busybox:test true"));
    refused.says(&["it could not be written"]).fails(125);
    ann.run(format!("run --rm -v {shown}:/plain -v data:/d:ro busybox:test true")).ok();
    // Whoever mounts nothing of the kind is not in it, and what was made in it stays in it or is not started.
    ann.run("run -d --name other busybox:test sleep 1000").ok();
    assert_eq!(world.inspect(&ann.engine_name("other"), "{{.HostConfig.UsernsMode}}"), "");
    ann.run("stop -t 0 box").ok();
    world.limit(ann, &format!("mounts = [{{ source = \"{shown}\", mode = \"rw\" }}]"));
    ann.run("start box").says(&["made for another user namespace"]).fails(1);
    ann.run("rm -f box other").ok();
}

/// With ids that do not fit each other a home would be nobody's, or a container in the wrong user namespace.
fn engine_and_policy_must_agree() {
    let world = world_alone();
    let ann = world.newcomer("ann");
    ann.run("create --name box busybox:test true").ok();
    let text = fs::read_to_string(world.policy_file()).unwrap();
    world.spoil_policy(&text.replace("remap_user", "userns = \"host\"\nremap_user"));
    world.admin("admin reload").exits(0);
    for (words, code) in [("run --rm busybox:test true", 125), ("start box", 1)] {
        ann.run(words).says(&["differ about the user namespace"]).fails(code);
    }
    assert_eq!(ann.run("ps -aq").ok().lines().count(), 1);
    // A policy whose ranges cannot be read is not taken, and what held before goes on.
    world.mend_policy();
    world.admin("admin reload").exits(0);
    world.spoil_policy(&text.replace("remap_user = \"", "remap_user = \"no-"));
    world.admin("admin reload").says(&["has no line for"]).fails(1);
    ann.run("start box").ok();
}
