//! `ie-mountd`: stages users' directories for the gateway to bind, and does nothing else.
//!
//! - [`attempt`] says, before there is a policy, which directories can be staged at all.
//! - [`confine`] is what it insists on at the start and gives up then, [`trial`] whether it can do what it must;
//!   [`roots`] is what the [`policy`] allows.
//! - [`serve`] hears the gateway, and [`verbs`] does what it asks.
//! - [`open`] reaches the directory as the user, [`idmap`] makes the user's map, [`stage`] mounts, [`crate::mountinfo`] tells what is mounted.
#![deny(clippy::missing_errors_doc)]

mod attempt;
mod confine;
mod error;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
mod idmap;
mod open;
mod policy;
mod roots;
mod serve;
mod stage;
mod trial;
mod verbs;

use crate::policy::Policy;
use crate::protocol::layout;
use crate::sandbox::Need;
use anyhow::{Context, ensure};
use clap::Parser;
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{Gid, Uid, User, setegid};
use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Stage users' directories for ie-containerd.
#[derive(Debug, Parser)]
#[command(name = "ie-mountd", version)]
struct Arguments {
    /// The policy file
    #[arg(long, value_name = "FILE", default_value = layout::POLICY)]
    policy: PathBuf,
    /// Where the socket and the stages are, seen by the engine at this same path
    #[arg(long, value_name = "DIR", default_value = layout::MOUNTD_DIR)]
    runtime_dir: PathBuf,
    /// The user ie-containerd runs as, by name or number; no other is heard
    #[arg(long, value_name = "USER", default_value = layout::GATEWAY_USER)]
    gateway_user: String,
    /// Only try whether this directory can be mounted for one user's ids: exit code 0, or 3 where it cannot
    #[arg(long, value_name = "DIR")]
    try_idmap: Option<PathBuf>,
    /// Where a copy of the policy is kept, for a start that finds the file broken
    #[arg(long, value_name = "DIR", default_value = layout::MOUNTD_STATE)]
    state_dir: PathBuf,
    /// Only say whether the policy file is taken
    #[arg(long)]
    check: bool,
}

/// The program's command line.
pub fn command() -> clap::Command {
    <Arguments as clap::CommandFactory>::command()
}

