//! The runtime in front of runc, as the engine finds it: first in its search path, under runc's name.

use super::World;
use super::output::{Output, run_to_end};
use super::programs::owned_dir;
use super::slot::Slot;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Debian's own.
pub(super) const RUNC: &str = "/usr/sbin/runc";
/// The name by which the control arms of attacks reach it: containers of root's that nothing stands in front of.
pub(super) const BARE: &str = "bare";

/// What containerd finds when it looks for a shim: runc's, in a directory without any other, and nothing beside itself.
pub(super) fn install_containerd(slot: &Slot, dir: &Path, program: &Path, shim: &Path) -> Result<(), String> {
    let own = slot.lib().join("containerd");
    owned_dir(&own, 0, 0o755)?;
    let failed = |e: std::io::Error| format!("{}: {e}", program.display());
    fs::copy(program, own.join("containerd")).map_err(failed)?;
    symlink(shim, dir.join("containerd-shim-runc-v2")).map_err(failed)?;
    // The engine starts it by this name, with a search path of the engine's.
    let starts = dir.join("containerd");
    let text = format!("#!/bin/sh\nPATH={} exec {}/containerd \"$@\"\n", dir.display(), own.display());
    fs::write(&starts, text).map_err(failed)?;
    fs::set_permissions(&starts, Permissions::from_mode(0o755)).map_err(failed)
}

/// Puts it into a directory of its own with what it is told of this engine.
pub(super) fn install(
    slot: &Slot,
    engine: &Path,
    init: &Path,
    remap: Option<&str>,
) -> Result<PathBuf, String> {
    let dir = slot.lib().join("runtime");
    owned_dir(&dir, 0, 0o755)?;
    let program = dir.join("runc");
    let built = std::env::var_os("IE_PROGRAMS").map_or_else(
        || PathBuf::from(env!("CARGO_BIN_EXE_ie-runc")),
        |others| PathBuf::from(others).join("ie-runc"),
    );
    fs::copy(built, &program).map_err(|e| format!("{}: {e}", program.display()))?;
    fs::set_permissions(&program, Permissions::from_mode(0o755)).map_err(|e| e.to_string())?;
    let (lib, run, uids) = (slot.lib(), slot.run(), slot.uids());
    let told = format!(
        "runc = '{RUNC}'\nsocket = '{run}/docker.sock'\nengine = '{engine}'\ninit = '{init}'\ndata = '{lib}/engine'\ncgroup = '/{name}'\n\
         stages = '{run}/mountd/stage'\nfiles = ['{lib}/state', '{run}/faulty', '{lib}/bin/ie-copy']\nuids = '{first}-{last}'\n\
         hooks = ['{lib}/hooks/nvidia-container-runtime-hook']\n{remap}",
        engine = engine.display(),
        init = init.display(),
        name = slot.name(),
        lib = lib.display(),
        run = run.display(),
        first = uids.start(),
        last = uids.end(),
        // The policy has a root without idmaps.
        remap = remap.map_or_else(String::new, |user| format!("remap_user = '{user}'\nunmapped = true\n")),
    );
    fs::write(dir.join("runtime.toml"), told).map_err(|e| e.to_string())?;
    Ok(dir)
}

/// Something else in ie-runc's place, until it is dropped.
pub(crate) struct Bare {
    program: PathBuf,
    aside: PathBuf,
}

impl Drop for Bare {
    fn drop(&mut self) {
        fs::rename(&self.aside, &self.program).unwrap();
    }
}

impl World {
    /// For control arms that cannot name another runtime; no other test may run meanwhile.
    pub(crate) fn without_ie_runc(&self) -> Bare {
        let bare = self.ie_runc_aside();
        symlink(RUNC, &bare.program).unwrap();
        bare
    }

    /// Whether the machine's runc makes the place of a mount by its name, as before its 1.1.14.
    pub(crate) fn makes_places_by_name(&self) -> bool {
        let told = Command::new(RUNC).arg("--version").output().unwrap().stdout;
        let told = String::from_utf8(told).unwrap();
        let version = told.split_whitespace().nth(2).unwrap();
        let mut numbers = version.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().unwrap());
        let mut next = || numbers.next().unwrap();
        let version: [u32; 3] = [next(), next(), next()];
        version < [1, 1, 14]
    }

    /// ie-runc without a system call, such as `openat2=ENOSYS`, as in a sandbox around the engine.
    pub(crate) fn ie_runc_without(&self, taken: &str) -> Bare {
        let bare = self.ie_runc_aside();
        let filtered = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/filtered.py");
        let aside = bare.aside.display();
        let text = format!("#!/bin/sh\nexec /usr/bin/python3 {filtered} {taken} -- {aside} \"$@\"\n");
        fs::write(&bare.program, text).unwrap();
        fs::set_permissions(&bare.program, Permissions::from_mode(0o755)).unwrap();
        bare
    }

    fn ie_runc_aside(&self) -> Bare {
        let program = self.slot.lib().join("runtime/runc");
        let aside = program.with_extension("aside");
        fs::rename(&program, &aside).unwrap();
        Bare { program, aside }
    }

    /// A command of root's as the gateway's user runs it: nobody in particular, but with the engine's socket.
    pub(crate) fn as_gateway(&self, command: &Command) -> Command {
        let uid = self.gateway_uid;
        let mut lowered = Command::new("setpriv");
        lowered
            .args([
                format!("--reuid={uid}"),
                format!("--regid={uid}"),
                format!("--groups={}", self.engine_gid()),
            ])
            .args(["--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", "--"])
            .arg(command.get_program())
            .args(command.get_args())
            .env_clear()
            .envs(command.get_envs().filter_map(|(key, value)| Some((key, value?))));
        lowered
    }

    /// The plain docker client as the gateway's user, on the engine itself.
    #[track_caller]
    pub(crate) fn docker_as_gateway(&self, words: &[&str]) -> Output {
        let mut command = self.as_gateway(&self.engine.docker(words));
        run_to_end(&mut command, format!("gateway$ docker {}", words.join(" ")), b"")
    }
}
