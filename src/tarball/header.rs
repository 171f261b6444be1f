//! One header block: the `tar` crate decodes and encodes it. In front stands what readers do not agree on.

use super::BLOCK;
use std::io;
use tar::Header;

/// A header block's bytes.
pub(super) type Block = [u8; BLOCK];

/// The block as a header, if it carries its own sum.
pub(super) fn parse(block: &Block) -> Option<Header> {
    let mut header = Header::from_byte_slice(block).clone();
    let said = number(&header.as_old().cksum, || header.cksum().map(u64::from))?;
    header.set_cksum();
    let sum = i64::from(header.cksum().ok()?);
    if said != sum && said != sum - signs(block) {
        return None;
    }
    // The crate wants POSIX's version with POSIX's magic. GNU tar and the engine read the prefix by the magic alone.
    if let [b'u', b's', b't', b'a', b'r', 0, first, second, ..] = &mut header.as_old_mut().pad {
        (*first, *second) = (b'0', b'0');
    }
    Some(header)
}

/// How much less the sum is of signed bytes, which some old programs added.
fn signs(block: &Block) -> i64 {
    block.iter().filter(|byte| !byte.is_ascii()).map(|_| 256).sum()
}

pub(super) fn size(header: &Header) -> Option<u64> {
    let size = number(&header.as_old().size, || header.entry_size())?;
    u64::try_from(size).ok()
}

pub(super) fn mtime(header: &Header) -> Option<i64> {
    number(&header.as_old().mtime, || header.mtime())
}

pub(super) fn mode(header: &Header) -> Option<u32> {
    let mode = short(header, header.as_old().mode)?;
    u32::try_from(mode & 0o7777).ok()
}

pub(super) fn uid(header: &Header) -> Option<i64> {
    short(header, header.as_old().uid)
}

/// A device's numbers; none in a header of a form that has no place for them, or where they are none.
pub(super) fn device(header: &Header) -> Option<(i64, i64)> {
    let posix = header.as_ustar().map(|ustar| (ustar.dev_major, ustar.dev_minor));
    let (major, minor) = posix.or_else(|| header.as_gnu().map(|gnu| (gnu.dev_major, gnu.dev_minor)))?;
    Some((short(header, major)?, short(header, minor)?))
}

/// Whether readers could take the name for another one: star's form, and what an old writer of Go's took GNU's for.
pub(super) fn is_two_faced(header: &Header) -> bool {
    // Star takes the prefix to be shorter.
    let is_star = header.as_ustar().is_some_and(|ustar| ustar.pad.ends_with(b"tar\0"));
    is_star
        || header.as_gnu().is_some_and(|gnu| {
            // They lie in the prefix's place.
            number(&gnu.atime, || gnu.atime()).is_none() || number(&gnu.ctime, || gnu.ctime()).is_none()
        })
}

/// The number of a short field, as the crate decodes an owner's: of a mode or a device it takes no base 256.
fn short(header: &Header, field: [u8; 8]) -> Option<i64> {
    let mut header = header.clone();
    header.as_old_mut().uid = field;
    number(&field, || header.uid())
}

/// A number as the crate decodes it; none where it takes something for a number that is another one elsewhere, or
/// none. An empty field is 0.
fn number(field: &[u8], decode: impl FnOnce() -> io::Result<u64>) -> Option<i64> {
    if field.iter().all(|byte| matches!(byte, b' ' | 0)) {
        return Some(0);
    }
    let is_plain = match field {
        // Two's complement. Of twelve bytes the crate reads the last eight, whatever the others say.
        [0x80, 0, 0, 0, 0..=0x7f, _, _, _, _, _, _, _]
        | [0xff, 0xff, 0xff, 0xff, 0x80..=0xff, _, _, _, _, _, _, _] => true,
        // Of eight it reads all, a negative number as a large one.
        [0x80..=0xbf, _, _, _, _, _, _, _] => true,
        [0x80..=0xff, ..] => false,
        _ => is_octal(field),
    };
    is_plain.then(|| decode().ok().map(u64::cast_signed)).flatten()
}

/// Octal digits, spaces before them, spaces and zero bytes after. The crate also takes signs, tabs, and what follows a
/// zero byte.
fn is_octal(field: &[u8]) -> bool {
    let word = field.iter().skip_while(|byte| **byte == b' ');
    let mut after = word.skip_while(|byte| matches!(byte, b'0'..=b'7'));
    after.all(|byte| matches!(byte, b' ' | 0))
}

/// Writes a time. The crate writes one before 1970 without its sign.
pub(super) fn set_mtime(header: &mut Header, seconds: i64) {
    header.set_mtime(seconds.cast_unsigned());
    if let (true, [sign @ .., _, _, _, _, _, _, _, _]) = (seconds < 0, &mut header.as_old_mut().mtime) {
        sign.fill(0xff);
    }
}

