//! The engine's times before the lines of a log, by which it is known where to go on: noted, and taken off again.

use super::stream::Stream;
use jiff::Timestamp;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

/// `2026-11-29T19:03:49.123456789Z` and a blank, in bytes.
const LENGTH: usize = 31;
/// The engine keeps a longer line in pieces of this size, in bytes, each with its time.
const PIECE: usize = 16 << 10;
/// Lines of both streams that are written at once may be kept in another order than that of their times.
const DISORDER: Duration = Duration::from_secs(1);

type Key = (Stream, Timestamp);

/// What was shown of a log.
pub(crate) struct Stamps {
    /// Whether the times are shown.
    shown: bool,
    out: Reader,
    err: Reader,
    first: Option<Timestamp>,
    /// The lines of the last moments, in the order they came.
    last: VecDeque<Key>,
    newest: Option<Timestamp>,
    /// After a connection was made again: lines that come a second time, and how often; and what was cut.
    known: HashMap<Key, usize>,
    cut: Vec<(Key, usize)>,
}

/// Where one stream stands.
#[derive(Default)]
struct Reader {
    /// What there is of a time.
    stamp: Vec<u8>,
    /// A line, how much of it came, and how much of that is not shown.
    line: Option<Line>,
}

struct Line {
    key: Option<Key>,
    came: usize,
    hidden: usize,
}

impl Stamps {
    pub(crate) fn new(shown: bool) -> Self {
        Self {
            shown,
            out: Reader::default(),
            err: Reader::default(),
            first: None,
            last: VecDeque::new(),
            newest: None,
            known: HashMap::new(),
            cut: Vec::new(),
        }
    }

    /// The connection was lost: from when on it is asked again, if anything came, as the API writes times.
    pub(crate) fn resume(&mut self) -> Option<String> {
        for (stream, reader) in [(Stream::Out, &mut self.out), (Stream::Err, &mut self.err)] {
            let line = std::mem::take(reader).line;
            if let Some(Line { key: Some(key), came, .. }) = line {
                debug_assert_eq!(key.0, stream);
                self.cut.push((key, came));
            }
        }
        self.known.clear();
        self.last.iter().for_each(|key| *self.known.entry(*key).or_default() += 1);
        let since = self.newest?.checked_sub(DISORDER).ok()?.max(self.first?);
        Some(format!("{}.{:09}", since.as_second(), since.subsec_nanosecond()))
    }

    /// What of a piece of a stream is to be shown.
    pub(crate) fn feed(&mut self, stream: Stream, mut bytes: &[u8]) -> Vec<u8> {
        let mut shown = Vec::with_capacity(bytes.len());
        while !bytes.is_empty() {
            let reader = match stream {
                Stream::Out => &mut self.out,
                Stream::Err => &mut self.err,
            };
            let Some(line) = &mut reader.line else {
                let (part, rest) = bytes.split_at((LENGTH - reader.stamp.len()).min(bytes.len()));
                reader.stamp.extend_from_slice(part);
                bytes = rest;
                if reader.stamp.len() == LENGTH || reader.stamp.contains(&b'\n') {
                    self.begin(stream, &mut shown);
                }
                continue;
            };
            let left = bytes.get(..(PIECE - line.came).min(bytes.len())).unwrap_or_default();
            let end = left.iter().position(|byte| *byte == b'\n').map_or(left.len(), |at| at + 1);
            let (part, rest) = bytes.split_at(end);
            let hidden = line.hidden.saturating_sub(line.came).min(part.len());
            shown.extend_from_slice(part.get(hidden..).unwrap_or_default());
            line.came += part.len();
            bytes = rest;
            if part.ends_with(b"\n") || line.came == PIECE {
                let key = line.key;
                reader.line = None;
                key.into_iter().for_each(|key| self.note(key));
            }
        }
        shown
    }

