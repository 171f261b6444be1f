//! Shapes of mounts: one file, one mount inside another, the same place twice.

use crate::suite::{tests, world};
use crate::world::User;
use crate::world::output::Output;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

tests![
    one_file_is_mounted,
    a_file_is_what_it_is_at_each_start,
    what_is_no_plain_file_is_refused,
    one_mount_lies_in_another,
    each_is_read_only_or_not_by_itself,
    a_working_directory_in_what_lies_inside,
    a_copy_with_a_stopped_container_makes_nothing,
    the_same_place_is_no_second_mount,
    what_has_no_effect_is_taken,
    a_lab_shares_a_directory,
];

/// `run --rm`, with a script in a shell.
fn script(user: &User<'_>, options: &[&str], script: &str) -> Output {
    user.run([&["run", "--rm"], options, &["busybox:test", "sh", "-ec", script]].concat().as_slice())
}

fn one_file_is_mounted() {
    let world = world();
    let ann = world.newcomer("ann");
    let home = ann.home.display();
    ann.write(".gitconfig", "[user] name = ann\n");
    let config = format!("-v={home}/.gitconfig:/etc/gitconfig:ro");
    for more in [&["--read-only"][..], &[]] {
        let told = script(&ann, &[&[config.as_str()], more].concat(), "cat /etc/gitconfig");
        assert_eq!(told.ok(), "[user] name = ann\n", "{more:?}");
    }
    script(&ann, &[&config], "echo x >>/etc/gitconfig").says(&["Read-only"]).fails(1);
    // By each of Docker's spellings, and written to.
    ann.write("notes", "one\n");
    let mount = format!("--mount=type=bind,source={home}/notes,target=/notes");
    let bind = format!("-v={home}/notes:/notes");
    for (count, option) in [&mount, &bind].into_iter().enumerate() {
        let words = ["run", "--rm", option, "busybox:test", "sh", "-c", "echo more >>/notes; ls -l /notes"];
        let told = [ann.run(words.as_slice()).ok(), ann.docker(words.as_slice()).ok()];
        assert!(told.iter().all(|told| told.starts_with("-rw")), "{told:?}");
        assert_eq!(ann.read("notes").lines().count(), 3 + 2 * count);
    }
    assert_eq!(fs::metadata(ann.home.join("notes")).unwrap().uid(), ann.uid);
    // The engine is given a stage, which shows nothing else, and nobody can take it for another's.
    let stage = world.mountd_dir().join("stage").display().to_string();
    ann.run(["run", "-d", "--name", "box", &bind, "busybox:test", "sleep", "1000"]).ok();
    let sources =
        world.inspect(&ann.engine_name("box"), "{{range .Mounts}}{{.Source}} {{.Destination}}\n{{end}}");
    let source = sources.lines().find_map(|line| line.strip_suffix(" /notes")).unwrap().to_owned();
    assert!(source.starts_with(&stage) && source.ends_with("/f"), "{sources}");
    let table = ann.run("exec box cat /proc/self/mountinfo").ok();
    let row = table.lines().find(|row| row.split(' ').nth(4) == Some("/notes")).unwrap();
    for flag in ["nosuid", "nodev", "idmapped"] {
        assert!(row.contains(flag), "{flag}: {row}");
    }
    assert!(ann.docker("inspect box").ok().contains(&format!("{home}/notes")));
    ann.run("rm -f box").ok();
    assert!(!std::path::Path::new(&source).exists());
}

/// An editor renames another file over it; a running container keeps the old one, and the next start has the new one.
fn a_file_is_what_it_is_at_each_start() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.write("config", "first\n");
    let bind = format!("-v={}/config:/config", ann.home.display());
    ann.run(["run", "-d", "--name", "box", &bind, "busybox:test", "sleep", "1000"]).ok();
    ann.sh("echo second >new; mv new config").ok();
    assert_eq!(ann.run("exec box cat /config").ok(), "first\n");
    ann.run("restart -t 0 box").ok();
    assert_eq!(ann.run("exec box cat /config").ok(), "second\n");
    ann.run("stop -t 0 box").ok();
    ann.sh("rm config").ok();
    ann.run("start box").says(&["config does not exist"]).fails(1);
    ann.sh("mkdir config").ok();
    ann.run("start box").says(&["config is a directory, and was a file"]).fails(1);
    ann.sh("rmdir config; ln -s /etc/passwd config").ok();
    ann.run("start box").says(&["config is a symbolic link"]).fails(1);
    ann.sh("rm config; echo third >config").ok();
    ann.run("start box").ok();
    assert_eq!(ann.run("exec box cat /config").ok(), "third\n");
}

