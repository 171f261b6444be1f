//! Who is in a group that is worth the machine.

use super::Subject;
use super::finding::{Check, Finding};
use super::host::Host;
use super::look::Found;
use crate::protocol::layout::{ENGINE_USER, GATEWAY_USER};
use std::collections::BTreeSet;

pub(super) const ENGINE: Check =
    Check::new("docker-group", "whoever may open the engine's socket is root, whatever the policy says");
const OTHERS: Check = Check::new("root-groups", "their members can make themselves root without the gateway");
const NETWORK: Check = Check::new(
    "network-accounts",
    "members of the engine's group that come out of a directory do not stand in /etc/passwd",
);

/// Groups whose members reach disks, memory or another engine.
const WORTH_ROOT: [&str; 5] = ["disk", "kmem", "lxd", "incus", "incus-admin"];

pub(super) fn examine(subject: &Subject, found: &mut Found) {
    let host = &subject.host;
    let socket = host.look(host.resolved(&subject.engine.socket)).map(|look| look.gid);
    let engine: Vec<Group> = groups(host)
        .into_iter()
        .filter(|group| group.name == "docker" || Some(group.gid) == socket)
        .collect();
    found.push(members(ENGINE, host, &engine, Check::danger));
    let others: Vec<Group> =
        groups(host).into_iter().filter(|group| WORTH_ROOT.contains(&group.name.as_str())).collect();
    found.push(members(OTHERS, host, &others, Check::warning));
    found.push(network_accounts(host));
}

/// One line of /etc/group.
#[derive(Debug)]
struct Group {
    name: String,
    gid: u32,
    members: Vec<String>,
}

fn groups(host: &Host) -> Vec<Group> {
    let text = host.text("/etc/group").unwrap_or_default();
    let group = |line: &str| {
        let mut cells = line.split(':');
        let (name, gid) = (cells.next()?.to_owned(), cells.nth(1)?.parse::<u32>().ok()?);
        let listed = cells.next().unwrap_or_default().split(',');
        let mut members: Vec<_> = listed.filter(|name| !name.is_empty()).map(str::to_owned).collect();
        if host.is_this_one() {
            host.asks_the_name_service();
        }
        if host.is_this_one()
            && let Ok(Some(known)) = nix::unistd::Group::from_gid(gid.into())
        {
            members.extend(known.mem);
        }
        Some(Group { name, gid, members })
    };
    text.lines().filter_map(group).collect()
}

/// The engine's own user, whose group this is: nobody, as long as nobody can be it.
fn is_the_engines(line: &str) -> bool {
    line.starts_with(&format!("{ENGINE_USER}:"))
        && ["/nologin", "/false"].iter().any(|shell| line.ends_with(shell))
}

/// Members by list and by primary group. Root gains nothing, and the gateway needs the engine's socket.
fn members(
    check: Check,
    host: &Host,
    groups: &[Group],
    bad: fn(Check, String, String) -> Finding,
) -> Finding {
    let passwd = host.text("/etc/passwd").unwrap_or_default();
    let mut people = BTreeSet::new();
    for group in groups {
        let primary = passwd.lines().filter(|line| !is_the_engines(line)).filter_map(|line| {
            let mut cells = line.split(':');
            let login = cells.next()?;
            (cells.nth(2)? == group.gid.to_string()).then_some(login)
        });
        let all = group.members.iter().map(String::as_str).chain(primary);
        people.extend(
            all.filter(|login| !["root", GATEWAY_USER].contains(login))
                .map(|login| (group.name.clone(), login.to_owned())),
        );
    }
    let names = groups.iter().map(|group| group.name.as_str()).collect::<Vec<_>>().join(", ");
    match people.first() {
        Some((group, login)) => {
            let shown: Vec<_> = people.iter().map(|(group, login)| format!("{login} ({group})")).collect();
            let todo = format!("gpasswd -d {login} {group}, or usermod -g for a primary group; then log out");
            bad(check, format!("members: {}", shown.join(", ")), todo)
        }
        None if names.is_empty() => check.ok("there is no such group"),
        None => check.ok(format!("nobody is in {names}")),
    }
}

