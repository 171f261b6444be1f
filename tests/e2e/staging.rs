//! Host directories in a container: staged, idmapped, and only those the caller may have.

use crate::suite::{tests, world};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};

tests![
    only_stages_are_bound,
    root_in_the_container_cannot_leave_anything_in_the_home,
    stages_go_with_their_container,
    further_directories_are_mounted,
    a_missing_working_directory_is_made_as_its_owner,
    shared_directories_are_read_only,
    paths_outside_the_roots_are_refused,
    links_lead_nowhere,
    a_mount_inside_the_home_stays_outside,
    the_home_may_be_read_only_or_absent,
    a_home_without_idmaps_is_refused,
    what_the_site_mounts_and_is_not_there_is_the_sites_mistake,
];

fn only_stages_are_bound() {
    let world = world();
    let bob = world.newcomer("b-o.b");
    bob.sleeper("box");
    let sources = world
        .inspect(&bob.engine_name("box"), "{{range .Mounts}}{{.Type}} {{.Source}} {{.Destination}}\n{{end}}");
    let stage = world.mountd_dir().join("stage");
    let home = sources.lines().find(|line| line.ends_with(&format!(" {}", bob.home.display()))).unwrap();
    assert!(home.starts_with(&format!("bind {}/", stage.display())), "{sources}");
    for line in sources.lines().filter(|line| !line.is_empty()) {
        let source = line.split(' ').nth(1).unwrap();
        let ours = [stage.clone(), world.state_dir(), world.program("ie-copy")];
        assert!(ours.iter().any(|dir| std::path::Path::new(source).starts_with(dir)), "{line}");
    }
    let table = bob.run("exec box cat /proc/self/mountinfo").ok();
    let row = table.lines().find(|row| row.split(' ').nth(4) == Some(bob.home.to_str().unwrap())).unwrap();
    for flag in ["nosuid", "nodev", "idmapped"] {
        assert!(row.contains(flag), "{flag}: {row}");
    }
}

/// What would be a root shell on the host. The control is the same attack with a plain bind, which succeeds.
fn root_in_the_container_cannot_leave_anything_in_the_home() {
    let world = world();
    let ann = world.newcomer("ann");
    fs::set_permissions(&ann.home, fs::Permissions::from_mode(0o777)).unwrap();
    let home = ann.home.display();
    let attack = |file: &str| format!("cp /bin/busybox {home}/{file} && chmod 4755 {home}/{file}");
    let bind = format!("{home}:{home}");
    world
        .docker([
            "run",
            "--rm",
            "--network=none",
            "-v",
            &bind,
            "busybox:test",
            "sh",
            "-c",
            &attack("control"),
        ])
        .exits(0);
    let planted = fs::metadata(ann.home.join("control")).unwrap();
    assert_eq!((planted.uid(), planted.mode() & 0o4000), (0, 0o4000), "the control did not work");

    ann.sleeper("box");
    let name = ann.engine_name("box");
    world.docker(["exec", "-u", "0", &name, "sh", "-c", &attack("exec")]);
    world.docker(["exec", "-u", "0", "--privileged", &name, "sh", "-c", &attack("privileged")]);
    fs::write(world.shared().join("planted"), "x").unwrap();
    fs::set_permissions(world.shared().join("planted"), fs::Permissions::from_mode(0o4755)).unwrap();
    world.docker([
        "cp",
        "-a",
        world.shared().join("planted").to_str().unwrap(),
        &format!("{name}:{home}/copied"),
    ]);
    for entry in fs::read_dir(&ann.home).unwrap().flatten().filter(|entry| entry.file_name() != "control") {
        assert_eq!(entry.metadata().unwrap().uid(), ann.uid, "{:?}", entry.path());
    }
    ann.run("exec box touch as-usual").ok();
    assert!(ann.home.join("as-usual").exists());
}

fn stages_go_with_their_container() {
    let world = world();
    let ann = world.newcomer("ann");
    let token = |name: &str| {
        let mounts = world.inspect(&ann.engine_name(name), "{{range .Mounts}}{{.Source}}\n{{end}}");
        let stages = world.mountd_dir().join("stage");
        mounts.lines().map(std::path::PathBuf::from).find(|source| source.starts_with(&stages)).unwrap()
    };
    ann.sleeper("box");
    let stage = token("box");
    assert!(stage.exists());
    ann.run("rm -f box").ok();
    assert!(!stage.exists(), "{}", stage.display());
    // `--rm` removes without a further word of the client's.
    ann.run("run -d --rm --name brief busybox:test sleep 1000").ok();
    let stage = token("brief");
    assert!(stage.exists());
    ann.run("kill brief").ok();
    let gone = crate::world::tools::eventually(|| !stage.exists());
    assert!(gone, "{}", stage.display());
}

