//! Places in the line for GPUs: a connection each, on which the gateway tells how things stand.

use super::people::User;
use super::wire::{Caller, LIMIT};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;

/// A place in the line; given up when it is dropped.
pub(crate) struct Place {
    stream: UnixStream,
    told: String,
}

impl User<'_> {
    /// Stands in line for what the query says, once it has a place.
    pub(crate) fn stands(&self, query: &str) -> Place {
        self.caller().stands(query)
    }
}

impl Caller {
    pub(crate) fn stands(&self, query: &str) -> Place {
        let mut stream = self.connect().unwrap();
        let ask = format!("POST /ie/v1/gpus/wait?{query} HTTP/1.0\r\nHost: d\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(ask.as_bytes()).unwrap();
        let mut place = Place { stream, told: String::new() };
        // The first word about how it stands: it is in the line by then.
        place.hears("{\"");
        place
    }
}

impl Place {
    /// Waits until the gateway has said this.
    #[track_caller]
    pub(crate) fn hears(&mut self, word: &str) {
        self.stream.set_read_timeout(Some(LIMIT)).unwrap();
        while !self.told.contains(word) {
            let mut part = [0; 512];
            let count = self.stream.read(&mut part).unwrap_or_default();
            assert_ne!(count, 0, "no {word:?} in {}", self.told);
            self.told.push_str(&String::from_utf8_lossy(&part[..count]));
        }
    }

    /// What it has said by now.
    pub(crate) fn told(&mut self) -> &str {
        self.stream.set_nonblocking(true).unwrap();
        let mut part = [0; 512];
        loop {
            match self.stream.read(&mut part) {
                Ok(count @ 1..) => self.told.push_str(&String::from_utf8_lossy(&part[..count])),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                _ => break,
            }
        }
        self.stream.set_nonblocking(false).unwrap();
        &self.told
    }
}
