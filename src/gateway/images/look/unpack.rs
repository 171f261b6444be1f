//! Layers as they are before they were packed, whatever packed them.

use crate::tarball::read::compression;
use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use std::io::{self, BufRead, BufReader, Read};

/// The most that zstd may want to remember: as much memory is taken by each of the looks under way, and half as much more
/// while it grows. Encoders of images want 32 MiB at the most, unless they are told to take any time.
const MOST_WINDOW: u64 = 32 << 20;

/// The bytes of a layer. Of one that is packed otherwise they are as they come, which is no layer's hash.
pub(super) fn unpacked<'a>(mut packed: impl Read + 'a) -> Box<dyn Read + 'a> {
    let mut start = Vec::new();
    if let Err(error) = packed.by_ref().take(6).read_to_end(&mut start) {
        return Box::new(Failed(Some(error)));
    }
    let program = compression(&start);
    let packed = BufReader::with_capacity(1 << 16, io::Cursor::new(start).chain(packed));
    match program {
        Some("gzip") => Box::new(MultiGzDecoder::new(packed)),
        Some("zstd") => Box::new(Zstd::new(packed)),
        _ => Box::new(packed),
    }
}

struct Failed(Option<io::Error>);

impl Read for Failed {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

/// zstd's frames, one after the other.
struct Zstd<R> {
    source: R,
    decoder: FrameDecoder,
    within: bool,
}

impl<R: BufRead> Zstd<R> {
    fn new(source: R) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(MOST_WINDOW);
        Self { source, decoder, within: false }
    }

    /// Goes into the next frame, and past those that only are to be passed over; not at the end.
    fn begin(&mut self) -> io::Result<()> {
        use ReadFrameHeaderError::SkipFrame;
        while !self.within && !self.source.fill_buf()?.is_empty() {
            match self.decoder.init(&mut self.source) {
                Ok(()) => self.within = true,
                Err(FrameDecoderError::ReadFrameHeaderError(SkipFrame { length, .. })) => {
                    io::copy(&mut self.source.by_ref().take(length.into()), &mut io::sink())?;
                }
                Err(error) => return Err(io::Error::other(error.to_string())),
            }
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            self.begin()?;
            if !self.within || self.decoder.can_collect() > 0 {
                return if self.within { self.decoder.read(into) } else { Ok(0) };
            }
            if self.decoder.is_finished() {
                self.within = false;
                continue;
            }
            let one = BlockDecodingStrategy::UptoBlocks(1);
            self.decoder
                .decode_blocks(&mut self.source, one)
                .map_err(|error| io::Error::other(error.to_string()))?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::write::GzEncoder;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};
    use std::io::Write;

    fn all(packed: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        unpacked(packed).read_to_end(&mut out).map(|_| out)
    }

    #[test]
    fn what_zstd_wants_to_remember_has_an_end() {
        // A frame's header, which says its window, and one empty block, the last.
        let frame = |window| all(&[b"\x28\xb5\x2f\xfd\0", &[window][..], b"\x01\0\0"].concat());
        assert_eq!(frame(15 << 3).unwrap(), b"", "32 MiB");
        for more in [15 << 3 | 1, 16 << 3, 20 << 3] {
            let said = frame(more).unwrap_err().to_string();
            assert!(said.contains("window"), "{said}");
        }
    }

    #[test]
    fn whatever_packed_it_the_bytes_are_the_same() {
        let plain: Vec<u8> = (0..300_000u32).flat_map(|number| (number / 7).to_le_bytes()).collect();
        let gzip = |bytes: &[u8]| {
            let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        };
        let zstd = |bytes: &[u8]| compress_to_vec(bytes, CompressionLevel::Fastest);
        let (first, second) = plain.split_at(70_001);
        let skipped = b"\x50\x2a\x4d\x18\x03\0\0\0abc".to_vec();
        for packed in [
            plain.clone(),
            gzip(&plain),
            [gzip(first), gzip(second)].concat(),
            zstd(&plain),
            [zstd(first), skipped.clone(), zstd(second), skipped.clone()].concat(),
            [skipped, zstd(&plain)].concat(),
        ] {
            assert!(all(&packed).unwrap() == plain);
        }
        assert_eq!((all(b"").unwrap(), all(b"abc").unwrap()), (vec![], b"abc".to_vec()));
        for broken in
            [&gzip(&plain)[..1000], &zstd(&plain)[..1000], &[gzip(first), b"x".repeat(100)].concat()]
        {
            assert!(all(broken).is_err());
        }
    }
}
