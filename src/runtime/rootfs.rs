//! A container's own files: where a name in them really leads, and that nothing in them is a device or setuid.
//!
//! Nothing of the container runs yet, and nobody else has its files: what is seen here is what runc will see.
//!
//! An image's link can lead a mount or a working directory anywhere in the image's files. It can lead over `/dev`,
//! where runc would then find its `null`. So every destination is followed in the container's real root, at the moment
//! before it starts. A destination that lands elsewhere than its words say is refused, with the place to name instead.
//!
//! The three files of the network may be links, which many images have. They may not lead to where something else is
//! mounted.
//!
//! The root itself is made nodev and nosuid, as a mount of the host's, before runc copies it. In a user namespace the
//! kernel locks both flags. Without one, runc would take them away where it makes a root read-only. So this program
//! makes it read-only, too, after the places of the mounts are made.

use super::refused::Refused;
use super::site::Site;
use super::sources::Alone;
use crate::sys::mount_setattr;
use oci_spec::runtime::Spec;
use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, ResolveFlags, StatVfsMountFlags, StatxAttributes, StatxFlags, chmodat,
    chownat, fstatvfs, mkdirat, openat, openat2, readlinkat, statx,
};
use rustix::io::Errno;
use rustix::mount::MountAttrFlags;
use rustix::process::{Gid, Uid};
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

/// Links on one way, as many as the kernel follows.
const MOST_LINKS: usize = 40;

/// The mounted root of one container.
pub(crate) struct RootFs {
    dir: OwnedFd,
    path: PathBuf,
}

/// What stands at a place of a mount's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Node {
    /// With this mode, whatever the umask.
    Directory(u32),
    File,
}

impl Node {
    pub(crate) const DIRECTORY: Self = Self::Directory(0o755);
}

/// Where a name leads.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Landing {
    /// From the container's root, without links; parts that are not there yet are as they were asked.
    pub(crate) path: PathBuf,
    /// The first link on the way and what it says.
    pub(crate) link: Option<(PathBuf, PathBuf)>,
}

impl RootFs {
    /// The engine mounts a container's root below its own data, and nowhere else. What is done to that mount is for this
    /// process and runc alone.
    pub(crate) fn open(_: &Alone, site: &Site, spec: &Spec) -> Result<Self, Refused> {
        let root = spec.root().as_ref().ok_or_else(|| Refused::new("its specification names no root"))?;
        let path = root.path();
        let shown = path.display();
        if !path.starts_with(site.data()) || path.components().any(|part| part == Component::ParentDir) {
            let data = site.data().display();
            return Err(Refused::new(format!("its root {shown} is not below the engine's data in {data}")));
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS);
        let dir = opened.map_err(Refused::system(format!("opening its root {shown}")))?;
        Ok(Self { dir, path: path.clone() })
    }

    /// Makes the mount nodev and nosuid before anything is made of it. The container's own mounts are clones of this
    /// one and keep it, and in a user namespace nobody can take it away again. Whoever holds a descriptor of a file in
    /// it, on whichever side, opens no device node by it. And read-only, if it is to be: where it has no user namespace,
    /// runc would take the others away with that.
    pub(crate) fn close(&self, read_only: bool) -> Result<(), Refused> {
        let failed = || Refused::system("closing its root to device nodes");
        let told = statx(&self.dir, "", AtFlags::EMPTY_PATH, StatxFlags::empty()).map_err(failed())?;
        let is_mount = told.stx_attributes_mask.contains(StatxAttributes::MOUNT_ROOT)
            && told.stx_attributes.contains(StatxAttributes::MOUNT_ROOT);
        if !is_mount {
            let path = self.path.display();
            return Err(Refused::new(format!(
                "its root {path} is no mount of its own, which the storage drivers overlay2 and overlayfs make"
            )));
        }
        let mut flags = MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_NOSUID;
        flags.set(MountAttrFlags::MOUNT_ATTR_RDONLY, read_only);
        mount_setattr(&self.dir, flags, None).map_err(Refused::system("closing its root to device nodes"))?;
        let flags = fstatvfs(&self.dir).map_err(failed())?.f_flag;
        match flags.contains(StatVfsMountFlags::NODEV | StatVfsMountFlags::NOSUID) {
            true => Ok(()),
            false => {
                Err(Refused::new("its root could not be closed to device nodes: the kernel shows it open"))
            }
        }
    }

    /// Makes what is missing at a place and on the way there, as runc does in a root that can be written to. Where
    /// something else stands already, runc says so.
    pub(crate) fn make(&self, place: &Path, node: Node, owner: (Uid, Gid)) -> Result<(), Refused> {
        let failed = || Refused::system(format!("making {} in its root", place.display()));
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        let mut at = self.dir.try_clone().map_err(Refused::system("making a place in its root"))?;
        let mut parts = place.strip_prefix("/").unwrap_or(place).iter().peekable();
        while let Some(part) = parts.next() {
            let open = |at: &OwnedFd| openat2(at, part, flags, Mode::empty(), resolve);
            at = match open(&at) {
                Err(Errno::NOENT) => {
                    let node = if parts.peek().is_some() { Node::DIRECTORY } else { node };
                    make(&at, part, node, owner).and_then(|()| open(&at)).map_err(failed())?
                }
                Err(Errno::NOTDIR) => return Ok(()),
                opened => opened.map_err(failed())?,
            };
        }
        Ok(())
    }

