//! Callers who are not who they seem: in containers, in user namespaces, behind passed descriptors and setuid programs.

use super::ground::{Ground, tools};
use crate::suite::{tests, world};
use crate::world::User;
use std::fs::{self, Permissions};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};

tests![
    the_socket_inside_a_container,
    the_sockets_directory_is_no_source,
    a_user_namespace_makes_nobody_root,
    a_passed_descriptor_is_whose_it_was,
    a_setuid_program_is_not_its_caller,
];

const LIST: &str = "GET /v1.41/containers/json";

/// A container by hand, with a socket put into it: its root is root to whoever asks the kernel.
fn the_socket_inside_a_container() {
    let world = world();
    let ground = Ground::new(&world);
    let image = ground.image("asks", &[]);
    let guests = ground.guest.sleeper("box");
    let ask = |options: &[&str], socket: &Path| {
        let bind = format!("--volume={}:/socket:ro", socket.display());
        let words =
            [&["run", "--rm", "--network=none", &bind], options, &[&image, "/evil", "ask", "/socket", LIST]];
        world.docker(words.concat().as_slice())
    };
    ask(&[], &world.engine.socket()).says(&["200 OK", &guests]).exits(0);

    let careful = ["--cap-drop=ALL", "--security-opt=no-new-privileges"];
    for options in [&[][..], &careful, &["--user=0:65534"]] {
        let output = ask(options, &world.user_socket());
        output.says(&["403", "root does not use the user socket"]).hides(&["200 OK", &guests]).exits(0);
    }
    for uid in [1, 999, 65_534, 2_147_483_647] {
        let output = ask(&[&format!("--user={uid}:{uid}")], &world.user_socket());
        output.says(&["403", &format!("uid {uid} may not")]).hides(&["200 OK", &guests]).exits(0);
    }
    // Somebody who has an account is who it is there too, and sees nothing of the guest's.
    let ids = format!("--user={0}:{0}", ground.victim.uid);
    ask(&[&ids], &world.user_socket()).says(&["200 OK"]).hides(&[&guests]).exits(0);
}

fn the_sockets_directory_is_no_source() {
    let world = world();
    let ann = world.newcomer("ann");
    let dir = world.gateway_dir();
    let bind = format!("{}:/gateway", dir.display());
    world
        .docker(["run", "--rm", "--network=none", "-v", &bind, "busybox:test", "ls", "/gateway/user.sock"])
        .exits(0);
    std::os::unix::fs::symlink(&dir, ann.home.join("way")).unwrap();
    for source in [dir.clone(), world.user_socket(), world.mountd_dir(), "/run".into(), ann.home.join("way")]
    {
        let bind = format!("{}:/gateway", source.display());
        ann.run(["run", "--rm", "-v", &bind, "busybox:test", "ls", "/gateway"]).fails(125);
    }
    ann.run(["run", "--rm", "busybox:test", "ls", world.user_socket().to_str().unwrap()]).fails(1);
}

/// In a user namespace of one's own one is root by one's own word. The kernel's word is another.
fn a_user_namespace_makes_nobody_root() {
    let world = world();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("bob"));
    let (own, others) = (ann.sleeper("box"), bob.sleeper("box"));
    let evil = tools(&world).evil;
    for options in ["--user --map-root-user", "--user", "--user --map-root-user --pid --fork --mount-proc"] {
        let claim = ann.sh(&format!("unshare {options} id -u"));
        if claim.stderr.contains("unshare failed") || claim.stderr.contains("Operation not permitted") {
            // A machine may forbid them to its users: then nobody can claim anything.
            continue;
        }
        assert_ne!(claim.line(), ann.uid.to_string(), "the control did not work");
        for (socket, says) in [(world.user_socket(), "200 OK"), (world.admin_socket(), "Permission denied")] {
            let script = format!("unshare {options} {} ask {} '{LIST}'", evil.display(), socket.display());
            let output = ann.sh(&script);
            output.says(&[says]).hides(&[&others]);
            assert_eq!(output.stdout().contains(&own), says == "200 OK", "{output}");
        }
    }
}

/// Connects as somebody: ids are a thread's own, and the kernel notes them at connect.
fn connected_by(user: &User<'_>, socket: &Path) -> UnixStream {
    let (uid, gid, socket) = (user.uid, user.gid, socket.to_owned());
    let connect = move || {
        let (uid, gid) = (rustix::thread::Uid::from_raw(uid), rustix::thread::Gid::from_raw(gid));
        rustix::thread::set_thread_groups(&[gid]).unwrap();
        rustix::thread::set_thread_res_gid(gid, gid, gid).unwrap();
        rustix::thread::set_thread_res_uid(uid, uid, uid).unwrap();
        UnixStream::connect(socket).unwrap()
    };
    std::thread::spawn(connect).join().unwrap()
}

fn a_passed_descriptor_is_whose_it_was() {
    let world = world();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("bob"));
    let (anns, bobs) = (ann.sleeper("box"), bob.sleeper("box"));
    let request =
        format!("printf '{LIST} HTTP/1.1\\r\\nHost: d\\r\\nConnection: close\\r\\n\\r\\n' >&0; cat");
    let through = |connection: UnixStream, who: &User<'_>| {
        let mut shell = who.command("/bin/sh", ["-c", &request]);
        let output = shell.stdin(Stdio::from(OwnedFd::from(connection))).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    // What bob is given acts for ann, and for nobody else: the giver's rights, never the two of them together.
    let told = through(connected_by(&ann, &world.user_socket()), &bob);
    assert!(told.contains(&anns) && !told.contains(&bobs), "{told}");
    let told = through(connected_by(&bob, &world.user_socket()), &bob);
    assert!(told.contains(&bobs) && !told.contains(&anns), "{told}");
    // Who connected as root stays root, whatever became of the process since.
    let told = through(UnixStream::connect(world.user_socket()).unwrap(), &ann);
    assert!(told.contains("root does not use the user socket") && !told.contains(&anns), "{told}");
}

/// A program that is root for its caller would make requests as root: it makes none at all.
fn a_setuid_program_is_not_its_caller() {
    let world = world();
    let ground = Ground::new(&world);
    let guest = &ground.guest;
    let own = guest.sleeper("box");
    // Nobody but the guest, and root, walks into its directory.
    let dir = guest.home.with_file_name(format!("deputy-{}", guest.uid));
    fs::create_dir(&dir).unwrap();
    chown(&dir, Some(0), Some(guest.gid)).unwrap();
    fs::set_permissions(&dir, Permissions::from_mode(0o710)).unwrap();
    let deputy = dir.join("evil");
    // By a program: another test's child could have it open for writing while it is to be executed.
    let install = Command::new("install").args(["-m", "4755"]).arg(tools(&world).evil).arg(&deputy).status();
    assert!(install.unwrap().success());
    let ask = |program: &Path, socket: &Path| {
        guest.finish(&mut guest.command(program, ["ask", socket.to_str().unwrap(), LIST]), b"")
    };
    ask(&tools(&world).evil, &world.engine.socket()).says(&["Permission denied"]).exits(7);
    ask(&deputy, &world.engine.socket()).says(&["200 OK", &own]).exits(0);
    let refused = ask(&deputy, &world.user_socket());
    fs::remove_dir_all(&dir).unwrap();
    refused.says(&["403", "root does not use the user socket"]).hides(&["200 OK", &own]).exits(0);
    ask(&tools(&world).evil, &world.user_socket()).says(&["200 OK", &own]).exits(0);
}
