//! A policy with a mistake in it: the reload fails, a start goes on by the older one, and both are told.

use crate::site::Site;
use std::fs;
use std::process::{Command, Output};

const GOOD: &str = "[gateway]\nuids = '1000-5000'\nuserns = 'host'\n";
const WRONG: &str = "[gateway]\nuids = '1000-5000'\nuserns = 'host'\nhomez = 1\n";

/// What systemd does for `systemctl reload`: the commands of a unit, one after the other until one fails.
fn commands(unit: &str) -> Vec<Vec<String>> {
    let text =
        fs::read_to_string(format!("{}/packaging/systemd/{unit}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let lines = text.lines().filter_map(|line| line.strip_prefix("ExecReload="));
    let words = |line: &str| -> Vec<String> {
        // As root, whatever the unit's user is.
        let words = line.strip_prefix('+').unwrap_or(line).split(' ');
        let program = |word: &str| {
            word.replace("@PREFIX@/bin/ie-container", env!("CARGO_BIN_EXE_ie-container"))
                .replace("@PREFIX@/sbin/ie-mountd", env!("CARGO_BIN_EXE_ie-mountd"))
        };
        words.map(program).collect()
    };
    lines.map(words).collect()
}

fn run(words: &[String], more: &[&str], socket: &str) -> Output {
    Command::new(&words[0])
        .args(&words[1..])
        .args(more)
        .env_clear()
        .env("IE_CONTAINER_ADMIN_SOCKET", socket)
        .output()
        .unwrap()
}

#[test]
fn a_reload_with_a_broken_policy_fails_with_the_sentence() {
    let site = Site::new();
    site.write_policy(GOOD);
    let gateway = site.start();
    let reload = commands("ie-containerd.service");
    let [reload] = reload.as_slice() else { panic!("{reload:?}") };
    let socket = site.word("run/admin/admin.sock");
    let reloaded = run(reload, &[], &socket);
    assert!(reloaded.status.success(), "{reloaded:?}");
    site.write_policy(WRONG);
    let refused = run(reload, &[], &socket);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success(), "{refused:?}");
    assert!(
        said.contains("the old policy stays in force: policy.toml:4: ") && said.contains("homez"),
        "{said}"
    );
    // And for one that is not there to answer.
    drop(gateway);
    assert!(!run(reload, &[], &socket).status.success());
}

/// It can only be sent a signal, so its file is looked at first.
#[test]
fn the_mount_helpers_reload_fails_too() {
    let site = Site::new();
    let reload = commands("ie-mountd.service");
    let [check, signal] = reload.as_slice() else { panic!("{reload:?}") };
    assert_eq!(signal.join(" "), "/bin/kill -HUP $MAINPID");
    let policy = site.word("policy.toml");
    let checked = |text: &str| {
        site.write_policy(text);
        run(check, &["--policy", &policy], "")
    };
    assert!(checked(GOOD).status.success());
    let refused = checked(WRONG);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.contains("policy.toml:4: "), "{refused:?}");
}

#[test]
fn a_start_with_a_broken_policy_goes_on_by_the_older_one() {
    let site = Site::new();
    site.write_policy(WRONG);
    let said = site.refusal(&[]);
    assert!(said.contains("policy.toml:4") && said.contains("homez"), "{said}");

    site.write_policy(GOOD);
    drop(site.start());
    assert!(!site.log().contains("is not taken"), "{}", site.log());
    site.write_policy(WRONG);
    let gateway = site.start();
    let said = site.log();
    let not_taken = said.find("the policy file is not taken, the policy of 2");
    assert!(not_taken.is_some_and(|place| place < said.rfind("\"serving\"").unwrap()), "{said}");
    assert!(said.contains("policy.toml:4") && said.contains("systemctl reload ie-containerd"), "{said}");
    let status = site.told_systemd("STATUS=the policy file is not taken");
    assert!(status.contains("policy.toml:4"), "{status}");

    // Whoever looks after the containers sees it, until it is mended.
    let socket = site.word("run/admin/admin.sock");
    let admin = |words: &[&str]| {
        let words: Vec<String> = [&[env!("CARGO_BIN_EXE_ie-container"), "admin"], words]
            .concat()
            .iter()
            .map(|w| (*w).to_owned())
            .collect();
        run(&words, &[], &socket)
    };
    assert!(!admin(&["reload"]).status.success());
    site.write_policy(GOOD);
    assert!(admin(&["reload"]).status.success());
    site.told_systemd("STATUS=the policy file is in force");
    drop(gateway);

    // One that root took away lets nobody in.
    fs::remove_file(site.word("policy.toml")).unwrap();
    site.refusal(&[]);
}

/// Whoever was taken out by a policy that was in force is not let in again by an older one.
#[test]
fn nothing_older_than_what_was_in_force_holds() {
    let site = Site::new();
    site.write_policy(GOOD);
    let gateway = site.start();
    let copy = site.word("state/policy.toml");
    assert_eq!(fs::read_to_string(&copy).unwrap(), GOOD);
    let newer = GOOD.replace("1000-5000", "1000-1001");
    site.write_policy(&newer);
    let reload = &commands("ie-containerd.service")[0];
    assert!(run(reload, &[], &site.word("run/admin/admin.sock")).status.success());
    assert_eq!(fs::read_to_string(&copy).unwrap(), newer);
    drop(gateway);
}
