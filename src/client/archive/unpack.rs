//! What is received: an archive placed below a local directory, and never outside it.

use super::cases::{Arrival, Found, Source};
use crate::protocol::path::AskedPath;
use crate::tarball::name::Root;
use crate::tarball::unpack::{Links, Replace, Rules, Unpacker};
use rustix::fs::{Mode, OFlags};
use std::io;
use std::os::unix::fs::MetadataExt;

/// Looks at a local destination.
///
/// A link of the caller's own may be one that an earlier copy brought, and then a container chose where it leads: it is
/// replaced by what arrives, and walked through only where a slash after it says so.
///
/// # Errors
/// The destination cannot be looked at, or is neither a directory nor a regular file; a missing one is no error.
pub fn destination(path: &AskedPath) -> io::Result<Found> {
    let own = || rustix::process::geteuid().as_raw();
    match std::fs::symlink_metadata(path.as_path()) {
        Ok(link) if link.is_symlink() && link.uid() == own() => Ok(match std::fs::metadata(path.as_path()) {
            Ok(metadata) if metadata.is_dir() => Found::LinkToDirectory,
            Ok(_) | Err(_) => Found::Other,
        }),
        Ok(_) => found(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Found::Nothing),
        Err(error) => Err(error),
    }
}

fn found(path: &AskedPath) -> io::Result<Found> {
    match std::fs::metadata(path.as_path())? {
        metadata if metadata.is_dir() => Ok(Found::Directory),
        metadata if metadata.is_file() => Ok(Found::Other),
        _ => Err(io::Error::other("must be a directory or a regular file")),
    }
}

/// An unpacking of what was asked for, into where it arrives.
///
/// The archive comes from a container, and so from whoever rules there: links are made as they are and never walked
/// through, and a member that does not lie below the root that was asked for ends it.
///
/// # Errors
/// The directory that it arrives in cannot be opened.
pub fn unpacker(source: &Source, arrival: &Arrival) -> io::Result<Unpacker> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::open(arrival.directory.as_path(), flags, Mode::empty())?;
    let root = Root { from: component(source.path.base()), to: component(&arrival.root) };
    let rules = Rules { links: Links::Never, replace: Replace::SameKind, root };
    Ok(Unpacker::new(directory, rules))
}

/// A root's component: `.` and `/` are none.
fn component(base: &[u8]) -> Vec<u8> {
    if base == b"." || base == b"/" { Vec::new() } else { base.to_vec() }
}
