//! Images made to harm whoever runs them: each leaves root's programs in the home of somebody who runs it on the bare
//! engine, and nothing that its user could not have made through the gateway.

use super::ground::{Ground, MODES, Worth, judge};
use crate::suite::{tests, world, world_alone};
use crate::world::World;
use crate::world::tools::eventually;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::Mutex;

tests![
    users_and_groups,
    programs_with_rights_of_their_own,
    programs_in_other_programs_places,
    words_of_the_configuration,
    a_health_check_runs_by_itself,
    a_working_directory_in_the_home,
    links_where_mounts_go,
    alone a_name_that_moves_meanwhile,
];

/// An image, how a docker user runs it, and what comes of it.
struct Hostile {
    name: &'static str,
    /// The Dockerfile's words; `HOME` stands for the home.
    changes: &'static [&'static str],
    /// Options of the bare engine's user; `UID` and `LOGIN` stand for theirs.
    options: &'static [&'static str],
    /// The command, for both arms.
    command: &'static [&'static str],
    /// What homes of mode 0700, 0755 and 0777 hold afterwards on the bare engine.
    bare: [Worth; 3],
}

const EVERY: [Worth; 3] = [Worth::Root; 3];
const GROUP: [Worth; 3] = [Worth::Group; 3];
const OPEN_ONE: [Worth; 3] = [Worth::Nothing, Worth::Nothing, Worth::Root];
const AS_ONESELF: &[&str] = &["--user=UID:UID"];
const EVIL: &[&str] = &["/evil"];

const USERS: [Hostile; 7] = [
    Hostile { name: "no-user", changes: &["CMD [\"/evil\"]"], options: &[], command: &[], bare: EVERY },
    Hostile { name: "user-0", changes: &["USER 0:0"], options: &[], command: EVIL, bare: EVERY },
    Hostile { name: "user-root", changes: &["USER root"], options: &[], command: EVIL, bare: EVERY },
    Hostile {
        name: "user-toor-mapped-to-0",
        changes: &["USER toor"],
        options: &[],
        command: EVIL,
        bare: EVERY,
    },
    Hostile {
        name: "login-mapped-to-0",
        changes: &[],
        options: &["--user=LOGIN"],
        command: EVIL,
        bare: EVERY,
    },
    Hostile { name: "uid-with-group-0", changes: &[], options: &["--user=UID"], command: EVIL, bare: GROUP },
    Hostile {
        name: "uid-in-group-disk",
        changes: &[],
        options: &["--user=UID", "--cap-drop=ALL", "--security-opt=no-new-privileges"],
        command: EVIL,
        bare: GROUP,
    },
];

const PROGRAMS: [Hostile; 5] = [
    Hostile {
        name: "setuid-program",
        changes: &[],
        options: AS_ONESELF,
        command: &["/bin/suid-evil"],
        bare: EVERY,
    },
    Hostile {
        name: "setuid-program-without-capabilities",
        changes: &[],
        options: &["--user=UID:UID", "--cap-drop=ALL"],
        command: &["/bin/suid-evil"],
        bare: OPEN_ONE,
    },
    Hostile {
        name: "setuid-entrypoint",
        changes: &["ENTRYPOINT [\"/bin/suid-evil\"]"],
        options: AS_ONESELF,
        command: &["true"],
        bare: EVERY,
    },
    Hostile {
        name: "setgid-program",
        changes: &[],
        options: AS_ONESELF,
        command: &["/bin/sgid-evil"],
        bare: GROUP,
    },
    Hostile {
        name: "file-capabilities",
        changes: &[],
        options: AS_ONESELF,
        // Where the kernel does not run it at all, the next best is tried.
        command: &["sh", "-c", "/bin/fcap-evil || /evil"],
        bare: EVERY,
    },
];

