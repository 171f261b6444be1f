//! The records of a pax extended header: the few that are understood, by their meaning.
//!
//! They are cut by their lengths here. The `tar` crate cuts them at newlines: a value that holds one is an error to it,
//! be it a file's name or two capabilities of a program, and what follows an empty line is not read at all.

use super::LONGEST_NAME;
use super::entry::Time;
use super::note;

/// The key under which a packer says why it stopped; see [`super::write::failure`].
pub(super) const FAILURE: &str = "IE.failure";

/// The key of comments, which readers pass over.
pub(super) const COMMENT: &str = "comment";

/// What an extended header says about the member after it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Pax {
    pub(super) path: Option<Vec<u8>>,
    pub(super) target: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) mtime: Option<Time>,
    pub(super) uid: Option<i64>,
    /// The key of an attribute that overlayfs reads as an order: where a directory leads, what lies below it is hidden.
    pub(super) order: Option<Vec<u8>>,
    pub(super) sparse: bool,
    pub(super) failure: Option<Vec<u8>>,
    /// Whether it is a fault, and its words; see [`super::note`].
    pub(super) note: Option<(bool, Vec<u8>)>,
}

impl Pax {
    /// Reads the records; none if one of them is not `LENGTH KEY=VALUE\n`, or a value is not what its key wants.
    ///
    /// Unknown keys (groups, owners' names, extended attributes, comments) are passed over: they are never copied.
    pub(super) fn parse(mut records: &[u8]) -> Option<Self> {
        let mut pax = Self::default();
        while !records.is_empty() {
            let (key, value, rest) = record(records)?;
            pax.take(key, value)?;
            records = rest;
        }
        Some(pax)
    }

    fn take(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        match key {
            b"path" => self.path = Some(text(value)?),
            b"linkpath" => self.target = Some(text(value)?),
            b"size" => self.size = Some(digits(value)?),
            b"mtime" => self.mtime = Some(time(value)?),
            // What is no number is nobody's.
            b"uid" => self.uid = Some(digits(value).and_then(|uid| i64::try_from(uid).ok()).unwrap_or(-1)),
            key if gives_orders(key) => self.order = Some(key.to_vec()),
            key if key == FAILURE.as_bytes() => self.failure = Some(value.to_vec()),
            key if key == COMMENT.as_bytes() => {
                self.note = note::read(value).map(|(is_fault, words)| (is_fault, words.to_vec()));
            }
            key if key.starts_with(b"GNU.sparse.") => self.sparse = true,
            _ => {}
        }
        Some(())
    }

    /// Whether a member would be read otherwise because of it.
    pub(super) fn matters(&self) -> bool {
        let (note, order) = (self.note.clone(), self.order.clone());
        *self != Self { note, order, uid: self.uid, ..Self::default() }
    }
}

/// Whether it is the key of such an attribute, in the spelling of any packer.
fn gives_orders(key: &[u8]) -> bool {
    let name = [&b"SCHILY.xattr."[..], b"LIBARCHIVE.xattr.", b"RHT.security.xattr."];
    let name = name.iter().find_map(|spelling| key.strip_prefix(*spelling));
    name.is_some_and(|name| name.starts_with(b"trusted.") || name.starts_with(b"user.overlay."))
}

/// The first record's key and value, and what follows it.
fn record(records: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = records.iter().take(20).position(|byte| *byte == b' ')?;
    let length = usize::try_from(digits(records.get(..space)?)?).ok()?;
    let body = records.get(space + 1..length)?.strip_suffix(b"\n")?;
    let equals = body.iter().position(|byte| *byte == b'=')?;
    Some((body.get(..equals)?, body.get(equals + 1..)?, records.get(length..)?))
}

fn text(value: &[u8]) -> Option<Vec<u8>> {
    let fits = !value.is_empty() && value.len() <= LONGEST_NAME && !value.contains(&0);
    fits.then(|| value.to_vec())
}

fn digits(value: &[u8]) -> Option<u64> {
    let plain = value.iter().all(u8::is_ascii_digit);
    plain.then(|| std::str::from_utf8(value).ok()?.parse().ok()).flatten()
}

