//! A program that was started as somebody, and what came of it.

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How long a program may take before the test fails.
const LIMIT: Duration = Duration::from_secs(240);
/// How long after its end somebody else may still hold its standard output or error.
const LAST_WORDS: Duration = Duration::from_secs(20);

/// The words of a command line: one string is split at its blanks, a list is taken as it is.
pub(crate) trait Words {
    fn words(&self) -> Vec<String>;
}

impl Words for &str {
    fn words(&self) -> Vec<String> {
        self.split_whitespace().map(str::to_owned).collect()
    }
}

impl Words for String {
    fn words(&self) -> Vec<String> {
        self.as_str().words()
    }
}

impl Words for &String {
    fn words(&self) -> Vec<String> {
        self.as_str().words()
    }
}

impl Words for &[&str] {
    fn words(&self) -> Vec<String> {
        self.iter().map(|word| (*word).to_owned()).collect()
    }
}

impl<const N: usize> Words for [&str; N] {
    fn words(&self) -> Vec<String> {
        self.as_slice().words()
    }
}

/// What a program left: its exit code (128+n for signal n) and its streams.
#[derive(Debug)]
pub(crate) struct Output {
    what: String,
    pub(crate) code: i32,
    pub(crate) bytes: Vec<u8>,
    pub(crate) stderr: String,
}

impl Output {
    pub(crate) fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// The whole standard output of a program that must have succeeded.
    #[track_caller]
    pub(crate) fn ok(&self) -> String {
        self.exits(0);
        self.stdout()
    }

    /// The standard output, without the newline at its end, of a program that must have succeeded.
    #[track_caller]
    pub(crate) fn line(&self) -> String {
        self.ok().trim_end_matches('\n').to_owned()
    }

    /// The standard error of a program that must have ended with this code.
    #[track_caller]
    pub(crate) fn fails(&self, code: i32) -> &str {
        self.exits(code);
        assert_ne!(self.stderr.trim(), "", "`{}` failed without a word", self.what);
        &self.stderr
    }

    #[track_caller]
    pub(crate) fn exits(&self, code: i32) -> &Self {
        assert_eq!(self.code, code, "exit code of {self}");
        self
    }

    /// Both streams hold all of these somewhere, taken together.
    #[track_caller]
    pub(crate) fn says(&self, words: &[&str]) -> &Self {
        let all = format!("{}{}", self.stdout(), self.stderr);
        for word in words {
            assert!(all.contains(word), "{word:?} is not in what was said by {self}");
        }
        self
    }

    /// Neither stream holds any of these.
    #[track_caller]
    pub(crate) fn hides(&self, words: &[&str]) -> &Self {
        let all = format!("{}{}", self.stdout(), self.stderr);
        for word in words {
            assert!(!all.contains(word), "{word:?} is in what was said by {self}");
        }
        self
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let stdout = self.stdout();
        let shown = stdout.char_indices().nth(2000).map_or(stdout.as_str(), |(end, _)| &stdout[..end]);
        write!(f, "`{}`\n  code {}\n  stdout: {shown}\n  stderr: {}", self.what, self.code, self.stderr)
    }
}

/// A program that is running; what it writes is collected.
pub(crate) struct Running {
    what: String,
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Receiver<Vec<u8>>,
    stderr: Receiver<Vec<u8>>,
}

impl Running {
    #[track_caller]
    pub(crate) fn start(command: &mut Command, what: String) -> Self {
        Self::try_start(command, what).unwrap_or_else(|why| panic!("{why}"))
    }

    pub(super) fn try_start(command: &mut Command, what: String) -> Result<Self, String> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|e| format!("`{what}` does not start: {e}"))?;
        let stdout = collect(child.stdout.take());
        let stderr = collect(child.stderr.take());
        Ok(Self { what, stdin: child.stdin.take(), child, stdout, stderr })
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Closes its standard input and waits for its end.
    #[track_caller]
    pub(crate) fn finish(self) -> Output {
        self.try_finish().unwrap_or_else(|why| panic!("{why}"))
    }

    pub(super) fn try_finish(mut self) -> Result<Output, String> {
        drop(self.stdin.take());
        let end = Instant::now() + LIMIT;
        let status = loop {
            if let Some(status) = self.child.try_wait().map_err(|e| e.to_string())? {
                break status;
            }
            if Instant::now() > end {
                return Err(format!("`{}` did not end within {LIMIT:?}", self.what));
            }
            thread::sleep(Duration::from_millis(3));
        };
        let text = |collected: &Receiver<Vec<u8>>| {
            collected
                .recv_timeout(LAST_WORDS)
                .map_err(|_| format!("`{}` has ended, and somebody still holds its output", self.what))
        };
        let (bytes, stderr) = (text(&self.stdout)?, text(&self.stderr)?);
        let stderr = String::from_utf8_lossy(&stderr).into_owned();
        Ok(Output { what: self.what.clone(), code: code_of(status), bytes, stderr })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Already ended is the usual case.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

pub(crate) fn code_of(status: ExitStatus) -> i32 {
    status.code().or(status.signal().map(|signal| 128 + signal)).unwrap()
}

/// Reads to the end beside the test, so that no pipe is ever full.
fn collect(from: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        from.unwrap().read_to_end(&mut bytes).ok();
        sender.send(bytes).ok();
    });
    receiver
}

/// Runs to the end with `input` as its standard input.
#[track_caller]
pub(crate) fn run_to_end(command: &mut Command, what: String, input: &[u8]) -> Output {
    let mut running = Running::start(command, what);
    let mut stdin = running.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = thread::spawn(move || {
        // The program may rightly end without having read everything.
        stdin.write_all(&input).ok();
    });
    let output = running.finish();
    writer.join().unwrap();
    output
}
