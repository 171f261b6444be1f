//! Whether anybody is left whom this program works for: a terminal, whoever reads what it says, who started it.
//!
//! When an ssh connection is cut, what it started hears nothing of that unless it has a terminal and heeds its hang-up; a
//! program that waits in silence would wait for ever, with its process in a container.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, fstat};
use rustix::io::{Errno, retry_on_intr};
use rustix::process::{Pid, PidfdFlags, getppid, pidfd_open};
use rustix::termios::isatty;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;
use tokio::sync::oneshot;

/// What came along, as a hang-up that is passed on to a container, is acted on first.
const GRACE: Duration = Duration::from_secs(1);

/// What one of our standard streams leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Terminal,
    /// Such as those of ssh.
    Socket,
    /// A pipe: `| head -1` goes before its time, and the rest of a script may go on.
    Pipe,
    /// A file, or nothing: nobody.
    Thing,
}

/// One of our standard streams.
#[derive(Debug, Clone, Copy)]
struct End {
    kind: Kind,
    is_input: bool,
    is_gone: bool,
}

/// Completes when nobody is left.
pub(crate) async fn lost() {
    let (tell, told) = oneshot::channel();
    std::thread::spawn(move || {
        // What cannot be watched is taken for somebody.
        if matches!(watch(), Ok(true)) {
            // Who listened may have ended.
            let _ = tell.send(());
        }
    });
    match told.await {
        Ok(()) => tokio::time::sleep(GRACE).await,
        Err(_) => std::future::pending().await,
    }
}

/// Blocks until nobody is left; false if there is nobody who could go.
fn watch() -> Result<bool, Errno> {
    let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
    // What it says is kept, and may be what it runs for.
    if file_type(stdout.as_fd())? == FileType::RegularFile {
        return Ok(false);
    }
    let streams = [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()];
    let mut parent = Parent::own();
    loop {
        let mut ends = Vec::new();
        for (number, stream) in streams.iter().enumerate() {
            ends.push(End::of(*stream, number == 0)?);
        }
        if nobody(&ends, parent.is_gone()) {
            return Ok(true);
        }
        let open = ends.iter().zip(streams).filter(|(end, _)| end.kind != Kind::Thing && !end.is_gone);
        let mut fds: Vec<PollFd<'_>> =
            open.map(|(_, stream)| PollFd::from_borrowed_fd(stream, PollFlags::empty())).collect();
        if let Parent::Alive(parent) = &parent {
            fds.push(PollFd::new(parent, PollFlags::IN));
        }
        if fds.is_empty() {
            return Ok(false);
        }
        retry_on_intr(|| poll(&mut fds, None))?;
        drop(fds);
        parent.look()?;
    }
}

impl End {
    fn of(stream: BorrowedFd<'_>, is_input: bool) -> Result<Self, Errno> {
        let kind = match file_type(stream)? {
            FileType::Socket => Kind::Socket,
            FileType::CharacterDevice if isatty(stream) => Kind::Terminal,
            // One that has hung up says no more that it is one.
            FileType::CharacterDevice if has(stream, PollFlags::empty())? => Kind::Terminal,
            FileType::Fifo => Kind::Pipe,
            _ => Kind::Thing,
        };
        let is_gone = kind != Kind::Thing && has(stream, PollFlags::empty())?;
        Ok(Self { kind, is_input, is_gone })
    }
}

fn file_type(stream: BorrowedFd<'_>) -> Result<FileType, Errno> {
    Ok(FileType::from_raw_mode(fstat(stream)?.st_mode))
}

/// Whether one of these, a hang-up or an error is to be told just now.
fn has(fd: BorrowedFd<'_>, flags: PollFlags) -> Result<bool, Errno> {
    let told =
        retry_on_intr(|| poll(&mut [PollFd::from_borrowed_fd(fd, flags)], Some(&Timespec::default())))?;
    Ok(told > 0)
}

/// The end of our input by a pipe or a socket says nothing: so do all inputs end.
fn nobody(ends: &[End], parent_is_gone: bool) -> bool {
    let led = || ends.iter().filter(|end| end.kind != Kind::Thing);
    let mut gone = led().filter(|end| end.is_gone && (end.kind == Kind::Terminal || !end.is_input));
    led().all(|end| end.is_gone) && gone.any(|end| end.kind != Kind::Pipe || parent_is_gone)
}

/// The program that started this one.
enum Parent {
    Alive(OwnedFd),
    Gone,
    /// A kernel that does not say.
    Unknown,
}

impl Parent {
    fn own() -> Self {
        let Some(parent) = getppid().filter(|parent| *parent != Pid::INIT) else { return Self::Gone };
        let watched = pidfd_open(parent, PidfdFlags::empty());
        // It may have ended before it was watched, and another one have its number.
        match watched {
            _ if getppid() != Some(parent) => Self::Gone,
            Ok(watched) => Self::Alive(watched),
            Err(_) => Self::Unknown,
        }
    }

    fn look(&mut self) -> Result<(), Errno> {
        if let Self::Alive(watched) = self
            && has(watched.as_fd(), PollFlags::IN)?
        {
            *self = Self::Gone;
        }
        Ok(())
    }

    fn is_gone(&self) -> bool {
        matches!(self, Self::Gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Streams in a word: `t`erminal, `s`ocket, `p`ipe, `f`ile or nothing; large when they are gone.
    fn left(streams: &str, parent_is_gone: bool) -> bool {
        let end = |(number, letter): (usize, char)| End {
            kind: match letter.to_ascii_lowercase() {
                't' => Kind::Terminal,
                's' => Kind::Socket,
                'p' => Kind::Pipe,
                _ => Kind::Thing,
            },
            is_input: number == 0,
            is_gone: letter.is_ascii_uppercase(),
        };
        nobody(&streams.chars().enumerate().map(end).collect::<Vec<_>>(), parent_is_gone)
    }

    #[test]
    fn who_is_alone_is_told_from_who_was_only_left_early() {
        // A cut ssh, with and without a terminal, through a shell that goes on; and what was redirected there.
        for streams in ["TTT", "TfT", "ffT", "TTf", "SSS", "SfS", "PSS", "fSS"] {
            assert!(left(streams, false), "{streams}");
        }
        // Pipes that nobody reads: only when who started it has gone as well.
        for streams in ["fPP", "PPP", "fPf", "PfP"] {
            assert!(left(streams, true) && !left(streams, false), "{streams}");
        }
        // Somebody is there, or nobody ever was: a pipeline, an input at its end, a job left on purpose.
        for streams in
            ["ttt", "tPt", "fPt", "Ppp", "Pff", "fff", "Fff", "ptP", "tTT", "pPP", "Sff", "sSS", "SSs"]
        {
            assert!(!left(streams, false) && !left(streams, true), "{streams}");
        }
    }
}
