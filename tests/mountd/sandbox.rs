//! A sandbox that takes what ie-mountd lives by: it says which setting of its unit does, and does not begin.

use crate::site::Site;
use std::os::unix::net::UnixDatagram;
use std::process::Output;

const FILTERED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/filtered.py");

/// A start by way of these words, which fails, tells systemd nothing and leaves nothing mounted.
#[track_caller]
fn refusal(by: &[&str]) -> String {
    let mut site = Site::new();
    site.write_policy("homes = []");
    let notify = site.base.join("notify");
    let systemd = UnixDatagram::bind(&notify).unwrap();
    systemd.set_nonblocking(true).unwrap();
    let told = format!("NOTIFY_SOCKET={}", notify.display());
    let words: Vec<&str> = ["env", &told].into_iter().chain(by.iter().copied()).collect();
    let Output { status, stderr, .. } = site.tried(&words, &site.arguments());
    let said = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(1), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.starts_with("ie-mountd: it does not start: "), "{said}");
    assert!(systemd.recv(&mut [0; 64]).is_err(), "systemd was told that it is ready");
    assert!(!site.base.join("run/mountd.sock").exists() && site.mounted().is_empty());
    said
}

#[test]
fn a_call_that_is_taken_is_told_with_the_setting_that_takes_it() {
    for (taken, call, setting) in [
        ("openat2=ENOSYS", "openat2", "RestrictSUIDSGID="),
        ("openat2=EPERM", "openat2", "SystemCallFilter="),
        ("open_tree=EPERM", "open_tree", "SystemCallFilter= in its unit must have @mount"),
        ("fsopen=EPERM", "a file system of memory", "@mount"),
        ("mount_setattr=ENOSYS", "a file system of memory", "SystemCallErrorNumber=ENOSYS"),
        ("move_mount=EPERM", "making a stage", "@mount"),
        ("unshare=EPERM", "a user namespace", "RestrictNamespaces=user"),
        ("setfsuid=EPERM", "taking on a user's ids", "CAP_SETUID"),
    ] {
        let said = refusal(&["/usr/bin/python3", FILTERED, taken, "--"]);
        assert!(
            said.contains(&format!("{call} does not work here")) && said.contains(setting),
            "{taken}: {said}"
        );
    }
}

#[test]
fn a_capability_that_is_taken_is_told() {
    for capability in ["sys_admin", "setuid", "setgid"] {
        let said = refusal(&["setpriv", &format!("--bounding-set=-{capability}"), "--"]);
        assert!(said.contains("keeping CAP_SYS_ADMIN, CAP_SETUID and CAP_SETGID"), "{said}");
        assert!(said.contains("CapabilityBoundingSet="), "{said}");
    }
}

/// As ProtectSystem= and its like make one: what the host mounts comes in, and nothing goes out.
#[test]
fn a_mount_namespace_of_its_own_is_told() {
    for propagation in ["slave", "private"] {
        let said = refusal(&["unshare", "--mount", "--propagation", propagation]);
        assert!(
            said.contains("not seen by the rest of the host") && said.contains("ProtectSystem="),
            "{said}"
        );
    }
}
