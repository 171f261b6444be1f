//! The program itself: when it starts, whom it hears, what it holds on to, and how it ends.

use crate::site::{ANN, Client, GATEWAY, MOUNTD, Site, make_dir, token_of};
use ie_container::protocol::stage::{Answer, LONGEST, Map, Reason, Request, Stage};
use nix::sys::signal::Signal;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use std::{fs, io};

fn refuses(out: &Output, said: &str) {
    let told = String::from_utf8_lossy(&out.stderr);
    assert!(!out.status.success() && told.contains(said), "{out:?}");
}

/// Waits until something is so: a signal is heard when it is heard.
fn soon(what: &str, mut is_so: impl FnMut() -> bool) {
    let late = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < late, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn it_starts_as_root_in_the_initial_user_namespace_only() {
    let mut site = Site::new();
    site.write_policy("homes = []");
    refuses(&site.tried(&["unshare", "-Ur"], &site.arguments()), "started in a user namespace");
    // The target directory need not be open to others, so a copy is started as somebody else.
    let copy = site.base.join("ie-mountd");
    // By a program: another thread's child could have it open for writing while it is to be executed.
    let copied = Command::new("install").args(["-m", "0755", MOUNTD]).arg(&copy).status().unwrap();
    assert!(copied.success());
    let out = Command::new("timeout")
        .args(["20", "setpriv", "--reuid", "5001", "--regid", "5001", "--clear-groups"])
        .arg(&copy)
        .args(site.arguments())
        .output()
        .unwrap();
    refuses(&out, "must be started as root");
    assert!(!site.base.join("run").exists());
}

/// Without a policy, and without a user of the gateway's: before there is either.
#[test]
fn whether_a_directory_can_be_idmapped_is_tried() {
    for (kind, code) in [("tmpfs", 0), ("ramfs", 3)] {
        let tried = format!("mount -t {kind} none /mnt && exec {MOUNTD} --try-idmap /mnt");
        let out = Command::new("unshare").args(["--mount", "sh", "-c", &tried]).output().unwrap();
        assert_eq!(out.status.code(), Some(code), "{kind}: {out:?}");
    }
    let out = Command::new(MOUNTD).args(["--try-idmap", "/nowhere"]).output().unwrap();
    assert_eq!(out.status.code(), Some(1));
    refuses(&out, "cloning /nowhere");
}

#[test]
fn it_does_not_start_on_ground_of_others() {
    let mut site = Site::new();
    site.write_policy("homes = []");
    make_dir(&site.base.join("run"), ANN, 0o755);
    refuses(&site.tried(&[], &site.arguments()), "can be changed by others than root");
    fs::remove_dir(site.base.join("run")).unwrap();
    std::os::unix::fs::symlink("view", site.base.join("run")).unwrap();
    refuses(&site.tried(&[], &site.arguments()), "is a symbolic link");
}

#[test]
fn it_does_not_start_on_half_a_policy() {
    let mut site = Site::new();
    refuses(&site.tried(&[], &site.arguments()), "policy.toml");
    site.write_policy("homes = [");
    refuses(&site.tried(&[], &site.arguments()), "policy.toml");
    let check = [site.arguments(), vec!["--check".to_owned()]].concat();
    refuses(&site.tried(&[], &check), "the roots in force stay: policy.toml:4");
    site.write_policy("homes = []");
    assert!(site.tried(&[], &check).status.success());
    assert!(!site.base.join("run").exists(), "it only was to look");
}

/// A mistake in the file keeps nobody from a home after a reboot, and it is told until it is mended.
#[test]
fn an_older_policy_holds_where_the_file_is_broken() {
    let mut site = Site::started();
    site.staged(site.wish(1, "ann"));
    site.kill();
    site.write_policy("homes = [");
    site.start();
    site.staged(site.wish(2, "ann"));
    let said = site.log();
    assert!(said.contains("the policy file is not taken, the policy of 2"), "{said}");
    assert!(said.contains("policy.toml:4") && said.contains("systemctl reload ie-containerd"), "{said}");
    // What was in force last, and nothing older than that.
    site.write_policy("homes = []");
    site.signal(Signal::SIGHUP);
    soon("the new roots are not in force", || {
        matches!(site.ask(&Request::Stage(site.wish(3, "ann"))), Answer::Refused { .. })
    });
    site.kill();
    site.write_policy("homes = [");
    site.start();
    site.refused(site.wish(4, "ann"));
    // A file that was taken away, and a copy that others could have written.
    site.kill();
    fs::remove_file(site.base.join("policy.toml")).unwrap();
    refuses(&site.tried(&[], &site.arguments()), "policy.toml");
    site.write_policy("homes = [");
    fs::set_permissions(site.base.join("state/policy.toml"), fs::Permissions::from_mode(0o622)).unwrap();
    refuses(&site.tried(&[], &site.arguments()), "policy.toml");
}

#[test]
fn the_gateway_is_a_user_and_not_root() {
    let mut site = Site::new();
    site.write_policy("homes = []");
    let started_as = |user: &str| {
        let mut words = site.arguments();
        words[5] = user.to_owned();
        site.tried(&[], &words)
    };
    refuses(&started_as("root"), "must not be root");
    refuses(&started_as("0"), "must not be root");
    refuses(&started_as("no-such-user"), "there is no user no-such-user");
}

#[test]
fn two_do_not_serve_one_directory() {
    let site = Site::started();
    refuses(&site.tried(&[], &site.arguments()), "another ie-mountd serves");
    site.staged(site.wish(1, "ann"));
}

#[test]
fn it_keeps_three_capabilities() {
    let site = Site::started();
    // Made after the first stage, when all threads that there are have been started.
    site.staged(site.wish(1, "ann"));
    let status = fs::read_to_string(format!("/proc/{}/status", site.pid())).unwrap();
    let value = |key: &str| status.lines().find_map(|line| line.strip_prefix(key)).unwrap().trim().to_owned();
    let kept = format!("{:016x}", (1 << 21) | (1 << 7) | (1 << 6));
    for set in ["CapPrm:", "CapEff:", "CapBnd:"] {
        assert_eq!(value(set), kept, "{set}");
    }
    for set in ["CapInh:", "CapAmb:"] {
        assert_eq!(value(set), "0".repeat(16), "{set}");
    }
    assert_eq!((value("NoNewPrivs:"), value("Umask:")), ("1".into(), "0077".into()));
    assert_eq!(fs::read_link(format!("/proc/{}/cwd", site.pid())).unwrap(), std::path::Path::new("/"));
}

#[test]
fn only_the_gateway_is_heard() {
    let site = Site::started();
    let keep = Request::Keep { tokens: vec![] };
    // Nobody else even reaches the queue in which the gateway waits.
    for uid in [ANN, GATEWAY + 1, 65534] {
        let refused = Client::connect(&site, uid).err().map(|error| error.kind());
        assert_eq!(refused, Some(io::ErrorKind::PermissionDenied), "{uid}");
    }
    for (uid, gid) in [(0, 0), (GATEWAY + 1, GATEWAY)] {
        let mut client = Client::connect_as(&site, uid, gid).unwrap();
        // The connection is closed unread: the request goes nowhere, or ends in a reset.
        let answer = client.ask(&keep);
        assert!(matches!(&answer, Ok(None)) || answer.as_ref().is_err_and(is_closed), "{uid}: {answer:?}");
    }
    assert!(matches!(site.ask(&keep), Answer::Unstaged { count: 0 }));
}

fn is_closed(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

#[test]
fn one_connection_carries_many_requests() {
    let site = Site::started();
    let mut client = Client::connect(&site, GATEWAY).unwrap();
    for _ in 0..3 {
        let staged = client.ask(&Request::Stage(site.wish(1, "ann"))).unwrap();
        assert!(matches!(staged, Some(Answer::Staged { .. })), "{staged:?}");
        let gone = client.ask(&Request::Unstage { token: token_of(1) }).unwrap();
        assert_eq!(gone, Some(Answer::Unstaged { count: 1 }));
    }
}

#[test]
fn many_connections_are_served_at_once() {
    let site = Site::started();
    std::thread::scope(|scope| {
        for token in 1..=64 {
            let site = &site;
            scope.spawn(move || {
                // One user has eight places at once, and the next waits for a second: these have them all.
                let late = Instant::now() + Duration::from_secs(60);
                let ask = || site.ask(&Request::Stage(site.wish(token, "ann")));
                loop {
                    match ask() {
                        Answer::Staged { .. } => break,
                        Answer::Refused { reason: Reason::System, .. } if Instant::now() < late => {}
                        other => panic!("{token}: {other:?}"),
                    }
                }
                site.unstaged(&Request::Unstage { token: token_of(token) });
            });
        }
    });
    assert!(site.mounted().is_empty());
}

#[test]
fn what_does_not_parse_is_answered() {
    let site = Site::started();
    let mut client = Client::connect(&site, GATEWAY).unwrap();
    let stage = |token: &str| {
        format!(
            r#"{{"verb":"stage","token":"{token}","uid":5001,"gids":[1],"root":"/","relative":"","access":"rw","map":"same"}}"#
        )
    };
    // All of it is right but the token.
    client.send(stage(&"0f".repeat(16)).as_bytes()).unwrap();
    let answer = client.receive().unwrap();
    assert!(matches!(answer, Some(Answer::Refused { reason: Reason::NotAllowed, .. })), "{answer:?}");
    for body in ["", "{}", "null", r#"{"verb":"mount"}"#, &stage("../../../../etc"), "\u{0}"] {
        client.send(body.as_bytes()).unwrap();
        let answer = client.receive().unwrap();
        assert!(
            matches!(answer, Some(Answer::Refused { reason: Reason::BadRequest, .. })),
            "{body}: {answer:?}"
        );
    }
    assert_eq!(client.ask(&Request::Keep { tokens: vec![] }).unwrap(), Some(Answer::Unstaged { count: 0 }));
}

#[test]
fn a_message_too_long_ends_the_conversation() {
    let site = Site::started();
    for length in [LONGEST + 1, u32::MAX] {
        let mut client = Client::connect(&site, GATEWAY).unwrap();
        client.0.write_all(&length.to_be_bytes()).unwrap();
        let answer = client.receive().unwrap();
        assert!(matches!(answer, Some(Answer::Refused { reason: Reason::BadRequest, .. })), "{answer:?}");
        assert_eq!(client.receive().unwrap(), None);
    }
}

#[test]
fn a_message_that_has_begun_must_come() {
    let site = Site::started();
    let begun = Instant::now();
    let mut dripping = Client::connect(&site, GATEWAY).unwrap();
    let mut idle = Client::connect(&site, GATEWAY).unwrap();
    dripping.0.write_all(&100_u32.to_be_bytes()).unwrap();
    // A byte a second buys no time.
    while begun.elapsed() < Duration::from_secs(20) && dripping.0.write_all(b" ").is_ok() {
        std::thread::sleep(Duration::from_secs(1));
    }
    assert!(begun.elapsed() < Duration::from_secs(19), "{:?}", begun.elapsed());
    let answer = idle.ask(&Request::Keep { tokens: vec![] }).unwrap();
    assert_eq!(answer, Some(Answer::Unstaged { count: 0 }), "who has not begun may wait");
}

#[test]
fn the_roots_are_read_again_whole_or_not_at_all() {
    let mut site = Site::started();
    let other = site.base.join("other");
    make_dir(&other, 0, 0o755);
    make_dir(&other.join("ann"), ANN, 0o755);
    let wish = |token| Stage { root: other.clone(), ..site.wish(token, "ann") };
    assert_eq!(site.refused(wish(1)).0, Reason::NotAllowed);
    let reload = |site: &mut Site, text: &str| {
        site.write_policy(text);
        site.signal(Signal::SIGHUP);
    };
    let new = wish(1);
    reload(&mut site, &format!("homes = [{other:?}]"));
    soon("the new roots are not in force", || {
        matches!(site.ask(&Request::Stage(new.clone())), Answer::Staged { .. })
    });
    assert_eq!(site.refused(site.wish(2, "ann")).0, Reason::NotAllowed, "the old roots still are");
    reload(&mut site, "homes = [");
    soon("nothing said of the broken file", || site.log().contains("the roots in force stay"));
    site.staged(Stage { token: token_of(3), ..new });
}

/// The gateway was told to read the policy again, and nobody told us.
#[test]
fn a_policy_that_is_older_than_the_gateways_is_read_again() {
    let mut site = Site::started();
    let homes = site.base.join("homes");
    let on = [1, 2, 3].map(|token| site.wish(token, "ann"));
    let wish = |token: usize, map| Stage { map, ..on[token - 1].clone() };
    let (reason, told) = site.refused(wish(1, Map::Off));
    assert!(reason == Reason::NotAllowed && told.contains("another policy than the gateway"), "{told}");
    site.write_policy(&format!("homes = [{{ path = {homes:?}, idmap = \"off\" }}]"));
    site.staged(wish(1, Map::Same));
    let path = site.staged(wish(2, Map::Off));
    assert!(site.mounted().iter().any(|line| line.at == path && !line.has("idmapped")));
    site.write_policy(&format!("homes = [{homes:?}]"));
    let path = site.staged(wish(3, Map::Same));
    assert!(site.mounted().iter().any(|line| line.at == path && line.has("idmapped")));
}

#[test]
fn the_socket_is_the_gateways_and_gone_at_the_end() {
    let mut site = Site::started();
    let mode = |path: &str| fs::metadata(site.base.join(path)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("run"), mode("run/mountd.sock"), mode("run/stage")), (0o755, 0o660, 0o700));
    site.signal(Signal::SIGTERM);
    assert_eq!(site.ended().code(), Some(0));
    assert!(!site.base.join("run/mountd.sock").exists());
}

#[test]
fn a_listener_of_systemds_is_taken_over() {
    let mut site = Site::new();
    site.write_policy(&format!("homes = [{:?}]", site.base.join("homes")));
    make_dir(&site.base.join("run"), 0, 0o755);
    let path = site.base.join("run/mountd.sock");
    let listener = UnixListener::bind(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    let mut command = Command::new("sh");
    // The listener arrives as standard input and is passed on as the descriptor after the standard three.
    command
        .args(["-c", "LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" \"$@\" 3<&0 0</dev/null", MOUNTD])
        .args(site.arguments())
        .stdin(Stdio::from(std::os::fd::OwnedFd::from(listener)));
    site.start_by(command);
    site.staged(site.wish(1, "ann"));
    site.signal(Signal::SIGTERM);
    assert_eq!(site.ended().code(), Some(0));
    assert!(path.exists(), "the socket is systemd's to remove");
}
