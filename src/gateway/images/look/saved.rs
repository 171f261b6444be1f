//! What the engine's `save` gives of an image: an archive of archives, of which each layer is one.
//!
//! Which of the members are layers is not believed but found out: every member is unpacked if it is packed, hashed, and
//! read as a layer. A layer of the image is one whose hash the image's own record names. When all that it names were
//! read, the image was seen whole, and nothing that the engine left out, or could not read, is in it.

use super::layer::{Layer, Whole};
use super::seen::Seen;
use super::unpack::unpacked;
use crate::protocol::told::{Told, told};
use crate::tarball::entry::Kind;
use crate::tarball::read::{Event, Reader};
use crate::tarball::{CHUNK, at_most, wide};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::io::{self, Read};

/// The most bytes that all layers may unpack to.
const MOST_BYTES: u64 = 256 << 30;

/// Why nothing can be said: it is not the image's fault.
#[derive(Debug, thiserror::Error, Told)]
#[error("{0}")]
pub(super) struct Broken(String);

/// The outer archive: its files, each to be read for itself.
struct Saved<R> {
    source: R,
    reader: Reader,
    buffer: Vec<u8>,
    /// What of the buffer is still to be read.
    rest: std::ops::Range<usize>,
    /// Whether its end mark was read: what breaks off between two files is no whole archive.
    ended: bool,
    /// Why the source gave no more: what unpacks does not tell its own faults from the source's.
    broken: Option<String>,
}

impl<R: Read> Saved<R> {
    fn new(source: R) -> Self {
        Self {
            source,
            reader: Reader::default(),
            buffer: vec![0; CHUNK],
            rest: 0..0,
            ended: false,
            broken: None,
        }
    }

    fn refill(&mut self) -> io::Result<usize> {
        match self.source.read(&mut self.buffer) {
            Ok(count) => {
                self.rest = 0..count;
                Ok(count)
            }
            Err(error) => {
                self.broken = Some(error.to_string());
                Err(error)
            }
        }
    }

    /// Goes on to the next file; what was left of the one before is passed over.
    fn next_file(&mut self) -> Result<bool, Broken> {
        let broken = |error: &dyn std::fmt::Display| Broken(error.to_string());
        io::copy(self, &mut io::sink()).map_err(|error| broken(&error))?;
        loop {
            let mut bytes = self.buffer.get(self.rest.clone()).unwrap_or_default();
            let event = self.reader.next(&mut bytes).map_err(|error| broken(&error))?;
            let is_file = matches!(&event, Some(Event::Entry(entry)) if entry.kind == Kind::File);
            let is_none = event.is_none();
            self.ended |= event == Some(Event::End);
            self.rest.start = self.rest.end - bytes.len();
            if is_file {
                return Ok(true);
            }
            if is_none && self.refill().map_err(|error| broken(&error))? == 0 {
                return if self.ended { Ok(false) } else { Err(broken(&"it breaks off")) };
            }
        }
    }
}

/// The contents of the current file.
impl<R: Read> Read for Saved<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = at_most(self.reader.contents_left(), into.len());
        if most == 0 {
            return Ok(0);
        }
        if self.rest.is_empty() && self.refill()? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let here = self.buffer.get(self.rest.clone()).unwrap_or_default();
        let count = most.min(here.len());
        for (to, from) in into.iter_mut().zip(here.iter().take(count)) {
            *to = *from;
        }
        self.rest.start += count;
        self.reader.pass_over(wide(count));
        Ok(count)
    }
}

/// Reads all that the engine gives of an image with these layers.
pub(super) fn read(source: impl Read, layers: &[String]) -> Result<Seen, Broken> {
    let mut saved = Saved::new(source);
    let (mut whole, mut bytes) = (Whole::default(), 0);
    let mut missing: BTreeSet<&str> = layers.iter().map(String::as_str).collect();
    let refused = |whole: &Whole, why| Ok(Seen::refused(layers, whole.members, why));
    while saved.next_file()? {
        let (hash, wrong) = read_layer(&mut saved, &mut whole, &mut bytes);
        if let Some(broken) = saved.broken.take() {
            return Err(Broken(broken));
        }
        if let Some(why) = whole.refused().or_else(|| too_long(bytes)) {
            return refused(&whole, why);
        }
        if missing.remove(hash.as_str())
            && let Some(wrong) = wrong
        {
            return refused(&whole, wrong);
        }
    }
    if let Some(layer) = missing.first() {
        let why = told!("the image cannot be looked through: the engine does not give out its layer {layer}");
        return refused(&whole, why);
    }
    Ok(Seen::clean(layers, whole.members, whole.links.finish()))
}

fn too_long(bytes: u64) -> Option<Told> {
    let gib = MOST_BYTES >> 30;
    (bytes > MOST_BYTES)
        .then(|| told!("the image's layers take more than {gib} GiB, the most that is looked through"))
}

/// Reads one file as a layer: what it would be called, and what is wrong with it as one.
fn read_layer(file: &mut impl Read, whole: &mut Whole, bytes: &mut u64) -> (String, Option<Told>) {
    let (mut hash, mut layer) = (Sha256::new(), Layer::new(whole));
    let mut part = vec![0; CHUNK];
    let mut unpacked = unpacked(file);
    let unread = loop {
        match unpacked.read(&mut part) {
            Ok(0) => break None,
            Ok(count) => {
                let part = part.get(..count).unwrap_or_default();
                hash.update(part);
                layer.push(part);
                *bytes += wide(count);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => break Some(told!("the image cannot be looked through: {error}")),
        }
        if *bytes > MOST_BYTES {
            break too_long(*bytes);
        }
    };
    let digits: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    (format!("sha256:{digits}"), layer.end().or(unread))
}

#[cfg(test)]
mod tests;
