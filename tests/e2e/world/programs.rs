//! The three programs, started with the privileges their units give them and no others.

use super::World;
use super::tools::eventually;
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

/// A program of ours that is kept running.
pub(crate) struct Daemon {
    name: &'static str,
    log: PathBuf,
    socket: PathBuf,
    child: Mutex<Option<Child>>,
}

impl Daemon {
    pub(crate) fn new(name: &'static str, log: PathBuf, socket: PathBuf) -> Self {
        Self { name, log, socket, child: Mutex::new(None) }
    }

    /// Starts it and waits until its socket answers.
    pub(crate) fn start(&self, command: &mut Command) -> Result<(), String> {
        self.start_on(command, Stdio::null())
    }

    fn start_on(&self, command: &mut Command, stdin: Stdio) -> Result<(), String> {
        let log = File::options().create(true).append(true).open(&self.log).map_err(|e| e.to_string())?;
        let log_too = log.try_clone().map_err(|e| e.to_string())?;
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("RUST_BACKTRACE", "1");
        command.current_dir("/").stdin(stdin).stdout(log).stderr(log_too);
        let child = command.spawn().map_err(|e| format!("{}: {e}", self.name))?;
        *self.child.lock().unwrap() = Some(child);
        let up = || UnixStream::connect(&self.socket).is_ok();
        if eventually(|| up() || self.has_ended()) && !self.has_ended() {
            Ok(())
        } else {
            Err(format!("{} does not come up:\n{}", self.name, super::tail(&self.log, 20)))
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        let mut child = self.child.lock().unwrap();
        child.as_mut().is_none_or(|child| child.try_wait().is_ok_and(|status| status.is_some()))
    }

    /// What it has said so far.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.lock().unwrap().as_ref().unwrap().id()
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let child = self.child.lock().unwrap();
        let pid = rustix::process::Pid::from_child(child.as_ref().unwrap());
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Ends it without a warning.
    pub(crate) fn kill(&self) {
        if let Some(mut child) = self.child.lock().unwrap().take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

impl World {
    pub(super) fn start_mountd(&self) -> Result<(), String> {
        let mut command = Command::new("setpriv");
        command
            .arg("--bounding-set=-all,+sys_admin,+setuid,+setgid")
            .args(["--inh-caps=-all", "--no-new-privs", "--"])
            .arg(self.program("ie-mountd"))
            .arg("--policy")
            .arg(self.policy_file())
            .arg("--runtime-dir")
            .arg(self.mountd_dir())
            .args(["--gateway-user", &self.gateway_login])
            .arg("--state-dir")
            .arg(self.slot.lib().join("mountd"));
        self.mountd.start(&mut command)
    }

    pub(crate) fn start_gateway(&self) -> Result<(), String> {
        self.start_gateway_with(&[])
    }

    /// With these words, `NAME=value` each, in its environment.
    pub(crate) fn start_gateway_with(&self, environment: &[&str]) -> Result<(), String> {
        self.start_gateway_on(environment, Stdio::null())
    }

    /// The users' socket without a gateway, held as systemd holds it; a gateway that runs ends.
    pub(crate) fn hold_user_socket(&self) -> UnixListener {
        self.gateway.kill();
        fs::remove_file(self.user_socket()).unwrap();
        let socket = UnixListener::bind(self.user_socket()).unwrap();
        fs::set_permissions(self.user_socket(), fs::Permissions::from_mode(0o666)).unwrap();
        socket
    }

    /// A gateway that takes over a socket that is held.
    pub(crate) fn start_gateway_behind(&self, socket: &UnixListener) {
        let stdin = Stdio::from(OwnedFd::from(socket.try_clone().unwrap()));
        // The first descriptor that is handed over is the third; the number of the process stays what it is.
        let hand_over = r#"exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec "$@""#;
        self.start_gateway_on(&["/bin/sh", "-c", hand_over, "sh"], stdin).unwrap();
    }

    fn start_gateway_on(&self, before: &[&str], stdin: Stdio) -> Result<(), String> {
        let uid = self.gateway_uid;
        let mut command = Command::new("setpriv");
        command
            .args([
                format!("--reuid={uid}"),
                format!("--regid={uid}"),
                format!("--groups={}", self.engine_gid()),
            ])
            .args(["--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", "--", "/usr/bin/env"])
            .args(before)
            .arg(self.program("ie-containerd"))
            .arg("--policy")
            .arg(self.policy_file())
            .arg("--runtime-dir")
            .arg(self.gateway_dir())
            .arg("--state-dir")
            .arg(self.state_dir())
            .arg("--mountd-dir")
            .arg(self.mountd_dir())
            .arg("--copy-helper")
            .arg(self.program("ie-copy"))
            .arg("--wall")
            .arg(self.engine.wall());
        self.gateway.start_on(&mut command, stdin)?;
        // Bound after the other one.
        eventually(|| UnixStream::connect(self.admin_socket()).is_ok() || self.gateway.has_ended());
        Ok(())
    }

    pub(crate) fn restart_gateway(&self) {
        self.gateway.kill();
        self.start_gateway().unwrap();
    }

    pub(crate) fn restart_mountd(&self) {
        self.mountd.kill();
        self.start_mountd().unwrap();
    }

    /// Copies the built programs to where every user of the world may execute them, but change nothing. `IE_PROGRAMS`
    /// names a folder with others than cargo's: a release's are as fast as users have them, but have no marked steps.
    pub(super) fn install_programs(&self) -> Result<(), String> {
        let others = std::env::var_os("IE_PROGRAMS").map(PathBuf::from);
        let built = |name: &'static str, cargos: &str| {
            (name, others.as_ref().map_or_else(|| PathBuf::from(cargos), |others| others.join(name)))
        };
        let built = [
            built("ie-container", env!("CARGO_BIN_EXE_ie-container")),
            built("ie-containerd", env!("CARGO_BIN_EXE_ie-containerd")),
            built("ie-mountd", env!("CARGO_BIN_EXE_ie-mountd")),
            ("ie-copy", copy_helper()?),
        ];
        for (name, from) in built {
            let to = self.program(name);
            fs::copy(&from, &to).map_err(|e| format!("{}: {e}", from.display()))?;
            fs::set_permissions(&to, fs::Permissions::from_mode(0o755)).map_err(|e| e.to_string())?;
        }
        Ok(())
    }
}

/// The static `ie-copy`: it must run in images that have no library at all, so the one cargo builds beside the tests
/// will not do.
fn copy_helper() -> Result<PathBuf, String> {
    let beside = Path::new(env!("CARGO_BIN_EXE_ie-copy")).with_file_name("static").join("ie-copy");
    let path = std::env::var_os("IE_COPY_HELPER").map_or(beside, PathBuf::from);
    if path.is_file() {
        Ok(path)
    } else {
        Err(format!(
            "{} is missing: make it with `make target/debug/static/ie-copy`, or run all with `make test`",
            path.display()
        ))
    }
}

/// A directory of the gateway's user.
pub(super) fn owned_dir(path: &Path, owner: u32, mode: u32) -> Result<(), String> {
    fs::create_dir_all(path)
        .and_then(|()| chown(path, Some(owner), Some(owner)))
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(mode)))
        .map_err(|e| format!("{}: {e}", path.display()))
}
