//! A world of the tests' own: a real engine, real users, the real programs with their real privileges.

mod clients;
mod engine;
mod hooks;
mod image;
mod muffled;
pub(crate) mod output;
mod people;
mod place;
mod policy;
mod programs;
mod pty;
mod registry;
mod runtime;
pub(crate) mod slot;
mod small;
mod standin;
pub(crate) mod tools;
pub(crate) mod wire;

pub(crate) use engine::is_remapped;
pub(crate) use muffled::Muffled;
pub(crate) use people::User;
pub(crate) use pty::Pty;
pub(crate) use standin::{Faulty, Stopped, json};

use engine::Engine;
use output::{Output, Words, run_to_end};
use policy::Policy;
use programs::{Daemon, owned_dir};
use slot::{Slot, account_step};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use tools::step;

/// Everything one run of the tests needs. Dropping it leaves the machine as it was.
pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) gateway: Daemon,
    pub(crate) mountd: Daemon,
    gateway_login: String,
    gateway_uid: u32,
    newest_uid: AtomicU32,
    policy: Mutex<Policy>,
    /// Last, so that it is dropped last: it takes away what the others made.
    slot: Slot,
}

impl World {
    /// With the three programs up.
    pub(crate) fn new() -> Result<Self, String> {
        let world = Self::without_programs()?;
        world.install_programs()?;
        world.mount_clients()?;
        world.start_mountd()?;
        world.start_gateway()?;
        Ok(world)
    }

    /// The engine with its images, the directories, the gateway's user and the policy.
    pub(crate) fn without_programs() -> Result<Self, String> {
        preconditions()?;
        let slot = Slot::claim()?;
        for dir in [slot.lib(), slot.lib().join("log"), slot.lib().join("bin"), slot.lib().join("home")] {
            owned_dir(&dir, 0, 0o755)?;
        }
        owned_dir(&slot.run(), 0, 0o755)?;
        owned_dir(&slot.run().join("mountd"), 0, 0o755)?;
        let shared = slot.lib().join("shared");
        owned_dir(&shared, 0, 0o755)?;
        fs::write(shared.join("everyone"), "for everyone\n").map_err(|e| e.to_string())?;

        let engine = Engine::start(&slot)?;
        image::make_all(&engine, &slot.lib().join("images"))?;
        let gateway_login = format!("{}gw", slot.login_prefix());
        let gateway_uid = slot.uids().end() - 1;
        make_gateway_account(&gateway_login, gateway_uid)?;
        let log = |name: &str| slot.lib().join("log").join(name);
        let world = Self {
            gateway: Daemon::new("ie-containerd", log("ie-containerd"), slot.run().join("gateway/user.sock")),
            mountd: Daemon::new("ie-mountd", log("ie-mountd"), slot.run().join("mountd/mountd.sock")),
            policy: Mutex::new(Policy::new(&engine, &slot)),
            newest_uid: AtomicU32::new(*slot.uids().start()),
            engine,
            gateway_login,
            gateway_uid,
            slot,
        };
        owned_dir(&world.gateway_dir(), gateway_uid, 0o755)?;
        owned_dir(&world.state_dir(), gateway_uid, 0o700)?;
        world.write_policy()?;
        Ok(world)
    }

    /// Takes everything away and answers what would not go.
    pub(crate) fn take_down(self) -> Vec<String> {
        self.slot.sweep();
        self.slot.leftovers()
    }

    /// Brings up again what a test has stopped, and puts the policy right.
    pub(crate) fn recover(&self) {
        if self.engine.has_ended() {
            self.engine.revive();
        }
        self.engine.turn_wall("up").unwrap();
        self.mend_policy();
        if self.mountd.has_ended() {
            self.start_mountd().unwrap();
        }
        if self.gateway.has_ended() {
            self.start_gateway().unwrap();
        } else {
            self.reload();
        }
    }

    fn next_uid(&self) -> u32 {
        let uid = self.newest_uid.fetch_add(1, Ordering::Relaxed);
        assert!(uid < self.gateway_uid, "the world has no more uids");
        uid
    }

    pub(crate) fn homes(&self) -> PathBuf {
        self.slot.lib().join("home")
    }

