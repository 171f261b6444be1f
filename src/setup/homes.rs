//! Where homes lie: which directories the policy names, and whether what is below them can be idmapped.

use super::account::Account;
use super::draft::Choice;
use crate::doctor::{Host, mounts};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What it said when a directory was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Idmap {
    Can,
    Cannot,
    /// It is not there, or cannot be tried.
    Unknown,
    /// Its server hangs.
    NoAnswer,
}

/// One of `gateway.homes`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    pub path: PathBuf,
    pub idmap: bool,
}

/// So many homes of each directory are tried: each may be a mount of its own.
const SAMPLES: usize = 3;
/// Where homes will lie on a host that has none yet.
const USUAL: &str = "/home";

/// The directories above homes, with the homes of accounts in each.
pub(super) fn parents(accounts: &[Account]) -> BTreeMap<PathBuf, Vec<&Path>> {
    let mut found: BTreeMap<PathBuf, Vec<&Path>> = BTreeMap::new();
    for account in accounts {
        if let Some(parent) = account.home.parent().filter(|parent| parent.parent().is_some()) {
            found.entry(parent.to_owned()).or_default().push(&account.home);
        }
    }
    if found.is_empty() {
        found.insert(USUAL.into(), Vec::new());
    }
    found
}

/// Those that can be named in a policy, and why they are named as they are, or not.
pub(super) fn roots(
    host: &Host,
    accounts: &[Account],
    try_idmap: &dyn Fn(&Path) -> Idmap,
) -> (Vec<Root>, Vec<Choice>) {
    let (mut roots, mut choices) = (Vec::new(), Vec::new());
    // What a user has mounted over a home tells of no file system of the host's, and gives up no wall for all others.
    let of_users: Vec<PathBuf> =
        mounts(host).into_iter().filter(|mount| mount.is_a_users()).map(|mount| mount.at).collect();
    let is_the_hosts = |home: &&Path| !of_users.iter().any(|at| home.starts_with(at));
    for (path, homes) in parents(accounts) {
        let shown = path.display();
        let itself = try_idmap(&path);
        if itself == Idmap::NoAnswer {
            choices.push(Choice::left_out("homes", format!("{shown}: its file system does not answer")));
            continue;
        }
        if host.look(&path).is_none() {
            choices.push(Choice::left_out("homes", format!("{shown}, which is not there")));
            continue;
        }
        if let Some(fault) = host.not_roots_alone(&path) {
            choices.push(Choice::left_out(
                "homes",
                format!("{shown}: {fault}, and whoever can change it decides what is mounted"),
            ));
            continue;
        }
        let homes: Vec<&Path> = homes.into_iter().filter(is_the_hosts).collect();
        let (root, choice) = judged(path, itself, &homes, try_idmap);
        roots.push(root);
        choices.push(choice);
    }
    (roots, choices)
}