/// `[-]SECONDS[.FRACTION]`, digits past the ninth left out.
fn time(value: &[u8]) -> Option<Time> {
    let (negative, value) = value.strip_prefix(b"-").map_or((false, value), |rest| (true, rest));
    let (whole, fraction) = match value.iter().position(|byte| *byte == b'.') {
        Some(point) => (value.get(..point)?, value.get(point + 1..)?),
        None => (value, b"".as_slice()),
    };
    let seconds = i64::try_from(digits(whole)?).ok()?;
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let nine = fraction.iter().chain(std::iter::repeat(&b'0')).take(9);
    let nanoseconds = nine.fold(0, |value, digit| value * 10 + u32::from(digit - b'0'));
    Some(match (negative, nanoseconds) {
        (false, _) => Time { seconds, nanoseconds },
        (true, 0) => Time { seconds: -seconds, nanoseconds },
        (true, _) => Time { seconds: -seconds - 1, nanoseconds: 1_000_000_000 - nanoseconds },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_records_are_read_and_others_passed_over() {
        let pax =
            Pax::parse(b"12 path=a/b\n28 SCHILY.xattr.user.x=abcd\n11 size=42\n16 mtime=-1.250\n").unwrap();
        assert_eq!(pax.path.as_deref(), Some(b"a/b".as_slice()));
        assert_eq!(pax.size, Some(42));
        assert_eq!(pax.mtime, Some(Time { seconds: -2, nanoseconds: 750_000_000 }));
        assert!(!pax.sparse && pax.matters());
        assert!(Pax::parse(b"22 GNU.sparse.major=1\n").unwrap().sparse);
        assert!(!Pax::parse(b"17 comment=hello\n").unwrap().matters());
        let order = b"38 SCHILY.xattr.user.overlay.opaque=y\n10 uid=-1\n";
        let pax = Pax::parse(order).unwrap();
        assert_eq!(pax.order.as_deref(), Some(&b"SCHILY.xattr.user.overlay.opaque"[..]));
        assert_eq!((pax.uid, pax.matters()), (Some(-1), false));
        assert_eq!(Pax::parse(b""), Some(Pax::default()));
    }

    #[test]
    fn a_crooked_record_is_refused() {
        for bad in [
            b"13 path=a/b\n".as_slice(),
            b"12 path=a/b",
            b"+13 path=a/b\n",
            b"12path=a/b\n",
            b"-2 path=a/b\n",
            b"8 path=\n",
            b"99999999999999999999 a=b\n",
            b"11 size=-2\n",
            b"11 size=+2\n",
            b"12 mtime=x1\n",
            b"13 mtime=1.x\n",
            b"11 path=a\0\n\n",
            b"0 a=b\n",
            b"2 \n",
            b"4 a\n",
            b"30 size=99999999999999999999\n",
        ] {
            assert_eq!(Pax::parse(bad), None, "{}", String::from_utf8_lossy(bad));
        }
    }

    /// Two capabilities together are a newline's byte.
    const CAPABILITY: &[u8] =
        b"57 SCHILY.xattr.security.capability=\x01\0\0\x02\n\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\n";

    #[test]
    fn a_value_may_hold_a_newline() {
        let pax = Pax::parse(&[CAPABILITY, b"17 path=a\n9 b=c/\n"].concat()).unwrap();
        assert_eq!(pax.path.as_deref(), Some(&b"a\n9 b=c/"[..]));
        assert!(Pax::parse(b"12 path=a/b\n\n12 path=c/d\n").is_none());
    }

    /// Why it does not cut the records: where one of these holds no more, look again whether it can.
    #[test]
    fn the_crate_cuts_them_at_newlines() {
        let read =
            |records| tar::PaxExtensions::new(records).map(|record| record.is_ok()).collect::<Vec<_>>();
        assert_eq!(read(CAPABILITY), [false, false]);
        assert_eq!(read(b"14 path=a\nb/c\n"), [false, false]);
        assert_eq!(read(b"12 path=a/b\n\n12 path=c/d\n"), [true]);
        assert_eq!(read(b"12 path=a/b"), [true], "one without its end");
        assert_eq!(read(b"+13 path=a/b\n"), [true]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(prop_oneof![Just(b' '), Just(b'='), Just(b'\n'), Just(b'-'), b'0'..=b'9', any::<u8>()], 0..60)) {
            let _ = Pax::parse(&bytes);
            let _ = time(&bytes);
        }
    }
}
