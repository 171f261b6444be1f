//! A way past the engine for the helper in a container: what it packs and unpacks goes over a socket of the gateway's own.
//!
//! An exec's streams pass through the engine and its shim, each of which copies every byte. So each container has a
//! directory of its own, read-only, and while a helper is expected in it a socket listens there. A helper that was told a
//! nonce connects and says it: the nonce says for which copy, once, and in this container alone. Nobody is known by the uid
//! that the kernel reports, which an engine with user namespaces maps. Who in the container could read the nonce off the
//! helper is the same user, and could read the helper's memory as well: the channel gives nobody more than the exec's
//! streams did.
//!
//! While nobody is expected there is no socket, and who connects all the time costs the gateway nothing. While somebody is,
//! connections are taken at a limited rate, for each user: what is not taken waits in the kernel, and goes with the socket.
//!
//! The directory is `channels/<token>` of the gateway's state, and `/.ie-channel` in the container. It is made at
//! create and at each start and named in the label `channel`. It goes with its container, or in a sweep. A helper that
//! says no mark within five seconds is dropped.
//!
//! A container that was made before this directory existed, or whose channel cannot be reached, is copied with through
//! the engine. Without the channel's socket, too, copies go through the engine.

use super::listening;
use super::staging::Moment;
use crate::gateway::bounds::permits::Permits;
use crate::gateway::bounds::rate::RateLimit;
use crate::gateway::state_file;
use crate::protocol::layout;
use crate::protocol::nonce::Nonce;
use crate::protocol::stage::Token;
use crate::protocol::told::Told;
use std::collections::{HashMap, HashSet};
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// How long a helper that has connected may take to say its nonce.
pub(in crate::gateway) const PATIENCE: Duration = Duration::from_secs(5);
/// How long it may take to get there, of a container that has little of a processor or whose socket is besieged.
pub(in crate::gateway) const ARRIVES: Duration = Duration::from_secs(30);
/// Connections to all of one user's sockets that have not said a nonce; more are not taken before one of these has ended.
const MOST_UNHEARD: usize = 16;
/// Connections that are taken at once, and from then on in a second, from all of one user's containers.
const RATE: (u32, u32) = (200, 50);
/// Connections to one socket that wait to be taken: a helper behind all of them is not long in coming.
const BACKLOG: i32 = 32;
/// The longest path of a socket, in bytes: the kernel's field has 108, with a zero at the end.
const LONGEST: usize = 107;
/// Mode bits. Its directories can be passed, and not listed: that of all of them by the engine's root, which may be
/// nobody to us, and each one by its container's user.
const MODE: u32 = 0o711;

/// Containers in which helpers are expected, by the names of their directories.
type Rooms = Arc<Mutex<HashMap<Token, Room>>>;

/// One container's socket, while it listens.
#[derive(Debug)]
struct Room {
    /// Helpers that are expected, by their nonces.
    expected: HashMap<String, oneshot::Sender<UnixStream>>,
    /// What listens, and whoever is being heard; dropped, all of it ends.
    _serving: JoinSet<()>,
}

/// The directories of all containers, and who is expected in them.
#[derive(Debug)]
pub(in crate::gateway) struct Channel {
    dir: PathBuf,
    rooms: Rooms,
    rate_limit: Arc<RateLimit>,
    unheard: Arc<Permits>,
}

/// A helper that was told its nonce; dropped, it is expected no more.
pub(in crate::gateway) struct Coming {
    pub(in crate::gateway) nonce: Nonce,
    pub(in crate::gateway) stream: oneshot::Receiver<UnixStream>,
    token: Token,
    socket: PathBuf,
    rooms: Rooms,
}

impl Drop for Coming {
    fn drop(&mut self) {
        let mut rooms = lock(&self.rooms);
        let Some(room) = rooms.get_mut(&self.token) else { return };
        room.expected.remove(self.nonce.as_str());
        if room.expected.is_empty() {
            rooms.remove(&self.token);
            // One that stays is replaced by the next.
            let _gone = fs::remove_file(&self.socket);
        }
    }
}

