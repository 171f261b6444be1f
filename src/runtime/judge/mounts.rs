//! What a container sees beside its own files: from where, to where it really lands, and with what taken away.

use super::super::call::Id;
use super::super::refused::Refused;
use super::super::rootfs::RootFs;
use super::super::site::Site;
use super::process::KERNELS;
use oci_spec::runtime::Mount;
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, openat2};
use rustix::io::Errno;
use std::path::{Component, Path, PathBuf};

/// The kernel's own file systems: each container has all of them, each once: place, type, options it must have.
const KERNEL: [(&str, &str, &[&str]); 7] = [
    ("/proc", "proc", &["nosuid", "noexec", "nodev"]),
    ("/dev", "tmpfs", &["nosuid"]),
    ("/dev/pts", "devpts", &["nosuid", "noexec", "newinstance"]),
    ("/sys", "sysfs", &["nosuid", "noexec", "nodev", "ro"]),
    ("/sys/fs/cgroup", "cgroup", &["nosuid", "noexec", "nodev"]),
    ("/dev/mqueue", "mqueue", &["nosuid", "noexec", "nodev"]),
    ("/dev/shm", "tmpfs", &["nosuid", "noexec", "nodev"]),
];
/// Options without a value, and the beginnings of those with one.
const OPTIONS: [&str; 17] = [
    "bind",
    "rbind",
    "ro",
    "rro",
    "rw",
    "private",
    "rprivate",
    "nosuid",
    "nodev",
    "noexec",
    "exec",
    "relatime",
    "strictatime",
    "noatime",
    "newinstance",
    "nodiratime",
    "norelatime",
];
const VALUES: [&str; 5] = ["mode=", "size=", "ptmxmode=", "gid=", "nr_inodes="];
/// What the engine writes for each container, and where it belongs.
const ENGINES: [(&str, &str); 3] =
    [("resolv.conf", "/etc/resolv.conf"), ("hostname", "/etc/hostname"), ("hosts", "/etc/hosts")];
const INIT: &str = "/sbin/docker-init";

/// Whose a mount is; each has its own rules.
enum Kind {
    Kernel,
    Memory,
    Stage,
    Volume,
    /// The engine's own file of this container, which may land by way of an image's link.
    Engines,
    /// Of the gateway, the engine's init, or a file that every user may read.
    ReadOnly,
}

pub(super) fn judge(asked: Vec<Mount>, site: &Site, id: &Id, root: &RootFs) -> Result<Vec<Mount>, Refused> {
    kernels_are_all_there(&asked)?;
    let mut places: Vec<PathBuf> = Vec::new();
    let mut judged = Vec::new();
    for mut mount in asked {
        options(&mount)?;
        let kind = kind(&mount, site, id)?;
        match kind {
            Kind::Kernel => lands_there(&mount, root)?,
            _ => places.push(place(&mount, &kind, root)?),
        }
        tighten(&mut mount, &kind);
        judged.push(mount);
    }
    apart(&places)?;
    Ok(judged)
}

fn kernels_are_all_there(asked: &[Mount]) -> Result<(), Refused> {
    let at = |place: &str| asked.iter().position(|mount| mount.destination() == Path::new(place));
    for (place, kind, _) in KERNEL {
        let found = asked.iter().filter(|mount| mount.destination() == Path::new(place)).count();
        let typ = at(place).and_then(|at| asked.get(at)).and_then(|mount| mount.typ().as_deref());
        let is_cgroup = kind == "cgroup" && typ == Some("cgroup2");
        if found != 1 || !(typ == Some(kind) || is_cgroup) {
            return Err(Refused::new(format!("it would not have the kernel's own {place}")));
        }
    }
    // What lies below comes after it, or it would be in the image's own files.
    let before = |parent, child| at(parent) < at(child);
    match before("/dev", "/dev/pts") && before("/dev", "/dev/mqueue") && before("/dev", "/dev/shm") {
        true if before("/sys", "/sys/fs/cgroup") => Ok(()),
        _ => Err(Refused::new("the kernel's own file systems are not mounted in their order")),
    }
}