/// Writes bytes at a field's beginning; what does not fit is left out.
pub(super) fn put(field: &mut [u8], bytes: &[u8]) {
    for (place, byte) in field.iter_mut().zip(bytes) {
        *place = *byte;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn size_of(word: &[u8]) -> Option<i64> {
        let mut header = Header::new_old();
        header.as_old_mut().size = [0; 12];
        put(&mut header.as_old_mut().size, word);
        number(&header.as_old().size, || header.entry_size())
    }

    #[test]
    fn numbers_are_octal_or_base_256() {
        assert_eq!(size_of(b"00000000644\0"), Some(0o644));
        assert_eq!(size_of(b"  644 \0"), Some(0o644));
        assert_eq!(size_of(b"777777777777"), Some((1 << 36) - 1));
        assert_eq!(size_of(b""), Some(0));
        assert_eq!(size_of(b"9"), None);
        assert_eq!(size_of(b"-1"), None);
        for odd in [&b"1 1"[..], b"\x001", b"1\x001", b"\x00001", b"\t1", b"+1"] {
            assert_eq!(size_of(odd), None, "{odd:?}");
        }
        assert_eq!(size_of(b" 1 \0 \0"), Some(1));
        assert_eq!(size_of(b"\x80\0\0\0\0\0\0\x02\0\0\0\0"), Some(8 << 30));
        assert_eq!(size_of(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), Some(-1));
        for more in [
            b"\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\x80\0\0\x01\0\0\0\0\0\0\0\x01",
            b"\x80\0\0\0\x80\0\0\0\0\0\0\x01",
            b"\xff\xff\xff\xff\x7f\xff\xff\xff\xff\xff\xff\xff",
            b"\xc0\0\0\0\0\0\0\0\0\0\0\x01",
        ] {
            assert_eq!(size_of(more), None, "{more:?}");
        }
    }

    #[test]
    fn short_numbers_are_so_too() {
        let short = |field| short(&Header::new_old(), field);
        assert_eq!(short(*b"0000644\0"), Some(0o644));
        assert_eq!(short(*b"77777777"), Some((1 << 24) - 1));
        assert_eq!(short(*b"\x80\0\0\x01\0\0\0\x01"), Some((1 << 32) + 1));
        assert_eq!(short([0xff; 8]), None);
        assert_eq!(short(*b"0000644\t"), None);
    }

    #[test]
    fn a_name_has_its_prefix_by_the_magic_alone() {
        for version in [*b"00", *b"\0\0", *b"  "] {
            let mut header = Header::new_ustar();
            let ustar = header.as_ustar_mut().unwrap();
            put(&mut ustar.prefix, b"bin");
            put(&mut ustar.name, b"su");
            ustar.version = version;
            header.set_cksum();
            assert_eq!(&*parse(header.as_bytes()).unwrap().path_bytes(), b"bin/su", "{version:?}");
        }
    }

    #[test]
    fn a_sum_is_of_unsigned_or_of_signed_bytes() {
        let mut header = Header::new_gnu();
        put(&mut header.as_old_mut().name, b"\xff\xfe name");
        header.set_cksum();
        let sum = header.cksum().unwrap();
        let mut is_summed = |word: String| {
            header.as_old_mut().cksum = [0; 8];
            put(&mut header.as_old_mut().cksum, word.as_bytes());
            parse(header.as_bytes()).is_some()
        };
        for right in
            [format!("{sum:06o}\0 "), format!("{sum:07o}"), format!("  {sum:o} "), format!("{:o}", sum - 512)]
        {
            assert!(is_summed(right.clone()), "{right:?}");
        }
        for wrong in
            [format!("{:o}", sum + 1), format!("{:o}", sum - 256), format!("+{sum:o}"), String::new()]
        {
            assert!(!is_summed(wrong.clone()), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn a_number_is_read_as_written(value in any::<i64>()) {
            let mut header = Header::new_gnu();
            set_mtime(&mut header, value);
            prop_assert_eq!(mtime(&header), Some(value));
            if let Ok(value) = u64::try_from(value) {
                header.set_size(value);
                prop_assert_eq!(size(&header), Some(value));
            }
        }

        #[test]
        fn ids_fit_their_field(value in any::<u32>()) {
            let mut header = Header::new_gnu();
            header.set_uid(value.into());
            prop_assert_eq!(uid(&header), Some(i64::from(value)));
            prop_assert_eq!(header.as_old().gid, [0; 8]);
        }

        #[test]
        fn a_sealed_block_sums_up(bytes in proptest::collection::vec(any::<u8>(), BLOCK)) {
            let mut header = Header::from_byte_slice(&bytes).clone();
            header.set_cksum();
            let header = parse(header.as_bytes());
            prop_assert!(header.is_some());
            // And whatever it holds, none of it makes anything panic.
            let header = header.unwrap();
            let _ = (size(&header), mtime(&header), mode(&header), uid(&header), device(&header));
            let _ = is_two_faced(&header);
        }
    }
}
