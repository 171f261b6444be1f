//! What is received: an archive placed below a local directory, and never outside it.

use super::cases::{Arrival, Found, Source};
use crate::protocol::path::AskedPath;
use crate::tarball::name::{Absolute, Root};
use crate::tarball::unpack::{Links, Replace, Rules, Unpacker};
use rustix::fs::{Mode, OFlags};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// How many links a destination may be away.
const MOST_LINKS: usize = 40;

/// Looks at a local destination, and follows the links it may be.
pub fn destination(mut path: AskedPath) -> io::Result<(AskedPath, Found)> {
    for _ in 0..MOST_LINKS {
        match std::fs::canonicalize(path.as_path()) {
            Ok(real) => return found(path, &real),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Err(_) => match std::fs::read_link(path.as_path()) {
                // A link to nothing yet: what it names is made.
                Ok(target) => {
                    let target = target.as_os_str().as_bytes();
                    path = AskedPath::within(path.parent().as_bytes(), target).map_err(io::Error::other)?;
                }
                Err(_) => return Ok((path, Found::Nothing)),
            },
        }
    }
    Err(rustix::io::Errno::LOOP.into())
}

fn found(path: AskedPath, real: &Path) -> io::Result<(AskedPath, Found)> {
    let metadata = std::fs::metadata(real)?;
    if metadata.is_dir() {
        return Ok((path, Found::Directory));
    }
    if !metadata.is_file() {
        return Err(io::Error::other("must be a directory or a regular file"));
    }
    let real = AskedPath::new(real.as_os_str().as_bytes()).map_err(io::Error::other)?;
    Ok((real, Found::Other))
}

/// An unpacking of what was asked for, into where it arrives.
///
/// The archive comes from a container, and so from whoever rules there: links are made as they are and never walked
/// through, and a member that does not lie below the root that was asked for ends it.
pub fn unpacker(source: &Source, arrival: &Arrival) -> io::Result<Unpacker> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::open(arrival.directory.as_path(), flags, Mode::empty())?;
    let root = Root { from: component(source.path.base()), to: component(&arrival.root) };
    let rules = Rules { links: Links::Never, replace: Replace::SameKind, absolute: Absolute::Stripped, root };
    Ok(Unpacker::new(directory, rules))
}

/// A root's component: `.` and `/` are none.
fn component(base: &[u8]) -> Vec<u8> {
    if base == b"." || base == b"/" { Vec::new() } else { base.to_vec() }
}
