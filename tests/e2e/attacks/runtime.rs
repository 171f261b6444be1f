//! The runtime in front of runc, with the gateway out of the way: what whoever has the engine's socket may ask for.
//!
//! The control arms ask for the same of the same engine by another name, under which runc has nothing in front of it.

use super::devices::{make_node, read_from_outside};
use super::ground::{Ground, SECRET, tools};
use crate::suite::{tests, world};
use crate::world::User;
use crate::world::output::run_to_end;
use crate::world::tools::{eventually, scan};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

tests![
    nothing_in_a_container_is_a_device,
    a_root_stays_closed_when_it_is_read_only,
    the_gateways_user_is_not_root,
    a_mount_lands_where_its_words_say,
    what_is_masked_stays_masked,
];

/// What the gateway asks for a container of this user's, in the docker client's words.
/// In the host's user namespace, where nothing but the runtime stands in the way.
const CAREFUL: [&str; 8] = [
    "--userns=host",
    "--network=none",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--memory=64m",
    "--pids-limit=64",
    "--cgroupns=private",
    "--ipc=private",
];

/// `docker run` by this runtime with all care, and whatever is asked for beyond that.
fn run<'a>(runtime: &'a str, user: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let name = |word: &str| word.split('=').next().unwrap_or_default().to_owned();
    let again = |careful: &str| {
        ["--network", "--userns"].contains(&name(careful).as_str())
            && more.iter().any(|word| name(word) == name(careful))
    };
    let careful = CAREFUL.into_iter().filter(|word| !again(word));
    ["run", runtime, user].into_iter().chain(careful).chain(more.iter().copied()).collect()
}

fn ids(user: &User<'_>) -> String {
    format!("--user={0}:{0}", user.uid)
}

/// A node that the look through images would find, with nothing looking: neither its owner's shell nor a descriptor
/// that is handed out opens it.
fn nothing_in_a_container_is_a_device() {
    let world = world();
    let ground = Ground::new(&world);
    let (owner, evil) = (&ground.victim, tools(&world).evil);
    for dir in ["hostile/nodes", "dev/d"] {
        fs::create_dir_all(ground.root().join(dir)).unwrap();
        make_node(&ground.root().join(dir).join("node"), &ground.secret.numbers());
    }
    let image = format!("evil-{}:open-nodes", owner.uid);
    ground.import(&image, &[]);
    let user = ids(owner);
    for (runtime, opens) in [("--runtime=bare", true), ("--runtime=runc", false)] {
        let stays = world.docker(run(runtime, &user, &["-d", &image, "/evil", "stay"]).as_slice()).line();
        let read = read_from_outside(owner, owner.uid, "/hostile/nodes/node");
        assert_eq!(read == SECRET, opens, "{runtime}: {read:?}");
        world.docker(["rm", "-f", &stays]).exits(0);

        let gives = world
            .docker(run(runtime, &user, &["-d", &image, "/evil", "give", "/tmp/socket"]).as_slice())
            .line();
        let inside = || {
            let gives = |words: &[String]| words.iter().any(|word| word == "give");
            let inside = scan().into_iter().find(|it| it.uid == owner.uid && gives(&it.arguments))?;
            let socket = Path::new("/proc").join(inside.pid.to_string()).join("root/tmp/socket");
            socket.exists().then_some(socket)
        };
        assert!(eventually(|| inside().is_some()), "no socket");
        let socket = inside().unwrap();
        let take = ["take", socket.to_str().unwrap(), "hostile/nodes/node"];
        let told = owner.finish(&mut owner.command(&evil, take), b"").ok();
        let expected =
            if opens { format!("device says {SECRET:.12}") } else { "closed: Permission denied".into() };
        assert_eq!(told.trim(), expected, "{runtime}");
        world.docker(["rm", "-f", &gives]).exits(0);
    }
}