fn what_is_no_plain_file_is_refused() {
    let world = world();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("b-o.b"));
    bob.write("open", "bob's\n");
    fs::set_permissions(&bob.home, fs::Permissions::from_mode(0o755)).unwrap();
    ann.sh("mkfifo fifo; ln -s /etc/passwd link").ok();
    fs::hard_link(bob.home.join("open"), ann.home.join("hard")).unwrap();
    for (source, word) in [
        (ann.home.join("fifo"), "neither a directory nor a plain file"),
        (ann.home.join("link"), "symbolic link"),
        (ann.home.join("hard"), "does not belong to you"),
        (ann.home.join("gone"), "does not exist"),
        (bob.home.join("open"), "not among the directories"),
        ("/etc/passwd".into(), "not among the directories"),
        ("/dev/null".into(), "not among the directories"),
    ] {
        let bind = format!("-v={}:/x", source.display());
        ann.run(["run", "--rm", &bind, "busybox:test", "true"]).says(&[word]).fails(125);
    }
    // One that is offered to all is read by its mode.
    fs::write(world.shared().join("closed"), "root's\n").unwrap();
    fs::set_permissions(world.shared().join("closed"), fs::Permissions::from_mode(0o600)).unwrap();
    let shared = |name: &str| format!("-v={}:/x:ro", world.shared().join(name).display());
    assert_eq!(script(&ann, &[&shared("everyone")], "cat /x").ok(), "for everyone\n");
    script(&ann, &[&shared("closed")], "cat /x").hides(&["root's"]).says(&["denied"]).fails(1);
    assert_eq!(ann.run("ps -aq").ok(), "");
}

/// As Node's people have it, and everything else that can lie in something.
fn one_mount_lies_in_another() {
    let world = world();
    let ann = world.newcomer("ann");
    let home = ann.home.display();
    ann.sh("mkdir -p proj/src data; echo code >proj/src/main; echo data >data/file; echo cfg >cfg").ok();
    let options = [
        format!("-v={home}/proj:/app"),
        "-v=modules:/app/node_modules".to_owned(),
        format!("-v={home}/data:/app/node_modules/.data"),
        "-v=/app/cache".to_owned(),
        "--tmpfs=/app/tmp:size=1m,mode=1777".to_owned(),
        format!("-v={home}/cfg:/app/etc/cfg:ro"),
        format!("-v=below:{home}/below"),
        "--tmpfs=/scratch".to_owned(),
        format!("-v={home}/data:/scratch/data"),
    ];
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let steps = "cat /app/src/main /app/node_modules/.data/file /app/etc/cfg /scratch/data/file
        for place in /app/node_modules /app/cache /app/tmp $HOME/below; do echo x >$place/written; done
        stat -c %u:%a /app/tmp/written; df /app/tmp | tail -n 1 | tr -s ' ' | cut -d ' ' -f 2
        grep -E ' (/app|/scratch|/home|/var)' /proc/self/mountinfo >&2";
    let told = script(&ann, &options, steps);
    assert_eq!(told.ok(), format!("code\ndata\ncfg\ndata\n{}:644\n1024\n", ann.uid));
    for place in ["/app/node_modules", "/app/node_modules/.data", "/app/cache", "/app/tmp", "/app/etc/cfg"] {
        let row = told.stderr.lines().find(|row| row.split(' ').nth(4) == Some(place)).expect(place);
        assert!(row.contains("nosuid") && row.contains("nodev"), "{row}");
        assert_eq!(row.split(' ').nth(5).unwrap().starts_with("ro"), place == "/app/etc/cfg", "{row}");
    }
    // The places are ann's own, with nothing in them; and what was written lies in the volume.
    for place in ["proj/node_modules", "proj/cache", "proj/tmp", "proj/etc", "proj/etc/cfg", "below"] {
        let made = fs::metadata(ann.home.join(place)).expect(place);
        assert_eq!((made.uid(), made.gid()), (ann.uid, ann.gid), "{place}");
        assert!(
            place == "proj/etc" || !made.is_dir() || ann.sh(&format!("ls {place}")).ok().is_empty(),
            "{place}"
        );
    }
    assert_eq!(script(&ann, &["-v=modules:/m"], "cat /m/written").ok(), "x\n");
    assert_eq!(ann.read("cfg"), "cfg\n");
    // Again, with all of it there already; and by the plain client.
    let words = [&["run", "--rm"], options.as_slice(), &["busybox:test", "cat", "/app/node_modules/written"]]
        .concat();
    assert_eq!(ann.docker(words.as_slice()).ok(), "x\n");
    // Nobody is kept from what is theirs on the host meanwhile.
    ann.run(["run", "-d", "--name", "box", options[0], options[1], "busybox:test", "sleep", "1000"]).ok();
    assert_eq!(ann.run("exec box cat /app/node_modules/written").ok(), "x\n");
    ann.sh("rmdir proj/node_modules && mkdir proj/node_modules && echo host >proj/node_modules/host").ok();
    ann.run("restart -t 0 box").ok();
    assert_eq!(ann.run("exec box ls /app/node_modules").ok(), ".data\nwritten\n".replace(".data\n", ""));
    assert_eq!(ann.read("proj/node_modules/host"), "host\n");
}

