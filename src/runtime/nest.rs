//! What a user mounts inside another mount, as `-v ~/proj:/app -v modules:/app/node_modules`, in place before runc runs.
//!
//! runc looks for a mount's place by its name, and makes what is missing as root. Inside a user's own directory that user
//! can put a link there meanwhile. So runc is not told of such a mount. This program mounts it, on the clone of the outer
//! one that runc is given, and runc binds all of it at once.
//!
//! The place is opened as the container's user, beneath the outer mount, through no link and into no other mount. What is
//! missing is made as that user, who must be allowed to; in a volume, which is in nobody's home, else as root inside. The mount goes onto what was opened, by no name. Whoever renames
//! something meanwhile has a mount elsewhere in the same directory, or none, or the start fails: nothing is made or mounted
//! anywhere else, whichever runc comes after.
//!
//! New memory at the top of a container is runc's to make: nobody else is in it when runc looks for places there.

use super::judge::mounts::{Kind, Planned};
use super::ready::Ids;
use super::refused::Refused;
use super::sources::{Shelf, Unmounted};
use oci_spec::runtime::{Mount, Process};
use rustix::io::Errno;
use rustix::mount::MountAttrFlags;
use std::path::Path;

/// A mount and what is mounted inside it.
pub(crate) struct Tree {
    planned: Planned,
    inside: Vec<Tree>,
}

impl Tree {
    pub(crate) fn top(&self) -> &Planned {
        &self.planned
    }
}

/// Mounts in their order, each with those of a user's that lie in it.
pub(crate) fn trees(mounts: Vec<Planned>) -> Vec<Tree> {
    let places: Vec<_> = mounts.iter().filter_map(Planned::users_place).map(Path::to_owned).collect();
    let lies_in = |inner: &Planned, outer: &Path| {
        inner.users_place().is_some_and(|place| place != outer && place.starts_with(outer))
    };
    let (mut inner, tops): (Vec<_>, Vec<_>) =
        mounts.into_iter().partition(|planned| places.iter().any(|outer| lies_in(planned, outer)));
    let tree = |planned: Planned| {
        let (inside, others) = std::mem::take(&mut inner)
            .into_iter()
            .partition(|inner| planned.users_place().is_some_and(|outer| lies_in(inner, outer)));
        inner = others;
        Tree { planned, inside: trees(inside) }
    };
    tops.into_iter().map(tree).collect()
}

/// What is made ready for one process.
pub(crate) struct Nest<'a> {
    pub(crate) shelf: Shelf,
    pub(crate) process: Option<&'a Process>,
    pub(crate) ids: &'a Ids,
}

impl Nest<'_> {
    /// The mounts that runc is told of for this tree.
    pub(crate) fn told(&mut self, tree: Tree, told: &mut Vec<Mount>) -> Result<(), Refused> {
        let Tree { mut planned, inside } = tree;
        let Some(source) = &planned.source else {
            told.push(planned.mount);
            return inside.into_iter().try_for_each(|tree| self.told(tree, told));
        };
        let outer = Unmounted::clone_of(source, attributes(&planned))?;
        planned.mount.set_source(Some(self.shelf.put(&outer)?));
        if !inside.is_empty() {
            with_all_inside(&mut planned.mount);
            self.fill(&planned, &outer, inside)?;
        }
        told.push(planned.mount);
        Ok(())
    }

    /// Mounts what lies inside on what is mounted already.
    fn fill(&self, planned: &Planned, outer: &Unmounted, inside: Vec<Tree>) -> Result<(), Refused> {
        for tree in inside {
            let mount = match &tree.planned.source {
                Some(source) => Unmounted::clone_of(source, attributes(&tree.planned))?,
                None => Unmounted::memory(&self.options(&tree.planned), attributes(&tree.planned))?,
            };
            self.mount(planned, outer, &tree.planned, &mount)?;
            self.fill(&tree.planned, &mount, tree.inside)?;
        }
        Ok(())
    }

    fn mount(
        &self,
        planned: &Planned,
        outer: &Unmounted,
        inner: &Planned,
        mount: &Unmounted,
    ) -> Result<(), Refused> {
        let (at, above) = (inner.mount.destination(), planned.mount.destination());
        let way = at.strip_prefix(above).unwrap_or(at);
        let is_dir = mount.top().is_dir();
        let find = || outer.top().place(way, is_dir);
        let found = match self.process {
            Some(process) if planned.kind != Kind::Memory => match self.ids.as_process(process, find)? {
                // A volume that an image asks for is root's inside, as is what the engine copies into it.
                Err(Errno::ACCESS) if planned.kind == Kind::Volume => self.ids.as_root(find)?,
                found => found,
            },
            // New, and nobody's yet.
            _ => find(),
        };
        let place = found.map_err(|errno| refused(at, above, errno))?;
        if place.is_dir() != is_dir {
            let (what, is) = if is_dir { ("a directory", "a file") } else { ("a file", "a directory") };
            let (at, above) = (at.display(), above.display());
            return Err(Refused::new(format!(
                "{what} is to be mounted at {at}, and in what is mounted at {above} {is} is there"
            )));
        }
        mount.onto(&place).map_err(|errno| refused(at, above, errno))
    }

    /// The memory's own options, its owner by the host's ids.
    fn options(&self, planned: &Planned) -> Vec<(String, String)> {
        let (uid, gid) = self.ids.root();
        let mut options =
            vec![("uid".to_owned(), uid.as_raw().to_string()), ("gid".to_owned(), gid.as_raw().to_string())];
        for (key, value) in
            planned.mount.options().iter().flatten().filter_map(|option| option.split_once('='))
        {
            let value = match (key, value.parse()) {
                ("uid", Ok(uid)) => self.ids.uid(uid).to_string(),
                ("gid", Ok(gid)) => self.ids.gid(gid).to_string(),
                _ => value.to_owned(),
            };
            options.push((key.to_owned(), value));
        }
        options
    }
}

fn refused(at: &Path, above: &Path, errno: Errno) -> Refused {
    let (at, above) = (at.display(), above.display());
    Refused::new(match errno {
        Errno::LOOP => format!("the mount at {at} leads through a link in what is mounted at {above}"),
        Errno::XDEV => format!("the mount at {at} leads into another mount in what is mounted at {above}"),
        errno => format!(
            "the place {at} in what is mounted at {above} is not there and cannot be made as its user: {errno}"
        ),
    })
}

/// What is not left to runc: for what lies inside it would do nothing, and for what is clean it does it again.
fn attributes(planned: &Planned) -> MountAttrFlags {
    let with_all = planned.mount.options().iter().flatten().any(|option| option == RECURSIVELY);
    let read_only = planned.kind == Kind::ReadOnly || with_all || planned.says("ro", "rw");
    let mut attributes = MountAttrFlags::empty();
    attributes.set(MountAttrFlags::MOUNT_ATTR_RDONLY, read_only);
    attributes.set(MountAttrFlags::MOUNT_ATTR_NOEXEC, planned.says("noexec", "exec"));
    attributes
}

/// Read-only with all that is mounted inside, as newer engines say it of what is to be read-only.
const RECURSIVELY: &str = "rro";

/// Bound with what lies inside, each of which is read-only or not by itself.
fn with_all_inside(mount: &mut Mount) {
    let options = mount.options().iter().flatten().filter(|option| *option != "bind");
    let options = options.map(|option| if option == RECURSIVELY { "ro" } else { option }.to_owned());
    let options = options.chain(["rbind".to_owned()]).collect();
    mount.set_options(Some(options));
}

#[cfg(test)]
mod tests;
