//! What an engine gives out, by hand: with a layer too few, a wrong one, and the stream's end in the midst.

use super::*;
use crate::tarball::entry::{Entry, Owner, Time};
use crate::tarball::write;

fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, contents) in members {
        let mtime = Time { seconds: 0, nanoseconds: 0 };
        let (name, size) = (name.as_bytes().to_vec(), wide(contents.len()));
        let entry = Entry { kind: Kind::File, name, target: Vec::new(), size, mode: 0o644, mtime };
        write::header(&mut out, &entry, Owner { uid: 0, gid: 0 });
        out.extend_from_slice(contents);
        write::pad(&mut out, size);
    }
    write::end(&mut out);
    out
}

fn id(layer: &[u8]) -> String {
    format!("sha256:{}", Sha256::digest(layer).iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

/// A few bytes at a time, as they may come.
struct Slow<'a>(&'a [u8], usize);

impl Read for Slow<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.1.min(into.len());
        self.0.read(&mut into[..count])
    }
}

fn seen(saved: &[u8], layers: &[&[u8]]) -> Result<String, String> {
    let layers: Vec<String> = layers.iter().map(|layer| id(layer)).collect();
    let told = |step| {
        let seen = read(Slow(saved, step), &layers).map_err(|error| error.to_string())?;
        Ok(seen.allows(&[]).err().map(|error| error.to_string()).unwrap_or_default())
    };
    let whole = told(1 << 20);
    assert_eq!(told(7), whole);
    whole
}

#[test]
fn an_image_was_seen_when_each_of_its_layers_was() {
    let (one, two) = (tar(&[("a", b"x"), ("b", &[7; 3000])]), tar(&[]));
    let bad = tar(&[("a/../b", b"")]);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    io::Write::write_all(&mut gzip, &two).unwrap();
    let gzip = gzip.finish().unwrap();
    let zstd = ruzstd::encoding::compress_to_vec(&one[..], ruzstd::encoding::CompressionLevel::Fastest);
    let saved =
        tar(&[("manifest.json", b"[]"), ("x/layer.tar", &one), ("y", &gzip), ("empty", b""), ("z", &zstd)]);
    assert_eq!(seen(&saved, &[&one, &two, &one]), Ok(String::new()));
    assert_eq!(seen(&saved, &[&one]), Ok(String::new()));
    let missing = seen(&saved, &[&one, &bad, &two]).unwrap();
    assert_eq!(
        missing,
        format!("the image cannot be looked through: the engine does not give out its layer {}", id(&bad))
    );
    // What is wrong counts in a layer of the image's alone.
    let saved = tar(&[("x", &one), ("y", &bad)]);
    assert_eq!(seen(&saved, &[&one]), Ok(String::new()));
    assert!(seen(&saved, &[&one, &bad]).unwrap().contains("the name contains '..'"));
}

#[test]
fn a_stream_that_breaks_off_says_nothing_of_the_image() {
    let layer = tar(&[("a", &[7; 9000])]);
    let saved = tar(&[("x", &layer), ("y", b"z")]);
    for end in [0, 100, 600, 5000, layer.len() + 600] {
        assert!(seen(&saved[..end], &[&layer]).is_err(), "{end}");
    }
}
