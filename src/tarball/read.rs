//! The reader: bytes go in as they come, members and their contents come out.

use super::entry::{Entry, Kind, Node, Time};
use super::header::{self, Block};
use super::pax::Pax;
use super::reason::shown;
use super::{BLOCK, LONGEST_NAME, at_most, padding, wide};
use crate::protocol::told::{Phrase, Told, phrase};
use tar::{EntryType, Header};

/// The most bytes that an extended header may hold: what Go's reader, and so the engine, accepts.
const LONGEST_SPECIAL: u64 = 1 << 20;

/// What a device node is called.
const DEVICE: Phrase = phrase!("a device");

/// Why bytes are not an archive, or not one that is read here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Told)]
pub enum Malformed {
    #[error("the archive is compressed ({0}), only plain tar is read")]
    Compressed(&'static str),
    #[error("this is not a tar archive")]
    NotTar,
    #[error("the archive is damaged after byte {0}")]
    Damaged(u64),
    #[error("the archive ends in the middle")]
    Truncated,
    #[error("{name}: the header's {field} is not a number that can be")]
    Number { name: String, field: &'static str },
    #[error("{0}: sparse members are not read, pack without --sparse")]
    Sparse(String),
    #[error("{name}: members of type {kind:?} are not read")]
    Type { name: String, kind: char },
    #[error("{0}: only a file may have contents")]
    Contents(String),
    #[error("{0}: a name or target longer than 4095 bytes")]
    LongName(String),
    #[error("an extended header is damaged, too long, or given twice")]
    Extension,
    #[error("{0}: the header's name is read in two ways, pack with --format=posix")]
    TwoFaced(String),
    #[error("{name}: the attribute {key} would give the kernel orders")]
    Order { name: String, key: String },
    #[error("something comes after the archive's end")]
    AfterEnd,
    #[error("{0}")]
    Sender(String),
}

/// What the reader has found.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A member; a file's contents follow, and its [`Event::Close`].
    Entry(Entry),
    /// A device, a fifo or the like: what it is and its name. It has no contents. A device has numbers, unless its
    /// header is of a form that has none.
    Special {
        what: Phrase,
        name: Vec<u8>,
        node: Option<Node>,
    },
    /// What the packer went on past, and whether something is therefore not as it was there.
    Note {
        is_fault: bool,
        words: String,
    },
    Data(&'a [u8]),
    Close,
    /// The end mark. What comes after it is dropped.
    End,
}

enum State {
    Header { filled: usize },
    Extension { kind: EntryType, left: u64, padding: u64, text: Vec<u8> },
    Data { left: u64, padding: u64 },
    Padding { left: u64 },
    End,
}

/// Reads an archive without ever holding more than one header of it.
pub struct Reader {
    state: State,
    block: Block,
    /// Bytes taken so far, for the message about a damaged archive.
    taken: u64,
    long_name: Option<Vec<u8>>,
    long_target: Option<Vec<u8>>,
    pax: Option<Pax>,
    /// What another reader could take for something else is refused.
    exact: bool,
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            state: State::Header { filled: 0 },
            block: [0; BLOCK],
            taken: 0,
            long_name: None,
            long_target: None,
            pax: None,
            exact: false,
        }
    }
}

impl Reader {
    /// One for archives that somebody else unpacks: it refuses what the other one could read otherwise, or would obey.
    pub fn exact() -> Self {
        Self { exact: true, ..Self::default() }
    }