fn further_directories_are_mounted() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.sh("mkdir -p proj/src; echo code > proj/src/main").ok();
    let home = ann.home.display();
    assert_eq!(
        ann.run(format!("run --rm -v {home}/proj:/work busybox:test cat /work/src/main")).ok(),
        "code\n"
    );
    ann.run(format!("run --rm -v {home}/proj:/work busybox:test touch /work/new")).ok();
    assert_eq!(fs::metadata(ann.home.join("proj/new")).unwrap().uid(), ann.uid);
    ann.run(format!("run --rm -v {home}/proj:/work:ro busybox:test touch /work/no")).fails(1);
    let mount = format!("type=bind,source={home}/proj,target=/work,readonly");
    assert_eq!(
        ann.run(["run", "--rm", "--mount", &mount, "busybox:test", "cat", "/work/src/main"]).ok(),
        "code\n"
    );
    assert_eq!(ann.run("run --rm -v ./proj:/work busybox:test cat /work/src/main").ok(), "code\n");
}

fn a_missing_working_directory_is_made_as_its_owner() {
    let world = world();
    let ann = world.newcomer("ann");
    let place = ann.home.join("new/deep");
    for home in [&ann.home, &place] {
        let shown = place.display();
        let workdir = format!("--workdir={shown}");
        let told = ann.run([
            "run",
            "--rm",
            "--read-only",
            &workdir,
            "busybox:test",
            "sh",
            "-c",
            "pwd; echo wrote >file",
        ]);
        assert_eq!(told.ok(), format!("{shown}\n"));
        assert_eq!(fs::metadata(home).unwrap().uid(), ann.uid);
    }
    assert_eq!(fs::metadata(place.parent().unwrap()).unwrap().uid(), ann.uid);
    assert_eq!(ann.read("new/deep/file"), "wrote\n");
    // Nowhere that its owner could not have made it.
    ann.sh("mkdir closed; chmod 555 closed").ok();
    let closed = ann.home.join("closed/new");
    let told = ann.run(format!("run --rm -w {} busybox:test true", closed.display()));
    told.says(&["cannot be made as its user", "Permission denied"]);
    assert!(!closed.exists());
}

fn shared_directories_are_read_only() {
    let world = world();
    let ann = world.newcomer("ann");
    let shared = world.shared().display().to_string();
    assert_eq!(
        ann.run(format!("run --rm -v {shared}:/data:ro busybox:test cat /data/everyone")).ok(),
        "for everyone\n"
    );
    let output = ann.run(format!("run --rm -v {shared}:/data busybox:test touch /data/mine"));
    assert_ne!(output.code, 0, "{output}");
    assert!(!world.shared().join("mine").exists());
}

fn paths_outside_the_roots_are_refused() {
    let world = world();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("b-o.b"));
    fs::set_permissions(&bob.home, fs::Permissions::from_mode(0o777)).unwrap();
    bob.write("open", "even so");
    let (own, other, homes) = (ann.home.display(), bob.home.display(), world.homes());
    for source in [
        "/".to_owned(),
        "/etc".to_owned(),
        "/proc".to_owned(),
        homes.display().to_string(),
        other.to_string(),
        format!("{own}/../{}", bob.login),
        format!("{own}/missing"),
        world.engine.socket().display().to_string(),
        world.gateway_dir().display().to_string(),
        "..".to_owned(),
    ] {
        ann.run(["run", "--rm", "-v", &format!("{source}:/x"), "busybox:test", "true"]).fails(125);
    }
    for target in ["/", "relative", "/proc", "/dev", "/sys", "/etc", "/x/../etc"] {
        ann.run(["run", "--rm", "-v", &format!("{own}:{target}"), "busybox:test", "true"]).fails(125);
    }
    assert_eq!(ann.run("ps -aq").ok(), "");
    assert!(!ann.home.join("missing").exists());
}

