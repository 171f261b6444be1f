//! The clients that other people wrote, as an ordinary user starts them with `DOCKER_HOST` set.

use super::World;
use super::output::{Output, Running, Words};
use super::people::User;
use super::programs::owned_dir;
use super::pty::Pty;
use super::tools::step;
use std::path::{Path, PathBuf};
use std::process::Command;

impl World {
    /// Where the clients lie that `scripts/clients` installed.
    fn clients(&self) -> PathBuf {
        self.slot.lib().join("clients")
    }

    /// Mounts them where every user of the world may go.
    pub(super) fn mount_clients(&self) -> Result<(), String> {
        let helper = Path::new(env!("CARGO_BIN_EXE_ie-copy"));
        let installed = helper.ancestors().nth(2).map(|target| target.join("clients")).unwrap_or_default();
        if !installed.join("stamp").is_file() {
            return Err(format!(
                "{} is missing: make it with `scripts/packages test`, or run all with `make test`",
                installed.display()
            ));
        }
        show(&installed, &self.clients())
    }

    /// The docker client under test.
    pub(super) fn docker_client(&self) -> PathBuf {
        self.engine.program("docker")
    }
}

/// Mounts a directory where every user of the world may go, which the checkout need not be.
pub(super) fn show(dir: &Path, there: &Path) -> Result<(), String> {
    owned_dir(there, 0, 0o755)?;
    step(Command::new("mount").args(["--bind", "-o", "ro"]).arg(dir).arg(there)).map(drop)
}

impl User<'_> {
    /// The docker client, not yet started.
    pub(crate) fn docker_command(&self, words: impl Words) -> Command {
        self.command(self.world.docker_client(), words)
    }

    /// The docker client with something on its standard input.
    #[track_caller]
    pub(crate) fn docker_with_stdin(&self, words: impl Words, input: &[u8]) -> Output {
        self.finish(&mut self.docker_command(words), input)
    }

    /// The docker client, left running.
    #[track_caller]
    pub(crate) fn docker_spawn(&self, words: impl Words) -> Running {
        let mut command = self.docker_command(words);
        let what = self.shown(&command);
        Running::start(&mut command, what)
    }

    /// The docker client on a terminal.
    pub(crate) fn docker_pty(&self, words: impl Words) -> Pty {
        Pty::start(&self.docker_command(words), self.uid)
    }

    /// A script for Python with the Docker SDK.
    #[track_caller]
    pub(crate) fn python(&self, script: &str) -> Output {
        let mut command = self.command("/usr/bin/python3", ["-c", script]);
        command.env("PYTHONPATH", self.world.clients().join("python")).env("PYTHONDONTWRITEBYTECODE", "1");
        self.finish(&mut command, b"")
    }

    /// Debian's docker-compose, in a directory below the home.
    #[track_caller]
    pub(crate) fn compose(&self, dir: &str, words: impl Words) -> Output {
        let mut command = self.command("/usr/bin/docker-compose", words);
        self.finish(command.current_dir(self.home.join(dir)), b"")
    }

    /// The dev containers CLI. What it keeps on the host stays in the home.
    #[track_caller]
    pub(crate) fn devcontainer(&self, words: impl Words) -> Output {
        let clients = self.world.clients();
        let mut command = self.command(clients.join("node_modules/.bin/devcontainer"), words);
        command
            .env("PATH", format!("{}:/usr/bin:/bin", clients.join("node/bin").display()))
            .env("TMPDIR", &self.home);
        self.finish(&mut command, b"")
    }
}
