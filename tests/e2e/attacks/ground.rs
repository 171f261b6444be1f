//! What the attacks stand on: the hostile program, an image with it, a user for each arm, and a root-only device.

use crate::world::output::run_to_end;
use crate::world::tools::step;
use crate::world::{User, World};
use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// What one home holds after an attack, worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Worth {
    /// Nothing that its owner could not have made at the keyboard.
    Nothing,
    /// Files or directories of somebody else's.
    Files,
    /// A program by which its owner gets a group that the owner is not in.
    Group,
    /// A program or a device by which its owner becomes root on the host, or reads what root alone may.
    Root,
}

/// A block device of a file that root alone may read; gone when dropped.
pub(crate) struct Secret {
    pub(crate) device: PathBuf,
}

pub(crate) const SECRET: &str = "root's secret";

impl Secret {
    fn new(dir: &Path) -> Self {
        let file = tempfile::NamedTempFile::new_in(dir).unwrap().into_temp_path().keep().unwrap();
        fs::write(&file, format!("{SECRET:<4096}")).unwrap();
        let made = step(Command::new("losetup").args(["--find", "--show", "--read-only"]).arg(&file));
        Self { device: made.unwrap().trim().into() }
    }

    /// Its numbers, as `mknod` takes them.
    pub(crate) fn numbers(&self) -> String {
        let device = fs::metadata(&self.device).unwrap().rdev();
        format!("{} {}", rustix::fs::major(device), rustix::fs::minor(device))
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        step(Command::new("losetup").arg("--detach").arg(&self.device)).ok();
    }
}

/// One test's ground: two users, each arm's own, and an image that holds whatever is hostile in a file system.
pub(crate) struct Ground<'w> {
    pub(crate) world: &'w World,
    /// Uses the bare engine, with the care that the attack leaves room for.
    pub(crate) victim: User<'w>,
    /// Uses the gateway.
    pub(crate) guest: User<'w>,
    pub(crate) secret: Secret,
    base: String,
    root: PathBuf,
}

impl<'w> Ground<'w> {
    pub(crate) fn new(world: &'w World) -> Self {
        let (victim, guest) = (world.newcomer("victim"), world.newcomer("guest"));
        let secret = Secret::new(workshop(world));
        let root = workshop(world).join(format!("root-{}", victim.uid));
        furnish(&root, [&victim, &guest], &secret, &tools(world)).unwrap();
        let base = format!("evil-{}:base", victim.uid);
        let ground = Self { world, victim, guest, secret, base, root };
        ground.import(&ground.base, &["CMD [\"/evil\"]"]);
        ground
    }

    /// Packs the root as it is now.
    pub(crate) fn import(&self, name: &str, changes: &[&str]) {
        let packed = self.root.with_extension("tar");
        let mut tar = Command::new("tar");
        tar.args(["--numeric-owner", "--xattrs", "--xattrs-include=security.capability", "-cf"]);
        step(tar.arg(&packed).arg("-C").arg(&self.root).arg(".")).unwrap();
        let mut words = vec!["import"];
        words.extend(changes.iter().flat_map(|change| ["--change", change]));
        words.extend([packed.to_str().unwrap(), name]);
        self.world.docker(words.as_slice()).exits(0);
    }

    /// The root's directory, to be made worse before an import.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// An image of the same files with other words in its configuration.
    pub(crate) fn image(&self, name: &str, changes: &[String]) -> String {
        let name = format!("evil-{}:{name}", self.victim.uid);
        let dockerfile = format!("FROM {}\n{}\n", self.base, changes.join("\n"));
        let mut build = self.world.engine.docker(&["build", "--quiet", "--tag", &name, "-"]);
        run_to_end(&mut build, format!("root# docker build {name}"), dockerfile.as_bytes()).exits(0);
        name
    }

    /// The same, made by a builder that does not make the working directory that it notes.
    pub(crate) fn image_without_its_workdir(&self, name: &str, workdir: &str) -> String {
        let name = format!("evil-{}:{name}", self.victim.uid);
        let container = self.world.docker(["create", "--network=none", &self.base]).line();
        let change = format!("WORKDIR {workdir}");
        self.world.docker(["commit", "--change", &change, &container, &name]).exits(0);
        self.world.docker(["rm", &container]).exits(0);
        name
    }

    /// Three directories of the victim's, as closed as homes may be: 0700, 0755 and 0777.
    pub(crate) fn homes(&self) -> [PathBuf; 3] {
        MODES.map(|mode| {
            let home = self.victim.home.join(format!("{mode:o}"));
            fs::create_dir_all(&home).unwrap();
            chown(&home, Some(self.victim.uid), Some(self.victim.gid)).unwrap();
            fs::set_permissions(&home, Permissions::from_mode(mode)).unwrap();
            home
        })
    }
}

/// The modes a home is tried with.
pub(crate) const MODES: [u32; 3] = [0o700, 0o755, 0o777];

/// What a home is worth to its owner now. The home is empty afterwards.
pub(crate) fn judge(world: &World, owner: &User<'_>, home: &Path) -> (Worth, BTreeSet<String>) {
    let program = tools(world).evil;
    let told = owner.finish(&mut owner.command(program, ["judge", home.to_str().unwrap()]), b"").ok();
    let mut worth = told.lines().map(|line| worth_of(owner, line)).max().unwrap_or(Worth::Nothing);
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(home).unwrap().flatten() {
        names.insert(entry.file_name().to_string_lossy().into_owned());
        if anything_foreign(owner, &entry.path()) {
            worth = worth.max(Worth::Files);
        }
        let path = entry.path();
        let gone = if path.is_dir() && !path.is_symlink() {
            fs::remove_dir_all(path)
        } else {
            fs::remove_file(path)
        };
        gone.unwrap();
    }
    (worth, names)
}

