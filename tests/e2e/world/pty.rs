//! A real pseudo-terminal with a program on it, driven as a person would.

use super::output::code_of;
use super::tools::wait_until;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::retry_on_intr;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{OpenOptionsExt, fchown};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(240);
/// How many characters a test that failed shows of what was on the terminal.
const SHOWN: usize = 2000;

/// The master's side, and the program that has the slave as its controlling terminal.
pub(crate) struct Pty {
    /// None when it was closed.
    master: Option<File>,
    /// Reads it; ends when the other end of the stream is closed, too.
    watcher: Option<(JoinHandle<()>, UnixStream)>,
    slave: File,
    child: Child,
    seen: Arc<Mutex<Vec<u8>>>,
    /// How much of what was seen has been matched by `expect`.
    read: usize,
}

impl Pty {
    /// Starts `command` on a terminal of 24 by 80; `setsid --ctty` makes it the controlling one.
    pub(crate) fn start(command: &Command, owner: u32) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let noctty = i32::try_from(rustix::fs::OFlags::NOCTTY.bits()).unwrap();
        let slave = OpenOptions::new().read(true).write(true).custom_flags(noctty).open(name).unwrap();
        fchown(&slave, Some(owner), None).unwrap();
        let child = on_terminal(command, &slave);
        let master = File::from(master);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let watcher = Some(watch(master.try_clone().unwrap(), Arc::clone(&seen)));
        let mut pty = Self { master: Some(master), watcher, slave, child, seen, read: 0 };
        pty.resize(24, 80);
        pty
    }

    /// Types.
    pub(crate) fn send(&mut self, keys: &str) {
        self.master.as_mut().unwrap().write_all(keys.as_bytes()).unwrap();
    }

    /// Closes the terminal, as its window or its ssh connection would.
    pub(crate) fn hang_up(&mut self) {
        let (watcher, end) = self.watcher.take().unwrap();
        drop(end);
        watcher.join().unwrap();
        self.master = None;
    }

    /// Waits until `text` appears after what was already expected.
    #[track_caller]
    pub(crate) fn expect(&mut self, text: &str) {
        let found = wait_until(LIMIT, || {
            let seen = self.seen.lock().unwrap();
            let rest = &seen[self.read..];
            match rest.windows(text.len()).position(|part| part == text.as_bytes()) {
                Some(at) => {
                    self.read += at + text.len();
                    true
                }
                None => {
                    // A flood is looked through once.
                    self.read += (rest.len() + 1).saturating_sub(text.len());
                    false
                }
            }
        });
        assert!(found, "{text:?} never appeared on the terminal after {:?}", self.end());
    }

    pub(crate) fn resize(&mut self, rows: u16, columns: u16) {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(self.master.as_ref().unwrap(), size).unwrap();
    }

    /// Whether the terminal echoes and gathers lines, as a shell expects to find it.
    pub(crate) fn is_cooked(&self) -> bool {
        let modes = tcgetattr(&self.slave).unwrap().local_modes;
        modes.contains(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG)
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal).unwrap();
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().unwrap()).into_owned()
    }

    /// The last of it.
    fn end(&self) -> String {
        let text = self.text();
        text.chars().skip(text.chars().count().saturating_sub(SHOWN)).collect()
    }

    /// Waits for the program's end and answers its code.
    #[track_caller]
    pub(crate) fn finish(&mut self) -> i32 {
        let mut status = None;
        wait_until(LIMIT, || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        code_of(status.unwrap_or_else(|| panic!("the program did not leave the terminal: {:?}", self.end())))
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn on_terminal(command: &Command, slave: &File) -> Child {
    let mut session = Command::new("setsid");
    session.arg("--ctty").arg(command.get_program()).args(command.get_args()).env_clear();
    session.envs(command.get_envs().filter_map(|(key, value)| value.map(|value| (key, value))));
    if let Some(dir) = command.get_current_dir() {
        session.current_dir(dir);
    }
    let end = || slave.try_clone().unwrap();
    session.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap()
}

fn watch(mut master: File, seen: Arc<Mutex<Vec<u8>>>) -> (JoinHandle<()>, UnixStream) {
    let (end, ours) = UnixStream::pair().unwrap();
    let watcher = thread::spawn(move || {
        let mut part = [0; 4096];
        loop {
            let mut fds = [PollFd::new(&ours, PollFlags::IN), PollFd::new(&master, PollFlags::IN)];
            retry_on_intr(|| poll(&mut fds, None)).unwrap();
            if !fds[0].revents().is_empty() {
                return;
            }
            let Ok(count @ 1..) = master.read(&mut part) else { return };
            seen.lock().unwrap().extend_from_slice(&part[..count]);
        }
    });
    (watcher, end)
}
