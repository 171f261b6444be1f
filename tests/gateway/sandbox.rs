//! A sandbox that takes what the gateway lives by: it says which setting of its unit does, and does not begin.

use crate::site::Site;

const FILTERED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/filtered.py");

#[test]
fn a_call_that_is_taken_is_told_with_the_setting_that_takes_it() {
    let site = Site::new();
    site.write_policy("[gateway]\nuids = '1000-5000'\nuserns = 'host'\n");
    // Read by the interpreter as the gateway's user.
    let script = site.copied(FILTERED);
    for (taken, call, setting) in [
        ("splice=EPERM", "splice", "SystemCallFilter="),
        ("splice=ENOSYS", "splice", "SystemCallErrorNumber=ENOSYS"),
        ("getsockopt=EPERM", "asking who is at a socket's other end", "AF_UNIX"),
        ("epoll_create1=EPERM", "starting threads", "@system-service"),
    ] {
        let said = site.refusal(&["/usr/bin/python3", &script, taken, "--"]);
        assert!(
            said.contains(&format!("{call} does not work here")) && said.contains(setting),
            "{taken}: {said}"
        );
    }
}

#[test]
fn a_user_namespace_of_its_own_is_told() {
    let site = Site::new();
    let said = site.refusal(&["unshare", "--user"]);
    assert!(said.contains("PrivateUsers= must not be in its unit"), "{said}");
}
