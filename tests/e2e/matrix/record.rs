//! A gateway whose words to the engine are written down, and requests to it by hand.

use crate::world::{Faulty, User, World};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// An answer, without its headers.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

/// Everything the gateway has said to the engine since it was last forgotten.
type Heard = Arc<Mutex<Vec<u8>>>;

pub(super) struct Recorded<'w> {
    gateway: Faulty,
    heard: Heard,
    /// The API version that the gateway speaks with the engine.
    pub(super) version: String,
    _world: &'w World,
}

impl World {
    /// One more gateway on the real engine, with an ear between them.
    pub(super) fn recorded_engine(&self) -> Recorded<'_> {
        let heard = Heard::default();
        let ear = heard.clone();
        let gateway = self.overheard(move |said| ear.lock().unwrap().extend(said));
        Recorded { gateway, heard, version: self.engine.api_version(), _world: self }
    }
}

impl Recorded<'_> {
    pub(super) fn forget(&self) {
        self.heard.lock().unwrap().clear();
    }

    /// Which of these words the engine has heard, but for one line, and for looks at what everybody's containers print.
    pub(super) fn heard_of(&self, words: &[&str], but: &str) -> Vec<String> {
        let heard = String::from_utf8_lossy(&self.heard.lock().unwrap()).replace(but, "");
        let looks = |line: &&str| line.contains("/logs?stdout=1&stderr=1&timestamps=1&tail=");
        let heard: String = heard.lines().filter(|line| !looks(line)).collect();
        words.iter().filter(|word| heard.contains(**word)).map(|word| (*word).to_owned()).collect()
    }

    /// As that user, by the kernel's word: a thread can be somebody else for a connection.
    pub(super) fn ask(&self, user: &User<'_>, method: &str, path: &str, body: &str) -> Answer {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        let (uid, gid) = (rustix::fs::Uid::from_raw(user.uid), rustix::fs::Gid::from_raw(user.gid));
        let socket = self.gateway.socket().to_owned();
        let said = thread::spawn(move || {
            rustix::thread::set_thread_groups(&[gid]).unwrap();
            rustix::thread::set_thread_res_gid(gid, gid, gid).unwrap();
            rustix::thread::set_thread_res_uid(uid, uid, uid).unwrap();
            let mut stream = UnixStream::connect(&socket).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            let mut said = Vec::new();
            stream.read_to_end(&mut said).map(|_| said)
        });
        let said = said.join().unwrap().unwrap_or_else(|why| panic!("{method} {path}: {why}"));
        let said = String::from_utf8_lossy(&said).into_owned();
        let (head, body) = said.split_once("\r\n\r\n").unwrap_or((&said, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        Answer {
            status: status.unwrap_or_else(|| panic!("{method} {path}: {said:?}")),
            body: body.to_owned(),
        }
    }
}