    /// A time is whole: whether its line was shown before.
    fn begin(&mut self, stream: Stream, shown: &mut Vec<u8>) {
        let reader = match stream {
            Stream::Out => &mut self.out,
            Stream::Err => &mut self.err,
        };
        let stamp = std::mem::take(&mut reader.stamp);
        let time = std::str::from_utf8(&stamp).ok().and_then(|text| text.strip_suffix(' ')?.parse().ok());
        let Some(time) = time else {
            // What is no time is part of the line.
            reader.line = Some(Line { key: None, came: 0, hidden: 0 });
            shown.extend(self.feed(stream, &stamp));
            return;
        };
        let key = (stream, time);
        let was_known = self.known.get_mut(&key).filter(|count| **count > 0).map(|count| *count -= 1);
        let was_cut = self.cut.iter().position(|(cut, _)| *cut == key);
        let line = match (was_known, was_cut) {
            (Some(()), _) => Line { key: None, came: 0, hidden: usize::MAX },
            (None, Some(at)) => Line { key: Some(key), came: 0, hidden: self.cut.swap_remove(at).1 },
            (None, None) => {
                if self.shown {
                    shown.extend_from_slice(&stamp);
                }
                Line { key: Some(key), came: 0, hidden: 0 }
            }
        };
        reader.line = Some(line);
    }

    /// A line was shown whole.
    fn note(&mut self, key: Key) {
        let newest = self.newest.map_or(key.1, |newest| newest.max(key.1));
        self.first.get_or_insert(key.1);
        self.newest = Some(newest);
        self.last.push_back(key);
        let long_ago = |key: &Key| key.1.checked_add(DISORDER).is_ok_and(|then| then < newest);
        while self.last.front().is_some_and(long_ago) {
            self.last.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(millis: i64) -> String {
        let at = Timestamp::from_millisecond(1_700_000_000_000 + millis).unwrap();
        format!("{at:.9} ")
    }

    fn line(millis: i64, text: &str) -> String {
        stamp(millis) + text
    }

    fn fed(stamps: &mut Stamps, stream: Stream, text: &str) -> String {
        String::from_utf8(stamps.feed(stream, text.as_bytes())).unwrap()
    }

    #[test]
    fn times_are_taken_off_wherever_they_are_cut() {
        assert_eq!(stamp(0).len(), LENGTH);
        let long = "x".repeat(PIECE);
        let text =
            [line(0, "one\n"), line(1, "\n"), line(2, &long), line(2, "end\n"), line(3, "two")].concat();
        let bare = format!("one\n\n{long}end\ntwo");
        for cut in (0..120).chain(text.len() - 120..text.len()) {
            let (mut hidden, mut shown) = (Stamps::new(false), Stamps::new(true));
            let feed = |stamps: &mut Stamps| {
                fed(stamps, Stream::Out, &text[..cut]) + &fed(stamps, Stream::Out, &text[cut..])
            };
            assert_eq!((feed(&mut hidden), feed(&mut shown)), (bare.clone(), text.clone()), "cut at {cut}");
        }
        let odd = "an answer that bears no times before its lines\nand none here\n";
        assert_eq!(fed(&mut Stamps::new(false), Stream::Out, odd), odd);
    }

    #[test]
    fn what_comes_a_second_time_is_not_shown_again() {
        let log = [
            (Stream::Out, line(0, "a\n")),
            (Stream::Out, line(5000, "b\n")),
            (Stream::Err, line(5900, "c\n")),
            // Written at once with another one, and kept after it.
            (Stream::Out, line(5899, "d\n")),
            (Stream::Out, line(5899, "d\n")),
            (Stream::Out, line(6000, "e and more\n")),
            (Stream::Err, line(6001, "f\n")),
        ];
        let whole: String = log.iter().map(|(_, text)| &text[LENGTH..]).collect();
        for stop in 0..log.len() {
            for cut in 0..log[stop].1.len() {
                let mut stamps = Stamps::new(false);
                let mut shown = String::new();
                log[..stop].iter().for_each(|(stream, text)| shown += &fed(&mut stamps, *stream, text));
                shown += &fed(&mut stamps, log[stop].0, &log[stop].1[..cut]);
                let since = stamps.resume();
                assert_eq!(since.is_some(), stop > 0);
                // What the engine has since then.
                let from = since.map_or(0, |since| {
                    let (seconds, nanos) = since.split_once('.').unwrap();
                    (seconds.parse::<i64>().unwrap() - 1_700_000_000) * 1000
                        + nanos.parse::<i64>().unwrap() / 1_000_000
                });
                for (stream, text) in &log {
                    if text[..LENGTH] >= *stamp(from) {
                        shown += &fed(&mut stamps, *stream, text);
                    }
                }
                assert_eq!(shown, whole, "cut in {stop} at {cut}");
            }
        }
    }
}
