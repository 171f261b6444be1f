//! Lines and bytes that were printed, and what an engine spends on them.
//!
//! Measured with Docker 20.10 and 26.1 and the driver `json-file`: three microseconds for a line, ten for a KiB, and three
//! times that where bytes are written down as six, such as `\u0000`. Another processor is faster or slower; the shares of
//! users among each other stay.

use crate::protocol::amount::Cpus;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// What a line costs an engine, in billionths of a second, as measured (see above).
const LINE: u64 = 3_000;
/// The same for a byte.
const BYTE: u64 = 10;
/// The same for a byte that is written down as six.
const ESCAPED: u64 = 30;

/// An engine cuts lines of more bytes, and gives each piece the time of the line's beginning.
pub(super) const LONG: usize = 16 << 10;

/// Bytes of a time, as an engine writes it at the head of a line: `2026-11-29T14:27:23.413657013Z `.
const TIME: usize = 31;
/// Nothing longer is read of a log: a few lines can be some MiB.
const LONGEST: u64 = 2 << 20;
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
    since: Timestamp,
    tally: Tally,
    head: Head,
    /// Whether the line that came last has ended.
    ended: bool,
    /// Whether the first of them is as young as it was asked for.
    begins_young: bool,
    young: u64,
    /// The times of the first young one and of the last.
    times: Option<(Timestamp, Timestamp)>,
}

