//! One header block: fields at their places, numbers in octal or in base 256, and the checksum.

use super::BLOCK;
use std::ops::Range;

/// A header block's bytes.
pub(super) type Block = [u8; BLOCK];

pub(super) const NAME: Range<usize> = 0..100;
pub(super) const MODE: Range<usize> = 100..108;
pub(super) const UID: Range<usize> = 108..116;
pub(super) const GID: Range<usize> = 116..124;
pub(super) const SIZE: Range<usize> = 124..136;
pub(super) const MTIME: Range<usize> = 136..148;
pub(super) const CHECKSUM: Range<usize> = 148..156;
pub(super) const TYPE: Range<usize> = 156..157;
pub(super) const TARGET: Range<usize> = 157..257;
pub(super) const MAGIC: Range<usize> = 257..265;
const MAJOR: Range<usize> = 329..337;
const MINOR: Range<usize> = 337..345;
const PREFIX: Range<usize> = 345..500;
/// GNU's times of access and change, in the prefix's place.
const GNU_TIMES: [Range<usize>; 2] = [345..357, 357..369];
/// Where star writes its own magic, and takes the prefix to be shorter.
const STAR: Range<usize> = 508..512;

/// The magic of GNU's form, which the writer uses: long names are members of their own, large numbers base 256.
pub(super) const GNU: &[u8; 8] = b"ustar  \0";
const POSIX: &[u8; 6] = b"ustar\0";

/// A field's bytes.
pub(super) fn field(block: &Block, at: Range<usize>) -> &[u8] {
    block.get(at).unwrap_or_default()
}

/// A field's text: up to its first zero byte.
pub(super) fn text(block: &Block, at: Range<usize>) -> &[u8] {
    field(block, at).split(|byte| *byte == 0).next().unwrap_or_default()
}

/// The name, with the prefix that POSIX headers have.
pub(super) fn name(block: &Block) -> Vec<u8> {
    let prefix = if field(block, MAGIC).starts_with(POSIX) { text(block, PREFIX) } else { b"" };
    let mut name = prefix.to_vec();
    if !prefix.is_empty() {
        name.push(b'/');
    }
    name.extend_from_slice(text(block, NAME));
    name
}

/// Whether readers could take the name for another one: star's form, and what an old writer of Go's took GNU's for.
pub(super) fn is_two_faced(block: &Block) -> bool {
    let magic = field(block, MAGIC);
    let star = magic.starts_with(POSIX) && field(block, STAR) == b"tar\0";
    star || magic == GNU && GNU_TIMES.iter().any(|at| number(block, at.clone()).is_none())
}

/// A device's numbers; none in a header of a form that has no place for them, or where they are none.
pub(super) fn device(block: &Block) -> Option<(i64, i64)> {
    let magic = field(block, MAGIC);
    let has_them = magic == GNU || magic.starts_with(POSIX);
    has_them.then(|| Some((number(block, MAJOR)?, number(block, MINOR)?)))?
}

/// A number; none if the field holds something else, or more than an `i64`.
pub(super) fn number(block: &Block, at: Range<usize>) -> Option<i64> {
    let bytes = field(block, at);
    match bytes.first() {
        Some(first) if first & 0x80 != 0 => base256(bytes),
        _ => octal(bytes),
    }
}

/// Two's complement, the first byte's top bit being the mark of base 256.
fn base256(bytes: &[u8]) -> Option<i64> {
    let (first, rest) = bytes.split_first()?;
    let negative = first & 0x40 != 0;
    let top = i128::from(first & 0x3f) - if negative { 0x40 } else { 0 };
    let value =
        rest.iter().try_fold(top, |value, byte| value.checked_mul(256)?.checked_add(i128::from(*byte)))?;
    i64::try_from(value).ok()
}