const PLACES: [Hostile; 5] = [
    Hostile {
        name: "entrypoint",
        changes: &["ENTRYPOINT [\"/evil\"]"],
        options: &[],
        command: &["true"],
        bare: EVERY,
    },
    Hostile {
        name: "env-path",
        changes: &["ENV PATH=/hostile:/bin"],
        options: &[],
        command: &["make"],
        bare: EVERY,
    },
    Hostile {
        name: "env-ld-preload",
        changes: &["ENV LD_PRELOAD=/hostile/preload.so"],
        options: &[],
        command: &["/bin/dynamic"],
        bare: EVERY,
    },
    Hostile {
        name: "env-of-the-shell",
        changes: &["ENV ENV=/evil.sh"],
        options: &[],
        command: &["sh", "-i", "-c", "true"],
        bare: EVERY,
    },
    Hostile {
        name: "shell-entrypoint",
        changes: &["ENTRYPOINT [\"sh\",\"-c\",\"/bin/suid-evil; exec \\\"$@\\\"\",\"sh\"]"],
        options: AS_ONESELF,
        command: &["true"],
        bare: EVERY,
    },
];

const WORDS: [Hostile; 8] = [
    Hostile {
        name: "env-nvidia",
        changes: &["ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=all NVIDIA_DISABLE_REQUIRE=1"],
        options: &[],
        command: &["sh", "-c", "/evil; [ $NVIDIA_VISIBLE_DEVICES = all ] && exit 77; exit 78"],
        bare: EVERY,
    },
    Hostile {
        name: "labels-of-ours",
        changes: &[
            "LABEL io.ie-container.uid=0 io.ie-container.login=root IO.IE-CONTAINER.UID=0",
            "LABEL io.ie-container.stages=[] io.ie-container.version=1 io.ie-container.rm=true",
        ],
        options: &[],
        command: EVIL,
        bare: EVERY,
    },
    Hostile {
        name: "volume-on-the-home",
        changes: &["VOLUME HOME"],
        options: &[],
        command: EVIL,
        bare: EVERY,
    },
    Hostile {
        name: "volumes-of-programs",
        changes: &["VOLUME /bin /hostile /tmp"],
        options: AS_ONESELF,
        command: &["/bin/suid-evil"],
        bare: EVERY,
    },
    Hostile {
        name: "stop-signal-ignored",
        changes: &["STOPSIGNAL SIGCONT"],
        options: &[],
        command: EVIL,
        bare: EVERY,
    },
    Hostile {
        name: "exposed-ports",
        changes: &["EXPOSE 1-255 53/udp"],
        options: &[],
        command: EVIL,
        bare: EVERY,
    },
    Hostile {
        name: "onbuild",
        changes: &["ONBUILD RUN /evil", "ENTRYPOINT [\"/evil\"]"],
        options: &[],
        command: &[],
        bare: EVERY,
    },
    Hostile {
        name: "env-home-and-user",
        changes: &["ENV HOME=/ USER=root LOGNAME=root SHELL=/evil"],
        options: &[],
        command: EVIL,
        bare: EVERY,
    },
];

fn users_and_groups() {
    all(&USERS);
}

fn programs_with_rights_of_their_own() {
    all(&PROGRAMS);
}

fn programs_in_other_programs_places() {
    all(&PLACES);
}

fn words_of_the_configuration() {
    all(&WORDS);
}

fn all(images: &[Hostile]) {
    let world = world();
    let ground = Ground::new(&world);
    for hostile in images {
        let name = hostile.name;
        let changes = |home: &Path| -> Vec<String> {
            hostile.changes.iter().map(|change| change.replace("HOME", home.to_str().unwrap())).collect()
        };
        let expected = bare(&world, hostile);
        assert_eq!(on_the_bare_engine(&ground, hostile, &changes), expected, "{name} on the bare engine");
        let image = ground.image(name, &changes(&ground.guest.home));
        for mode in MODES {
            let home = ground.guest.home.as_path();
            fs::set_permissions(home, Permissions::from_mode(mode)).unwrap();
            let words = [&["run", "--rm", "--network=none", &image], hostile.command].concat();
            let output = ground.guest.run(words.as_slice());
            assert!([0, 78].contains(&output.code), "{name}: {output}");
            let (worth, left) = judge(&world, &ground.guest, home);
            assert_eq!(worth, Worth::Nothing, "{name}, home {mode:o}: {left:?}");
            output.says(&["tried"]);
        }
    }
}

/// A remapped engine's images hold nothing of root's: their setuid programs are nobody's, also in the host's user namespace.
fn bare(world: &World, hostile: &Hostile) -> [Worth; 3] {
    let mut words = hostile.changes.iter().chain(hostile.command);
    match world.engine.remap() {
        Some(_) if words.any(|word| word.contains("suid-evil")) => {
            [Worth::Nothing, Worth::Nothing, Worth::Files]
        }
        _ => hostile.bare,
    }
}