fn each_is_read_only_or_not_by_itself() {
    let world = world();
    let ann = world.newcomer("ann");
    let home = ann.home.display();
    ann.sh("mkdir -p proj/out proj/in").ok();
    let (closed, open) = (format!("-v={home}/proj:/p:ro"), format!("-v={home}/proj:/p"));
    let out = |options: &str| format!("-v={home}/proj/out:/p/out{options}");
    script(&ann, &[&closed, &out("")], "touch /p/out/made; ! touch /p/in/x; ! touch /p/x").ok();
    assert!(ann.home.join("proj/out/made").exists());
    script(&ann, &[&open, &out(":ro")], "touch /p/in/made; ! touch /p/out/x").ok();
    assert!(ann.home.join("proj/in/made").exists());
    // In what is read-only nothing is made.
    script(&ann, &[&closed, "-v=v:/p/new"], "true").says(&["/p/new", "cannot be made", "Read-only"]);
    script(&ann, &[&closed, "--tmpfs=/p/in"], "touch /p/in/x").ok();
    let shared = format!("-v={}:/data:ro", world.shared().display());
    script(&ann, &[&shared, "-v=v:/data/new"], "true").says(&["/data/new", "cannot be made"]);
    assert!(!ann.home.join("proj/new").exists() && !world.shared().join("new").exists());
    // A file lies on a file.
    ann.sh("echo x >proj/file").ok();
    script(&ann, &[&open, "-v=v:/p/file"], "true").says(&["a file is there"]);
    script(&ann, &[&open, &format!("-v={home}/proj/file:/p/in")], "true").says(&["a directory is there"]);
    // Where the user may make nothing, nothing is made for the user either.
    ann.sh("mkdir proj/closed; chmod 555 proj/closed").ok();
    script(&ann, &[&open, "-v=v:/p/closed/new"], "true").says(&["/p/closed/new", "Permission denied"]);
    assert!(!ann.home.join("proj/closed/new").exists());
}

/// What is missing below is made in what lies the deepest, and nowhere below it.
fn a_working_directory_in_what_lies_inside() {
    let world = world();
    let ann = world.newcomer("ann");
    let home = ann.home.display();
    ann.sh("mkdir -p proj/inner data").ok();
    let (outer, volume) = (format!("-v={home}/proj:/p"), "-v=v:/p/inner");
    let bind = format!("-v={home}/data:/p/inner");
    let told = script(&ann, &[&outer, volume, "-w=/p/inner/new"], "pwd");
    assert_eq!(told.ok(), "/p/inner/new\n");
    let told = script(&ann, &[&outer, &bind, "-w=/p/inner/new"], "pwd; touch made");
    assert_eq!(told.ok(), "/p/inner/new\n");
    assert!(ann.home.join("data/new/made").exists());
    assert_eq!(ann.sh("ls proj/inner").ok(), "");
    script(&ann, &[&outer, volume, "-w=/p/beside/new"], "touch made").ok();
    assert!(ann.home.join("proj/beside/new/made").exists());
}

