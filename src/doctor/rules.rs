//! The policy: whether it is believed, and what in it opens more than it may seem to.

use super::Subject;
use super::finding::{Check, Finding};
use super::look::Found;
use crate::policy::{Policy, Who};
use crate::protocol::layout;
use std::collections::BTreeSet;
use std::path::Path;

pub(super) const FILE: Check = Check::new(
    "policy-file",
    "the gateway takes the policy only whole, and only from a file that root alone can change",
);
const IN_FORCE: Check = Check::new(
    "policy-in-force",
    "what was changed in the file holds for nobody before the gateway has read it",
);
const IMAGES: Check = Check::new(
    "policy-images",
    "an image is its author's program: a pattern for every registry lets anybody's be run here",
);
const TOTALS: Check =
    Check::new("policy-totals", "where a user's total has no limit, one user can take the whole machine");
const PORTS: Check = Check::new(
    "policy-ports",
    "a port published on another address than loopback is reached from the network, without the host's say",
);

/// What the gateway keeps of the policy in force.
const COPY: &str = "/var/lib/ie-container/policy.toml";

pub(super) fn examine(subject: &Subject, found: &mut Found) {
    let file = subject.policy_file.display();
    let policy = match &subject.policy {
        Ok(policy) => policy,
        Err(problems) => {
            let first = problems.iter().next().map(ToString::to_string).unwrap_or_default();
            let more = match problems.iter().count() {
                0 | 1 => String::new(),
                count => format!(", and {} more", count - 1),
            };
            let older = match subject.host.text(COPY) {
                Some(_) => "; the gateway goes on by the policy before it, with whoever was taken out since",
                None => "",
            };
            found.push(FILE.warning(
                format!("{file} is not taken: {first}{more}{older}"),
                format!("ie-container admin policy check {file}; and each directory above it must be root's"),
            ));
            return;
        }
    };
    found.push(FILE.ok(format!("{file} is whole and root's alone")));
    found.extend(in_force(subject));
    let wide = |rule: &str, value: &str| {
        // `**` and the like: nothing in front of it narrows it.
        rule == "images"
            && value.split(", ").any(|pattern| pattern.starts_with("**") || pattern.starts_with("*/**"))
    };
    found.push(of_values(
        policy,
        subject,
        IMAGES,
        "images = [\"docker.io/library/*\"] or the like names whom you trust",
        wide,
    ));
    let endless = |rule: &str, value: &str| {
        value == "none" && (rule == "containers" || (rule.starts_with("total.") && rule != "total.gpus"))
    };
    found.push(of_values(policy, subject, TOTALS, "a number in place of \"none\"", endless));
    let outside =
        |rule: &str, value: &str| rule == "ports.address" && !value.starts_with("127.") && value != "::1";
    found.push(of_values(
        policy,
        subject,
        PORTS,
        "address = \"127.0.0.1\" in ports, unless it is meant",
        outside,
    ));
}

/// The gateway keeps a copy of what it has put in force.
fn in_force(subject: &Subject) -> Option<Finding> {
    // A draft is in force nowhere.
    if subject.policy_file != Path::new(layout::POLICY) {
        return None;
    }
    let copy = subject.host.text(COPY)?;
    let file = subject.host.text(layout::POLICY)?;
    let shown = layout::POLICY;
    Some(match copy == file {
        true => IN_FORCE.ok(format!("{shown} is in force")),
        false => IN_FORCE.notice(
            format!("{shown} was changed, and the gateway goes by what it was before"),
            "systemctl reload ie-containerd",
        ),
    })
}

/// The values, of everyone and of each group and user with a table, of which this is true; each with where it is set.
fn of_values(
    policy: &Policy,
    subject: &Subject,
    check: Check,
    todo: &str,
    is_so: impl Fn(&str, &str) -> bool,
) -> Finding {
    let home = Path::new("/");
    let groups: Vec<[String; 1]> = policy.groups().map(|name| [name.to_owned()]).collect();
    let who = |login, groups| Who { login, groups, home, today: subject.today };
    let everyone = std::iter::once(who("", &[][..]));
    let all = everyone
        .chain(groups.iter().map(|group| who("", &group[..])))
        .chain(policy.users().map(|login| who(login, &[][..])));
    let mut seen = BTreeSet::new();
    for who in all {
        for value in policy.limits(&who).values().iter().filter(|value| is_so(value.rule, &value.value)) {
            seen.insert(format!("{} = {} ({})", value.rule, value.value, value.source));
        }
    }
    match seen.is_empty() {
        true => check.ok("nothing"),
        false => check.notice(seen.into_iter().collect::<Vec<_>>().join("; "), todo),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::super::finding::Severity::*;
    use super::COPY;

    const GATEWAY: &str = "[gateway]\nuids = '1000-2000'\n";

    #[test]
    fn a_policy_that_is_not_taken_is_one_finding() {
        let fake = Fake::new();
        assert_eq!(fake.found("policy-file").0, Ok);
        fake.policy("[gateway]\nuids = '0-9'\nengin = 1\n");
        let (severity, seen) = fake.found("policy-file");
        assert!(severity == Warning && seen.contains("policy.toml:2") && seen.ends_with("1 more"), "{seen}");
        assert!(fake.all("policy-images").is_empty() && fake.all("root-parents").is_empty());
    }

    #[test]
    fn a_change_that_is_not_in_force_is_told() {
        let fake = Fake::new();
        fake.file("/etc/ie-container/policy.toml", GATEWAY);
        assert!(fake.all("policy-in-force").is_empty());
        fake.file(COPY, GATEWAY);
        assert_eq!(fake.found("policy-in-force").0, Ok);
        fake.file(COPY, "[gateway]\nuids = '1000-3000'\n");
        assert_eq!(fake.found("policy-in-force").0, Notice);
        fake.policy("[gateway]\nuids = '0-9'\n");
        let (severity, seen) = fake.found("policy-file");
        assert!(severity == Warning && seen.contains("goes on by the policy before it"), "{seen}");
    }

    #[test]
    fn wide_rules_are_named_with_their_place() {
        for (keys, check) in [
            ("images = ['docker.io/**', '**']", "policy-images"),
            ("images = ['*/**']", "policy-images"),
            ("total = { memory = 'none' }", "policy-totals"),
            ("containers = 'none'", "policy-totals"),
            ("ports = { range = '4000-4001', address = '0.0.0.0' }", "policy-ports"),
        ] {
            let fake = Fake::new();
            fake.policy(&format!(
                "{GATEWAY}[defaults]\nimages = ['docker.io/**', 'own']\nports = {{ range = '4000-4001' }}\n"
            ));
            assert_eq!(fake.found(check).0, Ok, "{check}");
            for (table, shown) in
                [("defaults", "defaults"), ("groups.staff", "groups.staff"), ("users.ann", "users.ann")]
            {
                fake.policy(&format!("{GATEWAY}[{table}]\n{keys}\n"));
                let (severity, seen) = fake.found(check);
                assert!(
                    severity == Notice && seen.contains(&format!("policy.toml:4, [{shown}]")),
                    "{keys}: {seen}"
                );
            }
        }
    }
}