/// Runs the program.
pub fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|word| word == idmap::HOLD) {
        return idmap::hold();
    }
    let arguments = Arguments::parse();
    if arguments.check {
        return check(&arguments.policy);
    }
    let done = match &arguments.try_idmap {
        Some(dir) => attempt::try_idmap(dir),
        None => run(&arguments).map(|()| ExitCode::SUCCESS),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            say(format_args!("it does not start: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Before a reload, which is a signal and has no answer.
fn check(file: &Path) -> ExitCode {
    let loaded = std::path::absolute(file).map_err(anyhow::Error::from);
    match loaded.and_then(|file| Ok(Policy::load(&file)?)) {
        Ok(_) => ExitCode::SUCCESS,
        Err(problems) => {
            say(format_args!("the roots in force stay: {problems}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    confine::insist_on_root()?;
    let (gateway, group) = ids_of(&arguments.gateway_user)?;
    let file = std::path::absolute(&arguments.policy)?;
    let state = std::path::absolute(&arguments.state_dir)?;
    let runtime = std::path::absolute(&arguments.runtime_dir)?;
    confine::give_up_the_rest()?;
    let signals = block_signals()?;

    trial::of_calls()?;

    let ours = roots::Gateway { uid: gateway, gid: group.as_raw() };
    let policy = policy::File::new(file, &state);
    let roots = policy.start()?;
    let _alone = own(&runtime)?;
    let stages = stage::Stages::below(&runtime.join(layout::STAGE))?;
    trial::of_a_stage(&stages)?;
    let mountd = Arc::new(verbs::Mountd::new(policy, ours, roots, stages));
    let socket = Socket::open(&runtime, group)?;
    start_serving(&mountd, socket.listener.try_clone()?, gateway)?;
    sd_notify::notify(&[sd_notify::NotifyState::Ready]).context("telling systemd")?;

    // Stages outlive the daemon: containers that run have them mounted.
    while signals.wait()? == Signal::SIGHUP {
        mountd.reload();
    }
    Ok(())
}

/// A line of the log. Where nobody reads it, nothing is lost.
fn say(line: std::fmt::Arguments) {
    let _ = writeln!(std::io::stderr().lock(), "ie-mountd: {line}");
}

/// The uid, and the gid of the socket: that of the account, or the same number where there is none.
fn ids_of(user: &str) -> anyhow::Result<(u32, Gid)> {
    let account = match user.parse() {
        Ok(uid) => match User::from_uid(Uid::from_raw(uid))? {
            Some(account) => account,
            None => return nobodys(uid),
        },
        Err(_) => User::from_name(user)?
            .with_context(|| format!("there is no user {user}, name the one ie-containerd runs as"))?,
    };
    ensure!(!account.uid.is_root(), "the gateway's user must not be root");
    Ok((account.uid.as_raw(), account.gid))
}

fn nobodys(uid: u32) -> anyhow::Result<(u32, Gid)> {
    ensure!(uid != 0, "the gateway's user must not be root");
    Ok((uid, Gid::from_raw(uid)))
}

/// Blocked here, before there is a second thread, and waited for at the end of the start.
fn block_signals() -> anyhow::Result<SigSet> {
    let signals = SigSet::from_iter([Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM]);
    signals.thread_block()?;
    Ok(signals)
}

/// Makes the runtime directory if need be and locks it: two daemons would undo each other's stages.
fn own(runtime: &Path) -> anyhow::Result<File> {
    let told = || format!("preparing {}", runtime.display());
    match fs::create_dir(runtime) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            return Err(error).with_context(told);
        }
        _ => {}
    }
    open::open_roots_alone(runtime)?;
    let dir = File::open(runtime).with_context(told)?;
    // The gateway walks through it to the socket; the stages are closed to it.
    dir.set_permissions(Permissions::from_mode(0o755)).with_context(told)?;
    let begun = Instant::now();
    while let Err(error) = rustix::fs::flock(&dir, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        // A child of one that was killed has the lock until it has become another program.
        if begun.elapsed() > LEFT_BEHIND {
            return Err(error).with_context(|| format!("another ie-mountd serves {}", runtime.display()));
        }
        std::thread::sleep(LEFT_BEHIND / 100);
    }
    Ok(dir)
}

/// How long the lock of one that has ended may be left behind.
const LEFT_BEHIND: Duration = Duration::from_secs(2);

/// The listening socket, taken over from systemd or made.
struct Socket {
    listener: UnixListener,
    /// Removed at the end if it was made here.
    made: Option<PathBuf>,
}

impl Socket {
    fn open(runtime: &Path, group: Gid) -> anyhow::Result<Self> {
        if let Some(listener) = listenfd::ListenFd::from_env().take_unix_listener(0)? {
            return Ok(Self { listener, made: None });
        }
        let path = runtime.join(layout::MOUNTD_SOCKET);
        let told = || format!("making {}", path.display());
        if let Err(error) = fs::remove_file(&path)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            return Err(error).with_context(told);
        }
        // Made with the group, as there is no right here to give it one; still one thread, so nothing else is.
        setegid(group).with_context(told)?;
        let listener = UnixListener::bind(&path);
        setegid(Gid::from_raw(0)).with_context(told)?;
        let listener = Need::UnixSockets.tried("a socket", listener).with_context(told)?;
        // Only the gateway is heard. Who could connect would have a place in the queue for that.
        fs::set_permissions(&path, Permissions::from_mode(0o660)).with_context(told)?;
        Ok(Self { listener, made: Some(path) })
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if let Some(path) = &self.made {
            let _ = fs::remove_file(path);
        }
    }
}

fn start_serving(mountd: &Arc<verbs::Mountd>, listener: UnixListener, gateway: u32) -> anyhow::Result<()> {
    let mountd = Arc::clone(mountd);
    let work = move || serve::serve(&mountd, &listener, gateway);
    std::thread::Builder::new().name("accept".into()).spawn(work).context("starting a thread")?;
    Ok(())
}
