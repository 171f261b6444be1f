//! The ids that containers have on the host: nobody else may have them, today or later.

use super::Subject;
use super::finding::{Check, Finding};
use super::host::Host;
use super::look::Found;
use crate::policy::{IdRange, Remap, UidRange};
use nix::unistd::{Gid, Group, Uid, User};
use std::collections::BTreeSet;

pub(super) const ACCOUNTS: Check = Check::new(
    "range-accounts",
    "a container's process is this account to the host, and whoever has the account reaches into containers",
);
const SERVICES: Check =
    Check::new("range-services", "who else hands out ids may hand out those of containers, one day");

/// What systemd gives to the containers and images of its own: <https://systemd.io/UIDS-GIDS/>.
const SYSTEMD: [(u32, u32); 2] = [(524_288, 1_879_048_191), (2_147_352_576, 2_147_418_111)];
/// What SSSD makes ids of directory accounts out of, unless it is told otherwise; sssd-ldap(5).
const SSSD: (u32, u32) = (200_000, 2_000_200_000);
/// How many of the host's accounts are looked up by the id that they have in a container.
const MOST_ASKED: usize = 100;

pub(super) fn examine(subject: &Subject, found: &mut Found) {
    let Ok(policy) = &subject.policy else { return };
    let Some(remap) = policy.remap() else {
        found.push(ACCOUNTS.ok("containers have no ids of their own"));
        found.push(SERVICES.ok("containers have no ids of their own"));
        return;
    };
    found.push(accounts(&subject.host, remap, policy.gateway().uids()));
    found.push(services(&subject.host, remap));
}

fn accounts(host: &Host, remap: Remap, uids: UidRange) -> Finding {
    let user = |id| User::from_uid(Uid::from_raw(id)).ok().flatten().map(|user| user.name);
    let group = |id| Group::from_gid(Gid::from_raw(id)).ok().flatten().map(|group| group.name);
    let mut seen = names(host, "/etc/passwd", "user", remap.uids, uids, user);
    seen.extend(names(host, "/etc/group", "group", remap.gids, uids, group));
    match seen.is_empty() {
        true => ACCOUNTS.ok("nobody else's, as far as it can be asked"),
        false => ACCOUNTS.warning(
            seen.into_iter().collect::<Vec<_>>().join(", "),
            "give the engine another range in /etc/subuid and /etc/subgid (docs/admin.md), or the account another id",
        ),
    }
}

/// Whoever of this file has an id of the range, and whoever the name service knows by some of its ids: those at the ends, and
/// those that accounts of the host have in a container.
fn names(
    host: &Host,
    file: &str,
    word: &str,
    range: IdRange,
    uids: UidRange,
    known: impl Fn(u32) -> Option<String>,
) -> BTreeSet<String> {
    let all = ids(host, file);
    let listed = all.iter().filter(|(_, id)| range.inside(*id).is_some());
    let mut seen: BTreeSet<_> = listed.map(|(name, id)| format!("{word} {name} ({id})")).collect();
    if host.is_this_one() {
        host.asks_the_name_service();
        let ends = [0, 1, uids.first(), uids.last(), range.count().saturating_sub(1)];
        let inside = ends.into_iter().chain(all.iter().map(|(_, id)| *id).take(MOST_ASKED));
        let outside = inside.filter(|id| range.covers(*id)).filter_map(|id| range.first().checked_add(id));
        seen.extend(outside.filter_map(|id| Some(format!("{word} {} ({id})", known(id)?))));
    }
    seen
}

/// The names and ids of a file such as /etc/passwd.
fn ids(host: &Host, file: &str) -> Vec<(String, u32)> {
    let text = host.text(file).unwrap_or_default();
    let id = |line: &str| {
        let mut cells = line.split(':');
        Some((cells.next()?.to_owned(), cells.nth(1)?.parse().ok()?))
    };
    text.lines().filter_map(id).collect()
}

fn services(host: &Host, remap: Remap) -> Finding {
    let meets = |(first, last): (u32, u32)| {
        [remap.uids, remap.gids]
            .iter()
            .any(|range| range.meets(first, last))
            .then_some(format!("{first}-{last}"))
    };
    let systemd =
        SYSTEMD.into_iter().find_map(meets).map(|range| format!("systemd's containers have {range}"));
    let sssd = sssd(host).and_then(meets).map(|range| format!("SSSD makes ids of {range}"));
    let seen: Vec<_> = [systemd, sssd, subid(host)].into_iter().flatten().collect();
    match seen.is_empty() {
        true => SERVICES.ok("no other range is known that meets it"),
        false => SERVICES.warning(
            seen.join("; "),
            "the range that docs/admin.md names is in nobody's way; containers and images are made anew then",
        ),
    }
}