/// As a member of group docker: the homes bound plainly, at their own paths.
fn on_the_bare_engine(
    ground: &Ground<'_>,
    hostile: &Hostile,
    changes: &dyn Fn(&Path) -> Vec<String>,
) -> [Worth; 3] {
    let homes = ground.homes();
    let image = ground.image(&format!("{}-bare", hostile.name), &changes(&homes[0]));
    let (uid, login) = (ground.victim.uid.to_string(), &ground.victim.login);
    let mut words: Vec<String> = ["run", "--rm", "--network=none"].map(str::to_owned).into();
    words.extend(homes.iter().map(|home| format!("--volume={0}:{0}", home.display())));
    words.extend(hostile.options.iter().map(|option| option.replace("UID", &uid).replace("LOGIN", login)));
    words.push(image);
    words.extend(hostile.command.iter().map(|word| (*word).to_owned()));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let output = ground.world.docker(words.as_slice());
    assert!([0, 77].contains(&output.code), "{output}");
    homes.map(|home| judge(ground.world, &ground.victim, &home).0)
}

/// Docker runs an image's health check as the container's user, each second, unasked.
fn a_health_check_runs_by_itself() {
    let world = world();
    let ground = Ground::new(&world);
    let changes = ["HEALTHCHECK --interval=1s CMD /evil", "CMD [\"sleep\", \"1000\"]"].map(str::to_owned);
    let image = ground.image("health-check", &changes);
    let homes = ground.homes();
    let mut words = vec!["run".to_owned(), "-d".to_owned(), "--network=none".to_owned()];
    words.extend(homes.iter().map(|home| format!("--volume={0}:{0}", home.display())));
    words.push(image.clone());
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let bare = world.docker(words.as_slice()).line();
    ground.guest.run(["run", "-d", "--name", "checked", "--network=none", &image]).ok();
    let left = || homes.iter().all(|home| home.join("left-node").exists());
    let done = eventually(left);
    world.docker(["rm", "-f", &bare]).exits(0);
    assert!(done, "the health check did not run on the bare engine");
    assert_eq!(homes.map(|home| judge(&world, &ground.victim, &home).0), EVERY);
    // As in Docker the image's check runs here, too: less often, and as whoever runs the image.
    let checked = ground.guest.engine_name("checked");
    assert_eq!(world.inspect(&checked, "{{.Config.Healthcheck.Interval}}"), "5s");
    let has_run = || world.inspect(&checked, "{{len .State.Health.Log}}") != "0";
    assert!(eventually(has_run), "it did not run");
    ground.guest.run("stop -t 0 checked").ok();
    let (worth, left) = judge(&world, &ground.guest, &ground.guest.home);
    assert!(worth == Worth::Nothing && !left.is_empty(), "{worth:?} {left:?}");
}

/// runc makes a missing working directory as root, wherever it lies; one among its own descriptors was CVE-2024-21626.
fn a_working_directory_in_the_home() {
    let world = world();
    let ground = Ground::new(&world);
    let wanted = |home: &Path| format!("{}/made/by/the/image", home.display());
    for home in ground.homes() {
        let image = ground.image_without_its_workdir("workdir-bare", &wanted(&home));
        let bind = format!("{0}:{0}", home.display());
        let ids = format!("{0}:{0}", ground.victim.uid);
        world.docker(["run", "--rm", "--network=none", "--user", &ids, "-v", &bind, &image, "true"]).exits(0);
        assert_eq!(judge(&world, &ground.victim, &home).0, Worth::Files, "{}", home.display());
    }
    let home = ground.guest.home.as_path();
    let image = ground.image_without_its_workdir("workdir", &wanted(home));
    let through_descriptors = ground.image_without_its_workdir("workdir-fd", "/proc/self/fd/8");
    for mode in MODES {
        fs::set_permissions(home, Permissions::from_mode(mode)).unwrap();
        // As in Docker the image says where it starts. What is missing there is made as the user.
        let output = ground.guest.run(["run", "--rm", "--network=none", &image, "sh", "-c", "pwd"]);
        assert_eq!(output.line(), wanted(home));
        let (worth, left) = judge(&world, &ground.guest, home);
        assert_eq!((worth, left.len()), (Worth::Nothing, 1), "{left:?}");
        let through = ground.guest.run(["run", "--rm", "--network=none", &through_descriptors, "true"]);
        through.says(&["the image's WORKDIR is not allowed here"]).fails(125);
        let (worth, left) = judge(&world, &ground.guest, home);
        assert_eq!((worth, left.len()), (Worth::Nothing, 0), "{left:?}");
        // The user's own wish for it makes the user's own directories.
        let missing = home.join("made/by/the/user");
        let words = ["run", "--rm", "--network=none", "-w", missing.to_str().unwrap(), &image, "true"];
        ground.guest.run(words).ok();
        assert!(missing.is_dir());
        let (worth, left) = judge(&world, &ground.guest, home);
        assert_eq!((worth, left.len()), (Worth::Nothing, 1), "{left:?}");
    }
}

