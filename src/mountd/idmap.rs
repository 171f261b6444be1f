//! User namespaces in which a user's ids map to themselves, or to those of a container, and no other id maps at all.
//!
//! Only the user's own uid and gids map, to the ids that the container has for them. Whatever becomes root in a
//! container cannot leave a file in a home that the home's owner does not own. The kernel answers EOVERFLOW.
//!
//! For an engine with a user namespace of its own, a stage shows uid U on disk as R+U (`U R+U 1` in `uid_map`). Each
//! gid is mapped likewise. What has `idmap = "off"` in the policy shows all ids as they are.

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

/// A uid, the gids that go with it, and how much higher each is for whoever looks.
type Ids = (u32, BTreeSet<u32>, Shift);

/// What maps ids to themselves.
pub(super) const NO_SHIFT: Shift = Shift { uid: 0, gid: 0 };

/// The namespaces made so far.
#[derive(Debug, Default)]
pub(super) struct Maps {
    kept: Mutex<HashMap<Ids, Arc<OwnedFd>>>,
}

impl Maps {
    /// The namespace in which `uid` and each of `gids` map to the ids so much higher.
    pub(super) fn of(&self, uid: u32, gids: &[u32], shift: Shift) -> Result<Arc<OwnedFd>, Error> {
        let ids: Ids = (uid, gids.iter().copied().collect(), shift);
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

fn make((uid, gids, shift): &Ids) -> std::io::Result<OwnedFd> {
    let mut holder = Holder::start()?;
    holder.wait_until_ready()?;
    holder.write("uid_map", &line(*uid, shift.uid)?)?;
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
