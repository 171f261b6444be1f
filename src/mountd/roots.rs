//! The directories below which ie-mountd stages, and for whom.

use super::error::Error;
use crate::policy::{HostGroups, Policy, Remap, RootKind, StageRoot, UidRange};
use crate::protocol::escape::escape_line;
use crate::protocol::stage::{Access, Map, Place, Shape, Stage};
use crate::protocol::told::told;
use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// The most gids one stage maps.
const MOST_GIDS: usize = 64;

/// The most directories and files that are made inside a hollow stage: a container has 32 mounts, and a path a few names.
const MOST_INSIDE: usize = 1024;

/// The ids that the gateway has itself, which no stage is for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gateway {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// All roots, the uids that stages may be made for, and where the engine's socket shows which group may speak to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Roots {
    uids: UidRange,
    engine: PathBuf,
    list: Vec<StageRoot>,
    /// Where the ids of containers begin, if the engine gives them a user namespace of their own.
    remap: Option<Remap>,
}

/// A stage that the policy allows, as far as the request's words go; made only by [`Roots::admit`].
#[derive(Debug, Clone)]
pub(super) struct Admitted {
    uid: u32,
    gids: Vec<u32>,
    root: StageRoot,
    relative: PathBuf,
    access: Access,
    shape: Option<Shape>,
    map: Map,
}

impl Roots {
    pub(super) fn of(policy: &Policy) -> Self {
        let gateway = policy.gateway();
        let (uids, engine) = (gateway.uids(), gateway.engine().to_owned());
        Self { uids, engine, list: policy.roots(), remap: policy.remap() }
    }

    /// The gids that no stage maps, as the host has them now.
    pub(super) fn host_groups(&self, gateway: Gateway) -> Result<HostGroups, Error> {
        let read = HostGroups::read(&self.engine);
        let mut groups = read.map_err(Error::system("looking for the host's own groups"))?;
        groups.add([gateway.gid]);
        Ok(groups)
    }

    /// Decides on a request's words; what they name is looked at when it is opened.
    pub(super) fn admit(&self, ask: &Stage, gateway: Gateway, never: &HostGroups) -> Result<Admitted, Error> {
        if !self.uids.contains(ask.uid) || ask.uid == gateway.uid {
            return Err(Error::Uid(ask.uid));
        }
        let gids = plain_gids(&ask.gids, never)?;
        let root = self.named(&ask.root)?.clone();
        if !self.maps_of(&root).any(|map| map == ask.map) {
            return Err(Error::OtherPolicy(root.path));
        }
        self.in_range(ask)?;
        let relative = plain_path(&ask.relative)?;
        match (root.kind, ask.access) {
            (RootKind::Home, _) if relative.as_os_str().is_empty() => {
                return Err(Error::RootOfHomes(root.path));
            }
            (RootKind::Shared { writable: false }, Access::ReadWrite) => {
                return Err(Error::ReadOnlyRoot(root.path));
            }
            _ => {}
        }
        let (uid, access, shape, map) = (ask.uid, ask.access, ask.shape, ask.map);
        Ok(Admitted { uid, gids, root, relative, access, shape, map })
    }

    /// The maps that a stage of this root may have. Where a root is not idmapped, a container that mounts it is in the
    /// host's user namespace with whatever else it mounts.
    fn maps_of(&self, root: &StageRoot) -> impl Iterator<Item = Map> {
        let hosts = self.remap.is_none() || self.list.iter().any(|root| !root.idmap);
        let shown = if root.group { Map::Group } else { Map::Shifted };
        let shifted = self.remap.map(|remap| shown(remap.shift()));
        let maps = match root.idmap {
            true => [shifted, hosts.then_some(Map::Same)],
            false => [Some(Map::Off), None],
        };
        maps.into_iter().flatten()
    }

