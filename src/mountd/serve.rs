//! The socket: only the gateway is heard, one thread a connection, each message with its length before it.

use super::error::Error;
use super::say;
use super::verbs::Mountd;
use crate::protocol::escape::escape_line;
use crate::protocol::stage::{Answer, LONGEST, Request};
use crate::protocol::told::told;
use rustix::net::sockopt::socket_peercred;
use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long a message that has begun may take to arrive, and an answer to be taken.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many connections are served at once; the next waits in the listener's queue.
const MOST_CONNECTIONS: usize = 32;

/// Accepts for ever. Strangers are turned away before a byte is read and before they cost a thread.
pub(super) fn serve(mountd: &Arc<Mountd>, listener: &UnixListener, gateway: u32) {
    let slots = Arc::new(Slots::default());
    loop {
        match listener.accept() {
            Ok((stream, _)) if is_from(&stream, gateway) => attend(mountd, stream, slots.take()),
            Ok(_) => {}
            Err(error) => {
                say(format_args!("accepting a connection: {error}"));
                // Out of descriptors, most likely: without the pause this would spin.
                thread::sleep(Duration::from_millis(100));
            }
        }
    }
}

fn is_from(stream: &UnixStream, gateway: u32) -> bool {
    socket_peercred(stream).is_ok_and(|peer| peer.uid.as_raw() == gateway)
}

fn attend(mountd: &Arc<Mountd>, stream: UnixStream, slot: Slot) {
    let mountd = Arc::clone(mountd);
    let work = move || {
        let _slot = slot;
        if let Err(error) = converse(&mountd, &stream) {
            say(format_args!("a connection of the gateway's: {error}"));
        }
    };
    if let Err(error) = thread::Builder::new().name("connection".into()).spawn(work) {
        say(format_args!("starting a thread: {error}"));
    }
}

/// Answers requests until the gateway hangs up.
fn converse(mountd: &Mountd, stream: &UnixStream) -> io::Result<()> {
    stream.set_write_timeout(Some(PATIENCE))?;
    while let Some(message) = receive(stream)? {
        let answer = match message {
            Message::Whole(bytes) => answer(mountd, &bytes),
            Message::TooLong(length) => {
                let told = told!("a message of {length} bytes is longer than {LONGEST}");
                send(stream, &Error::BadRequest(told).answer())?;
                return Ok(());
            }
        };
        send(stream, &answer)?;
    }
    Ok(())
}

fn answer(mountd: &Mountd, bytes: &[u8]) -> Answer {
    match serde_json::from_slice::<Request>(bytes) {
        Ok(request) => mountd.answer(&request),
        Err(error) => {
            let told = told!("the request does not parse: {}", escape_line(&error.to_string()));
            Error::BadRequest(told).answer()
        }
    }
}

pub(super) enum Message {
    Whole(Vec<u8>),
    TooLong(u32),
}

/// The next message; none when the gateway has hung up between two. Only a message that has begun is in a hurry.
pub(super) fn receive(stream: &UnixStream) -> io::Result<Option<Message>> {
    let mut length = [0; 4];
    stream.set_read_timeout(None)?;
    let (first, rest) = length.split_at_mut(1);
    if { stream }.read(first)? == 0 {
        return Ok(None);
    }
    let mut hurried = Hurried { stream, end: Instant::now() + PATIENCE };
    hurried.read_exact(rest)?;
    let length = u32::from_be_bytes(length);
    if length > LONGEST {
        return Ok(Some(Message::TooLong(length)));
    }
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    hurried.read_exact(&mut bytes)?;
    Ok(Some(Message::Whole(bytes)))
}

fn send(mut stream: &UnixStream, answer: &Answer) -> io::Result<()> {
    let body = serde_json::to_vec(answer)?;
    let length = u32::try_from(body.len()).map_err(io::Error::other)?;
    stream.write_all(&[length.to_be_bytes().as_slice(), &body].concat())
}

/// Reads against one deadline for all that is read: a byte now and then does not buy time.
struct Hurried<'a> {
    stream: &'a UnixStream,
    end: Instant,
}

impl Read for Hurried<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(Some(left))?;
        self.stream.read(buffer)
    }
}

/// The places for connections.
#[derive(Default)]
struct Slots {
    taken: Mutex<usize>,
    freed: Condvar,
}

struct Slot(Arc<Slots>);

impl Slots {
    /// Waits for a place.
    fn take(self: &Arc<Self>) -> Slot {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |taken: &mut usize| *taken >= MOST_CONNECTIONS;
        *self.freed.wait_while(taken, full).unwrap_or_else(PoisonError::into_inner) += 1;
        Slot(Arc::clone(self))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        *self.0.taken.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.freed.notify_one();
    }
}
