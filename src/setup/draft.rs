//! The policy for a host that has none: the commented example with what this host needs in its places.

use super::homes::Root;
use super::seen::{Gpus, Seen};
use super::setting::{put_in_force, set};
use std::collections::BTreeSet;
use std::fmt;

/// The example that is installed, too.
const EXAMPLE: &str = include_str!("../../config/policy.toml");
/// Containers have at least so many ids of their own.
const FEWEST: u32 = 65536;
/// The greatest uid or gid that has a place in them: from where they usually begin (2100000000) to where systemd's begin.
pub(super) const GREATEST: u32 = 2_147_352_575 - 2_100_000_000;
/// Docker reads CDI specifications from this version on.
const READS_CDI: u32 = 25;

/// What was chosen, and why, in one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    what: &'static str,
    chosen: String,
    why: String,
}

impl Choice {
    pub(super) fn new(what: &'static str, chosen: impl Into<String>, why: impl Into<String>) -> Self {
        Self { what, chosen: chosen.into(), why: why.into() }
    }

    pub(super) fn left_out(what: &'static str, why: impl Into<String>) -> Self {
        Self::new(what, "left out", why)
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:7} {}: {}", self.what, self.chosen, self.why)
    }
}

/// A policy, and what it was made of.
#[derive(Debug)]
pub struct Draft {
    pub policy: String,
    pub choices: Vec<Choice>,
    /// How many ids containers must have at least, for all groups too.
    pub ids: u32,
    /// Whether the gateway must reach the driver.
    pub asks_driver: bool,
}

impl Draft {
    /// For an engine of this major version, where one is installed.
    pub fn of(seen: &Seen, engine: Option<u32>) -> Self {
        let (last, mut choices) = uids(seen);
        choices.extend(seen.of_roots.iter().cloned());
        choices.push(in_docker(&seen.in_docker));
        let (driver, of_gpus) = gpus(seen.gpus, engine);
        choices.push(of_gpus);
        let uids = format!("\"{}-{last}\"", seen.ids.first);
        let mut policy = EXAMPLE.to_owned();
        let settings = [
            ("uids", Some(uids)),
            ("homes", Some(homes(&seen.roots))),
            ("driver", driver.map(|word| format!("\"{word}\""))),
        ];
        if driver.is_some() {
            policy = put_in_force(&policy, "[gpus]");
        }
        for (key, value) in settings {
            policy = value.and_then(|value| set(&policy, key, &value)).unwrap_or(policy);
        }
        let ids = FEWEST.max(last.saturating_add(1)).max(seen.greatest_gid.saturating_add(1));
        Self { policy, choices, ids, asks_driver: seen.gpus.cards > 0 && seen.gpus.nvml }
    }
}

/// From the first id of people's to their last, or to that of whoever has a greater one.
fn uids(seen: &Seen) -> (u32, Vec<Choice>) {
    let (served, beyond): (Vec<_>, Vec<_>) =
        seen.people.values().partition(|account| account.uid <= GREATEST);
    let usual = seen.ids.last.min(GREATEST);
    let greatest = served.last().filter(|account| account.uid > usual);
    let last = greatest.map_or(usual, |account| account.uid);
    let count = match served.len() {
        1 => "one account".to_owned(),
        count => format!("{count} accounts"),
    };
    let why = match greatest {
        Some(account) => format!(
            "UID_MIN of /etc/login.defs, and up to {}, who has the greatest of {count}",
            account.login
        ),
        None => format!("UID_MIN and UID_MAX of /etc/login.defs; {count} found"),
    };
    let mut choices = vec![Choice::new("uids", format!("{}-{last}", seen.ids.first), why)];
    if let Some(first) = beyond.first() {
        let others = if beyond.len() > 1 { format!(" and {} more", beyond.len() - 1) } else { String::new() };
        choices.push(Choice::left_out(
            "uids",
            format!(
                "{} ({}){others}: above {GREATEST} nobody has a place among the ids that containers have of their own; \
                 userns = \"host\" serves them, with a wall less (docs/admin.md)",
                first.login, first.uid
            ),
        ));
    }
    (last, choices)
}

fn homes(roots: &[Root]) -> String {
    let quoted = |root: &Root| toml::Value::from(root.path.display().to_string()).to_string();
    let entry = |root: &Root| match root.idmap {
        true => quoted(root),
        false => format!("{{ path = {}, idmap = \"off\" }}", quoted(root)),
    };
    format!("[{}]", roots.iter().map(entry).collect::<Vec<_>>().join(", "))
}