    /// What a stage shows to a container of a remapped engine stays in the range of that engine.
    fn in_range(&self, ask: &Stage) -> Result<(), Error> {
        let (Some(remap), Map::Shifted(_) | Map::Group(_)) = (self.remap, ask.map) else { return Ok(()) };
        if !remap.uids.covers(ask.uid) {
            return Err(Error::BeyondRange { what: "uid", id: ask.uid, count: remap.uids.count() });
        }
        match ask.gids.iter().find(|gid| !remap.gids.covers(**gid)) {
            Some(gid) => Err(Error::BeyondRange { what: "gid", id: *gid, count: remap.gids.count() }),
            None => Ok(()),
        }
    }

    fn named(&self, path: &Path) -> Result<&StageRoot, Error> {
        // Byte by byte: `Path` would take `/home/` for `/home`.
        let same = |root: &&StageRoot| root.path.as_os_str() == path.as_os_str();
        self.list.iter().find(same).ok_or_else(|| Error::NotARoot(path.to_owned()))
    }
}

impl Admitted {
    pub(super) fn uid(&self) -> u32 {
        self.uid
    }

    /// Each once, the primary one first; none of the host's own.
    pub(super) fn gids(&self) -> &[u32] {
        &self.gids
    }

    pub(super) fn root(&self) -> &StageRoot {
        &self.root
    }

    pub(super) fn relative(&self) -> &Path {
        &self.relative
    }

    pub(super) fn access(&self) -> Access {
        self.access
    }

    /// What it must be, if it was staged before.
    pub(super) fn shape(&self) -> Option<Shape> {
        self.shape
    }

    pub(super) fn map(&self) -> Map {
        self.map
    }

    /// The whole path, for messages.
    pub(super) fn path(&self) -> PathBuf {
        self.root.path.join(&self.relative)
    }
}

fn plain_gids(gids: &[u32], never: &HostGroups) -> Result<Vec<u32>, Error> {
    if gids.is_empty() || gids.len() > MOST_GIDS {
        return Err(Error::BadRequest(told!("a stage has 1 to {MOST_GIDS} gids, not {}", gids.len())));
    }
    if let Some(bad) = gids.iter().find(|gid| never.contains(**gid)) {
        return Err(Error::HostGroup(*bad));
    }
    let mut seen = BTreeSet::new();
    Ok(gids.iter().copied().filter(|gid| seen.insert(*gid)).collect())
}

/// Whether all of these may be made inside a hollow stage.
pub(super) fn places(inside: &[Place]) -> Result<(), Error> {
    for place in inside {
        if plain_path(&place.path)?.as_os_str().is_empty() {
            return Err(Error::BadRequest(told!("a place inside a stage is not the stage itself")));
        }
    }
    match inside.iter().map(|place| place.path.iter().count()).sum::<usize>() {
        names if names > MOST_INSIDE => Err(Error::BadRequest(told!(
            "the places inside a stage have {names} names, and at most {MOST_INSIDE} are made"
        ))),
        _ => Ok(()),
    }
}