fn links_lead_nowhere() {
    let world = world();
    let ann = world.newcomer("ann");
    let secret = world.homes().join("roots-own");
    fs::create_dir_all(&secret).unwrap();
    fs::write(secret.join("secret"), "root's").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o700)).unwrap();
    symlink(&secret, ann.home.join("way")).unwrap();
    let home = ann.home.display();
    ann.run(format!("run --rm -v {home}/way:/x busybox:test cat /x/secret")).fails(125);
    // A directory at create, a link at start: what a plain bind follows.
    ann.sh("mkdir swap").ok();
    ann.run(format!("run --name job -v {home}/swap:/x busybox:test ls /x")).ok();
    fs::remove_dir(ann.home.join("swap")).unwrap();
    symlink(&secret, ann.home.join("swap")).unwrap();
    let output = ann.run("start -a job");
    assert!(!output.stdout().contains("secret"), "{output}");
    // A directory of root's within the home is not ann's to mount.
    fs::create_dir(ann.home.join("not-hers")).unwrap();
    chown(ann.home.join("not-hers"), Some(0), Some(0)).unwrap();
    ann.run(format!("run --rm -v {home}/not-hers:/x busybox:test true")).fails(125);
}

fn a_mount_inside_the_home_stays_outside() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.sh("mkdir inner; echo under > inner/file").ok();
    let inner = ann.home.join("inner");
    let inner_text = inner.to_str().unwrap();
    let mount =
        std::process::Command::new("mount").args(["-t", "tmpfs", "none", inner_text]).status().unwrap();
    assert!(mount.success());
    fs::write(inner.join("over"), "another file system").unwrap();
    let seen = ann.run("run --rm busybox:test ls inner");
    std::process::Command::new("umount").arg(inner_text).status().unwrap();
    assert_eq!(seen.ok(), "file\n");
}

fn the_home_may_be_read_only_or_absent() {
    let world = world();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("b-o.b"));
    world.limit(&ann, "home = \"ro\"");
    world.limit(&bob, "home = \"none\"");
    ann.write("file", "to read\n");
    assert_eq!(ann.run("run --rm busybox:test cat file").ok(), "to read\n");
    ann.run("run --rm busybox:test touch new").fails(1);
    bob.write("file", "not to read\n");
    let home = bob.home.display();
    bob.run(format!("run --rm busybox:test cat {home}/file")).fails(1);
    assert!(!world.inspect_mounts(&bob).contains(bob.home.to_str().unwrap()));
}

/// ramfs refuses idmapped mounts, as NFS does: the answer is a reason, never a plain bind.
fn a_home_without_idmaps_is_refused() {
    let world = world();
    let ann = world.newcomer("ann");
    let home = ann.home.to_str().unwrap();
    let mounted = std::process::Command::new("mount").args(["-t", "ramfs", "none", home]).status().unwrap();
    assert!(mounted.success());
    chown(&ann.home, Some(ann.uid), Some(ann.gid)).unwrap();
    let output = ann.run("run --rm busybox:test touch here");
    let left = ann.home.join("here").exists();
    std::process::Command::new("umount").args(["--lazy", home]).status().unwrap();
    output.says(&["idmap"]).fails(125);
    assert!(!left);
    assert_eq!(ann.run("ps -aq").ok(), "");
}

/// Nobody asked for it, so nobody is told as if they had.
fn what_the_site_mounts_and_is_not_there_is_the_sites_mistake() {
    let world = world();
    let ann = world.newcomer("ann");
    let site = world.shared().with_file_name(format!("licences-{}", ann.uid));
    let shown = site.display();
    world.limit(
        &ann,
        &format!("mounts = [{{ source = \"{shown}\", mode = \"ro\", always = true, target = \"/opt/l\" }}]"),
    );
    let told =
        format!("mounts: the administrator's policy has {shown} in each container: {shown} does not exist");
    ann.run("run --rm busybox:test true")
        .says(&[&told, "policy.toml:", "tell your administrator"])
        .fails(125);
    fs::create_dir(&site).unwrap();
    fs::write(site.join("key"), "x\n").unwrap();
    assert_eq!(ann.run("run --name box busybox:test cat /opt/l/key").ok(), "x\n");
    fs::remove_dir_all(&site).unwrap();
    ann.run("start box").says(&[&told]).fails(1);
    fs::create_dir(&site).unwrap();
    // What somebody did ask for is theirs to mend.
    let asked = ann.run(format!("run --rm -v {}/none:/x busybox:test true", ann.home.display()));
    assert!(!asked.stderr.contains("administrator"), "{asked}");
    asked.says(&["none"]).fails(125);
}
