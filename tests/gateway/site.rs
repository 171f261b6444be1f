//! A place for one test: directories and a policy on root's ground, and a gateway with a user of its own.

use std::cell::RefCell;
use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// The gateway's own ids.
const GATEWAY: u32 = 5900;

pub(crate) struct Site {
    base: PathBuf,
    systemd: UnixDatagram,
    /// What systemd was told and no test has asked for.
    told: RefCell<Vec<String>>,
}

impl Site {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        assert!(
            nix::unistd::geteuid().is_root(),
            "these tests start programs as other users: run them as root"
        );
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        // Not below /tmp: a policy's directories are root's alone.
        let base = PathBuf::from(format!("/var/lib/ie-gateway-test-{}-{count}", std::process::id()));
        fs::create_dir(&base).unwrap();
        fs::set_permissions(&base, fs::Permissions::from_mode(0o755)).unwrap();
        for dir in ["run", "state"] {
            fs::create_dir(base.join(dir)).unwrap();
            chown(base.join(dir), Some(GATEWAY), Some(GATEWAY)).unwrap();
        }
        // The directory that cargo builds in need not be open to others.
        let program = Command::new("install")
            .args(["-m", "0755", env!("CARGO_BIN_EXE_ie-containerd")])
            .arg(base.join("ie-containerd"))
            .status();
        assert!(program.unwrap().success());
        let systemd = UnixDatagram::bind(base.join("notify")).unwrap();
        fs::set_permissions(base.join("notify"), fs::Permissions::from_mode(0o666)).unwrap();
        systemd.set_nonblocking(true).unwrap();
        Self { base, systemd, told: RefCell::default() }
    }

    pub(crate) fn write_policy(&self, text: &str) {
        fs::write(self.base.join("policy.toml"), text).unwrap();
    }

    /// A file that the gateway's user can read.
    pub(crate) fn copied(&self, file: &str) -> String {
        let name = Path::new(file).file_name().unwrap();
        fs::copy(file, self.base.join(name)).unwrap();
        self.base.join(name).display().to_string()
    }

    pub(crate) fn word(&self, name: &str) -> String {
        self.base.join(name).display().to_string()
    }

    /// The gateway's command line, by way of these words.
    fn command(&self, by: &[&str]) -> Command {
        let mut command = Command::new("setpriv");
        command
            .args([format!("--reuid={GATEWAY}"), format!("--regid={GATEWAY}"), "--clear-groups".to_owned()])
            .args(["--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", "--"])
            .args(by)
            .arg(self.base.join("ie-containerd"))
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("NOTIFY_SOCKET", self.word("notify"))
            .current_dir("/");
        for (option, name) in [
            ("--policy", "policy.toml"),
            ("--runtime-dir", "run"),
            ("--state-dir", "state"),
            ("--mountd-dir", "mountd"),
            // Any file does for what is only bound.
            ("--copy-helper", "ie-containerd"),
            ("--wall", "wall"),
        ] {
            command.args([option.to_owned(), self.word(name)]);
        }
        command
    }

    /// What it has said since it was first started.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.base.join("log")).unwrap_or_default()
    }

    /// Starts it, and waits until it says that it is ready.
    pub(crate) fn start(&self) -> Running {
        let log = File::options().create(true).append(true).open(self.base.join("log")).unwrap();
        let mut command = self.command(&[]);
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let mut running = Running(command.spawn().unwrap());
        self.hear("READY=1", || {
            assert!(running.0.try_wait().unwrap().is_none(), "it has ended: {}", self.log());
        });
        running
    }

    /// Waits until systemd is told something that begins so, and gives it.
    pub(crate) fn told_systemd(&self, beginning: &str) -> String {
        self.hear(beginning, || {})
    }

    fn hear(&self, beginning: &str, mut while_waiting: impl FnMut()) -> String {
        let late = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(line) = self.take_told(beginning) {
                return line;
            }
            let mut message = [0; 4096];
            match self.systemd.recv(&mut message) {
                Ok(count) => {
                    let text = String::from_utf8_lossy(&message[..count]).into_owned();
                    self.told.borrow_mut().extend(text.lines().map(str::to_owned));
                }
                Err(error) => {
                    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
                    while_waiting();
                    assert!(Instant::now() < late, "systemd is not told {beginning}: {}", self.log());
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
        }
    }

    fn take_told(&self, beginning: &str) -> Option<String> {
        let mut told = self.told.borrow_mut();
        let place = told.iter().position(|line| line.starts_with(beginning))?;
        Some(told.remove(place))
    }

    /// A start that fails: one line, nothing said to systemd, and no socket.
    #[track_caller]
    pub(crate) fn refusal(&self, by: &[&str]) -> String {
        // What one that was killed has left.
        let _gone = fs::remove_file(self.base.join("run/user.sock"));
        let timed: Vec<&str> = ["timeout", "20"].into_iter().chain(by.iter().copied()).collect();
        let Output { status, stdout, stderr } = self.command(&timed).output().unwrap();
        let said = String::from_utf8([stdout, stderr].concat()).unwrap();
        assert_eq!(status.code(), Some(1), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.contains("the gateway does not start: "), "{said}");
        assert!(self.systemd.recv(&mut [0; 64]).is_err(), "systemd was told that it is ready");
        assert!(!self.base.join("run/user.sock").exists());
        said
    }
}

/// A gateway that runs until this is dropped.
pub(crate) struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.base);
    }
}