fn plain_path(path: &Path) -> Result<PathBuf, Error> {
    let bytes = path.as_os_str().as_bytes();
    let plain = path.components().all(|part| matches!(part, Component::Normal(_))) && !bytes.contains(&0);
    // `components` swallows `a/./b` and `a//b`: what was asked must be what is opened.
    let exact = path.components().collect::<PathBuf>().as_os_str() == path.as_os_str();
    if plain && exact {
        Ok(path.to_owned())
    } else {
        Err(Error::BadRequest(told!(
            "{} is not a plain path below a root",
            escape_line(&path.to_string_lossy())
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::stage::{Reason, Token};

    fn roots() -> Roots {
        let root = |path: &str, kind| StageRoot { path: path.into(), kind, idmap: true, group: false };
        Roots {
            uids: "1000-4294967294".parse().unwrap(),
            engine: "/nonexistent".into(),
            remap: None,
            list: vec![
                root("/home", RootKind::Home),
                root("/data", RootKind::Shared { writable: false }),
                root("/scratch", RootKind::Shared { writable: true }),
            ],
        }
    }

    fn ask(root: &str, relative: &str) -> Stage {
        Stage {
            token: Token::from_bytes([7; 16]),
            uid: 5001,
            gids: vec![5001, 6000],
            root: root.into(),
            relative: relative.into(),
            access: Access::ReadOnly,
            shape: None,
            map: Map::Same,
        }
    }

    const GATEWAY: Gateway = Gateway { uid: 5900, gid: 5900 };

    fn admitted(ask: &Stage) -> Result<Admitted, Error> {
        let mut never = HostGroups::default();
        never.add([27, GATEWAY.gid]);
        roots().admit(ask, GATEWAY, &never)
    }

    fn verdict(ask: &Stage) -> Option<Reason> {
        match admitted(ask).err()?.answer() {
            crate::protocol::stage::Answer::Refused { reason, .. } => Some(reason),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_the_policy_names_is_admitted() {
        for (root, relative) in [("/home", "ann"), ("/home", "ann/a b/…"), ("/data", ""), ("/scratch", "x")]
        {
            assert_eq!(verdict(&ask(root, relative)), None, "{root} {relative}");
        }
        let twice = Stage { gids: vec![6000, 5001, 6000], ..ask("/home", "ann") };
        assert_eq!(admitted(&twice).unwrap().gids(), [6000, 5001]);
    }

    #[test]
    fn only_users_of_the_policy_have_stages() {
        for uid in [0, 999, 65534, u32::MAX, GATEWAY.uid] {
            assert_eq!(verdict(&Stage { uid, ..ask("/home", "ann") }), Some(Reason::NotAllowed), "{uid}");
        }
    }

    #[test]
    fn the_hosts_own_groups_are_never_mapped() {
        let said = |gids| verdict(&Stage { gids, ..ask("/home", "ann") });
        for gids in
            [vec![0], vec![5001, 0], vec![u32::MAX], vec![27], vec![5001, 27], vec![5001, GATEWAY.gid]]
        {
            assert_eq!(said(gids), Some(Reason::NotAllowed));
        }
        for gids in [vec![], (100..165).collect()] {
            assert_eq!(said(gids), Some(Reason::BadRequest));
        }
        assert!(roots().host_groups(GATEWAY).unwrap().contains(GATEWAY.gid));
    }

    #[test]
    fn a_root_is_named_exactly() {
        for root in ["/home/", "/home/.", "//home", "/", "", "home", "/home/ann", "/etc", "/HOME"] {
            assert_eq!(verdict(&ask(root, "ann")), Some(Reason::NotAllowed), "{root}");
        }
    }

    #[test]
    fn a_path_stays_below_its_root() {
        for path in
            ["..", "ann/..", "ann/../bob", ".", "./ann", "ann/.", "ann/./x", "ann//x", "ann/", "/ann", "a\0b"]
        {
            assert_eq!(verdict(&ask("/home", path)), Some(Reason::BadRequest), "{path:?}");
        }
        assert_eq!(verdict(&ask("/home", "")), Some(Reason::NotAllowed));
    }

    #[test]
    fn places_inside_are_plain_and_few() {
        let said = |path: &str, count| {
            let place = Place { path: path.into(), shape: Shape::Directory };
            places(&vec![place; count]).is_ok()
        };
        assert!(said("a", 32) && said("a/b/c", 32) && said("a/b", MOST_INSIDE / 2));
        assert!(!said("a/b", MOST_INSIDE / 2 + 1));
        for path in ["", "/", "/a", "..", "a/..", "../a", ".", "a/./b", "a//b", "a\0"] {
            assert!(!said(path, 1), "{path:?}");
        }
    }

    #[test]
    fn two_policies_that_differ_stage_nothing() {
        let other = Stage { map: Map::Off, ..ask("/home", "ann") };
        assert_eq!(verdict(&other), Some(Reason::NotAllowed));
        assert!(admitted(&other).unwrap_err().may_be_stale());
        assert!(admitted(&ask("/elsewhere", "x")).unwrap_err().may_be_stale());
        assert!(!admitted(&ask("/home", "..")).unwrap_err().may_be_stale());
    }

    #[test]
    fn a_root_offered_read_only_stays_so() {
        let write = |root: &str| verdict(&Stage { access: Access::ReadWrite, ..ask(root, "x") });
        assert_eq!(write("/data"), Some(Reason::NotAllowed));
        assert_eq!(write("/scratch"), None);
    }
}
