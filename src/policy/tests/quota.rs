//! What a caller is shown.

use super::*;

const TABLES: &str = "[defaults]
images = ['ubuntu', 'own']
ports = { range = '40000-40003' }
home = 'ro'
mounts = [{ source = '/data', mode = 'rw' }]
total = { memory = '32g', pids = 'none' }
each = { shm = '64m' }
";

#[test]
fn each_limit_says_what_is_used_and_left() {
    let mut used = running(&[("a", "20g"), ("b", "13g"), ("c", "1g")]);
    used.containers[2].running = false;
    used.containers[2].ports = vec![40000];
    let lines = limits(TABLES, &[]).quota_lines(&used);
    let shown: Vec<_> =
        lines.iter().map(|l| format!("{} {}/{} {} {}", l.rule, l.used, l.limit, l.left, l.source)).collect();
    assert_eq!(
        shown,
        [
            "containers 3/4 1 built-in default",
            "total.cpus 0/8 8 built-in default",
            "total.memory 33g/32g 0 policy.toml:9, [defaults]",
            "total.pids 0/none none policy.toml:9, [defaults]",
            "total.gpus 0/0 0 built-in default",
            "total.disk 0/40g 40g built-in default",
            "total.output 0/0.1 0.1 built-in default",
            "ports.max 1/4 3 built-in default",
        ]
    );
}

#[test]
fn the_report_says_what_may_be_asked_for() {
    let quota = limits(TABLES, &[]).quota("ann", 1001, &Usage::default());
    assert_eq!((quota.login.as_str(), quota.uid), ("ann", 1001));
    assert_eq!((quota.home.as_str(), quota.ports.as_str()), ("ro", "40000-40003 on 127.0.0.1"));
    assert_eq!(quota.images, ["ubuntu", "own"]);
    assert_eq!(quota.mounts, [("/data".to_owned(), "rw".to_owned())]);
    assert_eq!(quota.each[3], ("each.shm".to_owned(), "64m".to_owned()));
    assert_eq!(quota.max[1], ("max.memory".to_owned(), "32g".to_owned()));
    assert_eq!((quota.each.len(), quota.max.len(), quota.lines.len()), (5, 4, 8));
    assert_eq!(limits("", &[]).quota("ann", 1, &Usage::default()).ports, "");
}

#[test]
fn a_host_has_no_more_processors_than_it_has() {
    let cpus = |text: &str| text.parse().unwrap();
    let of = |tables: &str| limits(tables, &[]).on_a_host_of(cpus("4"));
    let ask = |asked: &str| Ask { cpus: Some(cpus(asked)), ..ubuntu() };
    let tables = |rest: &str| format!("[defaults]\nimages = ['ubuntu']\ntotal = {{ cpus = 64 }}\n{rest}");
    for rest in ["max = { cpus = 16 }\neach = { cpus = 8 }", "max = { cpus = 'none' }\neach = { cpus = 8 }"] {
        let limits = of(&tables(rest));
        let quota = limits.quota("ann", 1001, &Usage::default());
        assert_eq!(quota.each[0], ("each.cpus".to_owned(), "4 (all that the host has)".to_owned()));
        assert_eq!(quota.max[0], ("max.cpus".to_owned(), "4 (all that the host has)".to_owned()));
        assert_eq!(quota.lines[1].limit, "64");
        let refused = limits.admit(&Usage::default(), &ask("5")).unwrap_err();
        assert_eq!(refused.message, "max.cpus: asked 5, one container may have 4 (all that the host has)");
        assert_eq!(limits.admit(&Usage::default(), &ask("4")).unwrap().cpus(), cpus("4"));
        let unasked = Ask { cpus: None, ..ubuntu() };
        assert_eq!(limits.admit(&Usage::default(), &unasked).unwrap().cpus(), cpus("4"));
    }
    // What is within the host stays as it is set, and says who set it.
    let limits = of(&tables("max = { cpus = 3 }\neach = { cpus = 1 }"));
    let refused = limits.admit(&Usage::default(), &ask("5")).unwrap_err();
    assert!(
        refused.message.to_string().contains("one container may have 3 (policy.toml:"),
        "{}",
        refused.message
    );
    assert_eq!(limits.quota("ann", 1001, &Usage::default()).each[0].1, "1");
}