/// Octal digits, spaces before them, spaces and zero bytes after; an empty field is 0. Anything else is refused, as
/// other readers take it for another number.
fn octal(bytes: &[u8]) -> Option<i64> {
    let end = bytes.iter().rposition(|byte| !matches!(byte, b' ' | 0)).map_or(0, |last| last + 1);
    let word = bytes.get(..end)?;
    let begin = word.iter().position(|byte| *byte != b' ').unwrap_or(end);
    word.get(begin..)?.iter().try_fold(0i64, |value, digit| match digit {
        b'0'..=b'7' => value.checked_mul(8)?.checked_add(i64::from(digit - b'0')),
        _ => None,
    })
}

/// Whether the block carries its own sum; some old programs added signed bytes.
pub(super) fn sums_up(block: &Block) -> bool {
    let Some(said) = octal(field(block, CHECKSUM)) else { return false };
    let (unsigned, signed) = sums(block);
    said == unsigned || said == signed
}

fn sums(block: &Block) -> (i64, i64) {
    block.iter().enumerate().fold((0, 0), |(unsigned, signed), (at, byte)| {
        let byte = if CHECKSUM.contains(&at) { b' ' } else { *byte };
        (unsigned + i64::from(byte), signed + i64::from(byte.cast_signed()))
    })
}

/// Writes bytes at the field's beginning; what does not fit is left out.
pub(super) fn put(block: &mut Block, at: Range<usize>, bytes: &[u8]) {
    for (place, byte) in block.get_mut(at).unwrap_or_default().iter_mut().zip(bytes) {
        *place = *byte;
    }
}

/// Writes a number, in octal where it fits.
pub(super) fn put_number(block: &mut Block, at: Range<usize>, value: i64) {
    let width = at.len() - 1;
    let digits = format!("{value:0width$o}");
    if value >= 0 && digits.len() <= width {
        return put(block, at, digits.as_bytes());
    }
    let mut bytes = vec![if value < 0 { 0xff } else { 0 }; at.len() - size_of::<i64>()];
    bytes.extend_from_slice(&value.to_be_bytes());
    if let Some(first) = bytes.first_mut() {
        *first |= 0x80;
    }
    put(block, at, &bytes);
}

/// Writes the sum: the last thing to do.
pub(super) fn seal(block: &mut Block) {
    let (sum, _) = sums(block);
    put(block, CHECKSUM, format!("{sum:06o}\0 ").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn octal_of(word: &[u8]) -> Option<i64> {
        let mut block = [0; BLOCK];
        put(&mut block, SIZE, word);
        number(&block, SIZE)
    }

    #[test]
    fn numbers_are_octal_or_base_256() {
        assert_eq!(octal_of(b"00000000644\0"), Some(0o644));
        assert_eq!(octal_of(b"  644 \0"), Some(0o644));
        assert_eq!(octal_of(b""), Some(0));
        assert_eq!(octal_of(b"9"), None);
        assert_eq!(octal_of(b"-1"), None);
        for odd in [&b"1 1"[..], b"\x001", b"1\x001", b"\x00001", b"\t1", b"+1"] {
            assert_eq!(octal_of(odd), None, "{odd:?}");
        }
        assert_eq!(octal_of(b" 1 \0 \0"), Some(1));
        assert_eq!(octal_of(b"\x80\0\0\0\0\0\0\x02\0\0\0\0"), Some(8 << 30));
        assert_eq!(octal_of(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), Some(-1));
        assert_eq!(octal_of(b"\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), None);
    }

    proptest! {
        #[test]
        fn a_number_is_read_as_written(value in any::<i64>()) {
            let mut block = [0; BLOCK];
            put_number(&mut block, SIZE, value);
            prop_assert_eq!(number(&block, SIZE), Some(value));
        }

        #[test]
        fn ids_fit_their_field(value in any::<u32>()) {
            let mut block = [0; BLOCK];
            put_number(&mut block, UID, i64::from(value));
            prop_assert_eq!(number(&block, UID), Some(i64::from(value)));
            prop_assert_eq!(field(&block, GID), &[0; 8][..]);
        }

        #[test]
        fn a_sealed_block_sums_up(bytes in proptest::collection::vec(any::<u8>(), BLOCK)) {
            let mut block: Block = bytes.try_into().unwrap();
            seal(&mut block);
            prop_assert!(sums_up(&block));
        }
    }
}
