//! What somebody with the engine's verbs would leave in a home: root's programs by run, exec and archive. Table E4.

use super::ground::{Ground, MODES, Worth, judge};
use crate::suite::{tests, world};
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

tests![
    careless_and_careful_runs_on_the_bare_engine,
    an_exec_as_root_plants_nothing,
    an_archive_plants_nothing_in_a_running_container,
    an_archive_plants_nothing_in_a_created_container,
    a_copy_plants_nothing_beside_what_was_asked_for,
];

const CAREFUL: [&str; 2] = ["--cap-drop=ALL", "--security-opt=no-new-privileges"];

/// How much care it takes on the bare engine: any one of three options missing is root, and a shut home helps only
/// until its owner opens it.
fn careless_and_careful_runs_on_the_bare_engine() {
    let world = world();
    let ground = Ground::new(&world);
    let image = ground.image("careful", &[]);
    let ids = format!("--user={0}:{0}", ground.victim.uid);
    let (root, nothing) = (Worth::Root, Worth::Nothing);
    // A remapped engine's images hold nothing of root's.
    let images = world.engine.remap().map_or(root, |_| Worth::Files);
    for (options, program, outcomes) in [
        (vec![], "/evil", [root; 3]),
        (CAREFUL.to_vec(), "/evil", [nothing, nothing, root]),
        (vec![ids.as_str(), CAREFUL[0]], "/bin/suid-evil", [nothing, nothing, images]),
        (vec![ids.as_str(), CAREFUL[1]], "/bin/suid-evil", [nothing; 3]),
        (vec![ids.as_str(), CAREFUL[0], CAREFUL[1]], "/bin/suid-evil", [nothing; 3]),
    ] {
        let homes = ground.homes();
        let binds = homes.clone().map(|home| format!("--volume={0}:{0}", home.display()));
        let binds = binds.each_ref().map(String::as_str);
        let words =
            [&["run", "--rm", "--network=none"], options.as_slice(), &binds, &[&image, program]].concat();
        world.docker(words.as_slice()).exits(0);
        let found = homes.map(|home| judge(&world, &ground.victim, &home).0);
        assert_eq!(found, outcomes, "{options:?} {program}");
    }
    // Through the gateway nobody can be careless: the options that would take the care away are refused.
    for option in ["--user=0", "--cap-add=ALL", "--security-opt=no-new-privileges:false", "--privileged"] {
        ground.guest.run(["run", "--rm", option, &image, "/evil"]).says(&["not allowed here"]).fails(125);
    }
    for mode in MODES {
        fs::set_permissions(&ground.guest.home, Permissions::from_mode(mode)).unwrap();
        ground
            .guest
            .run(["run", "--rm", "--network=none", &image, "/bin/suid-evil"])
            .says(&["tried"])
            .exits(0);
        let (worth, left) = judge(&world, &ground.guest, &ground.guest.home);
        assert_eq!(worth, nothing, "home {mode:o}: {left:?}");
    }
}