/// Names from a directory service can be members by primary group without standing in any file.
fn network_accounts(host: &Host) -> Finding {
    let text = host.text("/etc/nsswitch.conf").unwrap_or_default();
    let mut services = BTreeSet::new();
    for line in text.lines() {
        let Some((database, words)) = line.split_once(':') else { continue };
        if ["passwd", "group", "initgroups"].contains(&database.trim()) {
            let words = words.split('#').next().unwrap_or_default().split_whitespace();
            services.extend(words.filter(|word| !LOCAL.contains(word) && !word.starts_with('[')));
        }
    }
    if services.is_empty() {
        return NETWORK.ok("accounts are those of this machine's files");
    }
    let services = services.into_iter().collect::<Vec<_>>().join(", ");
    NETWORK.notice(
        format!("accounts also come from {services}"),
        "look there too: getent group docker; getent passwd | cut -d: -f1,4",
    )
}

/// Sources of names that are this machine's own.
const LOCAL: [&str; 5] = ["files", "compat", "systemd", "db", "altfiles"];

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::super::finding::Severity;

    const PASSWD: &str = "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n";

    #[test]
    fn nobody_in_the_group_is_well() {
        let fake = Fake::new();
        fake.file("/etc/group", "root:x:0:\ndocker:x:998:root,ie-container\nann:x:1000:ann\ndisk:x:6:\n");
        fake.file("/etc/passwd", PASSWD);
        assert_eq!(fake.found("docker-group"), (Severity::Ok, "nobody is in docker".to_owned()));
        assert_eq!(fake.found("root-groups"), (Severity::Ok, "nobody is in disk".to_owned()));
    }

    #[test]
    fn members_by_list_and_by_primary_group_are_root() {
        let fake = Fake::new();
        fake.file("/etc/group", "docker:x:998:bob\nlxd:x:105:ann\n");
        fake.file("/etc/passwd", &format!("{PASSWD}eve:x:1002:998::/home/eve:/bin/sh\n"));
        let (severity, seen) = fake.found("docker-group");
        assert_eq!(severity, Severity::Danger);
        assert_eq!(seen, "members: bob (docker), eve (docker)");
        assert_eq!(fake.found("root-groups"), (Severity::Warning, "members: ann (lxd)".to_owned()));
    }

    #[test]
    fn the_sockets_group_counts_by_any_name() {
        let fake = Fake::new();
        fake.file("/etc/group", "docker:x:998:\ncontainers:x:4242:bob\n");
        fake.file("/etc/passwd", PASSWD);
        fake.socket("/run/docker.sock", 4242, 0o660);
        let (severity, seen) = fake.found("docker-group");
        assert_eq!((severity, seen.as_str()), (Severity::Danger, "members: bob (containers)"));
    }

    #[test]
    fn the_engines_own_user_is_nobody_as_long_as_nobody_can_be_it() {
        let fake = Fake::new();
        fake.file("/etc/group", "ie-engine:x:989:\n");
        fake.socket("/run/docker.sock", 989, 0o660);
        for (shell, severity) in
            [("/usr/sbin/nologin", Severity::Ok), ("/bin/false", Severity::Ok), ("/bin/sh", Severity::Danger)]
        {
            fake.file("/etc/passwd", &format!("{PASSWD}ie-engine:x:989:989::/nonexistent:{shell}\n"));
            assert_eq!(fake.found("docker-group").0, severity, "{shell}");
        }
    }

    #[test]
    fn roots_own_group_counts_where_the_socket_is_its() {
        let fake = Fake::new();
        fake.file("/etc/group", "root:x:0:\n");
        fake.file("/etc/passwd", &format!("{PASSWD}eve:x:1002:0::/home/eve:/bin/sh\n"));
        assert_eq!(fake.found("docker-group").0, Severity::Ok);
        fake.socket("/run/docker.sock", 0, 0o660);
        assert_eq!(fake.found("docker-group"), (Severity::Danger, "members: eve (root)".to_owned()));
    }

    #[test]
    fn names_from_elsewhere_are_said() {
        let fake = Fake::new();
        fake.file("/etc/nsswitch.conf", "passwd: files systemd [NOTFOUND=return]\nhosts: files dns\n");
        assert_eq!(fake.found("network-accounts").0, Severity::Ok);
        fake.file("/etc/nsswitch.conf", "passwd: files\ngroup: files sss # directory\n");
        let expected = (Severity::Notice, "accounts also come from sss".to_owned());
        assert_eq!(fake.found("network-accounts"), expected);
    }
}
