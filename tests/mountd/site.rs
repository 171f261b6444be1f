//! A place for one test: homes on root's ground, a policy, and a real ie-mountd as root; all gone when dropped.

use ie_container::protocol::stage::{Access, Answer, Map, Reason, Request, Stage, Token};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::chown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

pub(crate) const ANN: u32 = 5001;
pub(crate) const BOB: u32 = 5002;
/// A group of ann's beside her own.
pub(crate) const TEAM: u32 = 6000;
pub(crate) const GATEWAY: u32 = 5900;
pub(crate) const MOUNTD: &str = env!("CARGO_BIN_EXE_ie-mountd");

pub(crate) struct Site {
    pub(crate) base: PathBuf,
    policy: String,
    daemon: Option<Child>,
    companions: Vec<Child>,
    /// Open ends of FUSE mounts; closing them ends what hangs on them.
    fuse: Vec<File>,
}

impl Site {
    /// With homes for ann and bob, and nothing started.
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        assert!(
            nix::unistd::geteuid().is_root(),
            "these tests mount directories and need root: run `cargo test` as root or through sudo"
        );
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        // Not below /tmp: a home's parents are root's alone.
        let base = PathBuf::from(format!("/var/lib/ie-test-{}-{count}", std::process::id()));
        let site =
            Self { base, policy: String::new(), daemon: None, companions: Vec::new(), fuse: Vec::new() };
        for dir in ["", "homes", "shared", "view"] {
            make_dir(&site.base.join(dir), 0, 0o755);
        }
        make_dir(&site.base.join("homes/ann"), ANN, 0o700);
        make_dir(&site.base.join("homes/bob"), BOB, 0o755);
        site
    }

    /// The usual one: homes, and `shared` read-only.
    pub(crate) fn started() -> Self {
        let mut site = Self::new();
        let (homes, shared) = (site.base.join("homes"), site.base.join("shared"));
        site.write_policy(&format!(
            "homes = [{homes:?}]\n[defaults]\nmounts = [{{ source = {shared:?}, mode = \"ro\" }}]"
        ));
        site.start();
        site
    }

    pub(crate) fn write_policy(&mut self, rest: &str) {
        self.write_remapped(&format!("userns = \"host\"\n{rest}"));
    }

    /// For containers with a user namespace of their own, unless `rest` says otherwise.
    pub(crate) fn write_remapped(&mut self, rest: &str) {
        self.policy = format!("[gateway]\nuids = \"1000-59999\"\n{rest}\n");
        fs::write(self.base.join("policy.toml"), &self.policy).unwrap();
    }

    /// A start that should be refused, by way of another program if one is named; ended when it is not refused.
    pub(crate) fn tried(&self, by: &[&str], arguments: &[String]) -> Output {
        Command::new("timeout").arg("20").args(by).arg(MOUNTD).args(arguments).output().unwrap()
    }

    pub(crate) fn arguments(&self) -> Vec<String> {
        let word = |path: &str| self.base.join(path).display().to_string();
        let gateway = GATEWAY.to_string();
        let state = word("state");
        let (policy, run) = (word("policy.toml"), word("run"));
        let words =
            ["--policy", &policy, "--runtime-dir", &run, "--gateway-user", &gateway, "--state-dir", &state];
        words.map(str::to_owned).into()
    }

    pub(crate) fn start(&mut self) {
        let mut command = Command::new(MOUNTD);
        command.args(self.arguments());
        self.start_by(command);
    }

    pub(crate) fn start_by(&mut self, mut command: Command) {
        let log = File::options().create(true).append(true).open(self.base.join("log")).unwrap();
        self.daemon = Some(command.stderr(log).spawn().unwrap());
        let late = Instant::now() + Duration::from_secs(60);
        while Client::connect(self, GATEWAY).is_err() {
            assert!(Instant::now() < late, "ie-mountd did not start: {}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.base.join("log")).unwrap_or_default()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.daemon.as_ref().unwrap().id()
    }

    /// Sends a signal to the daemon.
    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = nix::unistd::Pid::from_raw(self.pid().try_into().unwrap());
        nix::sys::signal::kill(pid, signal).unwrap();
    }

    /// Waits until the daemon has ended.
    pub(crate) fn ended(&mut self) -> std::process::ExitStatus {
        self.daemon.take().unwrap().wait().unwrap()
    }

    pub(crate) fn kill(&mut self) {
        self.signal(nix::sys::signal::Signal::SIGKILL);
        self.ended();
    }

    /// A process that stays until the test ends.
    pub(crate) fn companion(&mut self, mut command: Command) -> u32 {
        let child = command.stdin(Stdio::null()).spawn().unwrap();
        let pid = child.id();
        self.companions.push(child);
        pid
    }

    /// A process in a mount namespace of its own.
    pub(crate) fn namespace(&mut self, propagation: &str) -> u32 {
        let mut command = Command::new("unshare");
        command.args(["-m", "--propagation", propagation, "sleep", "600"]);
        let pid = self.companion(command);
        let own = fs::read_link("/proc/self/ns/mnt").unwrap();
        let late = Instant::now() + Duration::from_secs(60);
        while fs::read_to_string(format!("/proc/{pid}/comm")).unwrap().trim() != "sleep" {
            assert!(Instant::now() < late, "unshare did not start");
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_ne!(fs::read_link(format!("/proc/{pid}/ns/mnt")).unwrap(), own);
        pid
    }

    /// A FUSE mount nobody serves, on behalf of `user`: whoever asks it anything waits.
    pub(crate) fn dead_fuse(&mut self, at: &Path, user: u32) {
        let device =
            File::options().read(true).write(true).open("/dev/fuse").expect("the tests need /dev/fuse");
        let fd = std::os::fd::AsRawFd::as_raw_fd(&device);
        let options = format!("fd={fd},rootmode=40755,user_id={user},group_id={user},allow_other");
        mount(Some("dead"), at, Some("fuse"), MsFlags::empty(), Some(options.as_str())).unwrap();
        self.fuse.push(device);
    }

    pub(crate) fn end_fuse(&mut self) {
        self.fuse.clear();
    }

    pub(crate) fn stages(&self) -> PathBuf {
        self.base.join("run/stage")
    }

    pub(crate) fn stage_of(&self, token: u8) -> PathBuf {
        self.stages().join(token_of(token).as_str())
    }

    /// What ann asks for below `homes`.
    pub(crate) fn wish(&self, token: u8, relative: &str) -> Stage {
        Stage {
            token: token_of(token),
            uid: ANN,
            gids: vec![ANN, TEAM],
            root: self.base.join("homes"),
            relative: relative.into(),
            access: Access::ReadWrite,
            shape: None,
            map: Map::Same,
        }
    }

    pub(crate) fn ask(&self, request: &Request) -> Answer {
        Client::connect(self, GATEWAY).unwrap().ask(request).unwrap().expect("an answer")
    }

    pub(crate) fn staged(&self, wish: Stage) -> PathBuf {
        match self.ask(&Request::Stage(wish)) {
            Answer::Staged { path, .. } => path,
            other => panic!("{other:?}\n{}", self.log()),
        }
    }

    pub(crate) fn refused(&self, wish: Stage) -> (Reason, String) {
        let token = wish.token.clone();
        match self.ask(&Request::Stage(wish)) {
            Answer::Refused { reason, message } => {
                assert!(!self.stages().join(token.as_str()).exists(), "a refused stage left something");
                (reason, message.to_string())
            }
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn unstaged(&self, request: &Request) -> usize {
        match self.ask(request) {
            Answer::Unstaged { count } => count,
            other => panic!("{other:?}"),
        }
    }

    /// What is mounted below the stages.
    pub(crate) fn mounted(&self) -> Vec<MountLine> {
        mount_lines("self").into_iter().filter(|line| line.at.starts_with(self.stages())).collect()
    }

    /// Runs a script in a directory bound as an engine would bind it, as root with all capabilities or as a user.
    pub(crate) fn view(&self, source: &Path, user: Option<u32>, script: &str) -> Output {
        let become_user = user.map_or(String::new(), |uid| {
            format!("setpriv --reuid {uid} --regid {uid} --groups {TEAM} --no-new-privs")
        });
        let view = self.base.join("view");
        Command::new("unshare")
            .args(["-m", "sh", "-ec"])
            .arg(format!("mount --bind \"$1\" \"$2\"; cd \"$2\"; exec {become_user} sh -ec \"$3\""))
            .arg("sh")
            .args([source, &view])
            .arg(script)
            .env("LC_ALL", "C")
            .output()
            .unwrap()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.fuse.clear();
        for mut child in self.companions.drain(..).chain(self.daemon.take()) {
            let _ = child.kill();
            let _ = child.wait();
        }
        // Each pass takes away the topmost; a mount that cannot be taken must not make this endless.
        for _ in 0..64 {
            let below = |line: &MountLine| line.at.starts_with(&self.base);
            let Some(line) = mount_lines("self").into_iter().rfind(below) else { break };
            let _ = umount2(&line.at, MntFlags::MNT_DETACH);
        }
        let _ = fs::remove_dir_all(&self.base);
    }
}

/// A connection to the daemon.
pub(crate) struct Client(pub(crate) UnixStream);

impl Client {
    /// Connects as `uid`: the kernel notes who a thread is when it connects, and ids are a thread's own.
    pub(crate) fn connect(site: &Site, uid: u32) -> io::Result<Self> {
        Self::connect_as(site, uid, uid)
    }

    pub(crate) fn connect_as(site: &Site, uid: u32, gid: u32) -> io::Result<Self> {
        let path = site.base.join("run/mountd.sock");
        let connect = move || {
            let group = rustix::thread::Gid::from_raw(gid);
            rustix::thread::set_thread_res_gid(group, group, group)?;
            let id = rustix::thread::Uid::from_raw(uid);
            rustix::thread::set_thread_res_uid(id, id, id)?;
            UnixStream::connect(path)
        };
        let stream = std::thread::spawn(connect).join().unwrap()?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Self(stream))
    }

    pub(crate) fn send(&mut self, body: &[u8]) -> io::Result<()> {
        let length = u32::try_from(body.len()).unwrap();
        self.0.write_all(&[&length.to_be_bytes(), body].concat())
    }

    /// The next answer; none when the daemon has hung up.
    pub(crate) fn receive(&mut self) -> io::Result<Option<Answer>> {
        let mut length = [0; 4];
        match self.0.read_exact(&mut length) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
        let mut body = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
        self.0.read_exact(&mut body)?;
        Ok(Some(serde_json::from_slice(&body).unwrap()))
    }

    pub(crate) fn ask(&mut self, request: &Request) -> io::Result<Option<Answer>> {
        self.send(&serde_json::to_vec(request).unwrap())?;
        self.receive()
    }
}

pub(crate) fn token_of(token: u8) -> Token {
    Token::from_bytes([token; 16])
}

pub(crate) fn make_dir(path: &Path, owner: u32, mode: u32) {
    fs::create_dir(path).unwrap();
    chown(path, Some(owner), Some(owner)).unwrap();
    set_mode(path, mode);
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
}

/// Mounts an empty file system of the kind given and gives its top to `owner`.
pub(crate) fn mount_at(path: &Path, kind: &str, owner: u32) {
    mount(Some("test"), path, Some(kind), MsFlags::empty(), Option::<&str>::None).unwrap();
    chown(path, Some(owner), Some(owner)).unwrap();
}

/// A line of a process's table of mounts; the tests' paths need no unescaping.
#[derive(Debug, Clone)]
pub(crate) struct MountLine {
    pub(crate) id: u64,
    pub(crate) at: PathBuf,
    pub(crate) options: Vec<String>,
}

impl MountLine {
    pub(crate) fn has(&self, option: &str) -> bool {
        self.options.iter().any(|word| word == option)
    }
}

pub(crate) fn mount_lines(pid: &str) -> Vec<MountLine> {
    let table = fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap();
    let line = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let options = words[5].split(',').map(str::to_owned).collect();
        MountLine { id: words[0].parse().unwrap(), at: words[4].into(), options }
    };
    table.lines().map(line).collect()
}