/// What lies below counts, where anything does: the directory itself may be an automounter's.
fn judged(
    path: PathBuf,
    itself: Idmap,
    homes: &[&Path],
    try_idmap: &dyn Fn(&Path) -> Idmap,
) -> (Root, Choice) {
    let tried: Vec<(&Path, Idmap)> =
        homes.iter().take(SAMPLES).map(|home| (*home, try_idmap(home))).collect();
    let cannot = tried.iter().find(|(_, told)| *told == Idmap::Cannot).map(|(home, _)| *home);
    let can = tried.iter().any(|(_, told)| *told == Idmap::Can);
    let count = match homes.len() {
        0 => "nobody's home yet".to_owned(),
        1 => "one home".to_owned(),
        more => format!("{more} homes"),
    };
    let shown = path.display().to_string();
    let refuses = cannot.or_else(|| (itself == Idmap::Cannot && !can).then_some(path.as_path()));
    let choice = match refuses {
        Some(place) => {
            let seen = format!("{} cannot be idmapped", place.display());
            Choice::new(
                "homes",
                format!("{shown} with idmap = \"off\""),
                format!(
                    "{count}; {seen}, as NFS: containers that mount it are in the host's user namespace, one wall less"
                ),
            )
        }
        None => Choice::new("homes", shown, format!("{count}, and mounts of it can be idmapped")),
    };
    let idmap = refuses.is_none();
    (Root { path, idmap }, choice)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(home: &str) -> Account {
        Account::read(&format!("x:x:1000:1000::{home}:/bin/sh")).unwrap()
    }

    fn found(
        root: &Path,
        homes: &[&str],
        told: &dyn Fn(&Path) -> Idmap,
    ) -> (Vec<(String, bool)>, Vec<String>) {
        let accounts: Vec<_> = homes.iter().map(|home| account(home)).collect();
        let (roots, choices) = roots(&Host::new(root), &accounts, told);
        let roots = roots.into_iter().map(|root| (root.path.display().to_string(), root.idmap)).collect();
        (roots, choices.iter().map(ToString::to_string).collect())
    }

    fn host(dirs: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for dir in dirs {
            std::fs::create_dir_all(root.path().join(dir)).unwrap();
        }
        root
    }

    #[test]
    fn the_directories_above_homes_are_named_once() {
        let host = host(&["home", "nfs/home"]);
        let (roots, told) =
            found(host.path(), &["/home/ann", "/home/bob", "/nfs/home/eve", "/gone/x", "/top"], &|path| {
                if path.starts_with("/nfs/home/eve") { Idmap::Cannot } else { Idmap::Can }
            });
        assert_eq!(roots, [("/home".to_owned(), true), ("/nfs/home".to_owned(), false)]);
        assert!(told.iter().any(|line| line.contains("/gone, which is not there")), "{told:?}");
        assert!(told.iter().any(|line| line.contains("one wall less")), "{told:?}");
    }

    #[test]
    fn what_a_user_has_mounted_over_a_home_decides_nothing() {
        let host = host(&["home", "proc/self"]);
        let cannot_ann = |path: &Path| if path.ends_with("ann") { Idmap::Cannot } else { Idmap::Can };
        let with_owner = |uid: u32| {
            let line = format!("22 20 0:31 / /home/ann rw - fuse.sshfs x rw,user_id={uid},group_id=0\n");
            std::fs::write(host.path().join("proc/self/mountinfo"), line).unwrap();
            found(host.path(), &["/home/ann", "/home/bob"], &cannot_ann).0
        };
        assert_eq!(with_owner(0), [("/home".to_owned(), false)]);
        assert_eq!(with_owner(1000), [("/home".to_owned(), true)]);
    }

    #[test]
    fn what_lies_below_counts_and_not_the_automounter() {
        let host = host(&["home"]);
        let told = |below: Idmap| {
            found(host.path(), &["/home/ann"], &move |path| {
                if path == "/home" { Idmap::Cannot } else { below }
            })
            .0
        };
        assert_eq!(told(Idmap::Can), [("/home".to_owned(), true)]);
        assert_eq!(told(Idmap::Unknown), [("/home".to_owned(), false)]);
        assert_eq!(found(host.path(), &[], &|_| Idmap::Can).0, [("/home".to_owned(), true)]);
    }

    #[test]
    fn what_hangs_or_is_others_is_left_out() {
        let host = host(&["home", "srv"]);
        std::os::unix::fs::symlink("home", host.path().join("users")).unwrap();
        let (roots, told) = found(host.path(), &["/home/a", "/users/b", "/srv/c"], &|path| {
            if path == "/srv" { Idmap::NoAnswer } else { Idmap::Can }
        });
        assert_eq!(roots, [("/home".to_owned(), true)]);
        assert!(told.iter().any(|line| line.contains("/users is a symbolic link")), "{told:?}");
        assert!(told.iter().any(|line| line.contains("/srv: its file system does not answer")), "{told:?}");
    }
}
