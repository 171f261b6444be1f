//! Tar archives: one reader, one writer, a walk that packs and a placing of entries that never leaves its directory.
//!
//! A bottom room, like `protocol`: the client, the gateway and `ie-copy` share it, so that what one of them checks is
//! what the other one does. Nothing here follows a link that an archive made, and no length in an archive decides
//! how much memory is taken.

mod destination;
pub mod entry;
mod header;
pub mod name;
pub mod note;
pub mod pack;
mod pass;
mod pax;
pub mod read;
mod reason;

pub(crate) use reason::{reason, shown};
pub mod unpack;
pub mod write;

/// Tar's unit, in bytes: headers are one block, contents are padded to whole blocks.
pub const BLOCK: usize = 512;

/// How much is read, written or sent at once: large enough that the calls cost nothing beside the bytes.
pub const CHUNK: usize = 512 * 1024;

/// The longest name and the longest link target, in bytes: the kernel takes no longer ones.
pub const LONGEST_NAME: usize = 4095;

/// A length as archives count; lossless wherever this is built.
pub(crate) fn wide(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// As much of `left` as fits into `most`.
pub(crate) fn at_most(left: u64, most: usize) -> usize {
    usize::try_from(left).map_or(most, |left| left.min(most))
}

/// The zeroes that follow `size` bytes of contents.
pub(crate) fn padding(size: u64) -> u64 {
    size.wrapping_neg() % wide(BLOCK)
}