/// An exec on the bare engine undoes all the care that its container was made with.
fn an_exec_as_root_plants_nothing() {
    let world = world();
    let ground = Ground::new(&world);
    let image = ground.image("exec", &[]);
    let homes = ground.homes();
    let binds = homes.clone().map(|home| format!("--volume={0}:{0}", home.display()));
    let binds = binds.each_ref().map(String::as_str);
    let ids = format!("--user={0}:{0}", ground.victim.uid);
    let words =
        [&["run", "-d", "--network=none", &ids], CAREFUL.as_slice(), &binds, &[&image, "/evil", "stay"]]
            .concat();
    let bare = world.docker(words.as_slice()).line();
    world.docker(["exec", "-u", "0", &bare, "/evil"]).exits(0);
    world.docker(["rm", "-f", &bare]).exits(0);
    let found = homes.map(|home| judge(&world, &ground.victim, &home).0);
    assert_eq!(found, [Worth::Nothing, Worth::Nothing, Worth::Root], "the control did not work");

    let guest = &ground.guest;
    guest.run(["run", "-d", "--name", "box", "--network=none", &image, "/evil", "stay"]).ok();
    for mode in MODES {
        fs::set_permissions(&guest.home, Permissions::from_mode(mode)).unwrap();
        for option in ["--user=0", "--user=0:0", "--user=root", "--privileged"] {
            guest.run(["exec", option, "box", "/evil"]).says(&["not allowed here"]).fails(125);
        }
        for field in [r#""User":"0""#, r#""User":"0:0""#, r#""User":"root""#, r#""Privileged":true"#] {
            let body = format!(r#"{{"Cmd":["/evil"],{field}}}"#);
            assert_eq!(guest.raw("POST", "/v1.41/containers/box/exec", &body).0, 403, "{field}");
        }
        assert!(!guest.home.join("left-dir").exists());
        guest.run("exec box /bin/suid-evil").says(&["tried"]).exits(0);
        // Even what the engine's own administrator does there leaves nothing: the home is idmapped.
        world.docker(["exec", "-u", "0", &guest.engine_name("box"), "/evil"]);
        let (worth, left) = judge(&world, guest, &guest.home);
        assert_eq!(worth, Worth::Nothing, "home {mode:o}: {left:?}");
    }
}

fn an_archive_plants_nothing_in_a_running_container() {
    archive("run", "-d");
}

fn an_archive_plants_nothing_in_a_created_container() {
    archive("create", "--interactive");
}

/// The engine unpacks as root, whatever the container's user is: a member of group docker needs no more than a tar.
fn archive(verb: &str, option: &str) {
    let world = world();
    let ground = Ground::new(&world);
    let (victim, guest) = (&ground.victim, &ground.guest);
    let image = ground.image("archive", &[]);
    let packed = tar_of_roots(&ground);
    let home = victim.home.clone();
    let (ids, bind) = (format!("--user={0}:{0}", victim.uid), format!("--volume={0}:{0}", home.display()));
    let fixed = [verb, option, "--network=none", &ids, &bind];
    let words = [fixed.as_slice(), &CAREFUL, &[&image, "/evil", "stay"]].concat();
    let bare = world.docker(words.as_slice()).line();
    let put = |socket: &Path, container: &str, home: &Path| {
        [
            "-s".to_owned(),
            "--data-binary".to_owned(),
            format!("@{}", packed.display()),
            "-H".to_owned(),
            "Content-Type: application/x-tar".to_owned(),
            "-X".to_owned(),
            "PUT".to_owned(),
            "--unix-socket".to_owned(),
            socket.display().to_string(),
            "-w".to_owned(),
            "%{http_code}".to_owned(),
            format!("http://d/v1.41/containers/{container}/archive?path={}", home.display()),
        ]
    };
    let sent =
        Command::new("/usr/bin/curl").args(put(&world.engine.socket(), &bare, &home)).output().unwrap();
    world.docker(["rm", "-f", &bare]).exits(0);
    assert_eq!(judge(&world, victim, &home).0, Worth::Root, "the control did not work: {sent:?}");

    guest.run([verb, option, "--name", "box", "--network=none", &image, "/evil", "stay"]).ok();
    for mode in MODES {
        fs::set_permissions(&guest.home, Permissions::from_mode(mode)).unwrap();
        let words = put(&world.user_socket(), "box", &guest.home);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let answer = guest.finish(&mut guest.command("/usr/bin/curl", words.as_slice()), b"");
        if let Ok(left) = fs::metadata(guest.home.join("left-suid")) {
            assert_eq!((left.uid(), left.mode() & 0o6000), (guest.uid, 0), "{answer}");
        }
        assert_eq!(judge(&world, guest, &guest.home).0, Worth::Nothing, "home {mode:o}: {answer}");
    }
}

/// Readable by the users who send it, so in a directory of its own: its one entry is only worth something unpacked.
fn tar_of_roots(ground: &Ground<'_>) -> std::path::PathBuf {
    let packed = ground.world.shared().join(format!("roots-{}.tar", ground.victim.uid));
    let mut archive = tar::Builder::new(fs::File::create(&packed).unwrap());
    let program = fs::read(super::ground::tools(ground.world).evil).unwrap();
    let mut header = tar::Header::new_gnu();
    header.set_size(program.len().try_into().unwrap());
    header.set_mode(0o4755);
    header.set_uid(0);
    header.set_gid(0);
    header.set_entry_type(tar::EntryType::Regular);
    archive.append_data(&mut header, "left-suid", program.as_slice()).unwrap();
    let numbers = ground.secret.numbers();
    let (major, minor) = numbers.split_once(' ').unwrap();
    let mut node = tar::Header::new_gnu();
    node.set_entry_type(tar::EntryType::Block);
    node.set_mode(0o666);
    node.set_device_major(major.parse().unwrap()).unwrap();
    node.set_device_minor(minor.parse().unwrap()).unwrap();
    node.set_size(0);
    archive.append_data(&mut node, "left-node", std::io::empty()).unwrap();
    archive.into_inner().unwrap();
    packed
}

/// Another program in the helper's place, which it takes the host's root to put there: it packs what
/// nobody asked for, with rights of their own.
fn a_copy_plants_nothing_beside_what_was_asked_for() {
    let world = world();
    let ground = Ground::new(&world);
    let (guest, root) = (&ground.guest, ground.root());
    fs::hard_link(root.join("bin/sh"), root.join("bin/mount")).unwrap();
    fs::create_dir_all(root.join("v/w")).unwrap();
    // It has no channel (9), and is started again with the exec's own streams.
    let script =
        "#!/bin/sh\ncase \"$*\" in *--through*) exit 9;; *stat*) cat /stat;; esac\ncat /$(cat /which).tar\n";
    fs::write(root.join("v/w/x"), script).unwrap();
    fs::set_permissions(root.join("v/w/x"), Permissions::from_mode(0o755)).unwrap();
    fs::write(
        root.join("stat"),
        "{\"name\":\"data\",\"size\":1,\"mode\":420,\"mtime\":\"2026-01-01T00:00:00Z\"}\n",
    )
    .unwrap();
    let pack = root.with_file_name("pack");
    fs::create_dir_all(&pack).unwrap();
    for name in ["data", ".bashrc"] {
        fs::write(pack.join(name), "planted\n").unwrap();
        fs::set_permissions(pack.join(name), Permissions::from_mode(0o6755)).unwrap();
    }
    let ids = guest.uid.to_string();
    for (name, members) in [("beside", &["data", ".bashrc"][..]), ("rights", &["data"])] {
        let mut tar = Command::new("tar");
        tar.args(["--owner", &ids, "--group", &ids, "-cf"]).arg(root.join(name).with_extension("tar"));
        assert!(tar.arg("-C").arg(&pack).args(members).status().unwrap().success());
    }
    // First a link that leads out, then a member that leads through it.
    let (first, then) = (root.with_file_name("first/data"), root.with_file_name("then/data/l"));
    fs::create_dir_all(&first).unwrap();
    fs::create_dir_all(&then).unwrap();
    symlink(guest.home.join("outside"), first.join("l")).unwrap();
    fs::write(then.join("keys"), "planted\n").unwrap();
    for (option, tree, member) in [("-cf", "first", "data"), ("-rf", "then", "data/l/keys")] {
        let mut tar = Command::new("tar");
        tar.args(["--owner", &ids, "--group", &ids, option]).arg(root.join("through.tar"));
        assert!(tar.arg("-C").arg(root.with_file_name(tree)).arg(member).status().unwrap().success());
    }
    guest.sh("mkdir outside").ok();
    for (which, comes) in [("beside", false), ("through", false), ("rights", true)] {
        fs::write(root.join("which"), which).unwrap();
        let image = format!("evil-{}:{which}", ground.victim.uid);
        ground.import(&image, &[]);
        guest.run(["run", "-d", "--name", which, "--network=none", &image, "/evil", "stay"]).ok();
        // With more than the engine's administrator would have inside: root's own rights on the host.
        let inside = world.inspect(&guest.engine_name(which), "{{.State.Pid}}");
        let mount = ["--mount", "--target", &inside, "/bin/mount", "--bind", "/v/w/x", "/.ie-copy"];
        assert!(Command::new("nsenter").args(mount).status().unwrap().success());
        guest.sh(&format!("mkdir {which}")).ok();
        let copied = guest.docker(["cp", &format!("{which}:/out/data"), &format!("{which}/")]);
        assert_eq!(copied.code == 0, comes, "{copied}");
        assert!(!guest.home.join(which).join(".bashrc").exists(), "{copied}");
        assert!(!guest.home.join("outside/keys").exists(), "{copied}");
        if comes {
            assert_eq!(guest.read(&format!("{which}/data")), "planted\n");
            assert_eq!(guest.sh(&format!("stat -c %a {which}/data")).ok(), "755\n");
        }
        assert_eq!(guest.run(["cp", &format!("{which}:/out/data"), "ours"]).code == 0, comes);
        guest.run(["rm", "-f", which]).ok();
    }
}
