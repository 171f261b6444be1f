//! Which directories and files of the host enter a container, and where.

use super::ask::MountAsk;
use super::gateway::HomeRoot;
use super::limits::Limits;
use super::paths::{below, is_root, overlap, plain};
use super::refuse::{FORBIDDEN, refusal};
use super::setting::Setting;
use super::source::Source;
use super::{RootKind, StageRoot};
use crate::protocol::escape::escape_line;
use crate::protocol::layout;
use crate::protocol::report::Refusal;
use crate::protocol::stage::Access;
use crate::protocol::told::{Phrase, Tell, Told, phrase, told};
use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

/// One entry of `mounts`: a directory of the site's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Offer {
    pub(super) source: PathBuf,
    pub(super) access: Access,
    /// Mounted without being asked for, at this path.
    pub(super) always: Option<PathBuf>,
    pub(super) idmap: bool,
    /// Written to by a group, whoever owns what.
    pub(super) group: bool,
}

impl fmt::Display for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}", self.source.display(), word(self.access))?;
        match &self.always {
            Some(target) => write!(f, ", always at {})", target.display()),
            None => f.write_str(")"),
        }
    }
}

pub(super) fn word(access: Access) -> &'static str {
    match access {
        Access::ReadOnly => "ro",
        Access::ReadWrite => "rw",
    }
}

/// One directory or file that enters the container: `relative` below `root`, which is one of [`roots`](super::Policy::roots).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountGrant {
    pub root: PathBuf,
    /// Empty for the root itself.
    pub relative: PathBuf,
    pub target: PathBuf,
    pub access: Access,
}

/// The most mounts of one container: root makes each, so there is an end to them.
const MOST: usize = 32;

/// Nothing is mounted at, below or above these: the kernel's, the engine's and what the gateway puts there itself.
pub const KEPT_PLACES: [&str; 10] = [
    "/proc",
    "/sys",
    "/dev",
    layout::COPY_IN_CONTAINER,
    layout::CHANNEL_IN_CONTAINER,
    "/etc/passwd",
    "/etc/group",
    "/etc/hosts",
    "/etc/hostname",
    "/etc/resolv.conf",
];

/// Nothing is mounted at or below these: NVIDIA's runtime reads the names of such mounts as GPUs to hand out.
const NAMES_GPUS: [&str; 2] = ["/var/run/nvidia-container-devices", "/run/nvidia-container-devices"];

/// The path as a place in a container, or why it is none.
pub(super) fn target(path: &Path) -> Result<PathBuf, Told> {
    let path = plain(path).map_err(|fault| fault.told())?;
    let kept = KEPT_PLACES.iter().any(|kept| overlap(&path, Path::new(kept)));
    let named = NAMES_GPUS.iter().any(|names| path.starts_with(names));
    if is_root(&path) || kept || named {
        return Err(told!("is not a place to mount at"));
    }
    if path.components().count() > DEEPEST {
        return Err(told!("lies below more than {DEEPEST} directories"));
    }
    Ok(path)
}

/// Whether an image may have a volume there, by the same rules as what is asked for.
///
/// # Errors
/// `mounts.target`, for a place that the kernel, the engine or the gateway needs.
pub fn volume_of_image(path: &Path) -> Result<PathBuf, Refusal> {
    target(path).map_err(|fault| at_image_volume(path, fault))
}

fn at_image_volume(path: &Path, what: Told) -> Refusal {
    let shown = escape_line(&path.to_string_lossy());
    refusal(FORBIDDEN, "mounts.target", &Source::BuiltIn, told!("the image's VOLUME {shown} {what}"))
        .hint(told!("use another image, or build it anew without the VOLUME"))
}

const NO_SOCKET: Phrase = phrase!(
    "a socket of Docker's does not go into a container; for testcontainers set TESTCONTAINERS_RYUK_DISABLED=true"
);

/// A place has so many names at the most: each may be a directory that is made for it, before anybody is charged for that.
const DEEPEST: usize = 32;

