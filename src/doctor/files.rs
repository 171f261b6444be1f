//! The directories that the policy lets into containers: whose the way to them is, and what file system they lie on.

use super::Subject;
use super::finding::{Check, Finding, Severity};
use super::host::Host;
use super::look::Look;
use super::mounts::mounts;
use crate::mountinfo::{Mount, is_fuse};
use crate::policy::{Policy, RootKind, StageRoot};
use std::collections::BTreeSet;
use std::path::Path;

const PARENTS: Check = Check::new(
    "root-parents",
    "whoever can change a directory above a root decides what is mounted from it, so ie-mountd refuses it",
);
const IDMAP: Check = Check::new(
    "root-idmap",
    "only an idmapped mount keeps whatever becomes root in a container from leaving files that are not their owner's",
);

const ALWAYS_THERE: Check = Check::new(
    "always-mounts",
    "what the policy mounts in each container must be there, or nobody whom it is for starts anything",
);

/// One for what must be there, and one for each root: a server that is gone keeps nobody from the others. The table of mounts
/// is asked first, as it answers.
pub(super) fn looks(subject: &Subject) -> Vec<Look> {
    let Ok(policy) = &subject.policy else { return Vec::new() };
    let there = Look::new(ALWAYS_THERE, |subject, found| {
        found.extend(subject.policy.iter().map(|policy| always(&subject.host, policy)));
    });
    let roots = policy.roots().into_iter();
    let look = |root: StageRoot| {
        Look::new(PARENTS, move |subject, found| {
            let idmap = idmap(&mounts(&subject.host), &root);
            if idmap.severity > Severity::Ok {
                found.push(idmap.clone());
            }
            found.push(parents(&subject.host, &root));
            if idmap.severity == Severity::Ok && subject.host.look(&root.path).is_some() {
                found.push(idmap);
            }
        })
    };
    std::iter::once(there).chain(roots.map(look)).collect()
}

/// The same rule as ie-mountd's: homes lie in a directory of root's, and so does a shared root.
fn parents(host: &Host, root: &StageRoot) -> Finding {
    let shown = root.path.display();
    let alone = match root.kind {
        RootKind::Home => Some(root.path.as_path()),
        RootKind::Shared { .. } => root.path.parent(),
    };
    if let Some(fault) = alone.and_then(|path| host.not_roots_alone(path)) {
        return PARENTS.warning(
            format!("{shown}: {fault}"),
            "give that directory to root (chown root, chmod go-w), or name another one in the policy",
        );
    }
    match host.look(&root.path) {
        Some(_) => PARENTS.ok(format!("{shown} is reached through root's own directories")),
        None => PARENTS.notice(format!("{shown} is not there"), "make it, or take it out of the policy"),
    }
}

/// What nobody asked for, and is not there.
fn always(host: &Host, policy: &Policy) -> Finding {
    let missing: Vec<_> =
        policy.always_mounted().into_iter().filter(|path| host.look(path).is_none()).collect();
    let shown: Vec<_> = missing.iter().map(|path| path.display().to_string()).collect();
    match shown.is_empty() {
        true => ALWAYS_THERE.ok("nothing is missing"),
        false => ALWAYS_THERE.warning(
            format!("not there: {}", shown.join(", ")),
            "make it, or take its `always` out of the policy",
        ),
    }
}

/// Types of which no kernel idmaps a mount, or only with the server's consent.
const NEVER: [&str; 15] = [
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "afs",
    "lustre",
    "gpfs",
    "beegfs",
    "glusterfs",
    "ramfs",
    "vboxsf",
    "ecryptfs",
    "autofs",
];
/// Types that have been idmapped by every kernel that the gateway runs on.
const ALWAYS: [&str; 3] = ["ext4", "xfs", "btrfs"];

fn is_never(kind: &str) -> bool {
    NEVER.contains(&kind) || is_fuse(kind)
}

fn idmap(mounts: &[Mount], root: &StageRoot) -> Finding {
    let shown = root.path.display();
    // The last of those that are mounted over each other is the one that is seen.
    let own = mounts.iter().filter(|mount| root.path.starts_with(&mount.at));
    let own = own.max_by_key(|mount| mount.at.components().count()).map_or("", |mount| &mount.kind);
    // What a user mounts is no reason to change the policy for all: it is not staged, whatever the policy says.
    let inner = mounts.iter().filter(|mount| is_below(&mount.at, &root.path) && !mount.is_a_users());
    let inner = inner.filter(|mount| is_never(&mount.kind));
    let bad: BTreeSet<&str> =
        inner.map(|mount| mount.kind.as_str()).chain(is_never(own).then_some(own)).collect();
    let bad = bad.into_iter().collect::<Vec<_>>().join(", ");
    let kind = if own.is_empty() { "a file system that is not listed" } else { own };
    match (root.idmap, bad.as_str()) {
        (true, "") => IDMAP.ok(format!("{shown} is on {kind}")),
        (true, bad) => IDMAP.warning(
            format!("{shown} is on {bad}, which cannot be idmapped, so nothing below it is mounted"),
            "move it to ext4, xfs or btrfs; idmap = \"off\" in the policy gives one wall up",
        ),
        (false, "") if ALWAYS.contains(&kind) => IDMAP.warning(
            format!("{shown} has idmap = \"off\" and is on {kind}, which can be idmapped"),
            "take idmap = \"off\" out of the policy",
        ),
        (false, _) => IDMAP.notice(
            format!(
                "{shown} has idmap = \"off\" ({}): what mounts it is in the host's user namespace",
                if bad.is_empty() { kind } else { bad.as_str() }
            ),
            "let in it only users who trust each other's images, or move it to ext4, xfs or btrfs",
        ),
    }
}

