//! A way past the engine for the helper in a container: what it packs and unpacks goes over a socket of the gateway's own.
//!
//! An exec's streams pass through the engine and its shim, each of which copies every byte. So each container has the
//! directory of this socket, read-only, and a helper that was told a mark connects and says it. The kernel says whose
//! process that is, the mark says for which copy, once. Who in the container could read the mark off the helper is the
//! same user, and could read the helper's memory as well: the channel gives nobody more than the exec's streams did.

use super::error::Error;
use super::listen;
use super::peer;
use super::serve::{self, Open};
use super::shelf;
use super::state::Gateway;
use crate::protocol::leash::Mark;
use crate::protocol::place;
use anyhow::Context;
use std::collections::HashMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::oneshot;

/// How long a helper may take to say its mark.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// When its socket is tried again.
const AGAIN: Duration = Duration::from_secs(5);
/// Connections of one uid that have not said a mark; more are dropped unheard.
const MOST_UNHEARD: usize = 16;

/// Helpers that are expected, by their marks.
#[derive(Debug, Default)]
struct Expected(Mutex<HashMap<String, (u32, oneshot::Sender<UnixStream>)>>);

impl Expected {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, (u32, oneshot::Sender<UnixStream>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether any helper of this user's is expected.
    fn any_of(&self, uid: u32) -> bool {
        self.lock().values().any(|(owner, _)| *owner == uid)
    }

    /// The place of whoever this is, taken once; somebody else's stays.
    fn take(&self, uid: u32, mark: &Mark) -> Option<oneshot::Sender<UnixStream>> {
        let mut expected = self.lock();
        expected.get(mark.as_str()).filter(|(owner, _)| *owner == uid)?;
        expected.remove(mark.as_str()).map(|(_, place)| place)
    }
}

/// The channel's directory, and who is expected on it.
#[derive(Debug)]
pub(super) struct Channel {
    dir: PathBuf,
    expected: Arc<Expected>,
}

/// A helper that was told its mark; dropped, it is expected no more.
pub(super) struct Coming {
    pub(super) mark: Mark,
    pub(super) stream: oneshot::Receiver<UnixStream>,
    expected: Arc<Expected>,
}

impl Drop for Coming {
    fn drop(&mut self) {
        self.expected.lock().remove(self.mark.as_str());
    }
}

impl Channel {
    pub(super) fn of(state: &Path) -> Self {
        Self { dir: state.join("channel"), expected: Arc::default() }
    }

    /// What each container gets.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn bind(&self) -> anyhow::Result<UnixListener> {
        shelf::dir(&self.dir)
            .and_then(|()| fs::set_permissions(&self.dir, Permissions::from_mode(0o755)))
            .with_context(|| format!("cannot make {}", self.dir.display()))?;
        let socket = self.dir.join(place::CHANNEL_SOCKET);
        if socket.is_dir() {
            shelf::set_aside(&socket, "it is a directory");
        }
        listen::listening(listen::bind(&socket, 0o666)?)
    }

    /// A helper of this user's will come.
    pub(super) fn expect(&self, uid: u32, mark: Mark) -> Coming {
        let (place, stream) = oneshot::channel();
        self.expected.lock().insert(mark.as_str().to_owned(), (uid, place));
        Coming { mark, stream, expected: self.expected.clone() }
    }

    /// Hears whoever connects.
    pub(super) fn serve(&self, listener: UnixListener) -> impl Future<Output = ()> + Send + 'static {
        let expected = self.expected.clone();
        let open = Arc::new(Open::default());
        serve::accept(listener, move |stream| {
            let Ok((uid, _)) = peer::credentials(&stream) else { return };
            // Nobody else has a reason to come, and each user has thousands of subordinate uids to come as.
            if !expected.any_of(uid) {
                return;
            }
            let (place, count) = open.enter(uid);
            if count > MOST_UNHEARD {
                return;
            }
            let expected = expected.clone();
            tokio::spawn(async move {
                let _heard = tokio::time::timeout(PATIENCE, hear(stream, uid, &expected)).await;
                drop(place);
            });
        })
    }
}

