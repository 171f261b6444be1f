//! Small things the world is built with: steps of the set-up, waiting, and a look at the process table.

use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// One step of a set-up: its stdout, or one sentence saying what failed.
pub(crate) fn step(command: &mut Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output().map_err(|e| format!("{command:?}: {e}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!("{command:?}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim()))
    }
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