/// In the host's user namespace runc alone would open a root to devices again when it makes it read-only. What runc
/// cannot make in such a root any more is there before: the places of mounts.
fn a_root_stays_closed_when_it_is_read_only() {
    let world = world();
    let ground = Ground::new(&world);
    let image = ground.image("read-only", &[]);
    let user = ids(&ground.guest);
    let volume = format!("--volume=read-only-{}:/new/deep/volume", ground.guest.uid);
    let start = |runtime: &str, space: &str, read_only: &[&str]| {
        let places = ["-d", "--tmpfs=/new/memory", &volume, "--workdir=/new/place", &image, "/evil", "stay"];
        let more = [&[space], read_only, &places].concat();
        let id = world.docker_as_gateway(&run(runtime, &user, &more)).line();
        let mounts = format!("/proc/{}/mountinfo", world.inspect(&id, "{{.State.Pid}}"));
        let mounts = fs::read_to_string(mounts).unwrap();
        let root = mounts.lines().find(|line| line.split(' ').nth(4) == Some("/")).unwrap();
        let flags: Vec<String> = root.split(' ').nth(5).unwrap().split(',').map(str::to_owned).collect();
        world.docker(["rm", "-f", &id]).exits(0);
        flags
    };
    // The second is the engine's default: mapped, where it maps.
    for space in ["--userns=host", "--userns="] {
        for read_only in [&["--read-only"][..], &[]] {
            let flags = start("--runtime=runc", space, read_only);
            let has = |flag: &str| flags.iter().any(|had| had == flag);
            assert!(has("nodev") && has("nosuid"), "{space:?} {read_only:?}: {flags:?}");
            assert_eq!(has("ro"), !read_only.is_empty(), "{space:?} {read_only:?}: {flags:?}");
        }
    }
    let flags = start("--runtime=bare", "--userns=host", &["--read-only"]);
    assert!(flags.iter().all(|flag| flag != "nodev" && flag != "nosuid"), "{flags:?}");
}

