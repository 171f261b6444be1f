//! Asking ie-mountd for a user's directories; only its answer makes a [`Staged`].

use crate::protocol::report::Refusal;
use crate::protocol::stage::{Access, Answer, LONGEST, Reason, Request, Stage, Token};
use axum::http::StatusCode;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// Why a directory could not be staged.
#[derive(Debug, thiserror::Error)]
pub(super) enum StageError {
    #[error("{1}")]
    Refused(Reason, String),
    #[error("the mount helper does not answer on {}: {error}", socket.display())]
    Away { socket: PathBuf, error: std::io::Error },
    #[error("the mount helper gave an answer that makes no sense: {0}")]
    Odd(String),
}

impl StageError {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Refused(Reason::Missing, _) => StatusCode::NOT_FOUND,
            Self::Refused(Reason::NotAllowed | Reason::NoIdmap, _) => StatusCode::FORBIDDEN,
            Self::Refused(Reason::BadRequest, _) => StatusCode::BAD_REQUEST,
            Self::Refused(Reason::System, _) | Self::Odd(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Away { .. } => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    pub(super) fn refusal(&self, message: String) -> Refusal {
        let refusal = Refusal::new("stage", message);
        match self {
            Self::Refused(Reason::NoIdmap, _) => refusal
                .rule("gateway.homes")
                .hint("ask the admin: `idmap = \"off\"` for that root in the policy allows it"),
            Self::Refused(..) => refusal,
            Self::Away { .. } | Self::Odd(_) => refusal
                .hint("ask the admin: `systemctl status ie-mountd` says why; nothing is bound without it"),
        }
    }
}

/// A directory that ie-mountd has staged and confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Staged {
    path: PathBuf,
    target: PathBuf,
    access: Access,
}

impl Staged {
    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn fake(path: PathBuf, target: PathBuf, access: Access) -> Self {
        Self { path, target, access }
    }

    /// Where the engine finds the directory.
    pub(super) fn source(&self) -> &Path {
        &self.path
    }

    /// Where the container sees it.
    pub(super) fn target(&self) -> &Path {
        &self.target
    }

    pub(super) fn access(&self) -> Access {
        self.access
    }
}

/// The gateway's end of ie-mountd's socket, and the tokens that a create, start or copy under way relies on.
#[derive(Debug)]
pub(super) struct Stager {
    socket: PathBuf,
    held: Arc<Mutex<HashMap<Token, usize>>>,
    /// How many holds there ever were.
    moments: AtomicU64,
    /// Stages are made side by side, and tidied alone.
    tidying: tokio::sync::RwLock<()>,
}

/// A point in the order of holds: see [`Stager::moment`].
#[derive(Debug, Clone)]
pub(super) struct Moment {
    number: u64,
    held: HashSet<Token>,
}

/// Keeps stages from being tidied away while something relies on them.
#[derive(Debug)]
pub(super) struct Hold {
    tokens: Vec<Token>,
    held: Arc<Mutex<HashMap<Token, usize>>>,
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        for token in &self.tokens {
            if let Some(count) = held.get_mut(token) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    held.remove(token);
                }
            }
        }
    }
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

impl Stager {
    pub(super) fn new(socket: PathBuf) -> Self {
        Self {
            socket,
            held: Arc::default(),
            moments: AtomicU64::new(0),
            tidying: tokio::sync::RwLock::default(),
        }
    }

    /// Keeps these tokens' stages until the hold is dropped.
    pub(super) fn hold(&self, tokens: Vec<Token>) -> Hold {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        self.moments.fetch_add(1, Ordering::SeqCst);
        for token in &tokens {
            *held.entry(token.clone()).or_default() += 1;
        }
        Hold { tokens, held: self.held.clone() }
    }

    /// Makes or confirms one stage.
    pub(super) async fn stage(&self, stage: Stage, target: PathBuf) -> Result<Staged, StageError> {
        let access = stage.access;
        let _made_beside_others = self.tidying.read().await;
        match self.ask(&Request::Stage(stage)).await? {
            Answer::Staged { path } => Ok(Staged { path, target, access }),
            Answer::Refused { reason, message } => Err(StageError::Refused(reason, message)),
            Answer::Unstaged { .. } => Err(StageError::Odd("unstaged".into())),
        }
    }

    /// Puts an empty directory in a stage's place, whatever is there.
    pub(super) async fn hollow(&self, token: &Token) -> Result<(), StageError> {
        let _made_beside_others = self.tidying.read().await;
        match self.ask(&Request::Hollow { token: token.clone() }).await? {
            Answer::Staged { .. } => Ok(()),
            Answer::Refused { reason, message } => Err(StageError::Refused(reason, message)),
            Answer::Unstaged { .. } => Err(StageError::Odd("unstaged".into())),
        }
    }

    /// Takes a stage away unless something relies on it.
    pub(super) async fn unstage(&self, token: &Token) -> Result<(), StageError> {
        if self.held.lock().unwrap_or_else(PoisonError::into_inner).contains_key(token) {
            return Ok(());
        }
        match self.ask(&Request::Unstage { token: token.clone() }).await? {
            Answer::Refused { reason, message } => Err(StageError::Refused(reason, message)),
            Answer::Staged { .. } | Answer::Unstaged { .. } => Ok(()),
        }
    }

    /// Now: what is relied on, and which holds came before.
    pub(super) fn moment(&self) -> Moment {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        Moment { number: self.moments.load(Ordering::SeqCst), held: held.keys().cloned().collect() }
    }

    /// Takes away every stage but these and those relied on at `since`; nothing at all if anything was held since.
    pub(super) async fn keep(
        &self,
        mut tokens: HashSet<Token>,
        since: Moment,
    ) -> Result<Option<usize>, StageError> {
        let _alone = self.tidying.write().await;
        if self.moment().number != since.number {
            return Ok(None);
        }
        tokens.extend(since.held);
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
