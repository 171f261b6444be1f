//! The system call that the helper lives by, tried once something has failed: a container from which it is taken is told as
//! that, and not as a file that cannot be written.

use crate::protocol::told::Told;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;

/// It is taken; with the likely cause.
#[derive(Debug, thiserror::Error, Told)]
#[error(
    "the system call openat2, by which files are copied, is taken from this container: the engine's seccomp profile leaves \
     it out, or Linux is older than 5.6; tell your administrator"
)]
pub(super) struct Lacking;

pub(super) fn of_calls() -> Result<(), Lacking> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    match openat2(CWD, "/", flags, Mode::empty(), ResolveFlags::NO_MAGICLINKS) {
        Err(Errno::NOSYS | Errno::PERM) => Err(Lacking),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_nothing_is_taken_nothing_is_told() {
        assert!(of_calls().is_ok());
    }
}