fn lock(rooms: &Rooms) -> MutexGuard<'_, HashMap<Token, Room>> {
    rooms.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Channel {
    pub(in crate::gateway) fn open(state: &Path) -> anyhow::Result<Self> {
        let dir = state.join("channels");
        let longest = dir.join("0".repeat(32)).join(layout::CHANNEL_SOCKET);
        anyhow::ensure!(
            longest.as_os_str().len() <= LONGEST,
            "{} is too long a path for a socket, choose a shorter --state-dir",
            longest.display()
        );
        if let Err(error) = make(&dir) {
            // On a full disk, say: each container's is tried again when it is made.
            tracing::error!("{} cannot be made yet: {error}", dir.display());
        }
        Ok(Self {
            dir,
            rooms: Rooms::default(),
            rate_limit: Arc::new(RateLimit::new(RATE.0, RATE.1)),
            unheard: Arc::new(Permits::new(MOST_UNHEARD)),
        })
    }

    fn dir(&self, token: &Token) -> PathBuf {
        self.dir.join(token.as_str())
    }

    fn socket(&self, token: &Token) -> PathBuf {
        self.dir(token).join(layout::CHANNEL_SOCKET)
    }

    /// What one container gets, made if it is not there.
    pub(in crate::gateway) fn make(&self, token: &Token) -> io::Result<PathBuf> {
        let dir = self.dir(token);
        make(&dir)?;
        Ok(dir)
    }

    /// Its container is gone. What cannot be removed is left for the next sweep.
    pub(in crate::gateway) fn remove(&self, token: &Token) {
        lock(&self.rooms).remove(token);
        let _gone = fs::remove_file(self.socket(token));
        match fs::remove_dir(self.dir(token)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!("a container's channel is left for the next sweep: {error}");
            }
            _ => {}
        }
    }

    /// Removes every directory but these, and those relied on since that moment.
    pub(in crate::gateway) fn keep(&self, mut tokens: HashSet<Token>, since: &Moment) {
        let there = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let there: Vec<Token> =
            there.filter_map(|entry| Token::try_from(entry.file_name().into_string().ok()?).ok()).collect();
        // What was made by now was relied on before.
        tokens.extend(since.relied_on());
        there.iter().filter(|token| !tokens.contains(token)).for_each(|token| self.remove(token));
    }

    /// A helper will come in this container of this user's.
    pub(in crate::gateway) fn expect(
        &self,
        owner: u32,
        token: &Token,
        nonce: Nonce,
    ) -> anyhow::Result<Coming> {
        let (place, stream) = oneshot::channel();
        let socket = self.socket(token);
        let mut rooms = lock(&self.rooms);
        if !rooms.contains_key(token) {
            let listener = listening::listening(listening::bind(&socket, 0o666)?, BACKLOG)?;
            let room = Room { expected: HashMap::new(), _serving: self.serve(owner, token, listener) };
            rooms.insert(token.clone(), room);
        }
        if let Some(room) = rooms.get_mut(token) {
            room.expected.insert(nonce.as_str().to_owned(), place);
        }
        drop(rooms);
        Ok(Coming { nonce, stream, token: token.clone(), socket, rooms: self.rooms.clone() })
    }

    /// Hears whoever connects, some at a time and at their owner's rate.
    fn serve(&self, owner: u32, token: &Token, listener: UnixListener) -> JoinSet<()> {
        let (rooms, token) = (self.rooms.clone(), token.clone());
        let (rate_limit, unheard) = (self.rate_limit.clone(), self.unheard.clone());
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut hearing = JoinSet::new();
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    // Out of descriptors, most likely: wait for some to be closed.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                };
                let Ok(place) = unheard.of(owner).acquire_owned().await else { return };
                while hearing.try_join_next().is_some() {}
                let (rooms, token) = (rooms.clone(), token.clone());
                hearing.spawn(async move {
                    let _heard = tokio::time::timeout(PATIENCE, hear(stream, &token, &rooms)).await;
                    drop(place);
                });
                rate_limit.wait(owner).await;
            }
        });
        serving
    }
}

