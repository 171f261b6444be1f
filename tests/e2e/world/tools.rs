//! Small things the world is built with: steps of the set-up, waiting, and a look at the process table.

use super::output::Running;
use nix::sched::{CloneFlags, setns};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// One step of a set-up: its stdout, or one sentence saying what failed.
pub(crate) fn step(command: &mut Command) -> Result<String, String> {
    let output = Running::try_start(command, format!("{command:?}"))?.try_finish()?;
    if output.code == 0 { Ok(output.stdout()) } else { Err(output.to_string()) }
}

/// What must come about in the end: a busy machine takes its time, and only a test that fails waits for all of it.
pub(crate) fn eventually(done: impl FnMut() -> bool) -> bool {
    wait_until(Duration::from_secs(240), done)
}

/// Asks again and again until `done` says yes; false when it never did.
pub(crate) fn wait_until(limit: Duration, mut done: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    loop {
        if done() {
            return true;
        }
        if Instant::now() > end {
            return false;
        }
        sleep(Duration::from_millis(10));
    }
}

/// Whether a number is told, as a word or in a name. In a digest it is none, nor in a longer number.
pub(crate) fn tells_number(text: &str, number: u32) -> bool {
    let number = number.to_string();
    let is_hex = |word: &str| word.chars().all(|c| c.is_ascii_hexdigit());
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words.any(|word| word == number || word.contains(&number) && !is_hex(word))
}

/// Makes a socket in another network namespace, in which it stays.
pub(crate) fn inside<T: Send>(network: &Path, make: impl FnOnce() -> T + Send) -> T {
    let network = File::open(network).unwrap();
    // Only the thread moves.
    let there = || {
        setns(network, CloneFlags::CLONE_NEWNET).unwrap();
        make()
    };
    std::thread::scope(|scope| scope.spawn(there).join().unwrap())
}

/// One line of the process table.
pub(crate) struct Scan {
    pub(crate) pid: i32,
    pub(crate) uid: u32,
    pub(crate) comm: String,
    pub(crate) exe: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) cgroups: String,
}

impl Scan {
    /// Whether it was there to be stopped.
    pub(crate) fn stop(&self) -> bool {
        Pid::from_raw(self.pid).is_some_and(|pid| kill_process(pid, Signal::STOP).is_ok())
    }

    pub(crate) fn kill(&self) {
        if let Some(pid) = Pid::from_raw(self.pid) {
            kill_process(pid, Signal::KILL).ok();
        }
    }
}

/// Every process but this one and those that have ended.
pub(crate) fn scan() -> Vec<Scan> {
    let own = std::process::id();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| u32::try_from(*pid) != Ok(own)).filter_map(look).collect()
}

/// What the tests' own processes are at, a line each: for whoever asks why nothing goes on.
pub(crate) fn picture() -> String {
    let own = std::process::id().to_string();
    let ours = |process: &Scan| {
        let status = fs::read_to_string(format!("/proc/{}/status", process.pid)).unwrap_or_default();
        process.arguments.iter().any(|argument| argument.contains("ie-e2e-"))
            || process.cgroups.contains("/ie-e2e-")
            || status
                .lines()
                .any(|line| line.strip_prefix("PPid:").is_some_and(|parent| parent.trim() == own))
    };
    let line = |process: Scan| {
        let sleeps = fs::read_to_string(format!("/proc/{}/wchan", process.pid)).unwrap_or_default();
        format!("{} in {sleeps}: {}", process.pid, process.arguments.join(" "))
    };
    scan().into_iter().filter(ours).map(line).collect::<Vec<_>>().join("\n")
}

fn look(pid: i32) -> Option<Scan> {
    let dir = PathBuf::from(format!("/proc/{pid}"));
    let text =
        |name: &str| fs::read(dir.join(name)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    // A zombie has no executable any more and nothing that could be ended.
    let exe = fs::read_link(dir.join("exe")).ok()?;
    Some(Scan {
        pid,
        uid: fs::metadata(&dir).ok()?.uid(),
        comm: text("comm").ok()?.trim().to_owned(),
        exe,
        arguments: text("cmdline").ok()?.split('\0').map(str::to_owned).collect(),
        cgroups: text("cgroup").unwrap_or_default(),
    })
}
