//! Bytes between the connection and our own stdin, stdout and stderr.

use super::connect::Hijacked;
use super::keys::Detector;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::sendfile;
use rustix::io::retry_on_intr;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// What one read may bring, in bytes: as much as the gateway has in hand for one direction.
const CHUNK: usize = 256 << 10;
/// How many bytes of a file are sent by one call, which the kernel takes apart anyway.
const FILE_PART: usize = 1 << 30;
/// How long the beginning of the detach keys is held back: longer than between two keys, shorter than impatience.
const KEY_PAUSE: Timespec = Timespec { tv_sec: 0, tv_nsec: 300_000_000 };

/// How many bytes of an output's beginning are kept.
const HEAD: usize = 512;

/// How a stream of output ended.
#[derive(Debug)]
pub(crate) enum End {
    /// The other side closed it.
    Closed,
    /// The detach keys were typed.
    Detached,
    /// Whoever read our stdout has had enough.
    StdoutClosed,
    /// Our stdout takes no more: a full disk.
    Unwritable(io::Error),
    Broken(io::Error),
}

/// Our own stdout and stderr, without the library's buffers: the bytes are not ours to hold.
pub(crate) struct Sinks {
    out: File,
    err: File,
}

impl Sinks {
    pub(crate) fn open() -> io::Result<Self> {
        Ok(Self {
            out: File::from(io::stdout().as_fd().try_clone_to_owned()?),
            err: File::from(io::stderr().as_fd().try_clone_to_owned()?),
        })
    }

    pub(crate) fn take(&mut self, stream: Stream, bytes: &[u8]) -> Result<(), End> {
        match stream {
            Stream::Out => self.out(bytes),
            Stream::Err => {
                self.err(bytes);
                Ok(())
            }
        }
    }

    fn out(&mut self, bytes: &[u8]) -> Result<(), End> {
        write_whole(&mut self.out, bytes).map_err(|why| match why.kind() {
            ErrorKind::BrokenPipe => End::StdoutClosed,
            _ => End::Unwritable(why),
        })
    }

    /// A closed stderr loses talk, not data.
    fn err(&mut self, bytes: &[u8]) {
        let _ = write_whole(&mut self.err, bytes);
    }
}

/// Waits where the terminal is shared with a program that made it non-blocking.
fn write_whole(file: &mut File, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(why) if why.kind() == ErrorKind::WouldBlock => wait_for(file.as_fd(), PollFlags::OUT, None)?,
            Err(why) if why.kind() == ErrorKind::Interrupted => {}
            Err(why) => return Err(why),
        }
    }
    Ok(())
}

fn wait_for(file: BorrowedFd<'_>, what: PollFlags, pause: Option<&Timespec>) -> io::Result<()> {
    match poll(&mut [PollFd::from_borrowed_fd(file, what)], pause) {
        Ok(0) => Err(ErrorKind::TimedOut.into()),
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(why) => Err(why.into()),
    }
}

/// What a process writes: as it is from a terminal, in frames of two streams otherwise.
pub(crate) enum Output {
    Terminal,
    Frames(Demux),
}

impl Output {
    pub(crate) fn of(tty: bool) -> Self {
        if tty { Self::Terminal } else { Self::Frames(Demux::default()) }
    }

    pub(crate) fn feed(&mut self, bytes: &[u8], sinks: &mut Sinks) -> Result<(), End> {
        self.feed_to(bytes, |stream, part| sinks.take(stream, part))
    }

    pub(crate) fn feed_to(
        &mut self,
        bytes: &[u8],
        mut deliver: impl FnMut(Stream, &[u8]) -> Result<(), End>,
    ) -> Result<(), End> {
        match self {
            Self::Terminal => deliver(Stream::Out, bytes),
            Self::Frames(demux) => demux.feed(bytes, deliver),
        }
    }
}

/// Which of a process's streams a frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Stream {
    Out,
    Err,
}

/// Takes Docker's frames apart (one byte of stream, three of nothing, four of length), wherever they are cut.
#[derive(Default)]
pub(crate) struct Demux {
    head: Vec<u8>,
    /// The open frame and how much of it is still to come.
    open: Option<(Stream, usize)>,
}

