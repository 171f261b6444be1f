//! Which table's value holds.

use super::*;

/// The value of one rule and where it was set.
fn at(limits: &Limits, rule: &str) -> String {
    let value = limits.values().into_iter().find(|value| value.rule == rule).unwrap();
    format!("{} ({})", value.value, value.source)
}

const TABLES: &str = "[users.ann]
total = { memory = '64g' }
[groups.zoo]
containers = 8
until = 2026-11-20
total = { gpus = 2, memory = '48g' }
[groups.'a.b']
total = { gpus = 3 }
images = ['zoo/*']
[defaults]
containers = 5
total = { cpus = 16, memory = '32g' }
images = ['ubuntu', 'debian']
[defaults.each]
cpus = 1.5
";

#[test]
fn a_later_table_wins_key_by_key() {
    let ann = limits(TABLES, &["a.b", "zoo"]);
    for (rule, value) in [
        ("containers", "8 (policy.toml:7, [groups.zoo])"),
        ("total.cpus", "16 (policy.toml:15, [defaults])"),
        ("total.memory", "64g (policy.toml:5, [users.ann])"),
        ("total.gpus", "3 (policy.toml:11, [groups.\"a.b\"])"),
        ("total.pids", "8192 (built-in default)"),
        ("images", "zoo/* (policy.toml:12, [groups.\"a.b\"])"),
        ("each.cpus", "1.5 (policy.toml:18, [defaults])"),
        ("each.memory", "4g (built-in default)"),
    ] {
        assert_eq!(at(&ann, rule), value, "{rule}");
    }
}

#[test]
fn the_order_of_groups_is_the_files_not_the_callers() {
    for groups in [["a.b", "zoo"], ["zoo", "a.b"]] {
        assert_eq!(at(&limits(TABLES, &groups), "total.gpus"), "3 (policy.toml:11, [groups.\"a.b\"])");
    }
    assert_eq!(policy(TABLES).groups().collect::<Vec<_>>(), ["zoo", "a.b"]);
    assert_eq!(policy(TABLES).users().collect::<Vec<_>>(), ["ann"]);
}

#[test]
fn a_table_holds_for_its_members_alone() {
    let ann = limits(TABLES, &["other"]);
    assert_eq!(at(&ann, "containers"), "5 (policy.toml:14, [defaults])");
    let who = Who { login: "bob", groups: &["ann".into()], home: Path::new("/home/bob"), today: TODAY };
    assert_eq!(at(&policy(TABLES).limits(&who), "total.memory"), "32g (policy.toml:15, [defaults])");
}

#[test]
fn a_table_holds_until_its_last_day() {
    for (today, containers) in [(date(2026, 11, 20), "8"), (date(2026, 11, 21), "5"), (date(2027, 1, 1), "5")]
    {
        let ann = limits_on(today, TABLES, &["zoo"]);
        assert_eq!(at(&ann, "containers").split(' ').next(), Some(containers), "{today}");
    }
}

#[test]
fn ports_are_laid_over_key_by_key_too() {
    let ann = limits("[defaults]\nports = { range = '40000-40009' }\n[users.ann]\nports = { max = 0 }", &[]);
    assert_eq!(at(&ann, "ports.range"), "40000-40009 (policy.toml:5, [defaults])");
    assert_eq!(at(&ann, "ports.max"), "0 (policy.toml:7, [users.ann])");
    assert_eq!(at(&ann, "ports.address"), "127.0.0.1 (built-in default)");
}

#[test]
fn nothing_set_grants_nothing_and_limits_everything() {
    let ann = limits("", &[]);
    let values: Vec<_> = ann.values().into_iter().map(|v| (v.rule, v.value)).collect();
    for (rule, value) in [
        ("images", "none"),
        ("mounts", "none"),
        ("ports.range", "none"),
        ("home", "none"),
        ("cpuset", "none"),
        ("total.gpus", "0"),
    ] {
        assert!(values.contains(&(rule, value.into())), "{rule}");
    }
    for (rule, value) in values
        .iter()
        .filter(|(rule, _)| !["images", "mounts", "ports.range", "home", "cpuset"].contains(rule))
    {
        assert_ne!(value, "none", "{rule} is unlimited by omission");
    }
    assert_eq!(
        told(ann.admit_image(&ubuntu().image)),
        "images: ubuntu is not allowed, no image is (built-in default)"
    );
}

#[test]
fn roots_are_the_homes_and_every_shared_directory_once() {
    let policy = policy(
        "[defaults]
mounts = [{ source = '/data', mode = 'ro' }, { source = '/nfs/sets', mode = 'ro', idmap = 'off' }]
[groups.old]
until = 2001-01-01
mounts = [{ source = '/data', mode = 'rw' }, { source = '/opt/old', mode = 'ro' }]
[users.ann]
mounts = [{ source = '/data', mode = 'ro' }]",
    );
    let root = |path: &str, kind, idmap| StageRoot { path: path.into(), kind, idmap, group: false };
    let shared = |writable| RootKind::Shared { writable };
    assert_eq!(
        policy.roots(),
        [
            root("/home", RootKind::Home, true),
            root("/nfs/home", RootKind::Home, true),
            root("/data", shared(true), true),
            root("/nfs/sets", shared(false), false),
            root("/opt/old", shared(false), true),
        ]
    );
}