/// What a site may not offer: the kernel's trees, sockets, and the gateway's own state.
const NEVER_OFFERED: [&str; 6] = ["/proc", "/sys", "/dev", "/run", "/var/run", layout::STATE_DIR];

/// The path as a directory of the host that stages are made from, or why it is none.
pub(super) fn offered(path: &Path) -> Result<PathBuf, Told> {
    let path = plain(path).map_err(|fault| fault.told())?;
    if is_root(&path) || NEVER_OFFERED.iter().any(|never| overlap(&path, Path::new(never))) {
        return Err(told!("is not a directory to hand out"));
    }
    Ok(path)
}

/// The directories that these settings offer, each once; writable when one of them says so.
pub(super) fn roots<'s>(settings: impl Iterator<Item = &'s Setting>) -> Vec<StageRoot> {
    let mut roots: Vec<StageRoot> = Vec::new();
    for offer in settings.flat_map(offers) {
        let writable = offer.access == Access::ReadWrite;
        match roots.iter_mut().find(|root| root.path == offer.source) {
            Some(known) if writable => known.kind = RootKind::Shared { writable },
            Some(_) => {}
            None => roots.push(StageRoot {
                path: offer.source.clone(),
                kind: RootKind::Shared { writable },
                idmap: offer.idmap,
                group: offer.group,
            }),
        }
    }
    roots
}

/// Those of the directories that are mounted without being asked for.
pub(super) fn always<'s>(settings: impl Iterator<Item = &'s Setting>) -> BTreeSet<&'s Path> {
    let offers = settings.flat_map(offers).filter(|offer| offer.always.is_some());
    offers.map(|offer| offer.source.as_path()).collect()
}

fn offers(setting: &Setting) -> &[Offer] {
    match setting {
        Setting::Mounts(list) => &list.value,
        _ => &[],
    }
}

/// What a directory of the caller's asking lies in: a root, how it may be mounted, and which rule says so.
struct Within<'a> {
    root: &'a Path,
    relative: PathBuf,
    most: Access,
    rule: &'static str,
    source: &'a Source,
}

fn too_many(asked: usize) -> Refusal {
    let what = told!("asked {asked}, one container may have {MOST}");
    refusal(FORBIDDEN, "mounts", &Source::BuiltIn, what).hint(told!("mount a directory above them instead"))
}

/// A place in the container at which nothing else is mounted.
fn free<'t>(asked: &Path, mut taken: impl Iterator<Item = &'t PathBuf>) -> Result<PathBuf, Refusal> {
    let at = |what: Told| {
        let shown = escape_line(&asked.to_string_lossy());
        refusal(FORBIDDEN, "mounts.target", &Source::BuiltIn, told!("{shown} {what}"))
    };
    let place =
        target(asked).map_err(|fault| at(fault).hint(told!("choose another path in the container")))?;
    match taken.any(|other| *other == place) {
        false => Ok(place),
        true => Err(at(told!("is mounted already"))
            .hint(told!("leave it out, or choose another path in the container"))),
    }
}

/// The nearest of these around a place.
fn around<'t>(place: &Path, taken: impl Iterator<Item = &'t PathBuf>) -> Option<&'t PathBuf> {
    taken
        .filter(|other| *other != place && place.starts_with(other))
        .max_by_key(|other| other.components().count())
}

impl MountGrant {
    /// The directory or file on the host.
    fn host_path(&self) -> PathBuf {
        if self.relative.as_os_str().is_empty() { self.root.clone() } else { self.root.join(&self.relative) }
    }

    /// Whether this one shows, in the same way, what the other one would show at its place.
    fn shows(&self, other: &Self) -> bool {
        let below = below(&other.target, &self.target);
        self.access == other.access
            && below.is_some_and(|below| self.host_path().join(below) == other.host_path())
    }
}

