//! `ie-copy end`: ends the processes that bear a nonce, because nobody waits for them any more.

use super::Stopped;
use crate::protocol::copying::Ended;
use crate::protocol::nonce::Nonce;
use crate::protocol::told::told;
use rustix::process::{Pid, Signal, getpid, kill_process};
use std::fs;
use std::thread::sleep;
use std::time::Duration;

/// How long they have to end of themselves after SIGHUP, as if their terminal had been closed.
const GRACE: Duration = Duration::from_secs(2);
/// How often that is looked at.
const PAUSE: Duration = Duration::from_millis(50);
/// How often those are killed that are left: a process that forks all the time is met by one of so many rounds.
const ROUNDS: usize = 100;

pub(super) fn run(nonce: &Nonce) -> Result<(), Stopped> {
    signal(&marked(nonce)?, Signal::HUP);
    let mut waited = Duration::ZERO;
    while waited < GRACE {
        if marked(nonce)?.is_empty() {
            return Ok(());
        }
        sleep(PAUSE);
        waited += PAUSE;
    }
    for _ in 0..ROUNDS {
        let left = marked(nonce)?;
        if left.is_empty() {
            return Ok(());
        }
        signal(&left, Signal::KILL);
        sleep(Duration::from_millis(5));
    }
    Err(Stopped::new(Ended::Failed, told!("some processes would not end")))
}

/// One that is gone, or is somebody else's, is passed over.
fn signal(pids: &[Pid], signal: Signal) {
    for pid in pids {
        let _ = kill_process(*pid, signal);
    }
}

/// The processes with this nonce in the environment they were started with, but not this one and no dead ones.
fn marked(nonce: &Nonce) -> Result<Vec<Pid>, Stopped> {
    let table = fs::read_dir("/proc")
        .map_err(|error| Stopped::new(Ended::Failed, told!("/proc cannot be read: {error}")))?;
    let numbers = table.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let wanted = nonce.variable();
    let bears = |pid: &Pid| {
        let environment = fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero())).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes())
    };
    Ok(numbers.filter_map(Pid::from_raw).filter(|pid| *pid != getpid() && bears(pid)).collect())
}
