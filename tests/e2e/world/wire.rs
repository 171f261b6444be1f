//! HTTP by hand, without a program for each request: for tests that ask thousands of times, or ask badly on purpose.

use super::people::User;
use super::{Faulty, World};
use rustix::process::{Gid, Uid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How long an answer may take before a test fails.
pub(super) const LIMIT: Duration = Duration::from_secs(240);

/// Somebody's way to the gateway, which any thread may hold.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    uid: u32,
    gid: u32,
    socket: PathBuf,
}

impl User<'_> {
    pub(crate) fn caller(&self) -> Caller {
        Caller { uid: self.uid, gid: self.gid, socket: self.world.user_socket() }
    }

    /// The same to another gateway.
    pub(crate) fn caller_of(&self, gateway: &Faulty) -> Caller {
        Caller { socket: gateway.socket().to_owned(), ..self.caller() }
    }

    /// A request on a connection of its own: the answer's status and body.
    #[track_caller]
    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        self.caller().ask(method, path, body).unwrap()
    }
}

impl World {
    /// A request to the engine itself.
    #[track_caller]
    pub(crate) fn ask_engine(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        ask_at(&self.engine.socket(), method, path, body).unwrap()
    }
}

/// A request of root's, to whoever listens there.
pub(crate) fn ask_at(socket: &Path, method: &str, path: &str, body: &str) -> io::Result<(u16, String)> {
    UnixStream::connect(socket).and_then(|stream| ask(stream, method, path, body))
}

impl Caller {
    /// Work of this person's, in a thread that has their ids; it ends with them, and no other thread ever has them.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> JoinHandle<io::Result<T>> {
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        thread::spawn(move || {
            set_thread_groups(&[gid])?;
            set_thread_res_gid(gid, gid, gid)?;
            set_thread_res_uid(uid, uid, uid)?;
            work()
        })
    }

    /// A connection that the kernel notes as this person's.
    pub(crate) fn connect(&self) -> io::Result<UnixStream> {
        let socket = self.socket.clone();
        let connected = self.spawn(move || UnixStream::connect(socket)).join();
        connected.map_err(|_| io::Error::other("the connecting thread panicked"))?
    }

    /// A request on a connection of its own; an error when the gateway dies meanwhile.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> io::Result<(u16, String)> {
        ask(self.connect()?, method, path, body)
    }
}

fn ask(mut stream: UnixStream, method: &str, path: &str, body: &str) -> io::Result<(u16, String)> {
    stream.set_read_timeout(Some(LIMIT))?;
    stream.write_all(request(method, path, body).as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    parse(&String::from_utf8_lossy(&answer))
        .ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, "no whole answer"))
}

/// HTTP/1.0: the answer has no chunks, and ends with its connection.
fn request(method: &str, path: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.0\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

fn parse(answer: &str) -> Option<(u16, String)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}
