//! What a container sees beside its own files: from where, to where it really lands, and with what taken away.

use super::super::call::Id;
use super::super::refused::Refused;
use super::super::rootfs::RootFs;
use super::super::site::{Site, is_plain};
use super::super::sources::Source;
use super::process::KERNELS;
use oci_spec::runtime::Mount;
use rustix::fs::{FileType, lstat};
use rustix::io::Errno;
use std::path::{Path, PathBuf};

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
/// Options of any mount.
const OPTIONS: [&str; 11] = [
    "ro",
    "private",
    "rprivate",
    "nosuid",
    "nodev",
    "noexec",
    "relatime",
    "strictatime",
    "noatime",
    "nodiratime",
    "norelatime",
];
/// Those of what is a user's own, besides.
const OWN: [&str; 2] = ["rw", "exec"];
/// Those of a bind, and of nothing else: with them the source counts, whatever the type says.
const BINDS: [&str; 3] = ["bind", "rbind", "rro"];
/// The beginnings of those with a value, which are the kernel's and memory's.
const VALUES: [&str; 5] = ["mode=", "size=", "ptmxmode=", "gid=", "nr_inodes="];
/// What the engine writes for each container, and where it belongs.
const ENGINES: [(&str, &str); 3] =
    [("resolv.conf", "/etc/resolv.conf"), ("hostname", "/etc/hostname"), ("hosts", "/etc/hosts")];
const INIT: &str = "/sbin/docker-init";

/// A mount that was judged, before runc is told of it.
pub(crate) struct Planned {
    pub(crate) mount: Mount,
    /// Where it lands, if that is in the container's own files.
    pub(crate) place: Option<PathBuf>,
    /// What it shows, if that is not new.
    pub(crate) source: Option<Source>,
    pub(crate) kind: Kind,
}

/// Whose a mount is; each has its own rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Kernel,
    Memory,
    Stage,
    Volume,
    /// The engine's own file of this container, which may land by way of an image's link.
    Engines,
    /// Of the gateway, the engine's init, or a file that every user may read.
    ReadOnly,
}

impl Kind {
    /// Whether it is a user's own, which may lie in another one of those.
    fn is_users(self) -> bool {
        matches!(self, Self::Stage | Self::Volume | Self::Memory)
    }
}

impl Planned {
    /// Where it is among a user's own mounts, if it is one.
    pub(crate) fn users_place(&self) -> Option<&Path> {
        self.place.as_deref().filter(|_| self.kind.is_users())
    }

    /// Whether the last of these two options that is said is the first.
    pub(crate) fn says(&self, option: &str, against: &str) -> bool {
        let said = self.mount.options().iter().flatten().rev();
        said.into_iter().find(|said| *said == option || *said == against).is_some_and(|said| said == option)
    }
}

/// Those of a container and its owner, whose processes all are that user's.
pub(super) fn judge(
    asked: Vec<Mount>,
    site: &Site,
    (id, owner): (&Id, u32),
    root: &RootFs,
) -> Result<Vec<Planned>, Refused> {
    kernels_are_all_there(&asked)?;
    let mut judged = Vec::new();
    for mount in asked {
        let (kind, source) = kind(&mount, site, id)?;
        options(&mount, kind, owner)?;
        judged.push(Planned { mount, place: None, source, kind });
    }
    let users: Vec<PathBuf> =
        judged.iter().filter(|planned| planned.kind.is_users()).map(destination).collect();
    for planned in &mut judged {
        planned.place = match planned.kind {
            Kind::Kernel => lands_there(&planned.mount, root)?,
            kind => Some(place(&planned.mount, kind, root, &users)?),
        };
        tighten(&mut planned.mount, planned.kind);
    }
    apart(&judged)?;
    Ok(judged)
}

fn destination(planned: &Planned) -> PathBuf {
    planned.mount.destination().clone()
}