/// The engine mounts all of it to copy, as root: it finds the places, and makes none in a home.
fn a_copy_with_a_stopped_container_makes_nothing() {
    let world = world();
    let ann = world.newcomer("ann");
    let home = ann.home.display();
    ann.sh("mkdir -p proj/here data; echo mine >proj/mine; echo cfg >cfg").ok();
    let (outer, inner) = (format!("-v={home}/proj:/app"), format!("-v={home}/data:/app/new/deep"));
    let (file, config) = (format!("-v={home}/cfg:/app/new/cfg"), format!("-v={home}/cfg:/etc/cfg"));
    let create = |name: &str, more: &str| {
        let mounts = [&outer, &inner, "-v=/app/cache", more];
        ann.run([&["create", "--name", name], &mounts[..], &["busybox:test", "true"]].concat().as_slice())
            .ok();
    };
    create("box", "--tmpfs=/app/tmp");
    create("other", &file);
    // One that an image or the container's own past has a pipe in the place of would keep a newer engine for ever.
    create("third", &config);
    ann.write("note", "x\n");
    ann.run("cp note box:/tmp/note").ok();
    ann.run("cp box:/tmp/note back").ok();
    assert_eq!(ann.read("back"), "x\n");
    ann.docker("cp note box:/tmp/again").ok();
    for name in ["other", "third"] {
        let said = ann.run(["cp", "note", &format!("{name}:/tmp/note")]);
        said.says(&[&format!("{name} mounts a file, and is only copied to and from while it runs")]).fails(1);
    }
    // What is mounted is not there to be copied with, and cannot be written to.
    assert_ne!(ann.run("cp box:/app/mine out").code, 0);
    assert_ne!(ann.run("cp note box:/app/planted").code, 0);
    assert_eq!(ann.sh("ls proj").ok(), "here\nmine\n");
    assert_eq!(ann.read("cfg"), "cfg\n");
    ann.run("start -a other").ok();
    assert_eq!(ann.sh("ls proj").ok(), "cache\nhere\nmine\nnew\n");
    assert_eq!(fs::metadata(ann.home.join("proj/new/deep")).unwrap().uid(), ann.uid);
}

/// As people type it who are in their home: `-v $PWD:$PWD`.
fn the_same_place_is_no_second_mount() {
    let world = world();
    let ann = world.newcomer("ann");
    let home = ann.home.display().to_string();
    ann.sh("mkdir -p proj/src; echo code >proj/src/main").ok();
    let proj = format!("{home}/proj");
    let places = |name: &str| {
        let told =
            world.inspect(&ann.engine_name(name), "{{range .Mounts}}{{.Destination}} {{.RW}}\n{{end}}");
        let own = |line: &&str| line.starts_with(&home);
        told.lines().filter(own).map(str::to_owned).collect::<Vec<_>>()
    };
    let create = |name: &str, bind: &str| {
        ann.docker(["create", "--name", name, "-v", bind, "busybox:test", "true"]).ok();
        let places = places(name);
        ann.run(["rm", name].as_slice()).ok();
        places
    };
    assert_eq!(create("one", &format!("{proj}:{proj}")), [format!("{home} true")]);
    assert_eq!(create("two", &format!("{home}:{home}")), [format!("{home} true")]);
    assert_eq!(create("three", &format!("{home}:{home}:ro")), [format!("{home} false")]);
    let mut read_only = create("four", &format!("{proj}:{proj}:ro"));
    read_only.sort();
    assert_eq!(read_only, [format!("{home} true"), format!("{proj} false")]);
    let (same, closed) = (format!("-v={proj}:{proj}"), format!("-v={proj}:{proj}:ro"));
    script(&ann, &[&same, "-w", &proj], "cat src/main; touch made").ok();
    assert!(ann.home.join("proj/made").exists());
    script(&ann, &[&closed, "-w", &proj], "! touch no; touch $HOME/yes").ok();
    assert!(ann.home.join("yes").exists() && !ann.home.join("proj/no").exists());
}

/// What both clients show of a file in a container.
fn by_both(user: &User<'_>, options: &[&str], file: &str) -> [Output; 2] {
    let words = [&["run", "--rm"], options, &["busybox:test", "cat", file]].concat();
    [user.run(words.as_slice()), user.docker(words.as_slice())]
}

