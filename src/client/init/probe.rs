//! Other programs, asked with an end to the waiting: a directory service or a file server may hang.

use crate::setup::Idmap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

/// How long a name service or a file system may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// The exit code of `ie-mountd --try-idmap` where the file system cannot.
const CANNOT: i32 = 3;

/// What a program says, and how it ends; nothing where it does not start, or does not end in time.
fn asked(command: &mut Command) -> Option<Output> {
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().ok()?;
    let (mut stdout, mut stderr) = (child.stdout.take()?, child.stderr.take()?);
    let (send, receive) = sync_channel(1);
    std::thread::spawn(move || {
        let mut said = (Vec::new(), Vec::new());
        let read = stdout.read_to_end(&mut said.0).and_then(|_| stderr.read_to_end(&mut said.1));
        // Nobody listens any more when the patience is over.
        let _ = send.send(read.map(|_| said));
    });
    let said = receive.recv_timeout(PATIENCE);
    if said.is_err() {
        // One that its file server keeps from dying is left to itself.
        let _ = child.kill();
        return None;
    }
    let (stdout, stderr) = said.ok()?.ok()?;
    Some(Output { status: child.wait().ok()?, stdout, stderr })
}

pub(super) fn getent(words: &[&str]) -> String {
    let output = asked(Command::new("getent").args(words));
    output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}

/// By the program that will do it.
pub(super) fn try_idmap(prefix: &Path, dir: &Path) -> Idmap {
    let mut command = Command::new(prefix.join("sbin/ie-mountd"));
    match asked(command.arg("--try-idmap").arg(dir)).map(|output| output.status.code()) {
        None => Idmap::NoAnswer,
        Some(Some(0)) => Idmap::Can,
        Some(Some(CANNOT)) => Idmap::Cannot,
        Some(_) => Idmap::Unknown,
    }
}

/// `Docker version 20.10.24+dfsg1, build 297e128`
pub(super) fn major_version(engine: &Path) -> Option<u32> {
    let output = asked(Command::new(engine).arg("--version"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.split_whitespace().nth(2)?.split('.').next()?.parse().ok()
}

/// The program in the first of these directories that has it, by the name under which the engine finds it, too.
pub(super) fn found(name: &str, dirs: &[&str]) -> Option<PathBuf> {
    dirs.iter().map(|dir| Path::new(dir).join(name)).find(|path| path.is_file())
}

/// Runs a program to its end; what it said is the error where it failed.
pub(super) fn done(program: &str, words: &[&str]) -> Result<(), String> {
    let output = Command::new(program).args(words).stdin(Stdio::null()).output();
    let output = output.map_err(|why| format!("{program} cannot be run: {why}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(if said.is_empty() { format!("{program} {} failed", words.join(" ")) } else { said })
}