/// Whether it lies below another one of these, and not at it.
fn is_inside(place: &Path, others: &[PathBuf]) -> bool {
    others.iter().any(|other| place != other && place.starts_with(other))
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

/// Each kind has its own: whatever else would change what kind it is, or take away what that kind is to have.
fn options(mount: &Mount, kind: Kind, owner: u32) -> Result<(), Refused> {
    let owners = format!("uid={owner}");
    let known = |option: &str| {
        let own = || OWN.contains(&option);
        OPTIONS.contains(&option)
            || match kind {
                Kind::Kernel => option == "newinstance" || is_value(option),
                Kind::Memory => own() || is_value(option) || option == owners,
                Kind::Stage | Kind::Volume | Kind::Engines => own() || BINDS.contains(&option),
                Kind::ReadOnly => BINDS.contains(&option),
            }
    };
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

/// One value, which does not smuggle another option in.
fn is_value(option: &str) -> bool {
    let value = VALUES.iter().find_map(|name| option.strip_prefix(name));
    value.is_some_and(|value| value.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

fn has(mount: &Mount, wanted: &str) -> bool {
    mount.options().iter().flatten().any(|option| option == wanted)
}

fn kind(mount: &Mount, site: &Site, id: &Id) -> Result<(Kind, Option<Source>), Refused> {
    let place = mount.destination();
    if let Some((_, _, wanted)) = KERNEL.iter().find(|(kernels, _, _)| Path::new(kernels) == place) {
        return match wanted.iter().find(|option| !has(mount, option)) {
            Some(missing) => {
                Err(Refused::new(format!("its {} is mounted without {missing}", place.display())))
            }
            None => Ok((Kind::Kernel, None)),
        };
    }
    match mount.typ().as_deref() {
        Some("tmpfs") => Ok((Kind::Memory, None)),
        Some("bind") => source(mount, site, id).map(|(kind, source)| (kind, Some(source))),
        other => Err(Refused::new(format!("a mount of type {other:?} at {}", place.display()))),
    }
}

/// Whose directory or file is bound, opened. Whatever is named by two ways is refused: none of these is.
fn source(mount: &Mount, site: &Site, id: &Id) -> Result<(Kind, Source), Refused> {
    let place = mount.destination();
    let source = mount.source().as_deref().unwrap_or(Path::new(""));
    let unknown = || {
        let (source, place) = (source.display(), place.display());
        Refused::new(format!("{source} at {place} is no stage, no volume and no file of this engine's own"))
    };
    if !is_plain(source) {
        return Err(unknown());
    }
    if let Ok(inside) = source.strip_prefix(site.data().join("volumes")) {
        return volume(site, inside).map(|source| (Kind::Volume, source));
    }
    let own = site.data().join("containers").join(id.as_str());
    let engines = ENGINES.iter().any(|(file, at)| source == own.join(file) && place == Path::new(at));
    let gateways = site.files().iter().any(|files| source.starts_with(files));
    let init = source == site.init() && place == Path::new(INIT);
    match () {
        () if is_stage(source, site) => Ok((Kind::Stage, stage(source)?)),
        () if engines => Ok((Kind::Engines, open(source)?)),
        () if gateways => Ok((Kind::ReadOnly, open(source)?)),
        () => Ok((Kind::ReadOnly, hosts(source, |path| init || is_driver(path, site)).ok_or_else(unknown)?)),
    }
}

fn open(source: &Path) -> Result<Source, Refused> {
    let shown = source.display();
    Source::open(source).map_err(|errno| match errno {
        Errno::LOOP => {
            Refused::new(format!("{shown} leads through a link, and what is mounted here does not"))
        }
        errno => Refused::new(format!("opening {shown} failed: {errno}")),
    })
}

/// A directory or a plain file, as its name says.
fn stage(source: &Path) -> Result<Source, Refused> {
    let opened = open(source)?;
    let wanted = if source.ends_with("d") { FileType::Directory } else { FileType::RegularFile };
    let found = opened.stat().map(|stat| FileType::from_raw_mode(stat.st_mode));
    match found {
        Ok(found) if found == wanted => Ok(opened),
        _ => Err(Refused::new(format!("the stage {} is not what its name says", source.display()))),
    }
}

/// `<stages>/<token>/d` or `f`: what ie-mountd has made.
fn is_stage(source: &Path, site: &Site) -> bool {
    let Ok(inside) = source.strip_prefix(site.stages()) else { return false };
    let words: Vec<_> = inside.iter().filter_map(|word| word.to_str()).collect();
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    matches!(words.as_slice(), [token, "d" | "f"] if token.len() == 32 && token.bytes().all(hex))
}

/// `<volumes>/<name>/_data`, a plain directory there: the engine could have mounted something else on it.
fn volume(site: &Site, inside: &Path) -> Result<Source, Refused> {
    let named = matches!(inside.iter().collect::<Vec<_>>().as_slice(), [_, data] if *data == "_data");
    let shown = inside.display();
    if !named {
        return Err(Refused::new(format!("{shown} is not a volume's own directory")));
    }
    let volumes = open(&site.data().join("volumes"))?;
    let refused = |why: &str| {
        Refused::new(format!("the volume {shown} is not a plain directory among the engine's volumes: {why}"))
    };
    let opened = volumes.open_beneath(inside).map_err(|errno| refused(&errno.to_string()))?;
    match opened.is_dir() {
        true => Ok(opened),
        false => Err(refused("no directory")),
    }
}

/// The engine's init or a part of a GPU's driver, by whatever link of the host's: what was opened counts, and where that
/// lies.
fn hosts(source: &Path, is_listed: impl Fn(&Path) -> bool) -> Option<Source> {
    let (opened, path) = Source::follow(source).ok()?;
    (is_listed(&path) && is_everybodys(&path, &opened)).then_some(opened)
}

fn is_driver(path: &Path, site: &Site) -> bool {
    site.drivers().iter().any(|drivers| path.starts_with(drivers))
}

/// A file of root's that every user of the host may read, or a socket that each may speak to, and every directory on
/// the way is open to each.
fn is_everybodys(path: &Path, opened: &Source) -> bool {
    let file = opened.stat().is_ok_and(|stat| {
        let wanted = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => 0o004,
            FileType::Socket => 0o006,
            _ => return false,
        };
        stat.st_uid == 0 && stat.st_mode & wanted == wanted
    });
    let open = |dir: &Path| lstat(dir).is_ok_and(|stat| stat.st_uid == 0 && stat.st_mode & 0o001 != 0);
    file && path.ancestors().skip(1).all(open)
}

/// The places of the kernel's are covered by what is mounted there: the image may not lead elsewhere. Below `/dev` and
/// `/sys` the kernel's own files are the ones to look in.
fn lands_there(mount: &Mount, root: &RootFs) -> Result<Option<PathBuf>, Refused> {
    let place = mount.destination();
    match place.iter().count() {
        2 => plainly(place, root).map(Some),
        _ => Ok(None),
    }
}

/// Where a mount lands, apart from the kernel's places. What lies inside another one of a user's lands there, whatever the
/// image has below it.
fn place(mount: &Mount, kind: Kind, root: &RootFs, users: &[PathBuf]) -> Result<PathBuf, Refused> {
    let asked = mount.destination();
    let place = match kind {
        Kind::Engines => root.landing(asked)?.path,
        _ if kind.is_users() && is_plain(asked) && is_inside(asked, users) => asked.clone(),
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
    if !is_plain(asked) {
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

/// No mount at, below or above another one but a user's own inside one of those, which runc is not left to look for: it
/// would do so in what somebody else may be changing.
fn apart(judged: &[Planned]) -> Result<(), Refused> {
    let places = || judged.iter().filter(|planned| planned.kind != Kind::Kernel).enumerate();
    for (number, planned) in places() {
        let Some(place) = &planned.place else { continue };
        let clashes = |other: &Planned| match &other.place {
            Some(at) if planned.kind.is_users() && other.kind.is_users() => at == place,
            Some(at) => place.starts_with(at),
            None => false,
        };
        if let Some((_, other)) = places().find(|(at, other)| *at != number && clashes(other)) {
            let (place, other) = (place.display(), other.mount.destination().display());
            return Err(Refused::new(format!(
                "the mount at {place} would be at or below the one at {other}"
            )));
        }
    }
    Ok(())
}

/// No device nodes, no setuid programs and no way back to the host in anything that is mounted. A bind shows what was
/// opened and nothing that is mounted in it; what is new has no source.
fn tighten(mount: &mut Mount, kind: Kind) {
    let wanted: &[&str] = match kind {
        Kind::Kernel => &[],
        Kind::Memory => &["nosuid", "nodev"],
        Kind::Stage | Kind::Volume | Kind::Engines => &["bind", "nosuid", "nodev", "rprivate"],
        Kind::ReadOnly => &["bind", "nosuid", "nodev", "rprivate", "ro"],
    };
    let missing: Vec<String> =
        wanted.iter().filter(|option| !has(mount, option)).map(|option| (*option).to_owned()).collect();
    let mut options = mount.options().clone().unwrap_or_default();
    options.retain(|option| option != "rbind");
    options.extend(missing);
    mount.set_options(Some(options));
    if matches!(kind, Kind::Kernel | Kind::Memory) {
        let source = mount.typ().as_deref().map(PathBuf::from);
        mount.set_source(source);
    }
}