impl Limits {
    /// The home first, then what is always mounted, then what was asked for; none at another one's target.
    ///
    /// One may lie below another. What another shows at that very place in the same way is no second mount.
    pub(super) fn grant_mounts(
        &self,
        asks: &[MountAsk],
        memory: &[PathBuf],
        of_image: &[PathBuf],
    ) -> Result<Vec<MountGrant>, Refusal> {
        // Counted first: everything below takes longer than linear.
        if asks.len() + memory.len() > MOST {
            return Err(too_many(asks.len() + memory.len()));
        }
        let mut grants = self.unasked()?;
        let unasked = grants.len();
        for ask in asks {
            if !self.is_there(&mut grants, unasked, ask)? {
                let grant = self.grant_asked(&grants, ask)?;
                grants.push(grant);
            }
        }
        if grants.len() + memory.len() > MOST {
            return Err(too_many(grants.len() + memory.len()));
        }
        let mut taken: Vec<PathBuf> = grants.iter().map(|grant| grant.target.clone()).collect();
        for place in memory {
            taken.push(free(place, taken.iter())?);
        }
        for place in of_image {
            let place = volume_of_image(place)?;
            // What was asked for stands in the place of the image's.
            if !taken.contains(&place) {
                taken.push(place);
            }
        }
        let is_shown = |grant: &MountGrant| {
            let nearest = around(&grant.target, taken.iter());
            let outer = nearest.and_then(|place| grants.iter().find(|outer| outer.target == *place));
            // Of homes alone: what an admin mounts below another directory, or shares in another way, is not seen by its names.
            let of_homes = self.homes.value.iter().any(|home| home.path() == grant.root);
            of_homes && outer.is_some_and(|outer| outer.root == grant.root && outer.shows(grant))
        };
        let asked = grants.iter().skip(unasked).filter(|grant| !is_shown(grant));
        Ok(grants.iter().take(unasked).chain(asked).cloned().collect())
    }

    /// The home, and what the site has everywhere.
    fn unasked(&self) -> Result<Vec<MountGrant>, Refusal> {
        let mut grants: Vec<MountGrant> = self.home_grant()?.into_iter().collect();
        for offer in &self.mounts.value {
            let always = |target: &PathBuf| self.grant_always(&grants, offer, target);
            let grant = offer.always.as_ref().map(always).transpose()?;
            grants.extend(grant);
        }
        Ok(grants)
    }

    /// Whether it is what is mounted unasked, which may be made read-only so.
    fn is_there(&self, grants: &mut [MountGrant], unasked: usize, ask: &MountAsk) -> Result<bool, Refusal> {
        let (Ok(source), Ok(target)) = (plain(&ask.source), plain(&ask.target)) else { return Ok(false) };
        let mut unasked = grants.iter_mut().take(unasked);
        let Some(same) = unasked.find(|grant| grant.target == target && grant.host_path() == source) else {
            return Ok(false);
        };
        self.place_open_to(ask)?;
        if ask.access == Access::ReadOnly {
            same.access = Access::ReadOnly;
        }
        Ok(true)
    }

    /// Where it is set that this directory is mounted there without being asked for, if it is.
    pub fn mounts_always(&self, source: &Path, target: &Path) -> Option<&Source> {
        let is_it = |offer: &Offer| offer.source == source && offer.always.as_deref() == Some(target);
        self.mounts.value.iter().any(is_it).then_some(&self.mounts.source)
    }

    fn home_grant(&self) -> Result<Option<MountGrant>, Refusal> {
        let Some(access) = self.home.value else { return Ok(None) };
        let (root, home) = self.home_place()?;
        let relative = below(&home, root.path()).unwrap_or(Path::new("")).to_owned();
        let root = root.path().to_owned();
        Ok(Some(MountGrant { root, relative, target: home, access }))
    }

    /// The caller's home and the root it lies below. A root itself is nobody's home.
    fn home_place(&self) -> Result<(&HomeRoot, PathBuf), Refusal> {
        let no = |what: Told| {
            let shown = escape_line(&self.home_path.to_string_lossy());
            let what = told!("your home {shown} {what}");
            refusal(FORBIDDEN, "gateway.homes", &self.homes.source, what)
                .hint(told!("an admin can add its parent to `homes`, or say `home = \"none\"`"))
        };
        let home = plain(&self.home_path).map_err(|fault| no(fault.told()))?;
        target(&home).map_err(no)?;
        let under = self.homes.value.iter().filter(|root| root.path != home && home.starts_with(&root.path));
        let root = under.max_by_key(|root| root.path.components().count());
        root.map(|root| (root, home)).ok_or_else(|| no(told!("lies below none of the directories for homes")))
    }

