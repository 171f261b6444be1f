//! `ie-copy unpack`: a tar on stdin, into a directory.

use super::Stopped;
use crate::protocol::copying::Ended;
use crate::protocol::path::AskedPath;
use crate::protocol::told::told;
use crate::tarball::name::Root;
use crate::tarball::unpack::{Links, Replace, Rules, UnpackError, Unpacker};
use crate::tarball::{CHUNK, reason, shown};
use rustix::fs::{self, Mode, OFlags};
use rustix::io::Errno;
use rustix::stdio::stdin;
use std::os::unix::ffi::OsStrExt;

pub(super) fn run(asked: &AskedPath, same_kind: bool) -> Result<(), Stopped> {
    super::pack::widen(stdin());
    let path = asked.as_path();
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = fs::openat(fs::CWD, path, flags, Mode::empty()).map_err(|errno| {
        let reason = told!("{}: {}", reason(errno), shown(path.as_os_str().as_bytes()));
        Stopped::from_kernel(Some(errno), Ended::Failed, reason)
    })?;
    let replace = if same_kind { Replace::SameKind } else { Replace::AnyKind };
    let root = Root { from: Vec::new(), to: Vec::new() };
    // Links that are there are the user's own affair, as this runs with the user's rights.
    let rules = Rules { links: Links::Beneath, replace, root };
    receive(Unpacker::new(directory, rules))
}

fn receive(mut unpacker: Unpacker) -> Result<(), Stopped> {
    let mut piece = Vec::with_capacity(CHUNK);
    while read(&mut piece)? {
        unpacker.push(&piece).and_then(|()| unpacker.draw(stdin())).map_err(|error| stopped(&error))?;
    }
    unpacker.finish().map(drop).map_err(|error| stopped(&error))
}

/// Reads what is there; says whether there was anything.
fn read(piece: &mut Vec<u8>) -> Result<bool, Stopped> {
    loop {
        piece.clear();
        match rustix::io::read(stdin(), rustix::buffer::spare_capacity(piece)) {
            Ok(got) => return Ok(got > 0),
            Err(Errno::INTR) => {}
            Err(errno) => {
                return Err(Stopped::new(Ended::Failed, told!("cannot read from stdin: {errno}")));
            }
        }
    }
}

fn stopped(error: &UnpackError) -> Stopped {
    match error {
        UnpackError::OverDirectory(_) | UnpackError::OverFile(_) => Stopped::new(Ended::Conflict, error),
        other => Stopped::from_kernel(other.errno(), Ended::Archive, error),
    }
}