impl Demux {
    pub(crate) fn feed(
        &mut self,
        mut bytes: &[u8],
        mut deliver: impl FnMut(Stream, &[u8]) -> Result<(), End>,
    ) -> Result<(), End> {
        while !bytes.is_empty() {
            if let Some((stream, left)) = self.open {
                let (part, rest) = bytes.split_at(left.min(bytes.len()));
                deliver(stream, part)?;
                self.open = (part.len() < left).then(|| (stream, left - part.len()));
                bytes = rest;
            } else {
                let (part, rest) = bytes.split_at((8 - self.head.len()).min(bytes.len()));
                self.head.extend_from_slice(part);
                bytes = rest;
                if let Ok(head) = <[u8; 8]>::try_from(self.head.as_slice()) {
                    self.head.clear();
                    self.open = opened(head)?;
                }
            }
        }
        Ok(())
    }
}

fn opened([stream, _, _, _, a, b, c, d]: [u8; 8]) -> Result<Option<(Stream, usize)>, End> {
    let stream = match stream {
        0 | 1 => Stream::Out,
        // 3 is the engine's own complaint about the stream.
        2 | 3 => Stream::Err,
        _ => return Err(End::Broken(io::Error::new(ErrorKind::InvalidData, "a frame of no known stream"))),
    };
    let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
    Ok((length > 0).then_some((stream, length)))
}

/// The first bytes of an output, kept because an engine that cannot exec says so in the process's own stream.
pub(crate) type Head = Arc<Mutex<Vec<u8>>>;

/// Carries output to our stdout and stderr until the other side closes it. Blocks: run it on its own thread.
pub(crate) fn deliver(hijacked: Hijacked, tty: bool, head: &Head) -> End {
    let mut sinks = match Sinks::open() {
        Ok(sinks) => sinks,
        Err(why) => return End::Broken(why),
    };
    match deliver_to(hijacked, Output::of(tty), &mut sinks, head) {
        Ok(()) => End::Closed,
        Err(end) => end,
    }
}

fn deliver_to(mut from: Hijacked, mut output: Output, sinks: &mut Sinks, head: &Head) -> Result<(), End> {
    keep(head, &from.leftover);
    output.feed(&from.leftover, sinks)?;
    let mut buffer = vec![0; CHUNK];
    loop {
        match from.stream.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => {
                let bytes = buffer.get(..count).unwrap_or_default();
                keep(head, bytes);
                output.feed(bytes, sinks)?;
            }
            Err(why) if why.kind() == ErrorKind::Interrupted => {}
            // Closed with some of our stdin unread, as when a process ends before it has read all: whether the gateway is
            // still there shows when it is asked how the process ended.
            Err(why) if why.kind() == ErrorKind::ConnectionReset => return Ok(()),
            Err(why) => return Err(End::Broken(why)),
        }
    }
}

fn keep(head: &Head, bytes: &[u8]) {
    let mut head = head.lock().unwrap_or_else(PoisonError::into_inner);
    let missing = HEAD.saturating_sub(head.len()).min(bytes.len());
    head.extend(bytes.iter().take(missing));
}

/// Where our stdin goes: to the connection there is, and later to the one that is made in its place.
#[derive(Clone)]
pub(crate) struct Input(Arc<(Mutex<Arc<UnixStream>>, Condvar)>);

impl Input {
    pub(crate) fn to(stream: UnixStream) -> Self {
        Self(Arc::new((Mutex::new(Arc::new(stream)), Condvar::new())))
    }

    pub(crate) fn turn_to(&self, stream: UnixStream) {
        *self.lock() = Arc::new(stream);
        self.0.1.notify_all();
    }

    fn now(&self) -> Arc<UnixStream> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Arc<UnixStream>> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What cannot be sent is kept for the next connection; if there is none, the program ends.
    fn send(&self, bytes: &[u8]) {
        let mut to = self.now();
        while (&*to).write_all(bytes).is_err() {
            let mut current = self.lock();
            while Arc::ptr_eq(&current, &to) {
                current = self.0.1.wait(current).unwrap_or_else(PoisonError::into_inner);
            }
            to = current.clone();
        }
    }
}