/// Runs for ever. Without its socket, as on a full disk, copies go through the engine until it can be made.
pub(super) async fn run(gateway: Arc<Gateway>, mut bound: anyhow::Result<UnixListener>) {
    let mut told = false;
    loop {
        match bound {
            Ok(listener) => return gateway.channel.serve(listener).await,
            Err(error) if !told => tracing::error!("copies go through the engine for now: {error:#}"),
            Err(_) => {}
        }
        told = true;
        tokio::time::sleep(AGAIN).await;
        bound = gateway.channel.bind();
    }
}

/// Brings a helper to the copy that expects it; anybody else hears nothing.
async fn hear(mut stream: UnixStream, uid: u32, expected: &Expected) -> Option<()> {
    let mut word = [0; 32];
    stream.read_exact(&mut word).await.ok()?;
    let mark = Mark::parse(std::str::from_utf8(&word).ok()?)?;
    expected.take(uid, &mark)?.send(stream).ok()
}

/// A fresh mark.
pub(super) fn mark() -> Result<Mark, Error> {
    let mut random = [0; 16];
    rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())
        .map_err(|errno| Error::Internal(format!("no random bytes: {errno}")))?;
    Ok(Mark::from_bytes(random))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_is_not_expected_is_not_even_heard() {
        let dir = tempfile::tempdir().unwrap();
        let channel = Channel { dir: dir.path().to_owned(), expected: Arc::default() };
        tokio::spawn(channel.serve(channel.bind().unwrap()));
        let uid = rustix::process::getuid().as_raw();
        // Closed at once, or kept until a mark has been said.
        let closed = async |patience| {
            let mut caller = UnixStream::connect(dir.path().join(place::CHANNEL_SOCKET)).await.unwrap();
            tokio::time::timeout(patience, caller.read_u8()).await.is_ok()
        };
        let other = channel.expect(uid.wrapping_add(1), Mark::from_bytes([1; 16]));
        assert!(closed(PATIENCE / 2).await);
        let own = channel.expect(uid, Mark::from_bytes([2; 16]));
        assert!(!closed(Duration::from_millis(100)).await);
        // Of who is expected a few are waited for, and dropped when they have said nothing for a while.
        let mut callers = Vec::new();
        for _ in 0..MOST_UNHEARD + 4 {
            callers.push(UnixStream::connect(dir.path().join(place::CHANNEL_SOCKET)).await.unwrap());
        }
        let told = callers
            .iter_mut()
            .map(|caller| tokio::time::timeout(Duration::from_millis(500), caller.read_u8()));
        let told = futures_util::future::join_all(told).await;
        assert_eq!(told.iter().filter(|told| told.is_ok()).count(), 4);
        drop(callers);
        drop((own, other));
        assert!(closed(PATIENCE / 2).await);
    }

    #[tokio::test]
    async fn a_mark_is_its_users_and_counts_once() {
        let expected = Arc::new(Expected::default());
        let channel = Channel { dir: PathBuf::new(), expected: expected.clone() };
        let mark = Mark::from_bytes([7; 16]);
        let mut coming = channel.expect(1000, mark.clone());
        let say = async |uid: u32, word: &str| {
            let (mut caller, stream) = UnixStream::pair().unwrap();
            tokio::io::AsyncWriteExt::write_all(&mut caller, word.as_bytes()).await.unwrap();
            drop(caller);
            hear(stream, uid, &expected).await
        };
        for (uid, word) in
            [(1001, mark.as_str()), (1000, &"0".repeat(32)), (1000, "07"), (1000, &"x".repeat(32))]
        {
            assert_eq!(say(uid, word).await, None, "{uid} {word}");
            assert!(coming.stream.try_recv().is_err());
        }
        assert_eq!(say(1000, mark.as_str()).await, Some(()));
        assert!(coming.stream.try_recv().is_ok());
        assert_eq!(say(1000, mark.as_str()).await, None);
        // Nobody is waited for once the copy is given up.
        drop(channel.expect(1000, mark.clone()));
        assert_eq!(say(1000, mark.as_str()).await, None);
    }
}
