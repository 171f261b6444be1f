//! A Docker Engine of the world's own: nothing of the host's engine, network or configuration is touched.

use super::clients::show;
use super::hooks;
use super::runtime;
use super::slot::{Slot, account_step};
use super::tools::{eventually, step, wait_until};
use serde_json::json;
use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// The private dockerd and where its parts lie.
pub(crate) struct Engine {
    name: String,
    group: String,
    /// Whose subordinate ids its containers have; none with `IE_USERNS=host`.
    remap: Option<String>,
    lib: PathBuf,
    run: PathBuf,
    /// What lies in front of runc.
    runtime: PathBuf,
    child: Mutex<Option<Child>>,
}

impl Engine {
    /// Makes the namespace and the socket's group, and starts the engine.
    pub(crate) fn start(slot: &Slot) -> Result<Self, String> {
        let (name, group) = (slot.name(), format!("{}eng", slot.login_prefix()));
        account_step(&["groupadd", "--gid", &slot.uids().end().to_string(), &group])?;
        step(Command::new("ip").args(["netns", "add", &name]))?;
        step(Command::new("ip").args(["-netns", &name, "link", "set", "lo", "up"]))?;
        let remap = remap_user(slot)?;
        let mut engine = Self {
            name,
            group,
            remap,
            lib: slot.lib(),
            run: slot.run(),
            runtime: PathBuf::new(),
            child: Mutex::new(None),
        };
        hooks::make(&engine.lib)?;
        let mut config = json!({"live-restore": true});
        if let Some(dir) = env::var_os("IE_DOCKER") {
            show(Path::new(&dir), &engine.other())?;
            // Images in containerd's store, as newer engines keep them unless they are told otherwise.
            config["features"] = json!({"cdi": true, "containerd-snapshotter": true});
            config["cdi-spec-dirs"] = json!([hooks::specifications(&engine.lib)?]);
        }
        engine.runtime = runtime::install(
            slot,
            &engine.program("dockerd"),
            &engine.program("docker-init"),
            engine.remap.as_deref(),
        )?;
        let [containerd, shim] = ["containerd", "containerd-shim-runc-v2"].map(|name| engine.program(name));
        runtime::install_containerd(slot, &engine.runtime, &containerd, &shim)?;
        config["runtimes"] = json!({ runtime::BARE: { "path": runtime::RUNC } });
        fs::write(engine.config(), config.to_string()).map_err(|e| e.to_string())?;
        engine.turn_wall("up")?;
        engine.spawn()?;
        Ok(engine)
    }

    /// Where `ie-wall` says that it stands.
    pub(crate) fn wall(&self) -> PathBuf {
        self.run.join("wall")
    }