    /// The next thing in `input`, which is shortened by what was read; none when more bytes are needed.
    ///
    /// # Errors
    /// What is no archive, or one that another reader could read otherwise. After that nothing more can be read of it.
    pub fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Event<'a>>, Malformed> {
        loop {
            match &mut self.state {
                State::Header { filled } => {
                    let part = take(input, wide(BLOCK - *filled));
                    header::put(self.block.get_mut(*filled..).unwrap_or_default(), part);
                    *filled += part.len();
                    if *filled < BLOCK {
                        return Ok(None);
                    }
                    *filled = 0;
                    let block = self.block;
                    if let Some(event) = self.header(&block)? {
                        return Ok(Some(event));
                    }
                }
                State::Extension { kind, left, padding, text } => {
                    let part = take(input, *left);
                    text.extend_from_slice(part);
                    *left -= wide(part.len());
                    if *left > 0 {
                        return Ok(None);
                    }
                    let (kind, padding, text) = (*kind, *padding, std::mem::take(text));
                    self.taken += wide(text.len());
                    self.state = State::Padding { left: padding };
                    if let Some(note) = self.extend(kind, text)? {
                        return Ok(Some(note));
                    }
                }
                State::Data { left: 0, padding } => {
                    self.state = State::Padding { left: *padding };
                    return Ok(Some(Event::Close));
                }
                State::Data { left, .. } => {
                    let part = take(input, *left);
                    *left -= wide(part.len());
                    self.taken += wide(part.len());
                    return Ok((!part.is_empty()).then_some(Event::Data(part)));
                }
                State::Padding { left: 0 } => self.state = State::Header { filled: 0 },
                State::Padding { left } => {
                    let part = take(input, *left);
                    *left -= wide(part.len());
                    self.taken += wide(part.len());
                    if *left > 0 {
                        return Ok(None);
                    }
                }
                State::End => {
                    if self.exact && input.iter().any(|byte| *byte != 0) {
                        return Err(Malformed::AfterEnd);
                    }
                    *input = &[];
                    return Ok(None);
                }
            }
        }
    }

    /// How many bytes of a file's contents come next.
    pub fn contents_left(&self) -> u64 {
        if let State::Data { left, .. } = self.state { left } else { 0 }
    }

    /// Counts contents that were taken from where the input comes from, without passing through here.
    pub fn pass_over(&mut self, count: u64) {
        if let State::Data { left, .. } = &mut self.state {
            *left = left.saturating_sub(count);
            self.taken += count;
        }
    }

    /// Says whether the bytes so far are a whole archive.
    ///
    /// The end mark may be missing, as tar itself allows, when the last member is whole: nothing is lost by it.
    ///
    /// # Errors
    /// The archive is cut, compressed, or none at all.
    pub fn finish(&self) -> Result<(), Malformed> {
        match &self.state {
            State::End => Ok(()),
            State::Header { filled: 0 } | State::Padding { left: 0 } if !self.is_pending() => Ok(()),
            State::Header { filled } if self.taken == 0 => {
                let start = self.block.get(..*filled).unwrap_or_default();
                Err(compression(start).map_or(Malformed::NotTar, Malformed::Compressed))
            }
            State::Header { .. } | State::Extension { .. } | State::Data { .. } | State::Padding { .. } => {
                Err(Malformed::Truncated)
            }
        }
    }

    /// Whether an extension waits for its member.
    fn is_pending(&self) -> bool {
        self.pax.is_some() || self.long_name.is_some() || self.long_target.is_some()
    }

    fn header<'a>(&mut self, block: &Block) -> Result<Option<Event<'a>>, Malformed> {
        if block.iter().all(|byte| *byte == 0) {
            self.state = State::End;
            return Ok(Some(Event::End));
        }
        if self.taken == 0
            && let Some(program) = compression(block)
        {
            return Err(Malformed::Compressed(program));
        }
        let Some(header) = header::parse(block) else {
            return Err(if self.taken == 0 { Malformed::NotTar } else { Malformed::Damaged(self.taken) });
        };
        self.taken += wide(BLOCK);
        match header.entry_type() {
            kind @ (EntryType::XHeader
            | EntryType::XGlobalHeader
            | EntryType::GNULongName
            | EntryType::GNULongLink) => self.begin_extension(kind, &header).map(|()| None),
            _ => self.member(&header).map(Some),
        }
    }

    fn begin_extension(&mut self, kind: EntryType, header: &Header) -> Result<(), Malformed> {
        let left =
            header::size(header).filter(|size| *size <= LONGEST_SPECIAL).ok_or(Malformed::Extension)?;
        self.state = State::Extension { kind, left, padding: padding(left), text: Vec::new() };
        Ok(())
    }

    /// Takes an extension's text. One given twice is refused: which of them counts, readers do not agree.
    fn extend<'a>(&mut self, kind: EntryType, text: Vec<u8>) -> Result<Option<Event<'a>>, Malformed> {
        match kind {
            EntryType::GNULongName => put_once(&mut self.long_name, long(&text)?)?,
            EntryType::GNULongLink => put_once(&mut self.long_target, long(&text)?)?,
            EntryType::XHeader => put_once(&mut self.pax, Pax::parse(&text).ok_or(Malformed::Extension)?)?,
            // Between an extension and its member, where readers do not agree whose that is then.
            _ if self.is_pending() => return Err(Malformed::Extension),
            _ => return global(Pax::parse(&text).ok_or(Malformed::Extension)?),
        }
        Ok(None)
    }

    fn member<'a>(&mut self, header: &Header) -> Result<Event<'a>, Malformed> {
        let kind = header.entry_type();
        let pax = self.pax.take().unwrap_or_default();
        let name = one_of(pax.path, self.long_name.take())?;
        let name = name.unwrap_or_else(|| header.path_bytes().into_owned());
        let target = one_of(pax.target, self.long_target.take())?;
        let target = target.unwrap_or_else(|| header.link_name_bytes().unwrap_or_default().into_owned());
        if pax.sparse || kind == EntryType::GNUSparse {
            return Err(Malformed::Sparse(shown(&name)));
        }
        if self.exact {
            exactly(header, &name, pax.order.as_deref())?;
        }
        if name.len() > LONGEST_NAME || target.len() > LONGEST_NAME {
            return Err(Malformed::LongName(shown(name.get(..80).unwrap_or(&name))));
        }
        let wrong = |field| Malformed::Number { name: shown(&name), field };
        let size = pax.size.or_else(|| header::size(header)).ok_or_else(|| wrong("size"))?;
        // Far beyond any file, near enough that adding the padding cannot overflow.
        if i64::try_from(size).is_err() {
            return Err(wrong("size"));
        }
        let seconds = || Some(Time { seconds: header::mtime(header)?, nanoseconds: 0 });
        let mtime = pax.mtime.or_else(seconds).ok_or_else(|| wrong("time"))?;
        let mode = header::mode(header).ok_or_else(|| wrong("mode"))?;
        let is_block = kind == EntryType::Block;
        let kind = match kind_of(kind, &name)? {
            Ok(kind) => kind,
            Err(_) if size > 0 => return Err(Malformed::Contents(shown(&name))),
            Err(what) => {
                let numbers = if what == DEVICE { header::device(header) } else { None };
                let uid = pax.uid.or_else(|| header::uid(header)).unwrap_or(-1);
                let node = numbers.map(|(major, minor)| Node { is_block, major, minor, mode, uid });
                return Ok(Event::Special { what, name, node });
            }
        };
        if kind != Kind::File && size > 0 {
            return Err(Malformed::Contents(shown(&name)));
        }
        if kind == Kind::File {
            self.state = State::Data { left: size, padding: padding(size) };
        }
        let target = if matches!(kind, Kind::Symlink | Kind::HardLink) { target } else { Vec::new() };
        Ok(Event::Entry(Entry { kind, name, target, size, mode, mtime }))
    }
}