fn options(mount: &Mount) -> Result<(), Refused> {
    let known =
        |option: &str| OPTIONS.contains(&option) || VALUES.iter().any(|value| option.starts_with(value));
    match mount.options().iter().flatten().find(|option| !known(option)) {
        Some(option) => {
            let place = mount.destination().display();
            Err(Refused::new(format!(
                "the mount at {place} has the option {option:?}, which is not served here"
            )))
        }
        None => Ok(()),
    }
}

fn has(mount: &Mount, wanted: &str) -> bool {
    mount.options().iter().flatten().any(|option| option == wanted)
}

fn kind(mount: &Mount, site: &Site, id: &Id) -> Result<Kind, Refused> {
    let place = mount.destination();
    if let Some((_, _, wanted)) = KERNEL.iter().find(|(kernels, _, _)| Path::new(kernels) == place) {
        return match wanted.iter().find(|option| !has(mount, option)) {
            Some(missing) => {
                Err(Refused::new(format!("its {} is mounted without {missing}", place.display())))
            }
            None => Ok(Kind::Kernel),
        };
    }
    match mount.typ().as_deref() {
        Some("tmpfs") => Ok(Kind::Memory),
        Some("bind") => source(mount, site, id),
        other => Err(Refused::new(format!("a mount of type {other:?} at {}", place.display()))),
    }
}

/// Whose directory or file is bound. Whatever is named by two ways is refused: none of these is.
fn source(mount: &Mount, site: &Site, id: &Id) -> Result<Kind, Refused> {
    let place = mount.destination();
    let source = mount.source().as_deref().unwrap_or(Path::new(""));
    let unknown = || {
        let (source, place) = (source.display(), place.display());
        Refused::new(format!("{source} at {place} is no stage, no volume and no file of this engine's own"))
    };
    if !source.is_absolute() || !is_plain(source) {
        return Err(unknown());
    }
    if is_stage(source, site) {
        return Ok(Kind::Stage);
    }
    if let Ok(inside) = source.strip_prefix(site.data().join("volumes")) {
        return is_volume(site, inside).map(|()| Kind::Volume);
    }
    let own = site.data().join("containers").join(id.as_str());
    if ENGINES.iter().any(|(file, at)| source == own.join(file) && place == Path::new(at)) {
        return Ok(Kind::Engines);
    }
    let gateways = site.files().iter().any(|files| source.starts_with(files));
    if gateways && leads_elsewhere(source) {
        let shown = source.display();
        return Err(Refused::new(format!(
            "{shown} leads through a link, and the gateway's own files do not"
        )));
    }
    let init = source == site.init() && place == Path::new(INIT);
    match gateways || init || is_everybodys(source, site) {
        true => Ok(Kind::ReadOnly),
        false => Err(unknown()),
    }
}

fn is_plain(path: &Path) -> bool {
    path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)))
        && path.components().collect::<PathBuf>().as_os_str() == path.as_os_str()
}

/// `<stages>/<token>/d`: what ie-mountd has made.
fn is_stage(source: &Path, site: &Site) -> bool {
    let Ok(inside) = source.strip_prefix(site.stages()) else { return false };
    let words: Vec<_> = inside.iter().filter_map(|word| word.to_str()).collect();
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    matches!(words.as_slice(), [token, "d"] if token.len() == 32 && token.bytes().all(hex))
}

/// `<volumes>/<name>/_data`, a plain directory there: the engine could have mounted something else on it.
fn is_volume(site: &Site, inside: &Path) -> Result<(), Refused> {
    let named = matches!(inside.iter().collect::<Vec<_>>().as_slice(), [_, data] if *data == "_data");
    let shown = inside.display();
    if !named {
        return Err(Refused::new(format!("{shown} is not a volume's own directory")));
    }
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let volumes = openat2(CWD, site.data().join("volumes"), flags, Mode::empty(), ResolveFlags::NO_SYMLINKS)
        .map_err(Refused::system("opening the engine's volumes"))?;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    openat2(&volumes, inside, flags, Mode::empty(), resolve).map(drop).map_err(|errno| {
        Refused::new(format!(
            "the volume {shown} is not a plain directory among the engine's volumes: {errno}"
        ))
    })
}

