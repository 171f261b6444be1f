//! Asking ie-mountd for a user's directories and files; only its answer makes a [`Staged`].

use crate::protocol::report::Refusal;
use crate::protocol::stage::{Access, Answer, LONGEST, Place, Reason, Request, Shape, Stage, Token};
use crate::protocol::told::{Told, told};
use axum::http::StatusCode;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// Why something could not be staged.
#[derive(Debug, thiserror::Error, Told)]
pub(in crate::gateway) enum StageError {
    #[error("{1}")]
    Refused(Reason, Told),
    #[error("the mount helper does not answer on {}: {error}", socket.display())]
    Away { socket: PathBuf, error: std::io::Error },
    #[error("the mount helper gave an answer that makes no sense: {0}")]
    Odd(String),
}

impl StageError {
    pub(in crate::gateway) fn is_missing(&self) -> bool {
        matches!(self, Self::Refused(Reason::Missing, _))
    }

    pub(in crate::gateway) fn status(&self) -> StatusCode {
        match self {
            Self::Refused(Reason::NotAllowed | Reason::NoIdmap, _) => StatusCode::FORBIDDEN,
            // Not 404: clients take that for the image or the container.
            Self::Refused(Reason::Missing | Reason::BadRequest, _) => StatusCode::BAD_REQUEST,
            Self::Refused(Reason::System, _) | Self::Odd(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Away { .. } => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    pub(in crate::gateway) fn refusal(&self, message: Told) -> Refusal {
        let refusal = Refusal::new("stage", message);
        match self {
            Self::Refused(Reason::NoIdmap, _) => refusal
                .rule("gateway.homes")
                .hint(told!("ask the admin: `idmap = \"off\"` for that root in the policy allows it")),
            Self::Refused(..) => refusal,
            Self::Away { .. } | Self::Odd(_) => refusal.hint(told!(
                "ask the admin: `systemctl status ie-mountd` says why; nothing is bound without it"
            )),
        }
    }
}

/// A directory or file that ie-mountd has staged and confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::gateway) struct Staged {
    path: PathBuf,
    target: PathBuf,
    access: Access,
    shape: Shape,
}

impl Staged {
    #[cfg(any(test, feature = "fuzz"))]
    pub(in crate::gateway) fn fake(path: PathBuf, target: PathBuf, access: Access) -> Self {
        Self { path, target, access, shape: Shape::Directory }
    }

    /// Where the engine finds it.
    pub(in crate::gateway) fn source(&self) -> &Path {
        &self.path
    }

    /// Where the container sees it.
    pub(in crate::gateway) fn target(&self) -> &Path {
        &self.target
    }

    pub(in crate::gateway) fn access(&self) -> Access {
        self.access
    }

    pub(in crate::gateway) fn shape(&self) -> Shape {
        self.shape
    }
}

/// The gateway's end of ie-mountd's socket, and the tokens that a create, start or copy under way relies on.
#[derive(Debug)]
pub(in crate::gateway) struct Stager {
    socket: PathBuf,
    held: Arc<Mutex<Held>>,
    /// Stages are made side by side, and tidied alone.
    tidying: tokio::sync::RwLock<()>,
}

/// What is relied on now, and how often; and who wants to know what was relied on since.
#[derive(Debug, Default)]
struct Held {
    counts: HashMap<Token, usize>,
    watching: Vec<Weak<Mutex<HashSet<Token>>>>,
}

/// A point in time, and everything that is relied on at it or was since: see [`Stager::moment`].
#[derive(Debug)]
pub(in crate::gateway) struct Moment(Arc<Mutex<HashSet<Token>>>);

impl Moment {
    /// What is relied on, or was since then.
    pub(in crate::gateway) fn relied_on(&self) -> HashSet<Token> {
        lock(&self.0).clone()
    }
}

/// Keeps stages, and a new container's channel, from being tidied away while something relies on them.
#[derive(Debug)]
pub(in crate::gateway) struct Hold {
    tokens: Vec<Token>,
    held: Arc<Mutex<Held>>,
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut held = lock(&self.held);
        for token in &self.tokens {
            if let Some(count) = held.counts.get_mut(token) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    held.counts.remove(token);
                }
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits while the queue of whoever listens is full.
async fn connect(socket: &Path) -> std::io::Result<UnixStream> {
    loop {
        match UnixStream::connect(socket).await {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            connected => return connected,
        }
    }
}

/// ie-mountd answers in milliseconds; a home on a server that hangs must not hold a request for ever.
const PATIENCE: Duration = Duration::from_secs(20);
/// Whoever wants to stage waits for who wants to tidy, who waits for stages under way: not for one that hangs.
const TIDIES_SOON: Duration = Duration::from_secs(1);

impl Stager {
    pub(in crate::gateway) fn new(socket: PathBuf) -> Self {
        Self { socket, held: Arc::default(), tidying: tokio::sync::RwLock::default() }
    }

    /// Keeps these tokens' stages until the hold is dropped.
    pub(in crate::gateway) fn hold(&self, tokens: Vec<Token>) -> Hold {
        let mut held = lock(&self.held);
        for token in &tokens {
            *held.counts.entry(token.clone()).or_default() += 1;
        }
        held.watching.retain(|watching| watching.strong_count() > 0);
        for watching in held.watching.iter().filter_map(Weak::upgrade) {
            lock(&watching).extend(tokens.iter().cloned());
        }
        drop(held);
        Hold { tokens, held: self.held.clone() }
    }

    /// Makes or confirms one stage.
    pub(in crate::gateway) async fn stage(
        &self,
        stage: Stage,
        target: PathBuf,
    ) -> Result<Staged, StageError> {
        let access = stage.access;
        let _made_beside_others = self.tidying.read().await;
        match self.ask(&Request::Stage(stage)).await? {
            Answer::Staged { path, shape } => Ok(Staged { path, target, access, shape }),
            Answer::Refused { reason, message } => Err(StageError::Refused(reason, message)),
            Answer::Unstaged { .. } => Err(StageError::Odd("unstaged".into())),
        }
    }

    /// Puts what is empty in a stage's place, whatever is there, with places inside it.
    pub(in crate::gateway) async fn hollow(
        &self,
        token: &Token,
        inside: Vec<Place>,
    ) -> Result<(), StageError> {
        let _made_beside_others = self.tidying.read().await;
        match self.ask(&Request::Hollow { token: token.clone(), inside }).await? {
            Answer::Staged { .. } => Ok(()),
            Answer::Refused { reason, message } => Err(StageError::Refused(reason, message)),
            Answer::Unstaged { .. } => Err(StageError::Odd("unstaged".into())),
        }
    }

    /// Takes a stage away unless something relies on it.
    pub(in crate::gateway) async fn unstage(&self, token: &Token) -> Result<(), StageError> {
        if lock(&self.held).counts.contains_key(token) {
            return Ok(());
        }
        match self.ask(&Request::Unstage { token: token.clone() }).await? {
            Answer::Refused { reason, message } => Err(StageError::Refused(reason, message)),
            Answer::Staged { .. } | Answer::Unstaged { .. } => Ok(()),
        }
    }

    /// From now on, what is relied on is noted.
    pub(in crate::gateway) fn moment(&self) -> Moment {
        let mut held = lock(&self.held);
        let moment = Arc::new(Mutex::new(held.counts.keys().cloned().collect()));
        held.watching.retain(|watching| watching.strong_count() > 0);
        held.watching.push(Arc::downgrade(&moment));
        Moment(moment)
    }

    /// Takes away every stage but these and those relied on since that moment; none while a stage hangs.
    pub(in crate::gateway) async fn keep(
        &self,
        mut tokens: HashSet<Token>,
        since: Moment,
    ) -> Result<Option<usize>, StageError> {
        let alone = tokio::time::timeout(TIDIES_SOON, self.tidying.write());
        let Ok(_alone) = alone.await else { return Ok(None) };
        // Whoever begins to rely on one after this stages it after this, too.
        tokens.extend(lock(&since.0).drain());
        match self.ask(&Request::Keep { tokens: tokens.into_iter().collect() }).await? {
            Answer::Unstaged { count } => Ok(Some(count)),
            Answer::Refused { reason, message } => Err(StageError::Refused(reason, message)),
            Answer::Staged { .. } => Err(StageError::Odd("staged".into())),
        }
    }

    async fn ask(&self, request: &Request) -> Result<Answer, StageError> {
        let away = |error| StageError::Away { socket: self.socket.clone(), error };
        let talk = async {
            let body = serde_json::to_vec(request).map_err(std::io::Error::other)?;
            let length = u32::try_from(body.len()).map_err(std::io::Error::other)?;
            let mut stream = connect(&self.socket).await?;
            stream.write_all(&length.to_be_bytes()).await?;
            stream.write_all(&body).await?;
            let length = stream.read_u32().await?;
            if length > LONGEST {
                return Err(std::io::Error::other("the answer is too long"));
            }
            let mut answer = vec![0; usize::try_from(length).map_err(std::io::Error::other)?];
            stream.read_exact(&mut answer).await?;
            Ok(answer)
        };
        let answer = tokio::time::timeout(PATIENCE, talk)
            .await
            .unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
            .map_err(away)?;
        serde_json::from_slice(&answer).map_err(|error| StageError::Odd(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::UnixListener;
    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

    fn token(byte: u8) -> Token {
        Token::from_bytes([byte; 16])
    }

    /// A stager whose helper tells what it is asked to keep, and never answers anything else.
    fn stager(dir: &Path) -> (Stager, UnboundedReceiver<HashSet<Token>>) {
        let socket = dir.join("mountd.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let (sender, kept) = unbounded_channel();
        tokio::spawn(async move {
            let mut silent = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut body = vec![0; usize::try_from(stream.read_u32().await.unwrap()).unwrap()];
                stream.read_exact(&mut body).await.unwrap();
                let Ok(Request::Keep { tokens }) = serde_json::from_slice(&body) else {
                    silent.push(stream);
                    continue;
                };
                sender.send(tokens.into_iter().collect()).unwrap();
                let answer = serde_json::to_vec(&Answer::Unstaged { count: 1 }).unwrap();
                stream.write_u32(u32::try_from(answer.len()).unwrap()).await.unwrap();
                stream.write_all(&answer).await.unwrap();
            }
        });
        (Stager::new(socket), kept)
    }

    #[tokio::test]
    async fn what_was_relied_on_since_is_kept_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let (stager, mut kept) = stager(dir.path());
        drop(stager.hold(vec![token(1)]));
        let (_before, moment) = (stager.hold(vec![token(2)]), stager.moment());
        // Held and let go since: its container may have been made after the listing.
        drop(stager.hold(vec![token(3)]));
        let _after = stager.hold(vec![token(4)]);
        assert_eq!(stager.keep(HashSet::from([token(9)]), moment).await.unwrap(), Some(1));
        assert_eq!(kept.recv().await.unwrap(), [9, 2, 3, 4].map(token).into());
        assert_eq!(stager.keep(HashSet::new(), stager.moment()).await.unwrap(), Some(1));
        assert_eq!(kept.recv().await.unwrap(), [2, 4].map(token).into());
    }

    #[test]
    fn moments_that_are_over_are_forgotten() {
        let stager = Stager::new(PathBuf::from("/nonexistent"));
        for _ in 0..100 {
            drop(stager.moment());
        }
        assert!(lock(&stager.held).watching.len() <= 1);
    }

    #[tokio::test]
    async fn a_stage_that_hangs_holds_up_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let (stager, _kept) = stager(dir.path());
        let stager = Arc::new(stager);
        let hanging = stager.clone();
        let hangs = tokio::spawn(async move { hanging.hollow(&token(1), Vec::new()).await });
        tokio::time::sleep(Duration::from_millis(50)).await;
        let begun = std::time::Instant::now();
        assert_eq!(stager.keep(HashSet::new(), stager.moment()).await.unwrap(), None);
        let others = tokio::time::timeout(Duration::from_secs(1), stager.tidying.read());
        assert!(others.await.is_ok() && begun.elapsed() < PATIENCE / 2);
        assert!(!hangs.is_finished());
        hangs.abort();
    }
}