/// Refuses a member that another reader could call otherwise, or whose attributes are orders.
fn exactly(header: &Header, name: &[u8], order: Option<&[u8]>) -> Result<(), Malformed> {
    match order {
        Some(key) => Err(Malformed::Order { name: shown(name), key: shown(key) }),
        None if header::is_two_faced(header) => Err(Malformed::TwoFaced(shown(name))),
        None => Ok(()),
    }
}

/// A member's kind by its type; on the inner error side what it is instead.
fn kind_of(kind: EntryType, name: &[u8]) -> Result<Result<Kind, Phrase>, Malformed> {
    Ok(match kind {
        // Archives from before directories had a type end their names in a slash.
        EntryType::Regular | EntryType::Continuous if name.ends_with(b"/") => Ok(Kind::Directory),
        EntryType::Regular | EntryType::Continuous => Ok(Kind::File),
        EntryType::Link => Ok(Kind::HardLink),
        EntryType::Symlink => Ok(Kind::Symlink),
        EntryType::Char | EntryType::Block => Err(DEVICE),
        EntryType::Directory => Ok(Kind::Directory),
        EntryType::Fifo => Err(phrase!("a fifo")),
        kind => return Err(Malformed::Type { name: shown(name), kind: char::from(kind.as_byte()) }),
    })
}

/// The first `most` bytes, taken off the input.
fn take<'a>(input: &mut &'a [u8], most: u64) -> &'a [u8] {
    let (part, rest) = input.split_at_checked(at_most(most, input.len())).unwrap_or((input, &[]));
    *input = rest;
    part
}

fn put_once<T>(place: &mut Option<T>, value: T) -> Result<(), Malformed> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Malformed::Extension),
    }
}

fn one_of(pax: Option<Vec<u8>>, gnu: Option<Vec<u8>>) -> Result<Option<Vec<u8>>, Malformed> {
    match (pax, gnu) {
        (Some(_), Some(_)) => Err(Malformed::Extension),
        (pax, gnu) => Ok(pax.or(gnu)),
    }
}

/// GNU's long names end in a zero byte.
fn long(text: &[u8]) -> Result<Vec<u8>, Malformed> {
    let name = text.split(|byte| *byte == 0).next().unwrap_or_default();
    match name.len() {
        0 => Err(Malformed::Extension),
        length if length > LONGEST_NAME => {
            Err(Malformed::LongName(shown(name.get(..80).unwrap_or_default())))
        }
        _ => Ok(name.to_vec()),
    }
}

/// A global header may carry comments (git writes one), and the packer's last words, but nothing that members inherit.
fn global<'a>(pax: Pax) -> Result<Option<Event<'a>>, Malformed> {
    match &pax.failure {
        Some(text) => Err(Malformed::Sender(shown(text))),
        None if pax.matters() => Err(Malformed::Extension),
        None => Ok(pax.note.map(|(is_fault, words)| Event::Note { is_fault, words: shown(&words) })),
    }
}

/// The program that made these bytes, if they are not tar but compressed.
///
/// The engine looks at the same first bytes and would run the program to undo it.
pub fn compression(start: &[u8]) -> Option<&'static str> {
    const MAGIC: [(&[u8], &str); 6] = [
        (b"\x1f\x8b", "gzip"),
        (b"\x1f\x9d", "compress"),
        (b"BZh", "bzip2"),
        (b"\xfd7zXZ\0", "xz"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"\x04\x22\x4d\x18", "lz4"),
    ];
    // zstd archives may begin with a frame to be skipped, one of sixteen.
    let skippable = matches!(start, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]);
    let known = MAGIC.iter().find(|(magic, _)| start.starts_with(magic)).map(|(_, program)| *program);
    known.or(skippable.then_some("zstd"))
}
