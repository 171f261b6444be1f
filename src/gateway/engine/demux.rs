//! Takes the engine's multiplexed streams apart: an eight-byte header, then so many bytes of one stream.

use crate::protocol::told::Told;
use bytes::{Buf, Bytes};

/// Which of an exec's streams bytes belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Stdin,
    Stdout,
    Stderr,
    /// The engine's own words: why the stream ends.
    System,
}

/// Why bytes are not multiplexed streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, Told)]
pub(crate) enum DemuxError {
    #[error("the engine's stream has a frame of type {0}")]
    Type(u8),
    #[error("the engine's stream ends in the middle of a frame")]
    Truncated,
}

/// Bytes before what a frame holds: its stream, three zeroes, and the length of it.
const HEADER: usize = 8;

/// Takes streams apart as they come. A frame's length is only counted down, nothing is ever allocated by it.
#[derive(Debug, Default)]
pub(crate) struct Demux {
    header: [u8; HEADER],
    filled: usize,
    /// The frame that is under way, and how much of it is still to come.
    frame: Option<(Stream, u32)>,
}

impl Demux {
    /// Takes the next bytes; what they hold comes out of the iterator, each piece a slice of them.
    pub(crate) fn push(&mut self, bytes: Bytes) -> Pieces<'_> {
        Pieces { demux: self, bytes }
    }

    /// Says whether the streams so far end where a frame does.
    pub(crate) fn finish(&self) -> Result<(), DemuxError> {
        if self.filled == 0 && self.frame.is_none() { Ok(()) } else { Err(DemuxError::Truncated) }
    }

    /// Takes the header's missing bytes; true when it is whole.
    fn fill(&mut self, bytes: &mut Bytes) -> bool {
        let missing = self.header.get_mut(self.filled..).unwrap_or_default();
        let some = missing.len().min(bytes.len());
        for (place, byte) in missing.iter_mut().zip(bytes.iter()) {
            *place = *byte;
        }
        bytes.advance(some);
        self.filled += some;
        self.filled == HEADER
    }

    fn begin(&mut self) -> Result<(), DemuxError> {
        let [kind, _, _, _, length @ ..] = self.header;
        let stream = match kind {
            0 => Stream::Stdin,
            1 => Stream::Stdout,
            2 => Stream::Stderr,
            3 => Stream::System,
            other => return Err(DemuxError::Type(other)),
        };
        self.filled = 0;
        let length = u32::from_be_bytes(length);
        self.frame = (length > 0).then_some((stream, length));
        Ok(())
    }
}

/// The pieces of what was pushed. Dropped early, the rest of the bytes is lost.
pub(crate) struct Pieces<'a> {
    demux: &'a mut Demux,
    bytes: Bytes,
}

impl Iterator for Pieces<'_> {
    type Item = Result<(Stream, Bytes), DemuxError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.bytes.is_empty() {
            match self.demux.frame {
                None => {
                    if self.demux.fill(&mut self.bytes)
                        && let Err(error) = self.demux.begin()
                    {
                        self.bytes.clear();
                        return Some(Err(error));
                    }
                }
                Some((stream, left)) => {
                    let some =
                        usize::try_from(left).map_or(self.bytes.len(), |left| left.min(self.bytes.len()));
                    let left = left.saturating_sub(u32::try_from(some).unwrap_or(u32::MAX));
                    self.demux.frame = (left > 0).then_some((stream, left));
                    return Some(Ok((stream, self.bytes.split_to(some))));
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(stream: u8, data: &[u8]) -> Vec<u8> {
        let length = u32::try_from(data.len()).unwrap().to_be_bytes();
        [&[stream, 0, 0, 0], &length[..], data].concat()
    }

    fn split(chunks: &[&[u8]]) -> Result<(Vec<u8>, Vec<u8>), DemuxError> {
        let (mut demux, mut out, mut err) = (Demux::default(), vec![], vec![]);
        for chunk in chunks {
            for piece in demux.push(Bytes::copy_from_slice(chunk)) {
                let (stream, data) = piece?;
                if stream == Stream::Stdout { out.extend(data) } else { err.extend(data) }
            }
        }
        demux.finish().map(|()| (out, err))
    }

    #[test]
    fn a_length_is_only_counted() {
        let mut demux = Demux::default();
        let pushed = Bytes::from_static(&[1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, b'x']);
        let pieces: Vec<_> = demux.push(pushed).collect();
        assert_eq!(pieces, [Ok((Stream::Stdout, Bytes::from_static(b"x")))]);
        assert_eq!(demux.finish(), Err(DemuxError::Truncated));
    }

    #[test]
    fn pieces_are_slices_of_what_came() {
        let pushed = Bytes::from(frame(1, b"hello"));
        let start = pushed.as_ptr();
        let (_, piece) = Demux::default().push(pushed).next().unwrap().unwrap();
        assert_eq!(piece.as_ptr(), start.wrapping_add(HEADER));
    }

    #[test]
    fn an_unknown_stream_ends_it() {
        assert_eq!(split(&[&frame(1, b"a"), &frame(9, b"b")]), Err(DemuxError::Type(9)));
        assert_eq!(split(&[&frame(1, b"a")[..8]]), Err(DemuxError::Truncated));
    }

    proptest! {
        #[test]
        fn streams_come_apart_however_they_are_cut(frames in proptest::collection::vec((1u8..3, proptest::collection::vec(any::<u8>(), 0..50)), 0..8), step in 1usize..70) {
            let all: Vec<u8> = frames.iter().flat_map(|(stream, data)| frame(*stream, data)).collect();
            let of = |wanted| frames.iter().filter(|(stream, _)| *stream == wanted).flat_map(|(_, data)| data.clone()).collect::<Vec<u8>>();
            let chunks: Vec<&[u8]> = all.chunks(step).collect();
            prop_assert_eq!(split(&chunks), Ok((of(1), of(2))));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(prop_oneof![0u8..4, any::<u8>()], 0..200), step in 1usize..40) {
            let _ = split(&bytes.chunks(step).collect::<Vec<_>>());
        }
    }
}