/// Each of these is the host's root, or a part of it, on an engine with nothing in front of runc.
fn the_gateways_user_is_not_root() {
    let world = world();
    let ground = Ground::new(&world);
    let image = ground.image("asked-for", &[]);
    let user = ids(&ground.guest);
    let gateway = |words: &[&str]| world.docker_as_gateway(words);
    let device = format!("--device={}", ground.secret.device.display());
    let anything = world.program("seccomp.json");
    fs::write(&anything, r#"{"defaultAction":"SCMP_ACT_ALLOW"}"#).unwrap();
    let anything = format!("--security-opt=seccomp={}", anything.display());
    let host = format!("host-{}", ground.guest.uid);
    let volume = ["volume", "create", "--opt=type=none", "--opt=o=bind", "--opt=device=/", &host];
    gateway(&volume).exits(0);
    let hosts_volume = format!("--mount=type=volume,source={host},destination=/host,volume-nocopy");
    let own = format!("own-{}", ground.guest.uid);
    let own_volume = format!("--mount=type=volume,source={own},destination=/etc,volume-nocopy");
    let engine = format!("--volume={}:/engine", world.engine.socket().display());

    gateway(&run("--runtime=runc", &user, &["--rm", &image, "true"])).exits(0);
    let cases: [(&[&str], &str); 30] = [
        (&["--privileged"], "capability"),
        (&["--cap-add=SYS_ADMIN"], "capability"),
        (&["--cap-add=MKNOD"], "capability"),
        (&["--user=0:0"], "uid 0"),
        (&["--group-add=0"], "group 0"),
        (&["--group-add=6"], "the host's own"),
        (&["--security-opt=no-new-privileges=false"], "no-new-privileges"),
        (&["--pid=host"], "host's pid namespace"),
        (&["--ipc=host"], "host's ipc namespace"),
        (&["--uts=host"], "host's uts namespace"),
        (&["--network=host"], "net namespace"),
        (&["--cgroupns=host"], "host's cgroup namespace"),
        (&["--cgroup-parent=/"], "control group"),
        (&[&device], "granted"),
        (&["--device=/dev/null:/dev/../made"], "granted"),
        (&["--device=/dev/null:/made"], "granted"),
        (&["--device-cgroup-rule=b *:* rwm"], "granted"),
        (&["--volume=/:/host"], "no stage"),
        (&["--volume=/etc:/host:ro"], "no stage"),
        (&["--volume=/root:/host"], "no stage"),
        (&[&engine], "no stage"),
        (&[&hosts_volume], "plain directory"),
        (&[&own_volume], "at or below"),
        (&["--security-opt=seccomp=unconfined"], "seccomp"),
        (&[&anything], "seccomp"),
        (&["--sysctl=kernel.msgmax=8192"], "kernel.msgmax"),
        (&["--workdir=/proc/self"], "cannot begin"),
        (&["--memory=0"], "limit on memory"),
        (&["--pids-limit=-1"], "limit on processes"),
        (&["--tmpfs=/dev/x"], "/dev"),
    ];
    for (asked, word) in cases {
        let last = [asked, &["--rm", &image, "true"]].concat();
        gateway(&run("--runtime=bare", &user, &last)).exits(0);
        let refused = gateway(&run("--runtime=runc", &user, &last));
        refused.says(&["ie-runc refuses this container", word]).exits(125);
    }
    gateway(&["volume", "rm", &host]).exits(0);

    let runs = gateway(&run("--runtime=runc", &user, &["-d", &image, "/evil", "stay"])).line();
    gateway(&["exec", "--privileged", "-u", "0", &runs, "true"])
        .says(&["ie-runc refuses", "uid 0"])
        .exits(126);
    gateway(&["exec", "-u", "0:0", &runs, "true"]).says(&["ie-runc refuses", "uid 0"]).exits(126);
    let own = format!("{0}:{0}", ground.guest.uid);
    gateway(&["exec", "--privileged", "-u", &own, &runs, "true"]).says(&["capability"]).exits(126);
    gateway(&["exec", "-u", &own, &runs, "true"]).exits(0);
    gateway(&["update", "--memory=1g", "--memory-swap=1g", "--pids-limit=-1", &runs])
        .says(&["limit on processes"])
        .exits(1);
    gateway(&["rm", "-f", &runs]).exits(0);
    // A build runs its steps as root.
    let mut build = world.as_gateway(&world.engine.docker(&["build", "--no-cache", "-"]));
    let steps = format!("FROM {image}\nRUN true\n");
    let told = run_to_end(&mut build, "gateway$ docker build".to_owned(), steps.as_bytes());
    told.says(&["ie-runc refuses"]).exits(1);
}

/// An image's links lead a mount over what the kernel or the gateway has put there. Through a volume at `/dev` runc itself
/// finds `null`, opens it as root, and hands it to the container as its standard output.
fn a_mount_lands_where_its_words_say() {
    let world = world();
    let ground = Ground::new(&world);
    let root = ground.root();
    for (link, target) in [("v", "dev"), ("w", "/v"), ("deep", "hostile/../dev"), ("e", "etc"), ("s", "sys")]
    {
        symlink(target, root.join(link)).unwrap();
    }
    fs::create_dir_all(root.join("dev")).unwrap();
    symlink("/proc/slabinfo", root.join("dev/null")).unwrap();
    let (plain, declared) =
        (format!("evil-{}:links", ground.victim.uid), format!("evil-{}:declared", ground.victim.uid));
    ground.import(&plain, &[]);
    ground.import(&declared, &["VOLUME /v"]);
    let user = ids(&ground.guest);
    let volume = format!("links-{}", ground.guest.uid);
    let fill = format!("--volume={volume}:/fill");
    world
        .docker(["run", "--rm", "--network=none", &fill, &plain, "ln", "-s", "/proc/slabinfo", "/fill/null"])
        .exits(0);

    let at = |place: &str| format!("--mount=type=volume,source={volume},destination={place},volume-nocopy");
    let steals = ["sh", "-c", "head -c 8 <&1 >/tmp/stolen; sleep 1000"];
    let start = |runtime: &str, more: &[&str]| {
        let words = [&["-d"], more, &steals].concat();
        world.docker(run(runtime, &user, &words).as_slice())
    };
    let bare_steals = |more: &[&str]| {
        let id = start("--runtime=bare", more).line();
        let stolen = format!("/proc/{}/root/tmp/stolen", world.inspect(&id, "{{.State.Pid}}"));
        let worked = eventually(|| fs::read_to_string(&stolen).is_ok_and(|text| text == "slabinfo"));
        world.docker(["rm", "-fv", &id]).exits(0);
        assert!(worked, "{more:?}: the control did not work");
    };
    for place in ["/v", "/w", "/deep"] {
        let volume = at(place);
        bare_steals(&[&volume, &plain]);
        let refused = start("--runtime=runc", &[&volume, &plain]);
        refused.says(&["ie-runc refuses this container", place, "the image's link"]).exits(125);
    }
    // The image's own volume asks for it without a word of the user's.
    bare_steals(&[&declared]);
    start("--runtime=runc", &[&declared]).says(&["the image's link /v"]).exits(125);
    for (place, word) in [("/e", "/etc"), ("/s/x", "/sys")] {
        start("--runtime=runc", &[&at(place), &plain]).says(&["the image's link", word]).exits(125);
    }
}

/// What the engine was asked to show, the runtime hides.
fn what_is_masked_stays_masked() {
    let world = world();
    let ground = Ground::new(&world);
    let image = ground.image("masked", &[]);
    let user = ids(&ground.guest);
    let open = "--security-opt=systempaths=unconfined";
    let look = [open, "--rm", &image, "sh", "-c", "cat /proc/self/mountinfo"];
    let is_masked =
        |told: &str| told.lines().any(|line| line.contains(" /proc/acpi ") || line.contains(" /proc/keys "));
    let bare = world.docker(run("--runtime=bare", &user, &look).as_slice()).ok();
    let walled = world.docker(run("--runtime=runc", &user, &look).as_slice()).ok();
    assert_eq!((is_masked(&bare), is_masked(&walled)), (false, true));
    assert!(Path::new("/proc/keys").exists(), "this kernel has nothing to mask");
}