fn is_below(path: &Path, root: &Path) -> bool {
    path != root && path.starts_with(root)
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::super::finding::Severity::*;

    const MOUNTS: &str = "20 1 8:1 / / rw - ext4 /dev/sda1 rw\n21 20 0:30 / /data rw - xfs /dev/sdb rw\n";

    fn fake(homes: &str) -> Fake {
        let fake = Fake::new();
        fake.policy(&format!("[gateway]\nuids = '1000-2000'\nhomes = [{homes}]\n"));
        fake.file("/proc/self/mountinfo", MOUNTS);
        fake
    }

    #[test]
    fn the_way_to_the_homes_is_roots_alone() {
        let fake = fake("'/srv/homes'");
        assert_eq!(fake.found("root-parents"), (Notice, "/srv/homes is not there".to_owned()));
        assert!(fake.all("root-idmap").is_empty(), "it lies on nothing");
        fake.dir("/srv/homes", 0o755);
        assert_eq!(fake.found("root-parents").0, Ok);
        fake.mode("/srv", 0o775);
        let (severity, seen) = fake.found("root-parents");
        assert!(severity == Warning && seen.contains("/srv can be written to"), "{seen}");
        fake.mode("/srv", 0o755);
        fake.owner("/srv/homes", 1000);
        let (severity, seen) = fake.found("root-parents");
        assert!(severity == Warning && seen.contains("belongs to uid 1000"), "{seen}");
    }

    #[test]
    fn a_link_on_the_way_is_named() {
        let fake = fake("'/users/all'");
        fake.dir("/srv/all", 0o755);
        fake.link("/users", "srv");
        let (severity, seen) = fake.found("root-parents");
        assert!(severity == Warning && seen.ends_with("/users is a symbolic link"), "{seen}");
    }

    #[test]
    fn a_shared_root_may_be_a_groups_but_not_what_is_above() {
        let fake = fake("");
        fake.policy("[gateway]\nuids = '1-9'\n[defaults]\nmounts = [{ source = '/data/x', mode = 'rw' }]\n");
        fake.dir("/data/x", 0o2775);
        assert_eq!(fake.found("root-parents").0, Ok);
        fake.mode("/data", 0o777);
        assert_eq!(fake.found("root-parents").0, Warning);
    }

    #[test]
    fn what_is_always_mounted_must_be_there() {
        let fake = fake("");
        assert_eq!(fake.found("always-mounts").0, Ok);
        let offers = "{ source = '/srv/a', mode = 'ro' }, { source = '/srv/b', mode = 'ro', always = true }";
        fake.policy(&format!("[gateway]\nuids = '1-9'\n[groups.x]\nmounts = [{offers}]\n"));
        assert_eq!(fake.found("always-mounts"), (Warning, "not there: /srv/b".to_owned()));
        fake.dir("/srv/b", 0o755);
        assert_eq!(fake.found("always-mounts").0, Ok);
    }

    #[test]
    fn the_file_system_decides_on_idmaps() {
        let fake = fake("'/home'");
        assert_eq!(fake.found("root-idmap"), (Ok, "/home is on ext4".to_owned()));
        for kind in ["nfs4", "fuse.sshfs", "ramfs"] {
            fake.file("/proc/self/mountinfo", &format!("{MOUNTS}22 20 0:31 / /home rw - {kind} x rw\n"));
            assert_eq!(fake.found("root-idmap").0, Warning, "{kind}");
        }
        // Each home a mount of its own; and a neighbour whose name begins alike.
        fake.file("/proc/self/mountinfo", &format!("{MOUNTS}22 20 0:31 / /home/an\\040n rw - nfs x rw\n"));
        assert_eq!(fake.found("root-idmap").0, Warning);
        fake.file("/proc/self/mountinfo", &format!("{MOUNTS}22 20 0:31 / /homes rw - nfs x rw\n"));
        assert_eq!(fake.found("root-idmap").0, Ok);
        for (uid, severity) in [(0, Warning), (1000, Ok)] {
            let of =
                format!("{MOUNTS}22 20 0:31 / /home/ann rw - fuse.sshfs x rw,user_id={uid},group_id=0\n");
            fake.file("/proc/self/mountinfo", &of);
            assert_eq!(fake.found("root-idmap").0, severity, "of uid {uid}");
        }
    }

    #[test]
    fn a_wall_that_is_off_is_said() {
        let fake = fake("{ path = '/home', idmap = 'off' }");
        assert_eq!(fake.found("root-idmap").0, Warning);
        fake.file("/proc/self/mountinfo", &format!("{MOUNTS}22 20 0:31 / /home rw - nfs4 x rw\n"));
        assert_eq!(fake.found("root-idmap").0, Notice);
    }
}