fn make(dir: &Path) -> io::Result<()> {
    state_file::dir(dir)?;
    fs::set_permissions(dir, Permissions::from_mode(MODE))
}

/// Brings a helper to the copy that expects it; anybody else hears nothing.
async fn hear(mut stream: UnixStream, token: &Token, rooms: &Rooms) -> Option<()> {
    let mut word = [0; 32];
    stream.read_exact(&mut word).await.ok()?;
    let nonce = Nonce::parse(std::str::from_utf8(&word).ok()?)?;
    let place = lock(rooms).get_mut(token)?.expected.remove(nonce.as_str())?;
    place.send(stream).ok()
}

/// The kernel gave no random bytes: nothing is named that nobody may guess.
#[derive(Debug, Clone, Copy, thiserror::Error, Told)]
#[error("no random bytes: {0}")]
pub(in crate::gateway) struct NoRandomness(rustix::io::Errno);

/// A fresh nonce.
///
/// # Errors
/// Without random bytes.
pub(in crate::gateway) fn nonce() -> Result<Nonce, NoRandomness> {
    let mut random = [0; 16];
    rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty()).map_err(NoRandomness)?;
    Ok(Nonce::from_bytes(random))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use tokio::io::AsyncWriteExt;

    fn token(byte: u8) -> Token {
        Token::from_bytes([byte; 16])
    }

    /// A channel with two containers.
    fn channel(state: &Path) -> Channel {
        let channel = Channel::open(state).unwrap();
        for byte in [1, 2] {
            channel.make(&token(byte)).unwrap();
        }
        channel
    }

    /// Whether a connection that says this is closed: the gateway has heard it, and does not want it.
    async fn closed(socket: &Path, word: &str) -> bool {
        let mut caller = UnixStream::connect(socket).await.unwrap();
        caller.write_all(word.as_bytes()).await.unwrap();
        tokio::time::timeout(PATIENCE / 2, caller.read_u8()).await.is_ok()
    }

    #[tokio::test]
    async fn nobody_listens_where_nobody_is_expected() {
        let state = tempfile::tempdir().unwrap();
        let channel = channel(state.path());
        let there = || [1, 2].map(|byte| channel.socket(&token(byte)).exists());
        assert_eq!(there(), [false, false]);
        let first = channel.expect(1000, &token(1), Nonce::from_bytes([1; 16])).unwrap();
        let second = channel.expect(1000, &token(1), Nonce::from_bytes([2; 16])).unwrap();
        assert_eq!(there(), [true, false]);
        let mut silent = UnixStream::connect(channel.socket(&token(1))).await.unwrap();
        drop(first);
        assert_eq!(there(), [true, false]);
        drop(second);
        assert_eq!(there(), [false, false]);
        // Who has said nothing by then is not waited for.
        assert!(tokio::time::timeout(PATIENCE / 2, silent.read_u8()).await.is_ok());
        // What a gateway that was killed has left is in nobody's way.
        drop(std::os::unix::net::UnixListener::bind(channel.socket(&token(1))).unwrap());
        drop(channel.expect(1000, &token(1), Nonce::from_bytes([3; 16])).unwrap());
        assert_eq!(there(), [false, false]);
    }

    #[tokio::test]
    async fn a_mark_is_its_containers_and_counts_once() {
        let state = tempfile::tempdir().unwrap();
        let channel = channel(state.path());
        let socket = |byte| channel.socket(&token(byte));
        let nonce = Nonce::from_bytes([7; 16]);
        let mut coming = channel.expect(1000, &token(1), nonce.clone()).unwrap();
        let _other = channel.expect(1000, &token(2), Nonce::from_bytes([8; 16])).unwrap();
        for (byte, word) in
            [(2, nonce.as_str()), (1, &"0".repeat(32)), (1, &"x".repeat(32)), (1, &"08".repeat(16))]
        {
            assert!(closed(&socket(byte), word).await, "{byte} {word}");
            assert!(coming.stream.try_recv().is_err());
        }
        let _also = channel.expect(1000, &token(1), Nonce::from_bytes([9; 16])).unwrap();
        let mut helper = UnixStream::connect(socket(1)).await.unwrap();
        helper.write_all(nonce.as_str().as_bytes()).await.unwrap();
        assert!((&mut coming.stream).await.is_ok());
        assert!(closed(&socket(1), nonce.as_str()).await);
        // Nobody is waited for once the copy is given up.
        drop(coming);
        drop(channel.expect(1000, &token(1), nonce.clone()).unwrap());
        assert!(closed(&socket(1), nonce.as_str()).await);
    }

    #[tokio::test(start_paused = true)]
    async fn who_connects_all_the_time_is_taken_at_a_pace() {
        let state = tempfile::tempdir().unwrap();
        let channel = channel(state.path());
        let (burst, each_second) = RATE;
        let most = |seconds: u32| usize::try_from(burst + each_second * seconds).unwrap() + 1 + MOST_UNHEARD;
        let mut expected = Vec::new();
        for byte in [1, 2] {
            expected.push(channel.expect(1000, &token(byte), Nonce::from_bytes([byte; 16])).unwrap());
        }
        // Of all of an owner's containers together, and each is told that it is not wanted.
        let heard = Arc::new(AtomicUsize::new(0));
        let floods: JoinSet<()> = (0..40_u8)
            .map(|number| {
                let (socket, heard) = (channel.socket(&token(1 + number % 2)), heard.clone());
                async move {
                    // With no rate_limit this comes to an end too.
                    while heard.load(Relaxed) < 5000
                        && let Ok(mut caller) = UnixStream::connect(&socket).await
                    {
                        let _cut = caller.write_all(&[b'0'; 32]).await;
                        if caller.read(&mut [0]).await.is_ok() {
                            heard.fetch_add(1, Relaxed);
                        }
                    }
                }
            })
            .collect();
        tokio::time::sleep(Duration::from_secs(4)).await;
        let heard = heard.load(Relaxed);
        assert!(heard > usize::try_from(burst).unwrap() && heard <= most(4), "{heard}");
        drop(floods);
        // Of another's nothing is held up.
        channel.make(&token(3)).unwrap();
        let mut coming = channel.expect(1001, &token(3), Nonce::from_bytes([5; 16])).unwrap();
        let mut helper = UnixStream::connect(channel.socket(&token(3))).await.unwrap();
        helper.write_all(coming.nonce.as_str().as_bytes()).await.unwrap();
        assert!((&mut coming.stream).await.is_ok());
    }

    #[tokio::test]
    async fn what_no_container_needs_is_swept() {
        let state = tempfile::tempdir().unwrap();
        let channel = channel(state.path());
        let stager = crate::gateway::host::staging::Stager::new(PathBuf::new());
        let moment = stager.moment();
        // Made for a container that the list does not have yet, and let go since.
        drop(stager.hold(vec![token(3)]));
        channel.make(&token(3)).unwrap();
        fs::write(channel.dir.join("a-note"), "of somebody's").unwrap();
        let coming = channel.expect(1000, &token(2), Nonce::from_bytes([1; 16])).unwrap();
        channel.keep(HashSet::from([token(1)]), &moment);
        assert_eq!([1, 2, 3].map(|byte| channel.dir(&token(byte)).exists()), [true, false, true]);
        assert!(channel.dir.join("a-note").exists());
        drop(coming);
        channel.remove(&token(1));
        channel.remove(&token(1));
        assert!(!channel.dir(&token(1)).exists());
    }

    #[test]
    fn a_path_too_long_for_a_socket_is_said_at_the_start() {
        let state = tempfile::tempdir().unwrap();
        let error = Channel::open(&state.path().join("d".repeat(60))).unwrap_err();
        assert!(error.to_string().contains("choose a shorter --state-dir"), "{error}");
    }
}