    /// `ie-wall up|check|down` in the engine's network namespace.
    pub(crate) fn turn_wall(&self, verb: &str) -> Result<(), String> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/ie-wall");
        step(self.inside_network(&[script, verb]).arg(self.wall())).map(drop)
    }

    /// Where another Docker's programs are shown, if the tests are to run with another than Debian 12's.
    fn other(&self) -> PathBuf {
        self.lib.join("docker")
    }

    /// The API version it speaks, and the gateway after it.
    pub(crate) fn api_version(&self) -> String {
        step(&mut self.docker(&["version", "--format", "{{.Server.APIVersion}}"])).unwrap().trim().to_owned()
    }

    /// Whether it reads CDI specifications, which Debian 12's does not.
    pub(crate) fn reads_cdi(&self) -> bool {
        self.other().exists()
    }

    /// A program of the Docker under test.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        let usual = if name == "dockerd" { "/usr/sbin" } else { "/usr/bin" };
        Some(self.other().join(name))
            .filter(|path| path.exists())
            .unwrap_or_else(|| Path::new(usual).join(name))
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.run.join("docker.sock")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.lib.join("log/dockerd")
    }

    /// Whose subordinate ids its containers have, if they have a user namespace of their own.
    pub(crate) fn remap(&self) -> Option<&str> {
        self.remap.as_deref()
    }

    /// The group of its socket.
    pub(crate) fn group(&self) -> &str {
        &self.group
    }

    fn config(&self) -> PathBuf {
        self.lib.join("daemon.json")
    }

    fn spawn(&self) -> Result<(), String> {
        let log = File::options().create(true).append(true).open(self.log()).map_err(|e| e.to_string())?;
        let path = |option: &str, path: &Path| format!("{option}={}", path.display());
        // Not `ip netns exec`: that mounts a /sys of its own, in which the control groups are missing.
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--net=/run/netns/{}", self.name))
            .arg(self.program("dockerd"))
            .args([
                path("--config-file", &self.config()),
                path("--data-root", &self.lib.join("engine")),
                path("--exec-root", &self.run.join("exec")),
                path("--pidfile", &self.run.join("docker.pid")),
                format!("--host=unix://{}", self.socket().display()),
                format!("--group={}", self.group),
                format!("--cgroup-parent=/{}", self.name),
                "--exec-opt=native.cgroupdriver=cgroupfs".to_owned(),
                "--bridge=none".to_owned(),
            ])
            .args(self.remap.iter().map(|user| format!("--userns-remap={user}")))
            .env_clear()
            .env("PATH", self.search_path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(|e| e.to_string())?)
            .stderr(log);
        let child = command.spawn().map_err(|e| format!("dockerd does not start: {e}"))?;
        *self.child.lock().unwrap() = Some(child);
        if wait_until(Duration::from_secs(240), || self.answers() || self.has_ended()) && !self.has_ended() {
            Ok(())
        } else {
            Err(format!("dockerd does not come up:\n{}", super::tail(&self.log(), 20)))
        }
    }

    /// The runtime first, so that every name of runc's leads to it.
    fn search_path(&self) -> String {
        let own = [self.runtime.clone(), self.lib.join("hooks"), self.other()];
        own.iter().map(|dir| format!("{}:", dir.display())).chain([PATH.to_owned()]).collect()
    }

    fn answers(&self) -> bool {
        step(&mut self.docker(&["version"])).is_ok()
    }

    pub(crate) fn has_ended(&self) -> bool {
        let mut child = self.child.lock().unwrap();
        child.as_mut().is_none_or(|child| child.try_wait().is_ok_and(|status| status.is_some()))
    }

    /// How many it has open.
    pub(crate) fn descriptors(&self) -> usize {
        let pid = self.child.lock().unwrap().as_ref().unwrap().id();
        fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
    }

    /// The plain docker client, as root, on this engine.
    pub(crate) fn docker(&self, words: &[&str]) -> Command {
        let mut command = Command::new(self.program("docker"));
        command
            .env_clear()
            .env("PATH", PATH)
            .env("DOCKER_HOST", format!("unix://{}", self.socket().display()))
            .env("DOCKER_CONFIG", self.lib.join("docker-config"))
            .args(words);
        command
    }

    /// Its network namespace, which is what containers take for the host's.
    pub(crate) fn network(&self) -> PathBuf {
        format!("/run/netns/{}", self.name).into()
    }

    /// A program in the engine's network namespace, where published ports are.
    pub(crate) fn inside_network(&self, words: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{}", self.name)).args(words);
        command
    }

    /// Whether each network it knows has its bridge, and no bridge is there without one: none is being made or removed.
    fn networks_are_at_rest(&self) -> bool {
        let count = |command: &mut Command| step(command).map(|lines| lines.lines().count());
        let mut bridges = Command::new("ip");
        bridges.args(["-netns", &self.name, "-oneline", "link", "show", "type", "bridge"]);
        let known = count(&mut self.docker(&["network", "ls", "-q", "--filter", "driver=bridge"]));
        known.is_ok() && known == count(&mut bridges)
    }

    /// Kills the engine, and with it the containerd that it started; its containers live on.
    ///
    /// Not while it removes a network: the Docker Engine 20.10 that was killed at that panics at each start, as what it
    /// left has no addresses any more ("index out of range", in `reservePools`).
    pub(crate) fn kill(&self) {
        let mut rests = 0;
        let rested = wait_until(Duration::from_secs(60), || {
            rests = if self.networks_are_at_rest() { rests + 1 } else { 0 };
            thread::sleep(Duration::from_millis(200));
            rests >= 5
        });
        if !rested {
            eprintln!("the engine is killed while it may be at a network");
        }
        if let Some(mut child) = self.child.lock().unwrap().take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        // Whoever adopts that containerd may be slow to bury it, and the next engine would take it for alive.
        let note = self.run.join("exec/containerd/containerd.pid");
        let pid = fs::read_to_string(&note).unwrap_or_default();
        let exe = Path::new("/proc").join(pid.trim()).join("exe");
        assert!(eventually(|| exe.read_link().is_err()), "containerd {pid} lives on");
        fs::remove_file(note).ok();
    }

    /// Starts it again.
    pub(crate) fn revive(&self) {
        self.spawn().unwrap();
    }
}

/// Whether containers have a user namespace of their own: always, but with `IE_USERNS=host`.
pub(crate) fn is_remapped() -> bool {
    env::var_os("IE_USERNS").is_none_or(|word| word != "host")
}

/// A system user with the world's range of subordinate ids, unless containers are to be in the host's user namespace.
fn remap_user(slot: &Slot) -> Result<Option<String>, String> {
    if !is_remapped() {
        return Ok(None);
    }
    let user = format!("{}rm", slot.login_prefix());
    let (first, count) = slot.subordinate();
    let (last, none) = (first + count - 1, "/nonexistent");
    account_step(&["useradd", "--system", "--no-create-home", "--home-dir", none, &user])?;
    let range = format!("{first}-{last}");
    account_step(&["usermod", "--add-subuids", &range, "--add-subgids", &range, &user])?;
    Ok(Some(user))
}
