//! Listening to what a container prints, for a moment.
//!
//! An engine does not notice that nobody listens any more before the next is printed on that stream, and where a connection
//! is to both streams, not even then. So each stream has a connection of its own; and one on which nothing was heard is
//! kept: as long as nothing comes on it, nothing was printed.
//!
//! Listening is an event `attach` of the engine's, and readers of events are told of none. An engine lets go of a
//! connection to one stream with the next output on that stream. It lets go of a connection to both streams when the
//! container stops. A connection on which nothing came goes on listening, and answers for the next look.

use super::tally::{LONG, Tally};
use super::{Engine, EngineError, Found};
use crate::protocol::amount::Cpus;
use bytes::BytesMut;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// How long a stream is listened to.
const MOMENT: Duration = Duration::from_millis(150);
/// When so many bytes were heard sooner, the time that they took says the pace.
const ENOUGH: usize = 4 << 20;
/// How long an engine may take to let somebody listen: one that is busy with many short lines lets nobody, and those are
/// known by their times.
const PATIENCE: Duration = Duration::from_secs(2);

/// Those of one run of a container.
#[derive(Debug, Default)]
pub(in crate::gateway) struct Ears {
    stdout: Ear,
    stderr: Ear,
}

/// One stream's: what was asked for and has not come to anything yet.
#[derive(Debug, Default)]
struct Ear(Mutex<Option<Pending>>);

#[derive(Debug)]
enum Pending {
    /// A connection that the engine has not made yet: as long as somebody else's takes nothing, it makes none.
    Asked(Ending<Result<UnixStream, EngineError>>),
    /// A connection until something comes on it.
    Silent(Ending<()>),
}

/// A task that ends when it is dropped, and what it holds with it.
#[derive(Debug)]
struct Ending<T>(JoinHandle<T>);

impl Ears {
    /// What the engine spends on what is printed within a moment.
    pub(super) async fn hear(&self, engine: &Engine, found: &Found) -> Result<Cpus, EngineError> {
        let stdout = self.stdout.hear(engine, found, "stdout");
        // A terminal has one stream.
        if found.labels().tty {
            return stdout.await;
        }
        match tokio::join!(stdout, self.stderr.hear(engine, found, "stderr")) {
            (Ok(stdout), Ok(stderr)) => Ok(Cpus(stdout.0.saturating_add(stderr.0))),
            // One that lets nobody listen hides nothing of the other.
            (Err(EngineError::Late), Ok(heard)) | (Ok(heard), Err(EngineError::Late)) if heard > Cpus(0) => {
                Ok(heard)
            }
            (Err(error), _) | (_, Err(error)) => Err(error),
        }
    }
}

impl Ear {
    async fn hear(&self, engine: &Engine, found: &Found, stream: &str) -> Result<Cpus, EngineError> {
        let before = self.kept().take();
        let mut asked = match before {
            Some(Pending::Silent(silent)) if !silent.0.is_finished() => {
                *self.kept() = Some(Pending::Silent(silent));
                return Ok(Cpus(0));
            }
            Some(Pending::Asked(asked)) => asked,
            _ => Ending(engine.listen(found, stream).await?),
        };
        let Ok(answer) = tokio::time::timeout(PATIENCE, &mut asked.0).await else {
            *self.kept() = Some(Pending::Asked(asked));
            return Err(EngineError::Late);
        };
        match answer.map_err(|error| EngineError::Odd(error.to_string()))? {
            Ok(mut socket) => {
                let heard = listen(&mut socket).await;
                if heard == Cpus(0) {
                    // Closed then, whatever came: what nobody took would hold the container up.
                    let silent = tokio::spawn(async move { drop(socket.readable().await) });
                    *self.kept() = Some(Pending::Silent(Ending(silent)));
                }
                Ok(heard)
            }
            // It is paused.
            Err(error) if error.is_conflict() => Ok(Cpus(0)),
            Err(error) => Err(error),
        }
    }

    fn kept(&self) -> MutexGuard<'_, Option<Pending>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Drop for Ending<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What comes within a moment, or until it is enough. The few bytes of frames' heads are counted with it.
async fn listen(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> Cpus {
    let (begun, mut tally) = (Instant::now(), Tally::default());
    let mut heard = 0;
    let mut buffer = BytesMut::new();
    while heard < ENOUGH {
        buffer.clear();
        buffer.reserve(LONG);
        let left = MOMENT.saturating_sub(begun.elapsed());
        let Ok(Ok(count @ 1..)) = tokio::time::timeout(left, stream.read_buf(&mut buffer)).await else {
            break;
        };
        tally.add(&buffer);
        heard += count;
    }
    tally.over(if heard < ENOUGH { MOMENT } else { begun.elapsed() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_heard_is_weighed_by_the_time_it_took() {
        assert_eq!(listen(&mut tokio::io::empty()).await, Cpus(0));
        // What never ends is a flood, and listening ends.
        assert!(listen(&mut tokio::io::repeat(b'x')).await > Cpus(Cpus::ONE / 100));
        let (mut near, mut far) = tokio::io::duplex(64);
        let said = b"ready\n".repeat(5);
        tokio::io::AsyncWriteExt::write_all(&mut near, &said).await.unwrap();
        let heard = listen(&mut far).await;
        assert!(heard > Cpus(0) && heard < Cpus(Cpus::ONE / 1000), "{heard}");
    }
}
