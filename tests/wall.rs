//! `packaging/ie-wall` in a network namespace of its own: what gets through, who can take it away, and what is seen of it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a step of a test that fails is the test's failure"
)]

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

const WALL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/ie-wall");

/// A host with two networks of users', `ie1` and `ie2`, and one of nobody's, `br-x`. Two neighbours in the first.
struct Host {
    name: String,
    dir: PathBuf,
    /// As on a host without nft.
    has_nft: bool,
}

const NEIGHBOURS: [(&str, &str, &str); 4] =
    [("a", "ie1", "10.9.1.2"), ("b", "ie2", "10.9.2.2"), ("c", "ie1", "10.9.1.3"), ("d", "br-x", "10.9.3.2")];

fn ip(words: &str) {
    let done = Command::new("ip").args(words.split(' ')).output().unwrap();
    assert!(done.status.success(), "ip {words}: {done:?}");
}

impl Host {
    fn new(has_nft: bool) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        assert!(nix::unistd::geteuid().is_root(), "these tests make networks: run them as root");
        let name = format!("iewall{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let dir = PathBuf::from("/run").join(&name);
        fs::create_dir(&dir).unwrap();
        let host = Self { name, dir, has_nft };
        let router = host.name.as_str();
        for end in ["", "a", "b", "c", "d"] {
            ip(&format!("netns add {router}{end}"));
            ip(&format!("-n {router}{end} link set lo up"));
        }
        host.run("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
        // Where the kernel has bridges ask the rules of routers, what is bridged passes them, too.
        host.run("sysctl -qw -e net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=1");
        for (number, bridge) in [(1, "ie1"), (2, "ie2"), (3, "br-x")] {
            ip(&format!("-n {router} link add {bridge} type bridge"));
            ip(&format!("-n {router} addr add 10.9.{number}.1/24 dev {bridge}"));
            ip(&format!("-n {router} addr add fd00:{number}::1/64 dev {bridge} nodad"));
            ip(&format!("-n {router} link set {bridge} up"));
        }
        for (end, bridge, address) in NEIGHBOURS {
            ip(&format!("-n {router} link add v{end} type veth peer name eth0 netns {router}{end}"));
            ip(&format!("-n {router} link set v{end} master {bridge} up"));
            let (network, last) = address.rsplit_once('.').unwrap();
            let number = network.rsplit_once('.').unwrap().1;
            ip(&format!("-n {router}{end} addr add {address}/24 dev eth0"));
            ip(&format!("-n {router}{end} addr add fd00:{number}::{last}/64 dev eth0 nodad"));
            ip(&format!("-n {router}{end} link set eth0 up"));
            ip(&format!("-n {router}{end} route add default via {network}.1"));
            ip(&format!("-n {router}{end} -6 route add default via fd00:{number}::1"));
        }
        host
    }

    /// A command in the host's network; its exit code and what it said.
    fn run(&self, script: &str) -> (i32, String) {
        let hidden = if self.has_nft {
            ""
        } else {
            "mount --bind /dev/null \"$(command -v nft || echo /dev/null)\"; "
        };
        let done = Command::new("ip")
            .args([
                "netns",
                "exec",
                &self.name,
                "unshare",
                "--mount",
                "sh",
                "-c",
                &format!("{hidden}{script}"),
            ])
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .output()
            .unwrap();
        let said = String::from_utf8([done.stdout, done.stderr].concat()).unwrap();
        (done.status.code().unwrap(), said)
    }

    fn pipe(&self) -> PathBuf {
        self.dir.join("up")
    }

    fn wall(&self, verb: &str) -> (i32, String) {
        self.run(&format!("exec {WALL} {verb} {}", self.pipe().display()))
    }

    /// What the gateway sees of it, without any right.
    fn is_held(&self) -> bool {
        let pipe = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(self.pipe());
        pipe.is_ok_and(|mut pipe| {
            pipe.read(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
        })
    }

    fn reaches(&self, from: &str, to: &str) -> bool {
        let mut ping = Command::new("ip");
        ping.args([
            "netns",
            "exec",
            &format!("{}{from}", self.name),
            "/bin/busybox",
            "ping",
            "-c1",
            "-W2",
            to,
        ]);
        ping.output().unwrap().status.success()
    }

    /// Ways from one network to another, and one within a network, which the first packets may still have to find.
    #[track_caller]
    fn keeps_apart(&self) {
        soon("neighbours do not reach each other", || {
            self.reaches("a", "10.9.1.3") && self.reaches("a", "fd00:1::3")
        });
        let ways = [
            ("a", "10.9.2.2"),
            ("b", "10.9.1.2"),
            ("a", "fd00:2::2"),
            ("a", "10.9.3.2"),
            ("d", "10.9.1.2"),
            ("d", "fd00:1::2"),
        ];
        // All at once, as each of them waits for an answer that is not to come.
        std::thread::scope(|scope| {
            let tried = ways.map(|(from, to)| (from, to, scope.spawn(move || self.reaches(from, to))));
            for (from, to, reaches) in tried {
                assert!(!reaches.join().unwrap(), "{from} reaches {to}");
            }
        });
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.wall("down");
        for end in ["a", "b", "c", "d", ""] {
            let _ = Command::new("ip").args(["netns", "del", &format!("{}{end}", self.name)]).output();
        }
        let _ = fs::remove_dir_all(&self.dir);
    }
}

#[track_caller]
fn soon(what: &str, mut is_so: impl FnMut() -> bool) {
    let late = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < late, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn no_flush_takes_it_away_and_it_ends_with_whoever_holds_it() {
    let host = Host::new(true);
    // The control: without it all of this gets through.
    for (from, to) in [("a", "10.9.2.2"), ("a", "fd00:2::2"), ("d", "10.9.1.2")] {
        soon("nothing gets through without it either", || host.reaches(from, to));
    }
    assert_eq!(host.wall("check").0, 1);
    assert_eq!(host.wall("up"), (0, "ie-wall: the rules are in place, by nftables\n".to_owned()));
    assert!(host.is_held());
    host.keeps_apart();
    assert_eq!(host.wall("up"), (0, String::new()), "nothing has changed");
    // A firewall's reload, and an engine's own tables, which accept.
    assert_eq!(host.run("nft flush ruleset").0, 0);
    let accepts = "add table ip e; add chain ip e f { type filter hook forward priority 0; policy accept; }; \
                   add rule ip e f accept";
    assert_eq!(host.run(&format!("nft '{accepts}'")).0, 0);
    assert_ne!(host.run("nft delete table inet ie-wall").0, 0);
    assert_eq!(host.wall("check").0, 0);
    host.keeps_apart();
    // Whoever holds it is killed: nobody takes it for standing.
    let holder: i32 = fs::read_to_string(host.dir.join("up.pid")).unwrap().trim().parse().unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(holder), nix::sys::signal::Signal::SIGKILL).unwrap();
    soon("it is still held", || !host.is_held());
    assert_eq!(host.wall("check").0, 1);
    assert_eq!(host.wall("up").1.lines().count(), 1);
    host.keeps_apart();
    assert_eq!(host.wall("down").0, 0);
    assert!(!host.is_held() && host.run("nft list ruleset").1.matches("ie-wall").count() == 0);
    assert_eq!(fs::read_dir(&host.dir).unwrap().count(), 0, "something is left");
}

#[test]
fn without_nftables_it_is_put_back() {
    let host = Host::new(false);
    assert_eq!(host.wall("up"), (0, "ie-wall: the rules are in place, by iptables\n".to_owned()));
    assert!(host.is_held());
    host.keeps_apart();
    assert_eq!(host.run("iptables -t mangle -F && ip6tables -t mangle -F").0, 0);
    soon("it is not put back", || host.wall("check").0 == 0);
    host.keeps_apart();
    assert_eq!(host.wall("down").0, 0);
    soon("it is still held", || !host.is_held());
    assert!(!host.run("iptables -t mangle -S").1.contains("ie+"));
}

/// A number that was noted long ago may be somebody else's by now.
#[test]
fn only_its_own_process_is_ended() {
    for has_nft in [true, false] {
        let host = Host::new(has_nft);
        let mut other = Command::new("setsid").args(["sleep", "600"]).spawn().unwrap();
        fs::write(host.pipe().with_extension("pid"), other.id().to_string()).unwrap();
        let (code, said) = host.wall("up");
        assert_eq!(code, 0, "{said}");
        assert!(host.is_held());
        assert_eq!(other.try_wait().unwrap(), None, "somebody else's was ended");
        assert_eq!(host.wall("down").0, 0);
        assert!(!host.is_held());
        other.kill().unwrap();
        other.wait().unwrap();
    }
}