    /// A directory of root's that the policy offers to everyone, read-only.
    pub(crate) fn shared(&self) -> PathBuf {
        self.slot.lib().join("shared")
    }

    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.slot.lib().join("bin").join(name)
    }

    pub(crate) fn gateway_dir(&self) -> PathBuf {
        self.slot.run().join("gateway")
    }

    pub(crate) fn mountd_dir(&self) -> PathBuf {
        self.slot.run().join("mountd")
    }

    pub(crate) fn state_dir(&self) -> PathBuf {
        self.slot.lib().join("state")
    }

    pub(crate) fn user_socket(&self) -> PathBuf {
        self.gateway_dir().join("user.sock")
    }

    pub(crate) fn admin_socket(&self) -> PathBuf {
        self.gateway_dir().join("admin/admin.sock")
    }

    /// What somebody's processes in a container of theirs are on the host.
    pub(crate) fn outside(&self, uid: u32) -> u32 {
        self.engine.remap().map_or(uid, |_| self.slot.subordinate().0 + uid)
    }

    fn engine_gid(&self) -> u32 {
        *self.slot.uids().end()
    }

    /// The plain docker client, as root and on the engine itself. What it runs is in the host's user namespace, whatever
    /// the engine's default, and has nothing in front of runc, unless the words name another runtime: an attack that is to
    /// work on the bare engine is tried where root inside is root. `--userns=` leaves it where the engine has it.
    #[track_caller]
    pub(crate) fn docker(&self, words: impl Words) -> Output {
        let mut words = words.words();
        if matches!(words.first().map(String::as_str), Some("run" | "create")) {
            for (option, value) in [("--userns", "host"), ("--runtime", runtime::BARE)] {
                if !words.iter().any(|word| word.starts_with(option)) {
                    words.insert(1, format!("{option}={value}"));
                }
            }
        }
        let refs: Vec<&str> = words.iter().map(String::as_str).collect();
        run_to_end(&mut self.engine.docker(&refs), format!("root# docker {}", words.join(" ")), b"")
    }

    /// One field of what the engine knows of a container.
    #[track_caller]
    pub(crate) fn address(&self, container: &str) -> String {
        self.inspect(container, "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}")
    }

    pub(crate) fn inspect(&self, container: &str, template: &str) -> String {
        self.docker(["inspect", "--format", template, container]).line()
    }

    /// `ie-container …` as root, with both sockets named.
    #[track_caller]
    pub(crate) fn admin(&self, words: impl Words) -> Output {
        let words = words.words();
        let mut command = Command::new(self.program("ie-container"));
        command.args(&words).env_clear().env("PATH", "/usr/bin:/bin").env("HOME", "/root");
        command
            .env("IE_CONTAINER_ADMIN_SOCKET", self.admin_socket())
            .env("IE_CONTAINER_SOCKET", self.user_socket());
        run_to_end(&mut command, format!("root# ie-container {}", words.join(" ")), b"")
    }

    /// What the engine itself answers to a request by hand.
    #[track_caller]
    pub(crate) fn engine_raw(&self, path: &str) -> String {
        let words = curl(&self.engine.socket(), "GET", path, "");
        parse_curl(&run_to_end(Command::new("/usr/bin/curl").args(words), format!("root# curl {path}"), b""))
            .1
    }

    /// A request by hand over the admin socket.
    #[track_caller]
    pub(crate) fn admin_raw(&self, method: &str, path: &str) -> (u16, String) {
        let words = curl(&self.admin_socket(), method, path, "");
        parse_curl(&run_to_end(Command::new("/usr/bin/curl").args(words), format!("root# curl {path}"), b""))
    }

    /// What is mounted in a container that this person starts now.
    #[track_caller]
    pub(crate) fn inspect_mounts(&self, user: &User<'_>) -> String {
        user.sleeper("looked-at");
        self.inspect(&user.engine_name("looked-at"), "{{json .Mounts}}")
    }

    pub(crate) fn uids(&self) -> std::ops::RangeInclusive<u32> {
        self.slot.uids()
    }

    /// Where stages lie.
    pub(crate) fn stages(&self) -> Vec<PathBuf> {
        let dir = fs::read_dir(self.mountd_dir().join("stage")).into_iter().flatten().flatten();
        dir.map(|entry| entry.path()).collect()
    }

    /// What an engine does not remove is told, and no reason for a test to fail: the world's end is.
    fn remove_containers_of(&self, uid: u32) {
        let filter = format!("name=^/ie-{uid}-");
        let listed = step(&mut self.engine.docker(&["ps", "-aq", "--filter", &filter])).unwrap_or_default();
        if !listed.trim().is_empty() {
            let words: Vec<&str> = ["rm", "-fv"].into_iter().chain(listed.lines()).collect();
            if let Err(why) = step(&mut self.engine.docker(&words)) {
                eprintln!("containers of uid {uid} stay: {why}");
            }
        }
    }

    /// The daemons' last words, for a test that failed.
    pub(crate) fn last_words(&self) -> String {
        let parts = [("ie-containerd", 12), ("ie-mountd", 4), ("dockerd", 2)].map(|(name, count)| {
            let log = self.slot.lib().join("log").join(name);
            format!("--- the end of {name}'s log\n{}", tail(&log, count))
        });
        parts.join("\n")
    }
}