fn worth_of(owner: &User<'_>, line: &str) -> Worth {
    let (_, said) = line.split_once(": ").unwrap_or_else(|| panic!("{line}"));
    if said.starts_with("uid 0 ") || said.starts_with("device says") {
        // What the device gave must be the secret and no accident.
        assert!(said.starts_with("uid") || SECRET.starts_with(&said["device says ".len()..]), "{line}");
        return Worth::Root;
    }
    match said.split_once(" gid ") {
        Some((_, gid)) if gid.parse() != Ok(owner.gid) => Worth::Group,
        _ => Worth::Nothing,
    }
}

fn anything_foreign(owner: &User<'_>, path: &Path) -> bool {
    let own = fs::symlink_metadata(path).unwrap();
    let inner = own.is_dir().then(|| fs::read_dir(path).unwrap().flatten());
    own.uid() != owner.uid || inner.into_iter().flatten().any(|entry| anything_foreign(owner, &entry.path()))
}

/// Where setuid programs and the like lie: nobody but root walks through it.
fn workshop(world: &World) -> &'static Path {
    static DIR: OnceLock<PathBuf> = OnceLock::new();
    DIR.get_or_init(|| {
        let dir = world.homes().with_file_name("attacks");
        fs::create_dir(&dir).unwrap();
        fs::set_permissions(&dir, Permissions::from_mode(0o700)).unwrap();
        dir
    })
}

/// The hostile programs, built once.
#[derive(Debug, Clone)]
pub(crate) struct Tools {
    /// Static; on the host it is what judges.
    pub(crate) evil: PathBuf,
    preload: PathBuf,
}

pub(crate) fn tools(world: &World) -> Tools {
    static TOOLS: OnceLock<Tools> = OnceLock::new();
    let build = || {
        let source = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/attacks").join(name);
        let built = Tools { evil: world.program("evil"), preload: workshop(world).join("preload.so") };
        let mut cc = Command::new("cc");
        step(cc.args(["-static", "-O1", "-o"]).arg(&built.evil).arg(source("evil.c"))).unwrap();
        let mut cc = Command::new("cc");
        step(cc.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&built.preload).arg(source("preload.c")))
            .unwrap();
        fs::set_permissions(&built.evil, Permissions::from_mode(0o755)).unwrap();
        built
    };
    TOOLS.get_or_init(build).clone()
}

/// Everything hostile that a file system can hold: programs with rights of their own, account files that lie.
fn furnish(root: &Path, people: [&User<'_>; 2], secret: &Secret, tools: &Tools) -> std::io::Result<()> {
    for dir in ["bin", "etc", "tmp", "hostile", "lib64"] {
        fs::create_dir_all(root.join(dir))?;
    }
    fs::set_permissions(root.join("tmp"), Permissions::from_mode(0o1777))?;
    fs::copy("/bin/busybox", root.join("bin/sh"))?;
    for name in [
        "sleep", "true", "cat", "mknod", "chmod", "id", "touch", "env", "head", "ln", "ls", "ps", "kill",
        "wget", "nc",
    ] {
        fs::hard_link(root.join("bin/sh"), root.join("bin").join(name))?;
    }
    for (name, mode) in
        [("evil", 0o755), ("bin/suid-evil", 0o4755), ("bin/sgid-evil", 0o2755), ("bin/fcap-evil", 0o755)]
    {
        fs::copy(&tools.evil, root.join(name))?;
        fs::set_permissions(root.join(name), Permissions::from_mode(mode))?;
    }
    // Version 2, effective: setuid, setgid, mknod, setfcap, dac_override, chown, fowner and fsetid.
    let bits: u32 = [7, 6, 27, 31, 1, 0, 3, 4].iter().map(|bit| 1_u32 << bit).sum();
    let caps: Vec<u8> =
        [0x0200_0001, bits, 0, 0, 0].iter().flat_map(|word: &u32| word.to_le_bytes()).collect();
    rustix::fs::setxattr(
        root.join("bin/fcap-evil"),
        "security.capability",
        &caps,
        rustix::fs::XattrFlags::empty(),
    )?;
    fs::hard_link(root.join("evil"), root.join("hostile/make"))?;
    fs::write(root.join("evil.sh"), "/evil\n")?;
    fs::write(root.join("evil.node"), secret.numbers())?;
    dynamic_program(root, tools)?;
    let ids: String = people.iter().map(|who| format!("{}:x:0:0::/:/bin/sh\n", who.login)).collect();
    let groups: String = people.iter().map(|who| format!("x{0}:x:{0}:0::/:/bin/sh\n", who.uid)).collect();
    fs::write(
        root.join("etc/passwd"),
        format!("root:x:0:0::/:/bin/sh\ntoor:x:0:0::/:/bin/sh\n{ids}{groups}"),
    )?;
    let members: Vec<String> = people.iter().map(|who| format!("x{}", who.uid)).collect();
    fs::write(root.join("etc/group"), format!("root:x:0:\ndisk:x:6:{}\n", members.join(",")))
}

/// A program that loads libraries, and a library that it is made to load.
fn dynamic_program(root: &Path, tools: &Tools) -> std::io::Result<()> {
    fs::copy("/usr/bin/true", root.join("bin/dynamic"))?;
    fs::copy(&tools.preload, root.join("hostile/preload.so"))?;
    let listed = step(Command::new("ldd").arg("/usr/bin/true")).unwrap();
    for library in listed.split_whitespace().filter(|word| word.starts_with('/')) {
        let to = root.join(library.trim_start_matches('/'));
        fs::create_dir_all(to.parent().unwrap())?;
        fs::copy(library, to)?;
    }
    Ok(())
}