    /// Follows an absolute name, its links too, as runc would: within the root, also where a part is missing.
    pub(crate) fn landing(&self, name: &Path) -> Result<Landing, Refused> {
        let mut left: Vec<OsString> = Vec::new();
        push(&mut left, name)?;
        let (mut path, mut link, mut links) = (PathBuf::from("/"), None, 0);
        while let Some(part) = left.pop() {
            if part == ".." {
                path.pop();
                continue;
            }
            let next = path.join(&part);
            let Some(target) = self.link_at(&next)? else {
                path = next;
                continue;
            };
            links += 1;
            if links > MOST_LINKS {
                return Err(Refused::new(format!("{} leads through too many links", name.display())));
            }
            if target.is_absolute() {
                path = PathBuf::from("/");
            }
            push(&mut left, &target)?;
            link.get_or_insert((next, target));
        }
        Ok(Landing { path, link })
    }

    /// What the link at this place says; none where there is none, or nothing at all. All above it is free of links.
    fn link_at(&self, path: &Path) -> Result<Option<PathBuf>, Refused> {
        let failed = || Refused::system(format!("looking at {} in its root", path.display()));
        let relative = path.strip_prefix("/").unwrap_or(path);
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
        let opened = match openat2(&self.dir, relative, flags, Mode::empty(), resolve) {
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
            opened => opened.map_err(failed())?,
        };
        // The empty name is the link itself; anything else there has none.
        match readlinkat(&opened, "", Vec::new()) {
            Ok(target) => Ok(Some(PathBuf::from(OsString::from_vec(target.into_bytes())))),
            Err(Errno::NOENT | Errno::INVAL) => Ok(None),
            Err(errno) => Err(failed()(errno)),
        }
    }
}

fn make(at: &OwnedFd, name: &OsStr, node: Node, (uid, gid): (Uid, Gid)) -> Result<(), Errno> {
    match node {
        Node::Directory(mode) => {
            mkdirat(at, name, Mode::RWXU)?;
            chmodat(at, name, Mode::from_raw_mode(mode), AtFlags::empty())?;
        }
        Node::File => {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            drop(openat(at, name, flags, Mode::from_raw_mode(0o644))?);
        }
    }
    chownat(at, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
}

/// The parts of a name in front of what is left, the next one last.
fn push(left: &mut Vec<OsString>, name: &Path) -> Result<(), Refused> {
    if name.as_os_str().as_bytes().contains(&0) {
        return Err(Refused::new("a name with a NUL in it"));
    }
    let parts = name.components().filter_map(|part| match part {
        Component::Normal(part) => Some(part.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        _ => None,
    });
    let at = left.len();
    left.extend(parts);
    left.get_mut(at..).unwrap_or_default().reverse();
    Ok(())
}

#[cfg(any(test, feature = "fuzz"))]
#[allow(clippy::unwrap_used, reason = "a broken world of a test's own is told by a panic")]
impl RootFs {
    /// Any directory, for what needs no mount.
    pub(crate) fn at(path: &Path) -> Self {
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        Self { dir: rustix::fs::open(path, flags, Mode::empty()).unwrap(), path: path.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn names_lead_where_links_say() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir_all(root.join("dev/x")).unwrap();
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(root.join("file"), "").unwrap();
        for (at, target) in [
            ("v", "dev"),
            ("abs", "/dev/x"),
            ("up", "../../../dev"),
            ("a/b/rel", "../../v/x"),
            ("dangling", "nowhere/at/all"),
            ("out", "/nowhere/../dev"),
            ("self", "self"),
        ] {
            symlink(target, root.join(at)).unwrap();
        }
        let files = RootFs::at(root);
        let lands = |name: &str| files.landing(Path::new(name)).unwrap();
        for (name, place) in [
            ("/", "/"),
            ("/a/b", "/a/b"),
            ("/a/new/deep", "/a/new/deep"),
            ("/file/below", "/file/below"),
            ("/v", "/dev"),
            ("/v/null", "/dev/null"),
            ("/abs/y", "/dev/x/y"),
            ("/up", "/dev"),
            ("/a/b/rel", "/dev/x"),
            ("/dangling/z", "/nowhere/at/all/z"),
            ("/out", "/dev"),
            ("/a/../v", "/dev"),
        ] {
            assert_eq!(lands(name).path, Path::new(place), "{name}");
        }
        assert_eq!(lands("/a/b/c").link, None);
        assert_eq!(lands("/v/null").link, Some(("/v".into(), "dev".into())));
        assert!(files.landing(Path::new("/self")).is_err());
    }
}