/// The ids that SSSD makes of accounts, as its configuration says it, if there is one.
fn sssd(host: &Host) -> Option<(u32, u32)> {
    let more = host.names("/etc/sssd/conf.d").into_iter().filter(|name| name.ends_with(".conf"));
    let files = more.map(|name| format!("/etc/sssd/conf.d/{name}")).chain(["/etc/sssd/sssd.conf".to_owned()]);
    let texts: Vec<_> = files.filter_map(|file| host.text(file)).collect();
    let values = |key: &str| -> Vec<u32> {
        let lines = texts.iter().flat_map(|text| text.lines());
        let value = |line: &str| {
            let (name, value) = line.split_once('=')?;
            (name.trim() == key).then(|| value.trim().parse().ok())?
        };
        lines.filter_map(value).collect()
    };
    // Each domain may have its own: all of them together are avoided.
    let first = values("ldap_idmap_range_min").into_iter().min().unwrap_or(SSSD.0);
    let last = values("ldap_idmap_range_max").into_iter().max().unwrap_or(SSSD.1);
    (!texts.is_empty()).then_some((first, last))
}

/// A directory of subordinate ids in the place of the files that the engine's range stands in.
fn subid(host: &Host) -> Option<String> {
    let text = host.text("/etc/nsswitch.conf")?;
    let line = text.lines().find_map(|line| line.trim().strip_prefix("subid:"))?;
    let words = line.split('#').next().unwrap_or_default();
    words
        .split_whitespace()
        .find(|word| *word != "files")
        .map(|word| format!("subordinate ids come from {word}"))
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::super::finding::Severity::*;

    const PASSWD: &str = "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n";

    fn fake(first: u32) -> Fake {
        let fake = Fake::new();
        fake.remap(first, 65536);
        fake.file("/etc/passwd", PASSWD);
        fake.file("/etc/group", "root:x:0:\n");
        fake
    }

    #[test]
    fn an_account_of_the_range_is_named() {
        let fake = fake(2_100_000_000);
        assert_eq!(fake.found("range-accounts").0, Ok);
        fake.file("/etc/passwd", &format!("{PASSWD}eve:x:2100001000:5::/:/bin/sh\n"));
        fake.file("/etc/group", "staff:x:2100065535:\nothers:x:2100065536:\n");
        let seen = "group staff (2100065535), user eve (2100001000)".to_owned();
        assert_eq!(fake.found("range-accounts"), (Warning, seen));
        let without = Fake::new();
        assert_eq!(without.found("range-accounts").1, "containers have no ids of their own");
    }

    #[test]
    fn the_name_service_is_asked_on_the_machine_itself() {
        use crate::doctor::Host;
        use crate::policy::{IdRange, Remap};
        let range = IdRange::fake(0, 65536);
        let remap = Remap { uids: range, gids: range };
        let found = super::accounts(&Host::new("/".as_ref()), remap, "1000-2000".parse().unwrap());
        assert!(
            found.seen.contains("user root (0)") && found.seen.contains("group root (0)"),
            "{}",
            found.seen
        );
    }

    #[test]
    fn ranges_of_others_are_named() {
        let meets = |first: u32| fake(first).found("range-services");
        assert_eq!(meets(2_100_000_000).0, Ok);
        for first in [524_288, 1_879_048_191, 2_147_352_576 - 65_535] {
            let (severity, seen) = meets(first);
            assert!(severity == Warning && seen.contains("systemd"), "{first}: {seen}");
        }
    }

    #[test]
    fn what_sssd_is_told_counts_and_its_own_where_it_is_told_nothing() {
        let fake = fake(2_000_000_000);
        assert_eq!(fake.found("range-services").0, Ok);
        fake.file("/etc/sssd/sssd.conf", "[sssd]\ndomains = x\n[domain/x]\nid_provider = ad\n");
        assert_eq!(fake.found("range-services"), (Warning, "SSSD makes ids of 200000-2000200000".to_owned()));
        fake.file("/etc/sssd/conf.d/range.conf", "[domain/x]\nldap_idmap_range_max = 1999999999\n");
        assert_eq!(fake.found("range-services").0, Ok);
        fake.file("/etc/sssd/conf.d/y.conf", "[domain/y]\nldap_idmap_range_max=2147483647\n");
        assert_eq!(fake.found("range-services").0, Warning);
    }

    #[test]
    fn a_directory_of_subordinate_ids_is_named() {
        let fake = fake(2_100_000_000);
        fake.file("/etc/nsswitch.conf", "passwd: files sss\nsubid: files\n");
        assert_eq!(fake.found("range-services").0, Ok);
        fake.file("/etc/nsswitch.conf", "passwd: files\nsubid: sss\n");
        assert_eq!(fake.found("range-services"), (Warning, "subordinate ids come from sss".to_owned()));
    }
}
