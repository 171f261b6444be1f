//! User namespaces in which a user's ids map to themselves, or to those of a container, and no other id maps at all.
//!
//! Only the user's own uid and gids map, to the ids that the container has for them. Whatever becomes root in a
//! container cannot leave a file in a home that the home's owner does not own. The kernel answers EOVERFLOW.
//!
//! For an engine with a user namespace of its own, a stage shows uid U on disk as R+U (`U R+U 1` in `uid_map`). Each
//! gid is mapped likewise. What has `idmap = "off"` in the policy shows all ids as they are.
//!
//! The kernel lets nobody write to what has an owner that is not mapped, whatever its group. Where a directory is shared by
//! a group, other owners are mapped, too: to ids that no process of a container can have, as they lie below the engine's
//! range. root's is mapped to one that nobody has, so that root itself leaves nothing through a stage.

use super::error::Error;
use crate::protocol::stage::Shift;
use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

/// The hidden option by which ie-mountd starts itself to hold a new user namespace.
pub(super) const HOLD: &str = "--hold-namespace";
/// How many namespaces are kept for the next stage; each is an open file.
const MOST_KEPT: usize = 256;

/// What a root's uid is shown as where others are: none that a process has, nor one with a meaning of its own.
const ROOT_SHOWN: u32 = u32::MAX - 2;

/// What becomes of owners who are not the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Others {
    /// They are nobody, and what is theirs is not written to.
    Nobody,
    /// They own what is theirs, and its mode decides.
    AsOwners,
}

/// A uid, the gids that go with it, how much higher each is for whoever looks, and what becomes of others.
type Ids = (u32, BTreeSet<u32>, Shift, Others);

/// What maps ids to themselves.
pub(super) const NO_SHIFT: Shift = Shift { uid: 0, gid: 0 };

/// The namespaces made so far.
#[derive(Debug, Default)]
pub(super) struct Maps {
    kept: Mutex<HashMap<Ids, Arc<OwnedFd>>>,
}

impl Maps {
    /// The namespace in which `uid` and each of `gids` map to the ids so much higher.
    pub(super) fn of(
        &self,
        uid: u32,
        gids: &[u32],
        shift: Shift,
        others: Others,
    ) -> Result<Arc<OwnedFd>, Error> {
        let ids: Ids = (uid, gids.iter().copied().collect(), shift, others);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(map) = kept.get(&ids) {
            return Ok(Arc::clone(map));
        }
        let map = Arc::new(make(&ids).map_err(Error::system("making a user namespace"))?);
        if kept.len() >= MOST_KEPT {
            kept.clear();
        }
        kept.insert(ids, Arc::clone(&map));
        Ok(map)
    }
}

/// The id on disk stands first, where a namespace's map has the id inside.
fn line(id: u32, shift: u32) -> std::io::Result<String> {
    let seen = id.checked_add(shift).ok_or(std::io::ErrorKind::InvalidInput)?;
    Ok(format!("{id} {seen} 1\n"))
}

/// The user's line, and those of others: themselves as far as they lie below the engine's range, root apart.
fn uid_lines(uid: u32, shift: u32, others: Others) -> std::io::Result<String> {
    let own = line(uid, shift)?;
    if others == Others::Nobody {
        return Ok(own);
    }
    let span = |first: u32, end: u32| match end.checked_sub(first) {
        Some(count) if count > 0 => format!("{first} {first} {count}\n"),
        _ => String::new(),
    };
    let (below, above) = (span(1, uid.min(shift)), span(uid.saturating_add(1), shift));
    Ok(format!("0 {ROOT_SHOWN} 1\n{below}{own}{above}"))
}

fn make((uid, gids, shift, others): &Ids) -> std::io::Result<OwnedFd> {
    let mut holder = Holder::start()?;
    holder.wait_until_ready()?;
    holder.write("uid_map", &uid_lines(*uid, shift.uid, *others)?)?;
    let lines: std::io::Result<String> = gids.iter().map(|gid| line(*gid, shift.gid)).collect();
    holder.write("gid_map", &lines?)?;
    Ok(File::open(holder.proc("ns/user"))?.into())
}

/// A child in a user namespace of its own: `unshare` wants a process with one thread. Ended when dropped.
struct Holder(Child);

impl Holder {
    fn start() -> std::io::Result<Self> {
        let mut command = Command::new("/proc/self/exe");
        command.arg(HOLD).env_clear().stdin(Stdio::piped()).stdout(Stdio::piped());
        command.spawn().map(Self)
    }

    fn wait_until_ready(&mut self) -> std::io::Result<()> {
        let out = self.0.stdout.as_mut().ok_or(std::io::ErrorKind::BrokenPipe)?;
        if out.read_exact(&mut [0]).is_ok() {
            return Ok(());
        }
        let code = self.0.wait()?.code();
        Err(code.map_or(std::io::ErrorKind::BrokenPipe.into(), std::io::Error::from_raw_os_error))
    }

    fn proc(&self, file: &str) -> String {
        format!("/proc/{}/{file}", self.0.id())
    }

    /// The kernel takes a map in one write, once.
    fn write(&self, file: &str, map: &str) -> std::io::Result<()> {
        File::options().write(true).open(self.proc(file))?.write_all(map.as_bytes())
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the child does: enters a new user namespace, says so with one byte, and stays until its standard input ends. What
/// the kernel says against it is the exit code.
pub(super) fn hold() -> ExitCode {
    let Err(error) = held() else { return ExitCode::SUCCESS };
    let errno = error.raw_os_error().and_then(|errno| u8::try_from(errno).ok());
    errno.map_or(ExitCode::FAILURE, ExitCode::from)
}

fn held() -> std::io::Result<()> {
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWUSER)?;
    std::io::stdout().write_all(b"!")?;
    std::io::stdout().flush()?;
    std::io::stdin().read_to_end(&mut Vec::new()).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_are_themselves_below_the_range_and_root_is_nobody() {
        let lines = |uid, shift| uid_lines(uid, shift, Others::AsOwners).unwrap();
        let root = "0 4294967293 1\n";
        let expected = format!("{root}1 1 4999\n5000 105000 1\n5001 5001 94999\n");
        assert_eq!(lines(5000, 100_000), expected);
        // A user of the ids that containers have: what lies above the range's beginning is nobody's.
        assert_eq!(lines(200_000, 100_000), format!("{root}1 1 99999\n200000 300000 1\n"));
        assert_eq!(lines(1, 2), format!("{root}1 3 1\n"));
        assert_eq!(uid_lines(5000, 100_000, Others::Nobody).unwrap(), "5000 105000 1\n");
    }
}