fn what_has_no_effect_is_taken() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.sh("mkdir -p proj 'a,b'; echo code >proj/main; echo code >a,b/main").ok();
    let home = ann.home.display();
    let told = |output: Output| {
        assert_eq!(output.ok(), "code\n");
        output.stderr
    };
    for words in ["rw", "ro,cached", "delegated", "consistent", "rprivate", "nocopy"] {
        let bind = format!("{home}/proj:/w:{words}");
        for said in by_both(&ann, &["-v", &bind], "/w/main").map(told) {
            assert_eq!(said, "", "{words}");
        }
    }
    for words in ["z", "ro,Z"] {
        let bind = format!("{home}/proj:/w:{words}");
        for said in by_both(&ann, &["-v", &bind], "/w/main").map(told) {
            assert!(said.contains("no SELinux label is changed"), "{words}: {said}");
        }
    }
    for mount in [
        format!("type=bind,source={home}/proj,target=/w,consistency=cached,bind-propagation=rprivate"),
        format!("type=bind,\"source={home}/a,b\",target=/w"),
    ] {
        by_both(&ann, &["--mount", &mount], "/w/main").into_iter().for_each(|output| drop(told(output)));
    }
    let volume = "type=volume,source=v,target=/w,volume-nocopy";
    ann.run(["run", "--rm", "--mount", volume, "busybox:test", "true"].as_slice()).ok();
    for bad in ["shared", "rslave", "U"] {
        let bind = format!("{home}/proj:/w:{bad}");
        ann.run(["run", "--rm", "-v", &bind, "busybox:test", "true"].as_slice()).fails(125);
        ann.docker(["run", "--rm", "-v", &bind, "busybox:test", "true"].as_slice()).fails(125);
    }
}

/// root's directory that a group may write, with a colleague's in it. In the host's user namespace nothing is shared so.
fn a_lab_shares_a_directory() {
    let world = world();
    let (ann, bob, eve) = (world.newcomer("ann"), world.newcomer("b-o.b"), world.newcomer("eve"));
    // ann's own group is the lab's.
    world.give_group(&bob, &ann.login);
    let lab = world.shared().with_file_name(format!("lab-{}", ann.uid));
    let shown = lab.display();
    let make = |path: &std::path::Path, owner: u32, mode: u32| {
        fs::create_dir(path).unwrap();
        chown(path, Some(owner), Some(ann.gid)).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    make(&lab, 0, 0o2770);
    make(&lab.join("anns"), ann.uid, 0o2775);
    for user in [&ann, &bob, &eve] {
        world
            .limit(user, &format!("mounts = [{{ source = \"{shown}\", mode = \"rw\", share = \"group\" }}]"));
    }
    let bind = format!("-v={shown}:/lab");
    let write = "echo mine >/lab/new && mkdir /lab/dir && echo mine >/lab/anns/new && cat /lab/anns/new";
    let told = script(&bob, &[&bind], write);
    if world.outside(0) == 0 {
        told.says(&["denied"]).fails(1);
        return;
    }
    assert_eq!(told.ok(), "mine\n");
    for name in ["new", "dir", "anns/new"] {
        let made = fs::metadata(lab.join(name)).unwrap();
        assert_eq!((made.uid(), made.gid()), (bob.uid, ann.gid), "{name}");
    }
    script(&ann, &[&bind], "cat /lab/new; rm -r /lab/anns/new /lab/dir").ok();
    script(&bob, &[&bind], "chmod 777 /lab").fails(1);
    // Who is not of the group does not even come in, and root inside leaves nothing.
    eve.run(["run", "--rm", &bind, "busybox:test", "true"]).says(&["closed to you"]).fails(125);
    bob.run(["run", "-d", "--name", "box", &bind, "busybox:test", "sleep", "1000"]).ok();
    let evil = "touch /lab/left; cp /bin/busybox /lab/left && chmod 4755 /lab/left; chown 0 /lab/new";
    world.docker(["exec", "-u", "0", "--privileged", &bob.engine_name("box"), "sh", "-c", evil]);
    assert!(!lab.join("left").exists());
    assert_eq!(fs::metadata(lab.join("new")).unwrap().uid(), bob.uid);
}