fn leads_elsewhere(source: &Path) -> bool {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    openat2(CWD, source, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS).err() == Some(Errno::LOOP)
}

/// A file of root's that every user of the host may read: parts of a GPU's driver. Only where GPUs are granted.
fn is_everybodys(source: &Path, site: &Site) -> bool {
    if site.hooks().is_empty() && site.devices().is_empty() {
        return false;
    }
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let opened = openat2(CWD, source, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS);
    opened.ok().and_then(|file| fstat(file).ok()).is_some_and(|stat| {
        FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
            && stat.st_uid == 0
            && stat.st_mode & 0o004 != 0
    })
}

/// The places of the kernel's are covered by what is mounted there: the image may not lead elsewhere. Below `/dev` and
/// `/sys` the kernel's own files are the ones to look in.
fn lands_there(mount: &Mount, root: &RootFs) -> Result<(), Refused> {
    let place = mount.destination();
    match place.iter().count() {
        2 => plainly(place, root).map(drop),
        _ => Ok(()),
    }
}

/// Where a mount lands, apart from the kernel's places.
fn place(mount: &Mount, kind: &Kind, root: &RootFs) -> Result<PathBuf, Refused> {
    let asked = mount.destination();
    let place = match kind {
        Kind::Engines => root.landing(asked)?.path,
        _ => plainly(asked, root)?,
    };
    let top = place.parent().is_none();
    match KERNELS.iter().find(|kernels| top || place.starts_with(kernels)) {
        Some(kernels) => {
            let (asked, place) = (asked.display(), place.display());
            Err(Refused::new(format!("the mount at {asked} would land at {place}, over or below {kernels}")))
        }
        None => Ok(place),
    }
}

fn plainly(asked: &Path, root: &RootFs) -> Result<PathBuf, Refused> {
    let shown = asked.display();
    if !asked.is_absolute() || !is_plain(asked) {
        return Err(Refused::new(format!("a mount at {shown}, which is no plain absolute path")));
    }
    let landing = root.landing(asked)?;
    match &landing.link {
        Some((link, target)) => Err(Refused::new(format!(
            "the mount at {shown} leads through the image's link {} to {}: mount at {} instead",
            link.display(),
            target.display(),
            landing.path.display()
        ))),
        None => Ok(landing.path),
    }
}

/// No mount at, below or above another one: runc would look for its place in what somebody else may be changing.
fn apart(places: &[PathBuf]) -> Result<(), Refused> {
    for (number, place) in places.iter().enumerate() {
        let others = places.iter().enumerate().filter(|(other, _)| *other != number);
        if let Some((_, other)) = others.into_iter().find(|(_, other)| place.starts_with(other)) {
            let (place, other) = (place.display(), other.display());
            return Err(Refused::new(format!(
                "the mount at {place} would be at or below the one at {other}"
            )));
        }
    }
    Ok(())
}

/// No device nodes, no setuid programs and no way back to the host in anything that is mounted.
fn tighten(mount: &mut Mount, kind: &Kind) {
    let wanted: &[&str] = match kind {
        Kind::Kernel => &[],
        Kind::Memory => &["nosuid", "nodev"],
        Kind::Stage | Kind::Volume | Kind::Engines => &["nosuid", "nodev", "rprivate"],
        Kind::ReadOnly => &["nosuid", "nodev", "rprivate", "ro"],
    };
    let missing: Vec<String> =
        wanted.iter().filter(|option| !has(mount, option)).map(|option| (*option).to_owned()).collect();
    let mut options = mount.options().clone().unwrap_or_default();
    options.retain(|option| !(matches!(kind, Kind::ReadOnly) && option == "rw"));
    options.extend(missing);
    mount.set_options(Some(options));
}
