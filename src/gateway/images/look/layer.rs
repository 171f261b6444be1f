//! One layer, judged as it comes: no device nodes but Docker's own, nothing that overlayfs would obey, no name that
//! cannot be opened.
//!
//! A node that the engine gives to each container passes. A console is root's alone, and no hard link of any layer
//! leads to it. A name that two readers of tar could read in two ways is refused (`Reader::exact`). A refusal of one
//! layer refuses the image, whatever another layer hides.

use super::links::Collector;
use crate::protocol::told::{Phrase, Tell, Told, told};
use crate::tarball::entry::{Entry, Kind, Node};
use crate::tarball::name::clean;
use crate::tarball::read::{Event, Reader};
use crate::tarball::shown;

/// Members that all layers of an image may have together.
const MEMBERS: u64 = 4_000_000;
/// Bytes of one name: no file system here takes longer ones.
const LONGEST_PART: usize = 255;
/// Bytes of a whole path. Those of real images are a few hundred.
const LONGEST_PATH: usize = 2000;
/// Names in one path.
const MOST_PARTS: usize = 128;
const CONSOLE: &[u8] = b"console";

/// What all layers of an image have together.
#[derive(Debug, Default)]
pub(super) struct Whole {
    pub(super) members: u64,
    pub(super) links: Collector,
    /// A console of the host's, by name.
    console: Option<String>,
    /// A hard link that may lead to one, and then gives it an owner and a mode of its own.
    to_console: Option<String>,
}

impl Whole {
    /// Why it is not read any further.
    pub(super) fn refused(&self) -> Option<Told> {
        self.too_large().or_else(|| self.opened())
    }

    fn too_large(&self) -> Option<Told> {
        if self.links.is_full() {
            return Some(told!(
                "the image has more links, and directories with links in them, than can be looked through"
            ));
        }
        (self.members > MEMBERS)
            .then(|| told!("the image has more than {MEMBERS} files, the most that are looked through"))
    }

    /// Whoever unpacks a hard link gives what it leads to the link's own owner and mode.
    fn opened(&self) -> Option<Told> {
        let (console, link) = self.console.as_ref().zip(self.to_console.as_ref())?;
        Some(told!(
            "the image holds a device node, /{console} (char 5:1), and a hard link, /{link}, that could open it to others"
        ))
    }
}

/// The walk through one layer, up to the first thing that is wrong with it.
pub(super) struct Layer<'a> {
    reader: Reader,
    whole: &'a mut Whole,
    wrong: Option<Told>,
}

impl<'a> Layer<'a> {
    pub(super) fn new(whole: &'a mut Whole) -> Self {
        Self { reader: Reader::exact(), whole, wrong: None }
    }

    /// Takes the next bytes of the layer's archive.
    pub(super) fn push(&mut self, mut bytes: &[u8]) {
        while self.wrong.is_none() {
            let judged = match self.reader.next(&mut bytes) {
                Ok(None) => return,
                Ok(Some(Event::Entry(entry))) => self.entry(&entry),
                Ok(Some(Event::Special { name, node, what })) => self.special(&name, node, what),
                Ok(Some(Event::Note { .. } | Event::Data(_) | Event::Close | Event::End)) => Ok(()),
                Err(error) => Err(told!("the image cannot be looked through: {error}")),
            };
            self.wrong = judged.err().or_else(|| self.whole.refused());
        }
    }

    /// What is wrong with it, now that it has ended.
    pub(super) fn end(self) -> Option<Told> {
        let end = |error| told!("the image cannot be looked through: {error}");
        self.wrong.or_else(|| self.reader.finish().err().map(end))
    }

    fn entry(&mut self, entry: &Entry) -> Result<(), Told> {
        self.whole.members += 1;
        let name = openable(&entry.name)?;
        if name.is_empty() && entry.kind != Kind::Directory {
            return Err(odd(&entry.name, told!("the image's root can only be a directory")));
        }
        // By whatever directories, and whatever becomes of `..`: a link's last name is not followed, so it is this one.
        if entry.kind == Kind::HardLink
            && entry.target.split(|byte| *byte == b'/').any(|part| part == CONSOLE)
        {
            self.whole.to_console = Some(shown(&name));
        }
        if matches!(entry.kind, Kind::Symlink | Kind::HardLink) {
            self.whole.links.add(&name, &entry.target);
        }
        Ok(())
    }

    fn special(&mut self, raw: &[u8], node: Option<Node>, what: Phrase) -> Result<(), Told> {
        self.whole.members += 1;
        let name = openable(raw)?;
        match node {
            None if what.english() == "a fifo" => Ok(()),
            Some(node) if is_dockers_own(node) => Ok(()),
            Some(node) if is_closed_console(node, &name) => {
                self.whole.console = Some(shown(&name));
                Ok(())
            }
            node => Err(told!(
                "the image holds a device node, /{}{}, which whoever runs it could open from outside the container",
                shown(&name),
                node.map(told).unwrap_or_default()
            )),
        }
    }
}

/// The nodes that the engine gives every container itself: wherever one lies, and whoever may open it, it opens nothing
/// else.
fn is_dockers_own(node: Node) -> bool {
    // null, zero, full, random, urandom; tty and ptmx.
    matches!((node.is_block, node.major, node.minor), (false, 1, 3 | 5 | 7 | 8 | 9) | (false, 5, 0 | 2))
}

/// A console is the host's, so only root may be able to open it. It has its usual name: by that its hard links are known.
fn is_closed_console(node: Node, name: &[u8]) -> bool {
    let is_console = (node.is_block, node.major, node.minor) == (false, 5, 1);
    let is_called_so = name.rsplit(|byte| *byte == b'/').next() == Some(CONSOLE);
    is_console && is_called_so && node.uid == 0 && node.mode & 0o077 == 0
}

fn told(node: Node) -> String {
    let kind = if node.is_block { "block" } else { "char" };
    format!(" ({kind} {}:{}, mode {:o})", node.major, node.minor, node.mode)
}

fn odd(name: &[u8], what: Told) -> Told {
    let name = name.get(..LONGEST_PART).unwrap_or(name);
    told!("the image cannot be looked through: {}: {what}", shown(name))
}

/// A member's clean name, which can be opened whatever it lies in.
fn openable(raw: &[u8]) -> Result<Vec<u8>, Told> {
    let name = clean(raw).map_err(|fault| odd(raw, fault.told()))?;
    let longest = name.split(|byte| *byte == b'/').map(<[u8]>::len).max().unwrap_or_default();
    let parts = name.split(|byte| *byte == b'/').count();
    if longest > LONGEST_PART {
        return Err(odd(raw, told!("a name with a length of {longest}, the most is {LONGEST_PART}")));
    }
    if name.len() > LONGEST_PATH {
        return Err(odd(raw, told!("a path with a length of {}, the most is {LONGEST_PATH}", name.len())));
    }
    if parts > MOST_PARTS {
        return Err(odd(raw, told!("a path with a number of names of {parts}, the most is {MOST_PARTS}")));
    }
    Ok(name)
}

#[cfg(test)]
mod tests;
