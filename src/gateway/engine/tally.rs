//! Lines and bytes that were printed, and what an engine spends on them.
//!
//! Measured with Docker 20.10 and 26.1 and the driver `json-file`: three microseconds for a line, ten for a KiB, and three
//! times that where bytes are written down as six, such as `\u0000`. Another processor is faster or slower; the shares of
//! users among each other stay.

use crate::protocol::amount::Cpus;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// Billionths of a second.
const LINE: u64 = 3_000;
const BYTE: u64 = 10;
const ESCAPED: u64 = 30;

/// An engine cuts lines that are longer, and gives each piece the time of the line's beginning.
pub(super) const LONG: usize = 16 << 10;

/// As an engine writes it at the head of a line: `2026-11-29T14:27:23.413657013Z `.
const TIME: usize = 31;
/// What counts as no time at all.
const INSTANT: Duration = Duration::from_micros(10);

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    lines: u64,
    bytes: u64,
    escaped: u64,
}

impl Tally {
    pub(super) fn add(&mut self, bytes: &[u8]) {
        let count = |is: fn(&u8) -> bool| len(bytes.iter().filter(|byte| is(byte)).count());
        self.lines += count(|byte| *byte == b'\n');
        self.escaped += count(is_escaped);
        self.bytes += len(bytes.len());
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What it costs an engine, in billionths of a second.
    fn cost(&self) -> u64 {
        let plain = self.bytes.saturating_sub(self.escaped);
        self.lines * LINE + plain * BYTE + self.escaped * ESCAPED
    }

    /// What that is of a processor, if it took so long to print.
    pub(super) fn over(&self, time: Duration) -> Cpus {
        let time = time.max(INSTANT).as_nanos();
        let rate = u128::from(self.cost()) * u128::from(Cpus::ONE) / time;
        Cpus(u64::try_from(rate).unwrap_or(u64::MAX))
    }
}

fn is_escaped(byte: &u8) -> bool {
    matches!(byte, b'<' | b'>' | b'&') || (*byte < b' ' && !matches!(byte, b'\n' | b'\r' | b'\t'))
}

fn len(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// The last lines of a log, each with its time at its head.
#[derive(Debug)]
pub(super) struct Tail {
    asked: u64,
    tally: Tally,
    first: Head,
    /// Of the line that came last.
    last: Head,
    ended: bool,
}

/// The beginning of a line, as far as a time reaches.
#[derive(Debug, Clone, Default)]
struct Head(Vec<u8>);

impl Head {
    fn fill(&mut self, bytes: &[u8]) {
        let missing = TIME.saturating_sub(self.0.len()).min(bytes.len());
        self.0.extend_from_slice(bytes.get(..missing).unwrap_or_default());
    }

    fn time(&self) -> Option<Timestamp> {
        std::str::from_utf8(&self.0).ok()?.split(' ').next()?.parse().ok()
    }
}

impl Tail {
    /// For so many lines.
    pub(super) fn new(asked: u64) -> Self {
        Self { asked, tally: Tally::default(), first: Head::default(), last: Head::default(), ended: true }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.first.fill(bytes);
        self.tally.add(bytes);
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            if std::mem::replace(&mut self.ended, line.ends_with(b"\n")) {
                self.last.0.clear();
            }
            self.last.fill(line);
        }
    }

    /// When the first of them was printed.
    pub(super) fn first(&self) -> Option<Timestamp> {
        self.first.time()
    }

    pub(super) fn lines(&self) -> u64 {
        self.tally.lines
    }

    /// Without the times, which are the engine's own.
    pub(super) fn tally(&self) -> Tally {
        let times = self.tally.lines * len(TIME);
        Tally { bytes: self.tally.bytes.saturating_sub(times), ..self.tally }
    }

    /// Whether it ends in the midst of a line that is longer than an engine keeps in hand.
    pub(super) fn goes_on(&self) -> bool {
        !self.ended && self.tally.bytes >= len(LONG)
    }

    /// Whether there may be such a line among them: pieces of it count as lines to the engine, and have no end.
    pub(super) fn has_long(&self) -> bool {
        self.tally.lines < self.asked && self.tally.bytes >= len(LONG)
    }

    /// How fast they were printed, up to when somebody asked for them or a line after that: a pause at the end counts.
    pub(super) fn pace(&self, asked: Timestamp) -> Cpus {
        let (Some(first), Some(last)) = (self.first.time(), self.last.time()) else { return Cpus(0) };
        let time: SignedDuration = last.max(asked).duration_since(first);
        self.tally().over(Duration::try_from(time).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAY: &str = "2026-11-29T";

    fn time(clock: &str) -> Timestamp {
        format!("{DAY}{clock}Z").parse().unwrap()
    }

    fn line(clock: &str, words: &str) -> Vec<u8> {
        format!("{DAY}{clock}Z {words}").into_bytes()
    }

    fn tail(asked: u64, lines: &[Vec<u8>]) -> Tail {
        let mut tail = Tail::new(asked);
        lines.iter().for_each(|line| tail.push(line));
        tail
    }

    #[test]
    fn lines_bytes_and_what_is_written_down_longer_cost() {
        let cost = |bytes: &[u8]| {
            let mut tally = Tally::default();
            tally.add(bytes);
            tally.cost()
        };
        assert_eq!((cost(b""), cost(b"\n"), cost(b"xxxx")), (0, 3_010, 40));
        assert_eq!((cost(b"<>&\0"), cost(b"\t\r \xff")), (120, 40));
        let mut tally = Tally::default();
        tally.add(&[b'\n'; 1000]);
        assert_eq!(tally.over(Duration::from_millis(3)), Cpus(1_003_333_333));
        assert_eq!(Tally::default().over(Duration::ZERO), Cpus(0));
    }

    #[test]
    fn the_pace_is_that_of_the_lines_and_of_the_pause_after_them() {
        let lines: Vec<_> = (0..10).map(|n| line(&format!("10:00:00.{n}00000000"), "\n")).collect();
        let tail = tail(10, &lines);
        let ten = tail.tally();
        assert_eq!((ten.lines, ten.bytes), (10, 10));
        assert_eq!(tail.first(), Some(time("10:00:00")));
        assert_eq!(tail.pace(time("10:00:00.9")), ten.over(Duration::from_millis(900)));
        // Asked before the last of them came, and long after.
        assert_eq!(tail.pace(time("10:00:00.2")), ten.over(Duration::from_millis(900)));
        assert_eq!(tail.pace(time("10:00:30")), ten.over(Duration::from_secs(30)));
        assert!(!tail.goes_on() && !tail.has_long());
    }

    #[test]
    fn a_line_that_does_not_end_is_seen() {
        let piece = line("10:00:00.5", &"x".repeat(LONG));
        let short = line("10:00:01.5", "short\n");
        let one = tail(1, std::slice::from_ref(&piece));
        assert!(one.goes_on() && one.has_long());
        // Whatever is printed on the other stream in between.
        let mixed = tail(3, &[piece, short.clone(), short.clone()]);
        assert!(!mixed.goes_on() && mixed.has_long());
        // A last word without an end is none, nor is a short log.
        let word = tail(32, &[short, line("10:00:02.5", "$ ")]);
        assert!(!word.goes_on() && !word.has_long());
    }

    #[test]
    fn whatever_stands_for_a_time_is_none() {
        for head in ["", " ", "yesterday ", "2026-11-29T25:00:00Z ", "\u{e9}"] {
            let tail = tail(1, &[head.as_bytes().to_vec(), b"words\n".to_vec()]);
            assert_eq!((tail.first(), tail.pace(time("10:00:00"))), (None, Cpus(0)), "{head:?}");
        }
    }

    proptest! {
        #[test]
        fn a_tail_is_the_same_however_it_is_cut(bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b' '), any::<u8>()], 0..300), step in 1usize..90) {
            let (whole, cut) = (tail(3, std::slice::from_ref(&bytes)), tail(3, &bytes.chunks(step).map(<[u8]>::to_vec).collect::<Vec<_>>()));
            prop_assert_eq!(whole.tally, cut.tally);
            prop_assert_eq!((whole.first.0, whole.last.0, whole.ended), (cut.first.0, cut.last.0, cut.ended));
        }
    }
}