/// The beginning of a line, as far as a time reaches.
#[derive(Debug, Default)]
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
    /// For so many lines, of which those are young that were printed since then.
    pub(super) fn new(asked: u64, since: Timestamp) -> Self {
        Self {
            asked,
            since,
            tally: Tally::default(),
            head: Head::default(),
            ended: true,
            begins_young: false,
            young: 0,
            times: None,
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        let before = self.tally.lines;
        self.tally.add(bytes);
        for (line, number) in bytes.split_inclusive(|byte| *byte == b'\n').zip(before..) {
            self.head.fill(line);
            self.ended = line.ends_with(b"\n");
            if self.ended {
                self.end_line(number);
            }
        }
    }

    fn end_line(&mut self, number: u64) {
        if let Some(time) = self.head.time().filter(|time| *time >= self.since) {
            self.begins_young |= number == 0;
            self.young += 1;
            self.times = Some((self.times.map_or(time, |(first, _)| first), time));
        }
        self.head.0.clear();
    }

    /// Without the times, which are the engine's own.
    pub(super) fn tally(&self) -> Tally {
        let times = self.tally.lines * len(TIME);
        Tally { bytes: self.tally.bytes.saturating_sub(times), ..self.tally }
    }

    /// Whether the rest is not worth reading.
    pub(super) fn is_enough(&self) -> bool {
        self.tally.bytes > LONGEST
    }

    /// Whether any of it is young.
    pub(super) fn has_young(&self) -> bool {
        self.young > 0
    }

    /// Whether it ends in the midst of a line that is longer than an engine keeps in hand.
    pub(super) fn goes_on(&self) -> bool {
        !self.ended && self.tally.bytes >= len(LONG)
    }

    /// Whether there may be such a line among them: pieces of it count as lines to the engine, and have no end.
    pub(super) fn has_long(&self) -> bool {
        self.tally.lines < self.asked && self.tally.bytes >= len(LONG)
    }

    /// Whether there are more young ones than these. A piece of a long line bears the time of its beginning, and hides that
    /// of what comes after it; so there it is enough that some are young.
    pub(super) fn is_short(&self) -> bool {
        let all = self.tally.lines >= self.asked || self.is_enough();
        (self.begins_young && all) || (self.has_long() && self.has_young() && self.young >= self.asked / 4)
    }

    /// What they cost of a processor: all that there was for so long; or, where there was more, at the pace of these up to
    /// when somebody asked for them or a line after that. A pause at the end counts.
    pub(super) fn rate(&self, ago: Duration, asked: Timestamp) -> Cpus {
        match self.times {
            Some((first, last)) if self.is_short() => {
                let time: SignedDuration = last.max(asked).duration_since(first);
                self.tally().over(Duration::try_from(time).unwrap_or_default())
            }
            _ => self.tally().over(ago),
        }
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

    /// Young is what was printed from ten o'clock on.
    fn tail(asked: u64, lines: &[Vec<u8>]) -> Tail {
        let mut tail = Tail::new(asked, time("10:00:00"));
        lines.iter().for_each(|line| tail.push(line));
        tail
    }

    const AGO: Duration = Duration::from_secs(4);

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
        let whole = tail(10, &lines);
        let ten = whole.tally();
        assert_eq!((ten.lines, ten.bytes), (10, 10));
        let rate = |tail: &Tail, asked| tail.rate(AGO, time(asked));
        assert_eq!(rate(&whole, "10:00:00.9"), ten.over(Duration::from_millis(900)));
        // Asked before the last of them came, and long after.
        assert_eq!(rate(&whole, "10:00:00.2"), ten.over(Duration::from_millis(900)));
        assert_eq!(rate(&whole, "10:00:30"), ten.over(Duration::from_secs(30)));
        assert!(whole.is_short() && !whole.goes_on() && !whole.has_long());
        // All that there is, or all that is young: a burst of a few is no flood.
        let old = [vec![line("09:59:59.900000000", "\n")], lines[..9].to_vec()].concat();
        for few in [tail(11, &lines), tail(10, &old)] {
            assert!(few.has_young() && !few.is_short());
            assert_eq!(rate(&few, "10:00:00.9"), ten.over(AGO));
        }
        assert!(!tail(1, &old[..1]).has_young());
    }

    #[test]
    fn a_line_that_does_not_end_is_seen() {
        let piece = line("09:00:00.5", &"x".repeat(LONG));
        let short = line("10:00:01.5", "short\n");
        let one = tail(1, std::slice::from_ref(&piece));
        assert!(one.goes_on() && one.has_long() && !one.is_short());
        // Whatever is printed on the other stream in between; much of it is a flood by itself.
        let mixed = tail(8, &[piece.clone(), short.clone(), short.clone(), short.clone()]);
        assert!(!mixed.goes_on() && mixed.has_long() && mixed.is_short());
        let mixed = tail(8, &[piece.clone(), short.clone(), piece, short.clone()]);
        assert!(!mixed.goes_on() && mixed.has_long() && !mixed.is_short());
        // Where not all was read, there is more.
        let mut much = vec![short.clone()];
        much.extend(std::iter::repeat_n(line("10:00:02.5", &format!("{}\n", "x".repeat(LONG - 1))), 130));
        assert!(tail(1024, &much).is_enough() && tail(1024, &much).is_short());
        assert!(!tail(1024, &much[..100]).is_short());
        // A last word without an end is none, nor is a short log.
        let word = tail(32, &[short, line("10:00:02.5", "$ ")]);
        assert!(!word.goes_on() && !word.has_long() && !word.is_short());
    }

    #[test]
    fn whatever_stands_for_a_time_is_none() {
        for head in ["", " ", "yesterday ", "2026-11-29T25:00:00Z ", "\u{e9}"] {
            let tail = tail(1, &[head.as_bytes().to_vec(), b"words\n".to_vec()]);
            assert!(!tail.has_young() && !tail.is_short(), "{head:?}");
        }
        // Nor is one that the container prints itself.
        let tail = tail(1, &[line("09:00:00.5", "2026-11-29T10:00:01.5Z words\n")]);
        assert!(!tail.has_young());
    }

    proptest! {
        #[test]
        fn a_tail_is_the_same_however_it_is_cut(bytes in proptest::collection::vec(prop_oneof![Just(b"\n".to_vec()), Just(line("10:00:00.5", "")), any::<u8>().prop_map(|byte| vec![byte])], 0..60), step in 1usize..90) {
            let bytes = bytes.concat();
            let (whole, cut) = (tail(3, std::slice::from_ref(&bytes)), tail(3, &bytes.chunks(step).map(<[u8]>::to_vec).collect::<Vec<_>>()));
            prop_assert_eq!(whole.tally, cut.tally);
            prop_assert_eq!((whole.head.0, whole.ended), (cut.head.0, cut.ended));
            prop_assert_eq!((whole.times, whole.young, whole.begins_young), (cut.times, cut.young, cut.begins_young));
        }
    }
}