/// Root makes the places of mounts inside the image: where the image has links there, they lead out of it or into the home.
fn links_where_mounts_go() {
    let world = world();
    let ground = Ground::new(&world);
    let outside = ground.victim.home.with_file_name(format!("outside-{}", ground.victim.uid));
    fs::create_dir(&outside).unwrap();
    let (root, guest) = (ground.root(), &ground.guest);
    let parent = root.join(guest.home.strip_prefix("/").unwrap().parent().unwrap());
    fs::remove_dir_all(root.join("etc")).unwrap();
    let tries: [(&str, &Path, &Path); 4] = [
        ("etc-in-the-home", Path::new("etc"), &guest.home),
        ("etc-outside", Path::new("etc"), &outside),
        ("helper-outside", Path::new(".ie-copy"), &outside),
        ("home-outside", guest.home.strip_prefix("/").unwrap(), &outside),
    ];
    fs::create_dir_all(&parent).unwrap();
    for (name, link, target) in tries {
        let at = root.join(link);
        symlink(target, &at).unwrap();
        let image = format!("evil-{}:{name}", ground.victim.uid);
        ground.import(&image, &[]);
        fs::remove_file(&at).unwrap();
        for mode in MODES {
            fs::set_permissions(&guest.home, Permissions::from_mode(mode)).unwrap();
            let refused = guest.run(["run", "--rm", "--network=none", &image, "/evil"]);
            refused.says(&["is not a place to mount at", "in this image"]).fails(125);
            let (worth, left) = judge(&world, guest, &guest.home);
            assert_eq!(worth, Worth::Nothing, "{name}, home {mode:o}: {left:?}");
            assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "{name}: written outside");
        }
    }
}

/// The engine makes a container of what the image's name means then, which need not be what it meant when its words were
/// looked at. The control is the same container, started by the engine itself.
fn a_name_that_moves_meanwhile() {
    // Alone: the other gateway tidies, and knows nothing of what the first one does just now.
    let world = world_alone();
    let ground = Ground::new(&world);
    let order = "NVIDIA_MIG_CONFIG_DEVICES";
    let words = [format!("ENV {order}=all"), format!("CMD [\"sh\", \"-c\", \"echo orders=${order}\"]")];
    let (innocent, other) = (ground.image("moves", &[]), ground.image("moved", &words));
    let guest = &ground.guest;
    // The other gateway has no mount helper.
    world.limit(guest, "home = \"none\"");
    let tag = Mutex::new(Some(world.engine.docker(&["tag", &other, &innocent])));
    let gateway = world.overheard(move |said| {
        if String::from_utf8_lossy(said).contains("/containers/create?name=ie-")
            && let Some(mut tag) = tag.lock().unwrap().take()
        {
            assert!(tag.status().unwrap().success());
        }
    });
    let run = format!("run --name web --network none {innocent}");
    let refused = guest.finish(&mut gateway.client(guest, &run), b"");
    refused.says(&["made of another image than the one that was looked at"]).fails(125);
    drop(gateway);
    // Nothing is left of it, nor of its volumes.
    guest.run("start web").says(&["No such container"]).fails(1);
    let bare = world.docker(["run", "--rm", "--network=none", &innocent]).ok();
    assert_eq!(bare, "orders=all\n", "the control did not work");
    // What it means now is looked at like any other.
    assert_eq!(guest.run(run.as_str()).ok(), "orders=\n");
}