/// Carries our stdin to the process and, if `ends`, closes that half at its end. Blocks: run it on its own thread.
///
/// Returns true when the detach keys were typed. That the process is gone is for the output's side to find.
pub(crate) fn feed(to: &Input, detector: Option<Detector>, ends: bool) -> bool {
    let detached = io::stdin().as_fd().try_clone_to_owned().and_then(|stdin| match detector {
        Some(detector) => feed_keys(File::from(stdin), to, detector),
        None => feed_bytes(File::from(stdin), &to.now()).map(|()| false),
    });
    let detached = detached.unwrap_or(false);
    // After a detach the half stays open: its end would end the output too, and look like the process's own end.
    if ends && !detached {
        // Fails only when the other side has already gone.
        let _ = to.now().shutdown(Shutdown::Write);
    }
    detached
}

fn feed_bytes(mut stdin: File, mut to: &UnixStream) -> io::Result<()> {
    feed_file(&stdin, to);
    let mut buffer = vec![0; CHUNK];
    loop {
        match read_some(&mut stdin, &mut buffer)? {
            [] => return Ok(()),
            some => to.write_all(some)?,
        }
    }
}

/// A file's pages go to the socket as they are. What is no file, or goes wrong, is left to be copied.
fn feed_file(stdin: &File, to: &UnixStream) {
    while retry_on_intr(|| sendfile(to, stdin, None, FILE_PART)).is_ok_and(|sent| sent > 0) {}
}

fn feed_keys(mut stdin: File, to: &Input, mut detector: Detector) -> io::Result<bool> {
    let mut buffer = vec![0; 4096];
    loop {
        if detector.is_holding() && wait_for(stdin.as_fd(), PollFlags::IN, Some(&KEY_PAUSE)).is_err() {
            to.send(&detector.release());
        }
        let typed = read_some(&mut stdin, &mut buffer)?;
        if typed.is_empty() {
            return Ok(false);
        }
        let (forward, detached) = detector.feed(typed);
        to.send(&forward);
        if detached {
            return Ok(true);
        }
    }
}

fn read_some<'b>(stdin: &mut File, buffer: &'b mut [u8]) -> io::Result<&'b [u8]> {
    loop {
        match stdin.read(buffer) {
            Ok(count) => return Ok(buffer.get(..count).unwrap_or_default()),
            Err(why) if why.kind() == ErrorKind::WouldBlock => wait_for(stdin.as_fd(), PollFlags::IN, None)?,
            Err(why) if why.kind() == ErrorKind::Interrupted => {}
            Err(why) => return Err(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(stream: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&[stream, 0, 0, 0], &length[..], payload].concat()
    }

    fn taken_apart(pieces: &[&[u8]]) -> (Vec<u8>, Vec<u8>) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut demux = Demux::default();
        for piece in pieces {
            let sink = |stream, part: &[u8]| {
                if stream == Stream::Out { &mut out } else { &mut err }.extend_from_slice(part);
                Ok(())
            };
            demux.feed(piece, sink).unwrap();
        }
        (out, err)
    }

    #[test]
    fn frames_come_apart_wherever_they_are_cut() {
        let bytes = [frame(1, b"out\0\xff"), frame(2, b"err"), frame(1, b""), frame(1, b"more")].concat();
        let expected = (b"out\0\xffmore".to_vec(), b"err".to_vec());
        for cut in 0..bytes.len() {
            let (left, right) = bytes.split_at(cut);
            assert_eq!(taken_apart(&[left, right]), expected, "cut at {cut}");
        }
        assert_eq!(taken_apart(&bytes.chunks(1).collect::<Vec<_>>()), expected);
    }

    #[test]
    fn what_is_no_frame_is_not_delivered() {
        let wrong = Demux::default().feed(b"GET / HTTP/1.1", |_, _| Ok(()));
        assert!(matches!(wrong, Err(End::Broken(_))));
    }
}
