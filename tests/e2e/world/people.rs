//! Real Unix users of the world, and what they can do.

use super::World;
use super::output::{Output, Running, Words, run_to_end};
use super::pty::Pty;
use super::slot::account_step;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A person with an account, a home nobody else can read, and no special group.
pub(crate) struct User<'w> {
    pub(super) world: &'w World,
    pub(crate) login: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) home: PathBuf,
}

impl World {
    /// Somebody new. Every test has people of its own, so that no quota and no name is shared between tests.
    ///
    /// `name` is what the login ends with: `ann` is a plain word, `b-o.b` is not.
    pub(crate) fn newcomer(&self, name: &str) -> User<'_> {
        let uid = self.next_uid();
        let login = format!("{}u{}{name}", self.slot.login_prefix(), uid % 1000);
        let home = self.homes().join(&login);
        let (id, dir) = (uid.to_string(), home.display().to_string());
        account_step(&["groupadd", "--gid", &id, &login]).unwrap();
        account_step(&[
            "useradd",
            "--no-create-home",
            "--home-dir",
            &dir,
            "--uid",
            &id,
            "--gid",
            &id,
            "--shell",
            "/bin/sh",
            &login,
        ])
        .unwrap();
        fs::create_dir(&home).unwrap();
        chown(&home, Some(uid), Some(uid)).unwrap();
        fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).unwrap();
        User { world: self, login, uid, gid: uid, home }
    }
}

impl World {
    /// Gives the account another login, as when a uid is handed to somebody else.
    pub(crate) fn rename_account(&self, user: &User<'_>, suffix: &str) {
        let new = format!("{}{suffix}", user.login);
        account_step(&["usermod", "--login", &new, &user.login]).unwrap();
    }

    pub(crate) fn rename_account_back(&self, user: &User<'_>, suffix: &str) {
        let new = format!("{}{suffix}", user.login);
        account_step(&["usermod", "--login", &user.login, &new]).unwrap();
    }
}

impl World {
    /// Makes somebody a member of the group of this world's engine, and takes it back.
    pub(crate) fn give_engine_group(&self, user: &User<'_>) {
        account_step(&["gpasswd", "--add", &user.login, self.engine.group()]).unwrap();
    }

    /// Makes somebody a member of a group of the host's; it ends with the account.
    pub(crate) fn give_group(&self, user: &User<'_>, group: &str) {
        account_step(&["gpasswd", "--add", &user.login, group]).unwrap();
    }

    pub(crate) fn take_engine_group(&self, user: &User<'_>) {
        account_step(&["gpasswd", "--delete", &user.login, self.engine.group()]).unwrap();
    }
}

impl User<'_> {
    /// `program` as this person would start it after logging in: own ids and groups, own home, nothing inherited.
    pub(crate) fn command(&self, program: impl AsRef<Path>, words: impl Words) -> Command {
        let mut command = Command::new("/usr/bin/setpriv");
        command
            .args([
                format!("--reuid={}", self.uid),
                format!("--regid={}", self.gid),
                "--init-groups".to_owned(),
            ])
            .args(["--inh-caps=-all", "--"])
            .arg(program.as_ref())
            .args(words.words())
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", &self.home)
            .env("USER", &self.login)
            .env("LOGNAME", &self.login)
            .env("LANG", "C.UTF-8")
            .env("TERM", "xterm")
            .env("IE_CONTAINER_SOCKET", self.world.user_socket())
            .env("DOCKER_HOST", format!("unix://{}", self.world.user_socket().display()))
            .current_dir(&self.home);
        command
    }

    /// `ie-container …`, ready to be changed before it is started.
    pub(crate) fn client(&self, words: impl Words) -> Command {
        self.command(self.world.program("ie-container"), words)
    }

    /// `ie-container …`, to its end.
    #[track_caller]
    pub(crate) fn run(&self, words: impl Words) -> Output {
        self.run_with_stdin(words, b"")
    }

    #[track_caller]
    pub(crate) fn run_with_stdin(&self, words: impl Words, input: &[u8]) -> Output {
        self.finish(&mut self.client(words), input)
    }

    /// `ie-container …` from `/`, for when there is no home to stand in.
    #[track_caller]
    pub(crate) fn run_in_root(&self, words: impl Words) -> Output {
        self.finish(self.client(words).current_dir("/"), b"")
    }

    /// A changed command, to its end.
    #[track_caller]
    pub(crate) fn finish(&self, command: &mut Command, input: &[u8]) -> Output {
        let what = self.shown(command);
        run_to_end(command, what, input)
    }

    /// `ie-container …`, left running.
    #[track_caller]
    pub(crate) fn spawn(&self, words: impl Words) -> Running {
        let mut command = self.client(words);
        let what = self.shown(&command);
        Running::start(&mut command, what)
    }

    /// A command of this person's, left running.
    #[track_caller]
    pub(crate) fn spawn_command(&self, mut command: Command) -> Running {
        let what = self.shown(&command);
        Running::start(&mut command, what)
    }

    /// A script in this person's own shell on the host, left running.
    #[track_caller]
    pub(crate) fn spawn_sh(&self, script: &str) -> Running {
        let mut command = self.command("/bin/sh", ["-c", script]);
        let what = self.shown(&command);
        Running::start(&mut command, what)
    }

    /// `ie-container …` on a terminal.
    pub(crate) fn pty(&self, words: impl Words) -> Pty {
        Pty::start(&self.client(words), self.uid)
    }

    /// The plain docker client on the gateway's socket.
    #[track_caller]
    pub(crate) fn docker(&self, words: impl Words) -> Output {
        self.finish(&mut self.docker_command(words), b"")
    }

    /// A script in this person's own shell on the host.
    #[track_caller]
    pub(crate) fn sh(&self, script: &str) -> Output {
        self.finish(&mut self.command("/bin/sh", ["-c", script]), b"")
    }

    /// A request by hand over the user socket: the answer's status and body.
    #[track_caller]
    pub(crate) fn raw(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let words = super::curl(&self.world.user_socket(), method, path, body);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        super::parse_curl(&self.finish(&mut self.command("/usr/bin/curl", words.as_slice()), b""))
    }

    /// A container that stays: the full id.
    #[track_caller]
    pub(crate) fn sleeper(&self, name: &str) -> String {
        self.run(["run", "-d", "--name", name, "busybox:test", "sleep", "1000"]).line()
    }

    /// What the engine calls this person's container.
    pub(crate) fn engine_name(&self, name: &str) -> String {
        format!("ie-{}-{name}", self.uid)
    }

    /// A file of this person's, by its path below the home.
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.home.join(path);
        fs::write(&path, content).unwrap();
        chown(&path, Some(self.uid), Some(self.gid)).unwrap();
        path
    }

    #[track_caller]
    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.home.join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    pub(super) fn shown(&self, command: &Command) -> String {
        let words: Vec<_> = command
            .get_args()
            .skip_while(|word| *word != "--")
            .skip(1)
            .map(|w| w.to_string_lossy())
            .collect();
        format!("{}$ {}", self.login, words.join(" "))
    }
}

impl Drop for User<'_> {
    /// The person's containers go at once, as later tests want the machine; the account goes with the world.
    fn drop(&mut self) {
        self.world.remove_containers_of(self.uid);
    }
}