fn in_docker(members: &BTreeSet<String>) -> Choice {
    match members.first() {
        None => Choice::new("docker", "nothing to do", "nobody is in group docker"),
        Some(first) => {
            let all = members.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            Choice::new(
                "docker",
                "not changed",
                format!("in group docker, and root by that: {all}; gpasswd -d {first} docker"),
            )
        }
    }
}

/// How the engine is asked for a card, and why.
fn gpus(gpus: Gpus, engine: Option<u32>) -> (Option<&'static str>, Choice) {
    let Gpus { cards, nvml, hook, cdi } = gpus;
    if cards == 0 {
        return (None, Choice::new("gpus", "none", "there is no card in /proc/driver/nvidia/gpus"));
    }
    let found = if nvml {
        "found through NVML"
    } else {
        "to be listed in [gpus], as libnvidia-ml.so.1 is not installed"
    };
    let chosen = match (hook, cdi && engine.is_some_and(|version| version >= READS_CDI)) {
        (true, _) => Some(("nvidia", "the toolkit's hook is installed")),
        (false, true) => Some(("cdi", "CDI specifications name them, and the engine reads those")),
        (false, false) => None,
    };
    match chosen {
        Some((driver, why)) => (
            Some(driver),
            Choice::new("gpus", format!("{cards}, driver = \"{driver}\""), format!("{why}; {found}")),
        ),
        None => {
            let todo = "nobody gets one before NVIDIA's container toolkit is installed; then `driver` in [gpus] says how";
            (None, Choice::new("gpus", cards.to_string(), format!("{todo}; {found}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::homes::Idmap;
    use super::super::seen::Names;
    use super::*;
    use crate::doctor::Host;
    use crate::policy::Policy;
    use std::path::Path;

    const PASSWD: &str = "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/bash\n";

    struct Fake {
        root: tempfile::TempDir,
        listed: &'static str,
        unlisted: &'static str,
        docker: &'static str,
    }

    impl Fake {
        fn new() -> Self {
            let root = tempfile::tempdir().unwrap();
            let fake = Self { root, listed: "", unlisted: "", docker: "docker:x:998:\n" };
            fake.dir("home");
            fake.file("etc/passwd", PASSWD);
            fake
        }

        fn dir(&self, path: &str) {
            std::fs::create_dir_all(self.root.path().join(path)).unwrap();
        }

        fn file(&self, path: &str, text: &str) {
            let path = self.root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }

        fn draft(&self, engine: Option<u32>) -> (Draft, String) {
            let getent = |words: &[&str]| match words {
                ["passwd"] => format!("{PASSWD}{}", self.listed),
                ["passwd", uids @ ..] => {
                    let is_asked =
                        |line: &&str| line.split(':').nth(2).is_some_and(|uid| uids.contains(&uid));
                    self.unlisted.lines().filter(is_asked).map(|line| format!("{line}\n")).collect()
                }
                ["initgroups", logins @ ..] => {
                    assert_eq!(logins, ["sss"], "only who is not listed is asked for");
                    "sss                   80000 90000 4000000000\n".to_owned()
                }
                ["group", "docker"] => self.docker.to_owned(),
                ["group"] => format!("root:x:0:\n{}huge:x:4000000000:\n", self.docker),
                _ => String::new(),
            };
            let try_idmap = |path: &Path| if path.starts_with("/nfs") { Idmap::Cannot } else { Idmap::Can };
            let names = Names { getent: &getent, try_idmap: &try_idmap };
            let draft = Draft::of(&Seen::of(&Host::new(self.root.path()), &names), engine);
            let told = draft.choices.iter().map(|choice| format!("{choice}\n")).collect();
            (draft, told)
        }
    }

    #[track_caller]
    fn policy(draft: &Draft) -> Policy {
        Policy::parse("policy.toml", &draft.policy)
            .unwrap_or_else(|wrong| panic!("{wrong}\n{}", draft.policy))
    }

    #[test]
    fn a_plain_host_gets_a_policy_that_is_one() {
        let (draft, told) = Fake::new().draft(Some(20));
        let policy = policy(&draft);
        assert_eq!(policy.gateway().uids().to_string(), "1000-60000");
        let homes: Vec<_> =
            policy.gateway().homes().iter().map(|home| (home.path().to_owned(), home.idmap())).collect();
        assert_eq!(homes, [("/home".into(), true)]);
        assert_eq!(draft.ids, 65536);
        assert!(!draft.asks_driver);
        let expected = "\
uids    1000-60000: UID_MIN and UID_MAX of /etc/login.defs; one account found
homes   /home: one home, and mounts of it can be idmapped
docker  nothing to do: nobody is in group docker
gpus    none: there is no card in /proc/driver/nvidia/gpus
";
        assert_eq!(told, expected);
    }

    #[test]
    fn whoever_a_directory_service_knows_gets_in() {
        let mut fake = Fake::new();
        fake.listed = "l-d.ap:x:70001:70000::/nfs/home/ldap:/bin/bash\n";
        fake.dir("nfs/home");
        let (draft, told) = fake.draft(None);
        let policy = policy(&draft);
        assert_eq!(policy.gateway().uids().to_string(), "1000-70001");
        assert_eq!(draft.ids, 70_002);
        let nfs = policy.gateway().homes().iter().find(|home| home.path() == Path::new("/nfs/home")).unwrap();
        assert!(!nfs.idmap(), "{told}");
        assert!(told.contains("up to l-d.ap, who has the greatest of 2 accounts"), "{told}");
    }

    /// SSSD lists nobody unless it is told to; whose homes are there is asked for one by one.
    #[test]
    fn whoever_owns_a_home_is_asked_for() {
        assert!(rustix::process::geteuid().is_root(), "this test gives files other owners: run it as root");
        let mut fake = Fake::new();
        fake.unlisted =
            "sss:x:80000:80000::/home/sss:/bin/bash\nsvc:x:80001:80001::/home/svc:/usr/sbin/nologin\n";
        for (name, uid) in [("sss", 80_000), ("svc", 80_001), ("nobodys", 80_002)] {
            fake.dir(&format!("home/{name}"));
            std::os::unix::fs::chown(fake.root.path().join("home").join(name), Some(uid), None).unwrap();
        }
        let (draft, told) = fake.draft(None);
        assert_eq!(policy(&draft).gateway().uids().to_string(), "1000-80000", "{told}");
        // Of each group of theirs, too, which nobody lists either.
        assert_eq!(draft.ids, 90_001);
    }

    #[test]
    fn whom_no_range_has_room_for_is_named() {
        let mut fake = Fake::new();
        fake.listed = "ad:x:1234500000:5::/home/ad:/bin/bash\n";
        let (draft, told) = fake.draft(None);
        assert_eq!(policy(&draft).gateway().uids().to_string(), "1000-60000");
        assert!(
            told.contains("left out: ad (1234500000): above") && told.contains("userns = \"host\""),
            "{told}"
        );
    }

    #[test]
    fn who_is_root_by_a_group_is_told_and_not_changed() {
        let mut fake = Fake::new();
        fake.docker = "docker:x:998:bob\n";
        fake.listed = "eve:x:1002:998::/home/eve:/bin/sh\n";
        let (_, told) = fake.draft(None);
        assert!(
            told.contains(
                "docker  not changed: in group docker, and root by that: bob, eve; gpasswd -d bob docker"
            ),
            "{told}"
        );
    }

    #[test]
    fn cards_are_asked_for_as_the_toolkit_has_it() {
        let fake = Fake::new();
        fake.dir("proc/driver/nvidia/gpus/0000:01:00.0");
        let (draft, told) = fake.draft(Some(28));
        assert!(told.contains("gpus    1: nobody gets one before") && !draft.asks_driver, "{told}");
        fake.file("etc/cdi/nvidia.yaml", "kind: nvidia.com/gpu\n");
        fake.file("usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1", "");
        let driver = |engine| {
            let (draft, _) = fake.draft(engine);
            assert!(draft.asks_driver);
            (policy(&draft).gpus().driver(), draft.policy.contains("\n[gpus]"))
        };
        assert_eq!(driver(Some(28)), (crate::policy::Driver::Cdi, true));
        assert_eq!(driver(Some(20)), (crate::policy::Driver::Nvidia, false));
        fake.file("usr/bin/nvidia-container-runtime-hook", "");
        assert_eq!(driver(Some(28)), (crate::policy::Driver::Nvidia, true));
    }
}