    fn grant_always(&self, before: &[MountGrant], offer: &Offer, at: &Path) -> Result<MountGrant, Refusal> {
        let root = offer.source.clone();
        let grant =
            MountGrant { root, relative: PathBuf::new(), target: at.to_owned(), access: offer.access };
        match before.iter().any(|other| overlap(&other.target, &grant.target)) {
            true => {
                let what = told!("two mounts at or below {} for everyone", at.display());
                Err(refusal(FORBIDDEN, "mounts", &self.mounts.source, what)
                    .hint(told!("an admin can give one of them another `target`")))
            }
            false => Ok(grant),
        }
    }

    fn grant_asked(&self, before: &[MountGrant], ask: &MountAsk) -> Result<MountGrant, Refusal> {
        let target = free(&ask.target, before.iter().map(|other| &other.target))?;
        let place = self.place_open_to(ask)?;
        let root = place.root.to_owned();
        Ok(MountGrant { root, relative: place.relative, target, access: ask.access })
    }

    /// Whether a directory that was granted would be granted today.
    pub(super) fn offered_today(&self, mount: &MountAsk) -> Result<(), Refusal> {
        self.place_open_to(mount).map(drop)
    }

    /// Where the asked directory lies, if it may be mounted as asked.
    fn place_open_to(&self, ask: &MountAsk) -> Result<Within<'_>, Refusal> {
        let place = self.place(ask)?;
        if ask.access == Access::ReadWrite && place.most == Access::ReadOnly {
            let shown = escape_line(&ask.source.to_string_lossy());
            let mut no = refusal(FORBIDDEN, place.rule, place.source, told!("{shown} is offered read-only"));
            (no.asked, no.limit) = (Some("rw".to_owned()), Some("ro".to_owned()));
            return Err(no.hint(told!("add `:ro` to the mount")));
        }
        Ok(place)
    }

    /// Where the asked directory lies: the caller's home, or else the nearest directory offered.
    fn place(&self, ask: &MountAsk) -> Result<Within<'_>, Refusal> {
        let no = |rule, source, what: Told| {
            let shown = escape_line(&ask.source.to_string_lossy());
            let mut no = refusal(FORBIDDEN, rule, source, told!("{shown} {what}"));
            no.asked = Some(shown);
            no.hint(told!("`ie-container quota` shows the directories you may mount"))
        };
        let list = &self.mounts;
        let path = plain(&ask.source).map_err(|fault| no("mounts", &list.source, fault.told()))?;
        if let Some((root, relative)) = self.in_home(&path) {
            let source = &self.home.source;
            let none = || no("home", source, told!("lies in your home, which is not mounted here"));
            let most = self.home.value.ok_or_else(none)?;
            return Ok(Within { root, relative, most, rule: "home", source });
        }
        let around = list.value.iter().filter(|offer| path.starts_with(&offer.source));
        let Some(offer) = around.max_by_key(|offer| offer.source.components().count()) else {
            let refused = no("mounts", &list.source, told!("is not among the directories you may mount"));
            // Tools that clean up after themselves ask for it in every run.
            let socket = path.extension().is_some_and(|extension| extension == "sock");
            return Err(if socket { refused.hint(NO_SOCKET.told()) } else { refused });
        };
        let relative = below(&path, &offer.source).unwrap_or(Path::new("")).to_owned();
        let (root, most) = (offer.source.as_path(), offer.access);
        Ok(Within { root, relative, most, rule: "mounts", source: &list.source })
    }

    /// The root of the caller's home and the path below it; nothing for a path outside the home.
    fn in_home(&self, path: &Path) -> Option<(&Path, PathBuf)> {
        let (root, home) = self.home_place().ok()?;
        below(path, &home)?;
        Some((root.path(), below(path, root.path())?.to_owned()))
    }
}