fn make_gateway_account(login: &str, uid: u32) -> Result<(), String> {
    let id = uid.to_string();
    account_step(&["groupadd", "--gid", &id, login])?;
    account_step(&[
        "useradd",
        "--no-create-home",
        "--home-dir",
        "/nonexistent",
        "--shell",
        "/usr/sbin/nologin",
        "--uid",
        &id,
        "--gid",
        &id,
        login,
    ])?;
    Ok(())
}

/// What the tests cannot do without; absent, they fail and say what to install.
fn preconditions() -> Result<(), String> {
    if !rustix::process::geteuid().is_root() {
        return Err(
            "the end-to-end tests make users and mounts: run them as root, `sudo make test`".to_owned()
        );
    }
    let needed = [
        ("/usr/sbin/dockerd", "docker.io"),
        ("/usr/bin/docker", "docker.io"),
        ("/usr/bin/docker-compose", "docker-compose"),
        ("/bin/busybox", "busybox-static"),
        ("/usr/bin/curl", "curl"),
        ("/usr/sbin/iptables", "iptables"),
        ("/bin/ip", "iproute2"),
        ("/usr/bin/setpriv", "util-linux"),
        ("/usr/sbin/useradd", "passwd"),
    ];
    let missing: Vec<_> =
        needed.iter().filter(|(path, _)| !Path::new(path).exists()).map(|(_, package)| *package).collect();
    if !missing.is_empty() {
        return Err(format!("missing: apt-get install --no-install-recommends {}", missing.join(" ")));
    }
    // The package busybox puts a program in the same place that needs a library no image here has.
    if Command::new("ldd").arg("/bin/busybox").output().is_ok_and(|output| output.status.success()) {
        return Err(
            "/bin/busybox is not static: apt-get install --no-install-recommends busybox-static".to_owned()
        );
    }
    Ok(())
}

fn curl(socket: &Path, method: &str, path: &str, body: &str) -> Vec<String> {
    let socket = socket.display().to_string();
    let url = format!("http://d{path}");
    let fixed = [
        "--silent",
        "--show-error",
        "--path-as-is",
        "--globoff",
        "--max-time",
        "60",
        "--unix-socket",
        &socket,
    ];
    let mut words: Vec<String> = fixed.iter().map(|word| (*word).to_owned()).collect();
    words.extend(["-X", method, "-w", "\n%{http_code}", &url].map(str::to_owned));
    if !body.is_empty() {
        words.extend(["-H", "Content-Type: application/json", "--data-binary", body].map(str::to_owned));
    }
    words
}

#[track_caller]
fn parse_curl(output: &Output) -> (u16, String) {
    let text = output.ok();
    let (body, status) = text.rsplit_once('\n').unwrap();
    (status.parse().unwrap(), body.to_owned())
}

/// The last lines of a log.
pub(crate) fn tail(path: &Path, count: usize) -> String {
    let text = fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}
